//! The process of a node, as the system sees it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    process::Child,
    sync::mpsc::RecvTimeoutError,
    time::{Duration, Instant},
};

use super::Node;
use crate::hostile::vitals::starved;

/// Resident memory of a process, in KiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    /// The most that it ever was.
    pub(crate) peak: u64,
}

/// What each thread had missed at a moment, in seconds.
#[derive(Debug)]
pub(crate) struct Starving(BTreeMap<OsString, f64>);

impl Node {
    /// The memory of the process, read from outside, so that the node need not be able to answer.
    ///
    /// # Errors
    ///
    /// What to tell when the process has ended, or the system does not tell.
    pub(crate) fn memory(&self) -> Result<Memory, String> {
        let file = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&file).map_err(|e| self.told(&format!("{file}: {e}")))?;
        resident(&status).ok_or_else(|| self.told(&format!("{file} tells no memory")))
    }

    /// From when on time without a processor counts.
    pub(crate) fn starving(&self) -> Starving {
        Starving(starved(self.child.id()))
    }

    /// Time since then that one of its threads, the worst, could have run and had no processor; none where the system does not
    /// tell. All of them together may miss more than has passed.
    pub(crate) fn starved_since(&self, Starving(before): &Starving) -> Duration {
        let since = |(thread, now): (OsString, f64)| now - before.get(&thread).unwrap_or(&0.0);
        let worst = starved(self.child.id()).into_iter().map(since);
        Duration::from_secs_f64(worst.fold(0.0, f64::max))
    }

    /// Stops the process where it stands: its connections stay open, and nobody serves them.
    ///
    /// # Errors
    ///
    /// What to tell when that is not possible.
    pub(crate) fn freeze(&self) -> Result<(), String> {
        freeze(&self.child).map_err(|problem| self.told(&problem))
    }

    /// Whether the process has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Whether the process ends by itself within this time.
    pub(crate) fn ends(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok((at, line)) => drop(self.is_event(at, &line)),
                Err(error) => return error == RecvTimeoutError::Disconnected,
            }
        }
    }
}

fn resident(status: &str) -> Option<Memory> {
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Memory {
        resident: kib("VmRSS:")?,
        peak: kib("VmHWM:")?,
    })
}

#[cfg(unix)]
fn freeze(child: &Child) -> Result<(), String> {
    use rustix::process::{Pid, Signal, kill_process};
    kill_process(Pid::from_child(child), Signal::STOP).map_err(|e| e.to_string())
}

#[cfg(not(unix))]
fn freeze(_child: &Child) -> Result<(), String> {
    Err("cannot be stopped on this system".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_status() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let memory = resident(status).unwrap();
        assert_eq!((memory.resident, memory.peak), (1024, 2048));
        assert!(resident("Name:\tx\n").is_none());
    }
}
