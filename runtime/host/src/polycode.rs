//! Text that was translated ahead of time and then changes: finds out, and makes sure that its lifted functions are executed
//! no more. Takes changes of the address space, writes to guarded pages and IC IVAU; takes functions out of the image's
//! tables and overwrites their host entries, and puts them back when their bytes are again what they were made of.
//!
//! A lifted function is *live* while all its guest code may be executed and is what the guest file says. A page with code of
//! live functions that the guest may write is *guarded*: the host may not write there. A write faults, leaves lifted code at its
//! checkpoint, and opens the page; it is closed, and its functions compared, before lifted code is entered again
//! ([`settle`]). So a page that is written but does not change costs time only; beyond `MOST_WRITES` its functions are
//! left to the other engines for good. Nothing of this costs anything as long as text is not writable.
//!
//! # Safety
//! Writes the output's own tables and the first bytes of lifted functions. The calling thread is not in lifted code. Other
//! threads may be: what is written is right for whoever stands there (`patch`), and they are called out behind it (`recall`).
#![allow(unsafe_code)]

mod patch;

use crate::access;
use crate::libraries;
use crate::mem::{PAGE, WRITE, page_down};
use crate::recall;
use crate::thread::{self, Process};
use crate::trace::Topic;
use abi::CodeRange;
use patch::Saved;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use patch::{put_in, refused, trapped};

/// Writes to a page after which its functions are given up. Each costs two host signals and two changes of protection.
const MOST_WRITES: u32 = 64;

/// The guest's cache lines have 64 bytes (CTR_EL0).
const LINE: u64 = 64;

/// Counts changes of what is live.
static EPOCH: AtomicU64 = AtomicU64::new(0);
/// Number of guarded pages.
static GUARDED: AtomicU32 = AtomicU32::new(0);
/// True if any page is open.
static OPEN: AtomicBool = AtomicBool::new(false);
/// True once `/proc/…/mem` was opened, through which writes arrive without a fault.
static MEMORY_FILE: AtomicBool = AtomicBool::new(false);

static TEXT: Mutex<Option<Text>> = Mutex::new(None);

/// A lifted function.
struct Function {
    /// What it was before it became stale; `None` while it is live.
    stale: Option<Saved>,
    /// Left to the other engines for good.
    given_up: bool,
}

/// A page with code of lifted functions.
#[derive(Default)]
struct Page {
    functions: Vec<u32>,
    guarded: bool,
    open: bool,
    writes: u32,
}

struct Text {
    process: &'static Process,
    functions: Vec<Function>,
    pages: BTreeMap<u64, Page>,
    /// Pages that are open.
    open: Vec<u64>,
    /// The executable area looked at last.
    executable: (u64, u64),
}

/// Number of the present state of the image's code.
pub fn epoch() -> u64 {
    EPOCH.load(Ordering::Acquire)
}

/// The process, if its lifted code is used and watched.
fn watched() -> Option<&'static Process> {
    thread::try_process().filter(|p| {
        !p.options.interpreter_only && !p.options.no_invalidation && p.image.desc.function_count != 0
    })
}

fn lock() -> MutexGuard<'static, Option<Text>> {
    TEXT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nothing becomes stale or live while this lives; to be held across `fork`, taken before the address space's lock.
pub struct Held {
    _guard: MutexGuard<'static, Option<Text>>,
}

/// The guest address of the function whose entry led to the dispatcher, by the host address behind the call there. A trap in its
/// place becomes the call, if that can be now.
pub fn guest_entry(back: u64) -> u64 {
    if patch::is_trap(back) {
        // Nothing is removed or restored meanwhile.
        let _guard = lock();
        patch::make_call(back);
    }
    patch::guest_entry(back)
}

/// Stops changes.
pub fn hold() -> Held {
    Held { _guard: lock() }
}

/// To be called before the first guest instruction: guards text that is writable from the beginning, and looks at libraries that
/// are mapped already.
pub fn start(process: &'static Process) {
    for s in process.image.segments().iter().filter(|s| s.prot & WRITE != 0) {
        changed(s.vaddr.wrapping_add(process.image.bias), s.memsz);
    }
    if watched().is_some() {
        let _guard = lock();
        libraries::wake(&process.image, &process.mem, &(0..u64::MAX));
    }
}

/// The range is mapped, unmapped or protected otherwise now.
pub fn changed(start: u64, len: u64) {
    look(start, len, true);
}

/// IC IVAU of that address: code of the line may have changed through another mapping.
pub fn line(addr: u64) {
    flushed(addr & !(LINE - 1), LINE);
}

/// The guest says that code of the range may have changed (A32's `cacheflush`).
pub fn flushed(start: u64, len: u64) {
    look(start, len, false);
}

/// What is written to memory without faulting may be text.
fn look(start: u64, len: u64, guard: bool) {
    let Some(process) = watched() else { return };
    let range = start..start.saturating_add(len);
    if len == 0 || !process.image.has_code_in(&range, false) {
        return;
    }
    let mut text = lock();
    let watched = process.image.has_code_in(&range, true);
    if guard {
        libraries::wake(&process.image, &process.mem, &range);
    }
    if !watched {
        return;
    }
    let text = text.get_or_insert_with(|| Text::new(process));
    if guard {
        text.changed(range);
    } else {
        let functions = text.functions_at(range);
        text.compare(&functions, false);
        text.release_idle();
    }
}

/// A write to that address faulted for lack of permission: true if that was because the page is guarded; it can be written
/// now, until [`settle`].
pub fn open(addr: u64) -> bool {
    if GUARDED.load(Ordering::Acquire) == 0 {
        return false;
    }
    match lock().as_mut() {
        Some(text) => text.open(page_down(addr), true),
        None => false,
    }
}

/// The kernel is about to write somewhere in that range: makes it writable until [`settle`] if the guest may write there.
pub fn open_for_kernel(start: u64, len: u64) {
    if GUARDED.load(Ordering::Acquire) == 0 {
        return;
    }
    let mut text = lock();
    let Some(text) = text.as_mut() else { return };
    for page in text.guarded_within(start, len) {
        text.open(page, false);
    }
}

/// The kernel will write to that range at any time: its functions are left to the other engines for good.
pub fn give_up(start: u64, len: u64) {
    if GUARDED.load(Ordering::Acquire) == 0 {
        return;
    }
    let mut text = lock();
    let Some(text) = text.as_mut() else { return };
    for page in text.guarded_within(start, len) {
        text.give_up(page);
    }
    text.release_idle();
}

/// True while any page is guarded.
pub fn guards() -> bool {
    GUARDED.load(Ordering::Acquire) != 0
}

/// Before lifted code is entered or gone on with: closes the pages that were opened, and finds what changed in them.
pub fn settle() {
    if OPEN.load(Ordering::Acquire)
        && let Some(text) = lock().as_mut()
    {
        text.settle();
    }
}

/// A file was opened through which memory can be written whatever its protection.
pub fn note_memory_file() {
    MEMORY_FILE.store(true, Ordering::Release);
}

/// After a call that writes to files: if memory can be one, looks at all text.
pub fn after_file_write() {
    if MEMORY_FILE.load(Ordering::Acquire)
        && let Some(process) = watched()
    {
        let text = process.image.text();
        look(text.start, text.end - text.start, false);
        crate::jit::invalidate(0, u64::MAX);
    }
}

impl Text {
    fn new(process: &'static Process) -> Text {
        let image = &process.image;
        let base = image.text().start;
        let mut pages: BTreeMap<u64, Page> = BTreeMap::new();
        for i in 0..image.functions().len() {
            for r in image.code_of(i).iter().filter(|r| r.len != 0) {
                let (start, end) = (base + r.start as u64, base + r.start as u64 + r.len as u64);
                for page in (page_down(start)..end).step_by(PAGE as usize) {
                    let functions = &mut pages.entry(page).or_default().functions;
                    if functions.last() != Some(&(i as u32)) {
                        functions.push(i as u32);
                    }
                }
            }
        }
        let functions = image.functions().iter().map(|_| Function { stale: None, given_up: false }).collect();
        Text { process, functions, pages, open: Vec::new(), executable: (0, 0) }
    }

    fn range_of(&self, r: &CodeRange) -> Range<u64> {
        let start = self.process.image.text().start + r.start as u64;
        start..start + r.len as u64
    }

    /// Functions with code in the range, by index.
    fn functions_at(&self, range: Range<u64>) -> Vec<u32> {
        let of_pages = self.pages.range(page_down(range.start)..range.end).flat_map(|p| &p.1.functions);
        let mut found: Vec<u32> = of_pages.copied().collect();
        found.sort_unstable();
        found.dedup();
        found.retain(|&f| {
            let image = &self.process.image;
            if !image.is_in_use(image.functions()[f as usize].guest) {
                return false;
            }
            let mut code = self.process.image.code_of(f as usize).iter().map(|r| self.range_of(r));
            code.any(|r| r.start < range.end && range.start < r.end)
        });
        found
    }

    /// True if the guest may execute the function and it is what it was.
    fn is_unchanged(&mut self, f: u32) -> bool {
        let image = self.process.image;
        image.code_of(f as usize).iter().all(|r| {
            let Range { start, end } = self.range_of(r);
            let mut at = start;
            while at < end {
                let (lo, hi) = self.executable;
                if !(lo..hi).contains(&at) {
                    match self.process.mem.exec_range(at) {
                        Some(range) => self.executable = range,
                        None => return false,
                    }
                }
                at = self.executable.1;
            }
            let bytes = image.original(*r);
            bytes.len() == r.len as usize && access::same(start, bytes)
        })
    }

    /// Compares functions with what they were made of: makes changed ones stale, and, if `revive`, stale ones live that are
    /// as they were.
    fn compare(&mut self, functions: &[u32], revive: bool) {
        self.executable = (0, 0);
        let (mut stale, mut live) = (Vec::new(), Vec::new());
        for &f in functions {
            let Function { stale: was, given_up } = &self.functions[f as usize];
            match (was.is_some(), *given_up) {
                (false, _) if !self.is_unchanged(f) => stale.push(f),
                (true, false) if revive && self.is_unchanged(f) => live.push(f),
                _ => {}
            }
        }
        self.make_stale(&stale);
        self.make_live(&live);
    }

    fn make_stale(&mut self, functions: &[u32]) {
        if functions.is_empty() {
            return;
        }
        EPOCH.fetch_add(1, Ordering::AcqRel);
        for (&f, saved) in functions.iter().zip(patch::remove(&self.process.image, functions)) {
            let guest = self.process.image.functions()[f as usize].guest as u64;
            crate::trace!(Topic::Dispatch, "{:#x}: changed", self.process.image.text().start + guest);
            self.functions[f as usize].stale = Some(saved);
        }
        // Who is inside goes on in what it was.
        recall::everybody();
    }

    fn make_live(&mut self, functions: &[u32]) {
        let saved: Vec<(u32, Saved)> =
            functions.iter().filter_map(|&f| Some((f, self.functions[f as usize].stale.take()?))).collect();
        if !saved.is_empty() {
            patch::restore(&self.process.image, &saved);
            EPOCH.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn is_live(&self, page: u64) -> bool {
        let functions = self.pages.get(&page).map_or(&[][..], |p| &p.functions);
        functions.iter().any(|&f| self.functions[f as usize].stale.is_none())
    }

    fn set_guarded(&mut self, page: u64, guarded: bool) {
        if let Some(p) = self.pages.get_mut(&page)
            && std::mem::replace(&mut p.guarded, guarded) != guarded
        {
            if guarded {
                GUARDED.fetch_add(1, Ordering::AcqRel);
            } else {
                GUARDED.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }

    /// The pages of the range have another mapping or protection: the host's is the guest's.
    fn changed(&mut self, range: Range<u64>) {
        let functions = self.functions_at(range.clone());
        let pages: Vec<u64> = self.pages.range(page_down(range.start)..range.end).map(|p| *p.0).collect();
        for &page in &pages {
            self.set_guarded(page, false);
            self.pages.entry(page).or_default().open = false;
        }
        self.open.retain(|p| !pages.contains(p));
        self.compare(&functions, true);
        self.guard(&pages);
        // A write by another thread came before, or faults.
        self.compare(&functions, false);
        self.release_idle();
    }

    /// Guards those of the pages that are live and writable.
    fn guard(&mut self, pages: &[u64]) {
        let live: Vec<u64> = pages.iter().copied().filter(|&p| self.is_live(p)).collect();
        for run in live.chunk_by(|a, b| a + PAGE == *b) {
            let end = run[run.len() - 1] + PAGE;
            for (start, end) in self.process.mem.guard(run[0], end, false) {
                for page in (start..end).step_by(PAGE as usize) {
                    self.set_guarded(page, true);
                }
            }
        }
    }

    /// Takes the guard from pages without live functions.
    fn release_idle(&mut self) {
        let idle: Vec<u64> =
            self.pages.iter().filter(|(at, p)| p.guarded && !self.is_live(**at)).map(|(at, _)| *at).collect();
        for page in idle {
            self.process.mem.guard(page, page + PAGE, true);
            self.set_guarded(page, false);
        }
    }

    /// Guarded pages that the range touches.
    fn guarded_within(&self, start: u64, len: u64) -> Vec<u64> {
        let range = page_down(start)..start.saturating_add(len);
        self.pages.range(range).filter(|p| p.1.guarded).map(|p| *p.0).collect()
    }

    fn open(&mut self, page: u64, by_guest: bool) -> bool {
        let Some(p) = self.pages.get_mut(&page).filter(|p| p.guarded) else { return false };
        p.writes += u32::from(by_guest);
        if !p.open {
            if self.process.mem.guard(page, page + PAGE, true).is_empty() {
                return false;
            }
            p.open = true;
            self.open.push(page);
            OPEN.store(true, Ordering::Release);
        }
        true
    }

    /// Leaves the page's functions to the other engines.
    fn give_up(&mut self, page: u64) {
        let functions = self.pages.get(&page).map(|p| p.functions.clone()).unwrap_or_default();
        let live: Vec<u32> =
            functions.iter().copied().filter(|&f| self.functions[f as usize].stale.is_none()).collect();
        self.make_stale(&live);
        for f in functions {
            self.functions[f as usize].given_up = true;
        }
    }

    fn settle(&mut self) {
        OPEN.store(false, Ordering::Release);
        for page in std::mem::take(&mut self.open) {
            let Some(p) = self.pages.get_mut(&page) else { continue };
            p.open = false;
            if p.writes > MOST_WRITES {
                self.give_up(page);
                continue;
            }
            // First the guard: what is written from now on faults.
            self.process.mem.guard(page, page + PAGE, false);
            let functions = self.functions_at(page..page + PAGE);
            self.compare(&functions, false);
        }
        self.release_idle();
    }
}
