//! A process that takes commands on stdin and tells JSON lines on stdout.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::cargo;

/// Time for an answer, also under attack.
const PATIENCE: Duration = Duration::from_secs(20);

/// Lines of stderr that are kept.
const MAX_KEPT_LINES: usize = 20;

/// A party that runs. Dropped, it is killed.
pub(super) struct Party {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    errors: Arc<Mutex<Vec<String>>>,
    name: String,
}

impl Party {
    pub(super) fn start(program: &Path, args: &[&str]) -> Result<Self, String> {
        let name = args.first().copied().unwrap_or_default().to_owned();
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        let (stdout, stderr) = child
            .stdout
            .take()
            .zip(child.stderr.take())
            .expect("both were asked for");
        let (tell, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let told = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if tell.send(told).is_err() {
                    return;
                }
            }
        });
        let errors = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&errors);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() < MAX_KEPT_LINES {
                    kept.push(line);
                }
            }
        });
        Ok(Self {
            stdin: child.stdin.take(),
            child,
            lines,
            errors,
            name,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a command and waits for what is told next.
    pub(super) fn ask(&mut self, command: &str) -> Result<Value, String> {
        self.send(command)?;
        self.next()
    }

    fn send(&mut self, command: &str) -> Result<(), String> {
        let stdin = self
            .stdin
            .as_mut()
            .expect("it is open until the party is dropped");
        writeln!(stdin, "{command}").map_err(|e| format!("{}: {e}: {}", self.name, self.errors()))
    }

    /// What is told next.
    pub(super) fn next(&mut self) -> Result<Value, String> {
        self.next_within(PATIENCE)?
            .ok_or_else(|| format!("{} says nothing: {}", self.name, self.errors()))
    }

    /// What is told next, if it is told in that time.
    ///
    /// # Errors
    ///
    /// What to tell when the process has ended.
    pub(super) fn next_within(&mut self, limit: Duration) -> Result<Option<Value>, String> {
        match self.lines.recv_timeout(limit) {
            Ok(told) => Ok(Some(told)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                let _ = self.child.wait();
                Err(format!("{} has ended: {}", self.name, self.errors()))
            }
        }
    }

    /// What it has said on stderr.
    pub(super) fn errors(&self) -> String {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.join(" / ")
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a party prints that does one thing and ends.
pub(super) fn run(program: &Path, args: &[&str]) -> Result<String, String> {
    cargo::output(Command::new(program).args(args))
}
