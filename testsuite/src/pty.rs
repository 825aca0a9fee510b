//! A pseudo-terminal with a program in it, as a person would use it.
//!
//! # Safety
//! The unsafe calls are plain libc calls on descriptors that this file owns; the child's hook calls async-signal-safe
//! functions only.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program on a terminal of 24 × 80.
pub struct Terminal {
    master: File,
    /// The program.
    pub child: Child,
    screen: Vec<u8>,
}

impl Terminal {
    /// Starts `command` with the terminal as its controlling terminal.
    pub fn start(mut command: Command) -> Terminal {
        let (mut master, mut slave) = (0, 0);
        let size = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the pointers are to live locals; openpty fills the first two.
        let r =
            unsafe { libc::openpty(&mut master, &mut slave, std::ptr::null_mut(), std::ptr::null(), &size) };
        assert_eq!(r, 0, "a pseudo-terminal");
        // SAFETY: openpty gave both descriptors to us.
        let (master, slave) = unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        let clone = || Stdio::from(slave.try_clone().expect("a descriptor can be duplicated"));
        command.stdin(clone()).stdout(clone()).stderr(clone());
        // SAFETY: setsid and ioctl are async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        let child = command.spawn().expect("the program starts");
        // SAFETY: the descriptor is open; O_NONBLOCK lets `until` wait with a limit.
        unsafe { libc::fcntl(master.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        Terminal { master, child, screen: Vec::new() }
    }

    /// Types.
    pub fn send(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("the terminal takes input");
    }

    /// Reads until `text` was shown since the last call.
    pub fn until(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        let mut buffer = [0; 4096];
        loop {
            if let Some(i) = self.screen.windows(text.len()).position(|w| w == text.as_bytes()) {
                self.screen.drain(..i + text.len());
                return;
            }
            match self.master.read(&mut buffer) {
                Ok(n) if n > 0 => self.screen.extend_from_slice(&buffer[..n]),
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
            let shown = String::from_utf8_lossy(&self.screen);
            assert!(Instant::now() < end, "{text:?} does not appear; the screen shows {shown:?}");
        }
    }

    /// Waits for the program's end; gives its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status.code();
            }
            if Instant::now() > end {
                let _ = self.child.kill();
                panic!(
                    "the program does not end; the screen shows {:?}",
                    String::from_utf8_lossy(&self.screen)
                );
            }
            let mut buffer = [0; 4096];
            let _ = self.master.read(&mut buffer);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
