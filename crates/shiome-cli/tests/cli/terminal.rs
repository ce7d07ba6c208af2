//! `shiome watch` on a terminal.

use std::{
    fs::{File, OpenOptions},
    io::Read as _,
    os::unix::ffi::OsStrExt as _,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use super::{
    node::{address, ends_cleanly},
    user::User,
};

/// How long anything may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

const ROWS: u16 = 24;
const COLUMNS: u16 = 80;

/// A process on a terminal of 80 columns and 24 rows, killed when dropped.
struct Terminal {
    child: Child,
    written: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn run(command: &mut Command) -> Self {
        let host = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&host).unwrap();
        unlockpt(&host).unwrap();
        let path = ptsname(&host, Vec::new()).unwrap();
        let path = std::ffi::OsStr::from_bytes(path.as_bytes());
        let guest = OpenOptions::new().read(true).write(true).open(path);
        let guest = guest.unwrap();
        let size = Winsize {
            ws_row: ROWS,
            ws_col: COLUMNS,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&guest, size).unwrap();
        let child = command.stdout(Stdio::from(guest)).spawn().unwrap();
        let (sender, written) = channel();
        let mut host = File::from(host);
        thread::spawn(move || {
            let mut part = [0; 4096];
            // Once nobody holds the other end, reading fails.
            while let Ok(len @ 1..) = host.read(&mut part) {
                if sender.send(part[..len].to_vec()).is_err() {
                    return;
                }
            }
        });
        let seen = String::new();
        Self {
            child,
            written,
            seen,
        }
    }

    /// All that was written up to the first that contains `text`.
    fn until(&mut self, text: &str) -> &str {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let part = self.written.recv_timeout(left);
            let part = part.unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.seen));
            self.seen.push_str(&String::from_utf8(part).unwrap());
        }
        &self.seen
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ENTERED: &str = "\x1b[?1049h\x1b[?25l";
const LEFT: &str = "\x1b[?25h\x1b[?1049l";

#[test]
fn watch_fits_the_terminal_and_leaves_it_as_it_was() {
    let user = User::new();
    let a = user.start("a@127.0.0.1:0", &[]);
    address(&a, "a@127.0.0.1");
    for signal in [Signal::TERM, Signal::INT] {
        let mut watch = Terminal::run(user.command(&["watch"]).stderr(Stdio::null()));
        // Twice, the second time in place of the first.
        let seen = watch.until("\x1b[J\x1b[Ha@127.0.0.1  ready");
        assert!(seen.starts_with(ENTERED), "{seen:?}");
        let screen = seen.split("\x1b[H").nth(1).unwrap();
        // The terminal adds a carriage return of its own.
        let lines: Vec<_> = screen.trim_end_matches("\x1b[J").lines().collect();
        assert!(lines.len() <= ROWS.into(), "{lines:?}");
        for line in lines {
            let line = line.trim_end_matches('\r').strip_suffix("\x1b[K").unwrap();
            assert!(line.chars().count() <= COLUMNS.into(), "{line}");
        }
        kill_process(Pid::from_child(&watch.child), signal).unwrap();
        let seen = watch.until(LEFT);
        assert!(seen.ends_with(LEFT), "{seen:?}");
        assert!(watch.child.wait().unwrap().success());
    }
    ends_cleanly(a, Signal::TERM);
}
