//! A process that is measured.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// Time for a program to be ready.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// Time for one measurement.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program. Dropped, it is killed.
pub(super) struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

/// Resident memory, in MiB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    pub(super) resident: f64,
    pub(super) peak: f64,
}

impl Memory {
    /// The most by now over what there was before. The system counts in steps, so that nothing can look like less.
    pub(super) fn over(self, before: Self) -> f64 {
        (self.peak - before.resident).max(0.0)
    }
}

impl Process {
    /// Starts it, and waits until it is ready; with the port that it listens on.
    ///
    /// # Errors
    ///
    /// What to tell when it does not start.
    pub(super) fn start(command: &mut Command) -> Result<(Self, String), String> {
        let shown = env::var_os("PEER_LOG").is_some();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if shown {
                Stdio::inherit()
            } else {
                Stdio::null()
            })
            .spawn()
            .map_err(|e| format!("{}: {e}", command.get_program().display()))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.expect("both were asked for");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut process = Self {
            child,
            stdin,
            lines,
        };
        let ready = process.line(START_PATIENCE)?;
        match ready.strip_prefix("ready ") {
            Some(port) => Ok((process, port.to_owned())),
            None => Err(format!("said {ready:?} for a start")),
        }
    }

    /// Sends a command and returns the words of the answer.
    ///
    /// # Errors
    ///
    /// What to tell when it did not succeed.
    pub(super) fn ask(&mut self, command: &str) -> Result<Vec<f64>, String> {
        writeln!(self.stdin, "{command}").map_err(|e| format!("{command}: {e}"))?;
        let line = self.line(PATIENCE)?;
        let answer = line
            .strip_prefix("ok")
            .ok_or_else(|| format!("{command}: {line}"))?;
        let words = answer.split_whitespace().map(str::parse);
        words
            .collect::<Result<_, _>>()
            .map_err(|_| format!("{command}: {line}"))
    }

    /// CPU time of all threads up to now, user and system.
    ///
    /// # Errors
    ///
    /// What to tell when the system does not say.
    pub(super) fn cpu(&self) -> Result<Duration, String> {
        let dir = format!("/proc/{}/task", self.child.id());
        let threads = fs::read_dir(&dir).map_err(|e| format!("{dir}: {e}"))?;
        let mut total = Duration::ZERO;
        for thread in threads.flatten() {
            // One that has just ended had nothing to do with the messages.
            if let Ok(times) = fs::read_to_string(thread.path().join("schedstat")) {
                total += on_cpu(&times).ok_or_else(|| format!("{dir} tells no times"))?;
            }
        }
        Ok(total)
    }

    /// Memory now.
    ///
    /// # Errors
    ///
    /// What to tell when the system does not say.
    pub(super) fn memory(&self) -> Result<Memory, String> {
        let file = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&file).map_err(|e| format!("{file}: {e}"))?;
        memory(&status).ok_or_else(|| format!("{file} tells no memory"))
    }

    fn line(&mut self, patience: Duration) -> Result<String, String> {
        self.lines.recv_timeout(patience).map_err(|_| {
            let ended = matches!(self.child.try_wait(), Ok(Some(_)));
            let what = if ended { "ended" } else { "was silent" };
            format!("{what}; PEER_LOG=1 shows what it says")
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It can have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts what `start` starts on the first core alone.
///
/// # Errors
///
/// What to tell when the system does not do that, or of `start`.
#[cfg(target_os = "linux")]
pub(super) fn pinned<T>(start: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let all = sched_getaffinity(None).map_err(|e| e.to_string())?;
    let mut one = CpuSet::new();
    let first = (0..CpuSet::MAX_CPU).find(|core| all.is_set(*core));
    one.set(first.ok_or("there is no core")?);
    sched_setaffinity(None, &one).map_err(|e| e.to_string())?;
    // Children inherit it.
    let started = start();
    sched_setaffinity(None, &all).map_err(|e| e.to_string())?;
    started
}

#[cfg(not(target_os = "linux"))]
pub(super) fn pinned<T>(_start: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    Err("this system does not keep a process on one core".to_owned())
}

/// The first number of a thread's `schedstat`: nanoseconds on a core.
fn on_cpu(times: &str) -> Option<Duration> {
    let nanos = times.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

fn memory(status: &str) -> Option<Memory> {
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib / 1024.0)
    };
    Some(Memory {
        resident: mib("VmRSS:")?,
        peak: mib("VmHWM:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_the_system_are_read() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let read = memory(status).unwrap();
        assert_eq!((read.resident, read.peak), (1.0, 2.0));
        assert!(memory("Name:\tx\n").is_none());
        assert_eq!(on_cpu("1500 7 3\n"), Some(Duration::from_nanos(1500)));
        assert_eq!(on_cpu(""), None);
    }
}
