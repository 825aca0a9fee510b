//! From the host's `main` to the guest's first instruction. Takes arguments, environment and the image's description;
//! sets up memory, signals and the first thread. Errors end the process with status 2 and a message.
//!
//! # Safety
//! `argv` and `envp` are those of the host's `main`.
#![allow(unsafe_code)]

use crate::hostcall::syscall;
use crate::signal::{self, Actions};
use crate::sys::{EXE_VARIABLE, OwnFile, is_runtimes_own};
use crate::sysroot::Sysroot;
use crate::thread::{self, Process, Thread};
use crate::trace::{self, Options};
use crate::{dispatch, entry, linker, loader, polycode, profile, recall, sites, stack};
use abi::{ABI_HASH, GuestState, IMAGE_MAGIC, ImageDesc};
use isa::Isa;
use std::ffi::{CStr, CString, c_char};
use std::os::unix::ffi::OsStrExt;

/// Host value of an auxiliary vector entry.
pub fn host_aux(key: u64) -> u64 {
    // SAFETY: reads the process's own vector.
    unsafe { libc::getauxval(key) }
}

fn strings(mut p: *const *const c_char) -> Vec<CString> {
    let mut out = Vec::new();
    // SAFETY: a NULL-terminated vector of strings, by the module's heading.
    unsafe {
        while !p.is_null() && !(*p).is_null() {
            out.push(CStr::from_ptr(*p).to_owned());
            p = p.add(1);
        }
    }
    out
}

fn fail(text: std::fmt::Arguments<'_>) -> ! {
    trace::die(format_args!("error: {text}"))
}

fn check(desc: &ImageDesc) -> Isa {
    if desc.magic != IMAGE_MAGIC {
        fail(format_args!("this file's guest image is damaged; translate the program again"));
    }
    if desc.abi_hash != ABI_HASH {
        fail(format_args!(
            "the guest image and the runtime are of different versions; translate the program again"
        ));
    }
    Isa::from_number(desc.isa).unwrap_or_else(|| {
        fail(format_args!("guest instruction set {} is not supported by this runtime", desc.isa))
    })
}

/// Path of this executable.
fn exe_path() -> CString {
    let mut buf = [0u8; 4096];
    let args = [c"/proc/self/exe".as_ptr() as u64, buf.as_mut_ptr() as u64, buf.len() as u64 - 1, 0, 0, 0];
    let n = syscall(libc::SYS_readlink, args).max(0) as usize;
    CString::new(&buf[..n]).unwrap_or_default()
}

/// Takes what is the runtime's from the environment, and gives the program's own name, if `XLATE_EXE` says it.
fn given_name(envp: &mut Vec<CString>) -> Option<CString> {
    let value = |e: &CString| Some(e.as_bytes().strip_prefix(EXE_VARIABLE)?.to_vec());
    let given = envp.iter().find_map(value);
    envp.retain(|e| !is_runtimes_own(e.as_bytes()));
    let given = given.filter(|g| !g.is_empty())?;
    let path = std::path::absolute(std::ffi::OsStr::from_bytes(&given)).ok()?;
    CString::new(path.into_os_string().into_encoded_bytes()).ok()
}

/// The path by which the program was executed.
fn exec_name(exe: &CStr) -> CString {
    match host_aux(libc::AT_EXECFN) as *const c_char {
        p if p.is_null() => exe.to_owned(),
        // SAFETY: the kernel put a string there.
        p => unsafe { CStr::from_ptr(p) }.to_owned(),
    }
}

/// Runs the guest program. Never returns: the guest ends the process.
///
/// # Safety
/// `argv` and `envp` are `main`'s; `desc` is the image of this executable. Called once, on the initial thread.
pub unsafe fn main(argv: *const *const c_char, envp: *const *const c_char, desc: &'static ImageDesc) -> ! {
    let isa = check(desc);
    let features = entry::init();
    let (argv, mut envp) = (strings(argv), strings(envp));
    let given = given_name(&mut envp);
    let var = |name: &str| {
        let value = |e: &CString| e.to_str().ok()?.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        envp.iter().find_map(value)
    };
    let mut options = Options::from_env(var);
    profile::start(var);
    if sites::avoid_missing(desc, features & !options.without).is_err() {
        // The system forbids changing code: what remains is exact, and slow.
        options.interpreter_only = true;
    }
    let mut mask = 0u64;
    syscall(libc::SYS_rt_sigprocmask, [0, 0, &raw mut mask as u64, 8, 0, 0]);

    let mem = loader::address_space(isa).unwrap_or_else(|e| fail(format_args!("{e}")));
    let loaded = loader::load(desc, isa, &mem).and_then(|image| {
        let sysroot = Sysroot::find(&image, var("XLATE_SYSROOT"));
        let linker = linker::load(&image, &sysroot, &mem)?;
        let top = loader::map_stack(&mem, desc.exec_stack != 0)?;
        Ok((image, sysroot, linker, top, loader::map_trampoline(isa, &mem)?))
    });
    let (image, sysroot, linker, top, trampoline) = loaded.unwrap_or_else(|e| fail(format_args!("{e}")));
    let exe = exe_path();
    let own = OwnFile::new(image.file(), &exec_name(&exe)).named(given.clone());
    let name = given.unwrap_or_else(|| exec_name(&exe));
    let initial = stack::build(top, &image, linker, &name, &argv, &envp)
        .unwrap_or_else(|_| fail(format_args!("arguments and environment do not fit on the stack")));
    let auxv = initial.auxv;
    let process = thread::publish(Process { image, mem, auxv, argv, own, options, trampoline, sysroot });
    polycode::start(process);

    let (stack_top, limit) = entry::new_stack(entry::STACK).unwrap_or_else(|e| {
        fail(format_args!("no memory for the host stack: {}", std::io::Error::from_raw_os_error(e.0)))
    });
    let state = GuestState {
        pc: linker.map_or(desc.entry.wrapping_add(image.bias), |l| l.entry),
        sp: initial.sp,
        image_bias: image.bias,
        stack_limit: limit,
        stack_limit_real: limit,
        ..GuestState::default()
    };
    let thread = Thread::first(process, state, mask, Actions::inherited(), stack_top);
    if let Err(e) = signal::install_handlers() {
        fail(format_args!("cannot set up signal handling: {}", std::io::Error::from_raw_os_error(e.0)));
    }
    // SAFETY: made above.
    recall::enter(unsafe { (*thread).shared });
    signal::block_host();
    // SAFETY: made above, where its stack was, too; the reference ends with the call.
    unsafe {
        signal::set_host_mask(&*thread);
        dispatch::run(thread)
    }
}
