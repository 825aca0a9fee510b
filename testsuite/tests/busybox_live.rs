//! Busybox in interactive and long-running roles: vi on a terminal, a shell with job control, a web server and a client.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testsuite::compare::translate;
use testsuite::packages::busybox;
use testsuite::pty::Terminal;

fn native() -> PathBuf {
    translate(&busybox(), &[]).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn vi_edits_a_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("text");
    std::fs::write(&file, "first\nsecond\nthird\n").expect("the file can be written");
    let mut c = Command::new(native());
    c.arg("vi").arg(&file).env("TERM", "vt100");
    let mut t = Terminal::start(c);
    t.until("third");
    t.send("ddjA and more\x1b");
    t.until("and more");
    t.send(":%s/second/zweite/\r");
    t.until("zweite");
    t.send(":wq\r");
    assert_eq!(t.wait(), Some(0));
    assert_eq!(std::fs::read_to_string(&file).expect("vi wrote the file"), "zweite\nthird and more\n");
}

#[test]
fn a_shell_controls_its_jobs() {
    let mut c = Command::new(native());
    c.args(["ash", "-i"]).env("PS1", "ready> ").env("PATH", "/bin:/usr/bin").env_remove("ENV");
    let mut t = Terminal::start(c);
    t.until("ready> ");
    t.send("sleep 100\r");
    t.until("sleep 100");
    std::thread::sleep(Duration::from_millis(300));
    t.send("\x1a");
    t.until("Stopped");
    t.until("ready> ");
    t.send("jobs\r");
    t.until("sleep 100");
    t.until("ready> ");
    t.send("kill %1; fg\r");
    t.until("Terminated");
    t.until("ready> ");
    t.send("trap 'echo caught' INT; sleep 50\r");
    t.until("sleep 50");
    std::thread::sleep(Duration::from_millis(300));
    t.send("\x03");
    t.until("ready> ");
    t.send("exit 7\r");
    assert_eq!(t.wait(), Some(7));
}

#[test]
fn a_server_serves_a_client() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let body: String = (0..5000).map(|i| format!("line {i}\n")).collect();
    std::fs::write(dir.path().join("page.txt"), &body).expect("the file can be written");
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let address = format!("127.0.0.1:{port}");
    let mut server = Command::new(native())
        .args(["httpd", "-f", "-p", &address, "-h"])
        .arg(dir.path())
        .spawn()
        .expect("httpd starts");
    let end = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(&address).is_err() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    let out = Command::new(native())
        .args(["wget", "-q", "-O", "-", &format!("http://{address}/page.txt")])
        .stdin(Stdio::null())
        .output()
        .expect("wget starts");
    let _ = server.kill();
    let _ = server.wait();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stdout == body.as_bytes(), "{} bytes", out.stdout.len());
}
