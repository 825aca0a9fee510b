//! Libraries are found in sysroots made here, of the cross compilers' libraries and of small ones.

use super::*;
use std::os::unix::fs::symlink;
use std::process::Command;

const A64: &str = "aarch64-linux-gnu-gcc";
const A32: &str = "arm-linux-gnueabihf-gcc";

/// A directory that is a sysroot, with a compiler's linker, libc and libm in /usr/lib, to which /lib leads.
struct Place {
    _dir: tempfile::TempDir,
    root: PathBuf,
    gcc: &'static str,
}

impl Place {
    fn new(gcc: &'static str) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let place = Place { _dir: dir, root, gcc };
        std::fs::create_dir_all(place.path("/usr/lib")).unwrap();
        symlink("/usr/lib", place.path("/lib")).unwrap();
        let linker = if gcc == A64 { "ld-linux-aarch64.so.1" } else { "ld-linux-armhf.so.3" };
        for name in [linker, "libc.so.6", "libm.so.6"] {
            std::fs::copy(place.of_compiler(name), place.path("/usr/lib").join(name)).unwrap();
        }
        place
    }

    fn of_compiler(&self, name: &str) -> PathBuf {
        let out = Command::new(self.gcc).arg(format!("-print-file-name={name}")).output().unwrap();
        PathBuf::from(String::from_utf8(out.stdout).unwrap().trim())
    }

    /// The host's name of what is `path` in the sysroot.
    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn compile(&self, gcc: &str, path: &str, source: &str, args: &[&str]) -> PathBuf {
        self.write(&format!("{path}.c"), source);
        let (c, out) = (self.path(&format!("{path}.c")), self.path(path));
        let mut command = Command::new(gcc);
        command.arg("-O1").arg(&c).arg("-o").arg(&out).arg("-Wl,--no-as-needed");
        let result = command.args(args).output().unwrap();
        assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
        std::fs::remove_file(c).unwrap();
        out
    }

    /// A library at `path`, whose content its path decides, without start files; its soname is the file's name.
    fn library(&self, path: &str, args: &[&str]) -> PathBuf {
        let name = path.rsplit('/').next().unwrap();
        let source = format!("const char *f(void) {{ return \"{path}\"; }}");
        let soname = format!("-Wl,-soname,{name}");
        self.compile(self.gcc, path, &source, &[&["-shared", "-fPIC", "-nostdlib", &soname], args].concat())
    }

    /// A program at `path`, for the C library.
    fn program(&self, path: &str, args: &[&str]) -> PathBuf {
        // What it is linked with may need more, which only ld.so has to find.
        let args = [&["-Wl,--allow-shlib-undefined"], args].concat();
        self.compile(self.gcc, path, "int main(void) { return 0; }", &args)
    }

    /// Files found for the program at host path `path`, as paths in the sysroot.
    fn found(&self, path: &Path) -> Vec<String> {
        self.found_with(path, Vec::new())
    }

    fn found_with(&self, path: &Path, further: Vec<Library>) -> Vec<String> {
        let found = find(&load(path), path, Some(&self.root), further, false);
        let inside = |l: &Library| l.path.strip_prefix(&self.root).unwrap_or(&l.path).display().to_string();
        found.iter().map(inside).collect()
    }
}

fn load(path: &Path) -> Image {
    image::load("program", std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_linker_comes_first_and_then_what_is_needed_breadth_first() {
    for (gcc, linker) in [(A64, "usr/lib/ld-linux-aarch64.so.1"), (A32, "usr/lib/ld-linux-armhf.so.3")] {
        let place = Place::new(gcc);
        let deep = place.library("/usr/lib/libdeep.so", &[]);
        let one = place.library("/usr/lib/libone.so", &[deep.to_str().unwrap()]);
        let two = place.library("/usr/lib/libtwo.so", &[one.to_str().unwrap()]);
        let program =
            place.program("/usr/bin/program", &[one.to_str().unwrap(), two.to_str().unwrap(), "-lm"]);
        let names = ["usr/lib/libone.so", "usr/lib/libtwo.so", "usr/lib/libm.so.6", "usr/lib/libc.so.6"];
        assert_eq!(place.found(&program), [&[linker], &names[..], &["usr/lib/libdeep.so"]].concat());
        std::fs::remove_file(deep).unwrap();
        assert_eq!(place.found(&program), [&[linker], &names[..]].concat());
        // Without a linker nothing can be loaded.
        std::fs::remove_file(place.path(linker)).unwrap();
        assert_eq!(place.found(&program), [""; 0]);
    }
}

#[test]
fn static_programs_have_no_libraries() {
    let place = Place::new(A64);
    let program = place.program("/program", &["-static"]);
    assert_eq!(place.found(&program), [""; 0]);
}

#[test]
fn links_lead_to_where_they_do_on_the_arm_system() {
    let place = Place::new(A64);
    place.library("/usr/lib/libx.so.1", &[]);
    let program = place.program("/program", &[place.path("/usr/lib/libx.so.1").to_str().unwrap()]);
    std::fs::create_dir_all(place.path("/opt/real")).unwrap();
    std::fs::rename(place.path("/usr/lib/libx.so.1"), place.path("/opt/real/libx.so.1.0")).unwrap();
    symlink("/opt/real/libx.so.1.0", place.path("/usr/lib/libx.so.1")).unwrap();
    let found = place.found(&program);
    assert_eq!(found[1..], ["opt/real/libx.so.1.0", "usr/lib/libc.so.6"]);
    let sysroot = Sysroot::at(&place.root);
    let x = Path::new("/lib/../lib/libx.so.1");
    assert_eq!(sysroot.resolve(x), Some(place.path("/opt/real/libx.so.1.0")));
    assert_eq!(sysroot.guest_name(&place.path("/opt/real")), Path::new("/opt/real"));
    assert_eq!(sysroot::plain(&place.root, Path::new("/opt")), Some(place.path("/opt")));
    assert_eq!(sysroot::plain(&place.root, Path::new("/none")), None);
    // What is not there, or is never looked for there, is the host's.
    std::fs::create_dir(place.path("/tmp")).unwrap();
    for path in ["/usr/lib/libnone.so", "/tmp", "/../usr/lib"] {
        assert_eq!(sysroot.resolve(Path::new(path)), Some(PathBuf::from(path)));
    }
    assert_eq!(sysroot.resolve(Path::new("usr/lib")), None);
}

#[test]
fn directories_are_those_of_the_configuration() {
    let place = Place::new(A64);
    std::fs::create_dir_all(place.path("/opt/a")).unwrap();
    std::fs::create_dir_all(place.path("/opt/b")).unwrap();
    std::fs::create_dir_all(place.path("/usr/lib/aarch64-linux-gnu")).unwrap();
    place.write(
        "/etc/ld.so.conf",
        "# comment\ninclude ld.so.conf.d/*.conf\n\thwcap 0 x\n/opt/b=libc6 # b\nnot/absolute\n",
    );
    place.write("/etc/ld.so.conf.d/a.conf", "/opt/a\ninclude /etc/ld.so.conf\n");
    place.write("/etc/ld.so.conf.d/b.other", "/opt/never\n");
    let list = directories::glibc(&Sysroot::at(&place.root), Isa::A64, "aarch64-linux-gnu");
    assert_eq!(list[list.len() - 7..][..2], ["/opt/b", "/lib/aarch64-linux-gnu"].map(PathBuf::from));
    assert!(list.contains(&"/opt/a".into()) && !list.contains(&"/opt/never".into()), "{list:?}");
    let libraries =
        ["/opt/b/libx.so", "/opt/a/libx.so", "/usr/lib/aarch64-linux-gnu/liby.so", "/opt/b/liby.so"];
    let files = libraries.map(|l| place.library(l, &[]).to_str().unwrap().to_owned());
    let program = place.program("/program", &[&files[0], &files[2]]);
    assert_eq!(place.found(&program)[1..3], ["opt/a/libx.so", "opt/b/liby.so"]);
}

#[test]
fn programs_say_where_to_look() {
    let place = Place::new(A64);
    for directory in
        ["/opt/app/bin", "/opt/app/lib", "/opt/app/more", "/opt/old", "/usr/lib/aarch64-linux-gnu"]
    {
        std::fs::create_dir_all(place.path(directory)).unwrap();
    }
    let text = |p: PathBuf| p.to_str().unwrap().to_owned();
    // Not found by itself: who asks has no DT_RPATH, and DT_RUNPATH is for what a file itself needs.
    let deep = text(place.library("/opt/app/lib/libdeep.so", &[]));
    let own = text(place.library("/opt/app/more/libown.so", &[]));
    let lib =
        text(place.library(
            "/opt/app/lib/libx.so",
            &[&deep, &own, "-Wl,-rpath,${ORIGIN}/../more,--enable-new-dtags"],
        ));
    let app = "/opt/app/bin/program";
    let new = ["-Wl,-rpath,$ORIGIN/../lib:relative,--enable-new-dtags", &lib];
    assert_eq!(
        place.found(&place.program(app, &new))[1..],
        ["opt/app/lib/libx.so", "usr/lib/libc.so.6", "opt/app/more/libown.so"]
    );
    // DT_RPATH is for all, but for files with a DT_RUNPATH.
    let old = ["-Wl,-rpath,$ORIGIN/../lib,--disable-new-dtags", &lib];
    assert_eq!(place.found(&place.program(app, &old)).len(), 4);
    let lib = text(place.library("/opt/app/lib/libx.so", &[&deep]));
    let old = ["-Wl,-rpath,$ORIGIN/../lib,--disable-new-dtags", &lib];
    assert_eq!(
        place.found(&place.program(app, &old))[1..],
        ["opt/app/lib/libx.so", "usr/lib/libc.so.6", "opt/app/lib/libdeep.so"]
    );
    // $LIB; and files for other processors are passed over.
    place.library("/usr/lib/aarch64-linux-gnu/libz.so", &[]);
    let z = text(place.library("/opt/old/libz.so", &[]));
    let program = place.program(app, &["-Wl,-rpath,/opt/old:/usr/$LIB,--enable-new-dtags", &z]);
    assert_eq!(place.found(&program)[1], "opt/old/libz.so");
    place.compile(A32, "/opt/old/libz.so", "int f;", &["-shared", "-nostdlib"]);
    assert_eq!(place.found(&program)[1], "usr/lib/aarch64-linux-gnu/libz.so");
    // A program outside of the sysroot.
    let outside = Place::new(A64);
    let y = text(outside.library("/liby.so", &[]));
    let program = outside.program("/program", &["-Wl,-rpath,$ORIGIN", &y]);
    assert_eq!(place.found(&program)[1], y);
    // By paths.
    place.library("/opt/old/libw.so", &[]);
    let mut program = load(&program);
    program.dynamic.needed =
        vec![c"/opt/old/libw.so".into(), c"$ORIGIN/../lib/libx.so".into(), c"./x".into()];
    let found = find(&program, &place.path(app), Some(&place.root), Vec::new(), false);
    assert_eq!(
        found[1..3].iter().map(|l| &l.path).collect::<Vec<_>>(),
        [&place.path("/opt/old/libw.so"), &place.path("/opt/app/lib/libx.so")]
    );
}

#[test]
fn each_file_and_each_content_is_there_once() {
    let place = Place::new(A64);
    let a = place.library("/usr/lib/liba.so", &[]);
    for name in ["libb.so", "libc1.so"] {
        place.library(&format!("/usr/lib/{name}"), &[]);
    }
    let path = |n: &str| place.path("/usr/lib").join(n).to_str().unwrap().to_owned();
    let program = place.program("/program", &[a.to_str().unwrap(), &path("libb.so"), &path("libc1.so")]);
    std::fs::remove_file(path("libb.so")).unwrap();
    symlink("liba.so", path("libb.so")).unwrap();
    std::fs::copy(&a, path("libc1.so")).unwrap();
    assert_eq!(place.found(&program)[1..], ["usr/lib/liba.so", "usr/lib/libc.so.6"]);
    // Further ones, and what they need.
    let deep = place.library("/usr/lib/libdeep.so", &[]);
    let plugin = place.library("/usr/lib/plugin.so", &[deep.to_str().unwrap()]);
    let further = [&a, &plugin].map(|f| read(&load(&program), f).unwrap());
    let found = place.found_with(&program, further.into());
    assert_eq!(found[3..], ["usr/lib/plugin.so", "usr/lib/libdeep.so"]);
}

#[test]
fn what_cannot_be_loaded_is_left_out() {
    let place = Place::new(A64);
    let a = place.library("/usr/lib/liba.so", &[]);
    let b = place.library("/usr/lib/libb.so", &[]);
    let program = place.program("/program", &[a.to_str().unwrap(), b.to_str().unwrap()]);
    File::options().write(true).open(&a).unwrap().set_len(LIMIT + 1).unwrap();
    let header = std::fs::read(&b).unwrap()[..100].to_vec();
    std::fs::write(&b, header).unwrap();
    assert_eq!(place.found(&program)[1..], ["usr/lib/libc.so.6"]);
    let fails = |path: &Path, what: &str| {
        let e = read(&load(&program), path).unwrap_err();
        assert!(e.contains(what) && e.contains("; "), "{e}");
    };
    fails(&a, "are more than a library");
    fails(&b, "damaged");
    fails(&place.root, "not a regular file");
    let other = place.compile(A32, "/opt.so", "int f;", &["-shared", "-nostdlib"]);
    fails(&other, "not for the program's instruction set");
    assert!(read(&load(&program), Path::new("/does/not/exist")).unwrap_err().contains("cannot be read"));
}

#[test]
fn musl_looks_elsewhere_and_is_its_own_c_library() {
    let place = Place::new(A64);
    std::fs::rename(
        place.path("/usr/lib/ld-linux-aarch64.so.1"),
        place.path("/usr/lib/ld-musl-aarch64.so.1"),
    )
    .unwrap();
    std::fs::create_dir_all(place.path("/usr/local/lib")).unwrap();
    std::fs::create_dir_all(place.path("/opt/lib")).unwrap();
    let text = |p: PathBuf| p.to_str().unwrap().to_owned();
    let deep = text(place.library("/opt/lib/libdeep.so", &[]));
    let x = text(place.library("/usr/local/lib/libx.so", &[&deep]));
    place.library("/usr/lib/libx.so", &[]);
    let linker = "-Wl,--dynamic-linker=/lib/ld-musl-aarch64.so.1";
    let program = place.program("/program", &[linker, &x, "-lm", "-Wl,-rpath,/opt/lib,--enable-new-dtags"]);
    let ld = "usr/lib/ld-musl-aarch64.so.1";
    assert_eq!(place.found(&program), [ld, "usr/lib/libx.so"]);
    place.write("/etc/ld-musl-aarch64.path", "/nowhere:/usr/local/lib\n/usr/lib\n");
    // DT_RUNPATH is for all that a file leads to.
    assert_eq!(place.found(&program), [ld, "usr/local/lib/libx.so", "opt/lib/libdeep.so"]);
    for (name, own) in [(c"libc.musl-aarch64.so.1", true), (c"libm.so.6", true), (c"libmagic.so", false)] {
        assert_eq!(is_musl(name), own);
    }
}

#[test]
fn the_usual_sysroot_has_the_linker() {
    let place = Place::new(A64);
    let program = load(&place.program("/program", &[]));
    let linker = Sysroot::usual(&program).resolve(Path::new("/lib/ld-linux-aarch64.so.1")).unwrap();
    assert_eq!(identify(&linker), Some((Isa::A64, FloatAbi::Hard)));
}

#[test]
fn there_are_not_too_many() {
    let place = Place::new(A64);
    let linker = place.path("/usr/lib/ld-linux-aarch64.so.1");
    let mut program = load(&place.program("/program", &[]));
    let bytes = std::fs::read(place.library("/usr/lib/liba.so", &[])).unwrap();
    program.dynamic.needed = (0..MOST + 4).map(|i| CString::new(format!("lib{i}.so")).unwrap()).collect();
    for i in 0..MOST + 4 {
        std::fs::write(place.path(&format!("/usr/lib/lib{i}.so")), [&bytes[..], &i.to_le_bytes()].concat())
            .unwrap();
    }
    let found = find(&program, Path::new("/program"), Some(&place.root), Vec::new(), false);
    assert_eq!((found.len(), &found[0].path), (MOST, &linker));
}
