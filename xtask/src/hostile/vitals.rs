//! What the operating system knows of a process.

use std::{collections::BTreeMap, ffi::OsString, fs};

/// A process at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Vitals {
    /// Memory in use, and the most there has been, in MiB.
    pub(super) resident_mib: f64,
    pub(super) peak_mib: f64,
    /// Processor time so far, in seconds.
    pub(super) cpu_s: f64,
    pub(super) files: usize,
    /// Time that its threads, all together, could have run and had no processor, in seconds; 0 where that is not told.
    pub(super) starved_s: f64,
}

impl Vitals {
    /// # Errors
    ///
    /// What to tell when it is gone, or the system has no such files.
    pub(super) fn of(pid: u32) -> Result<Self, String> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))
        };
        let status = read("status")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        Ok(Self {
            resident_mib: field("VmRSS:").unwrap_or_default() / 1024.0,
            peak_mib: field("VmHWM:").unwrap_or_default() / 1024.0,
            cpu_s: cpu_s(&read("stat")?).ok_or("no processor time in /proc")?,
            files: files(pid),
            starved_s: starved_s(pid),
        })
    }
}

/// Open files of a process.
pub(super) fn files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Time that its threads, all together, could have run and had no processor, in seconds; 0 where that is not told.
fn starved_s(pid: u32) -> f64 {
    starved(pid).into_values().sum()
}

/// Time that each of its threads, by name of its folder, could have run and had no processor, in seconds; none where that is not
/// told.
///
/// It is the second number of each thread's `schedstat`, which is in nanoseconds.
pub(crate) fn starved(pid: u32) -> BTreeMap<OsString, f64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().map_while(Result::ok);
    let starved = threads.filter_map(|thread| {
        let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let nanos: f64 = stat.split_whitespace().nth(1)?.parse().ok()?;
        Some((thread.file_name(), nanos / 1e9))
    });
    starved.collect()
}

/// User's and system's time together, from `/proc/PID/stat`.
fn cpu_s(stat: &str) -> Option<f64> {
    // The name before it can hold anything, spaces and brackets too.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / ticks_per_second())
}

/// Time that the processors of this machine have been busy since its start, in seconds; `None` where that is not told.
pub(super) fn machine_s() -> Option<f64> {
    busy_s(&fs::read_to_string("/proc/stat").ok()?)
}

/// User, nice, system, interrupts and what the host took; idle and waiting, fourth and fifth, left out.
fn busy_s(stat: &str) -> Option<f64> {
    let all = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks = all.split_whitespace().map_while(|t| t.parse::<f64>().ok());
    let busy = ticks.take(8).enumerate();
    let busy = busy.filter(|(at, _)| !(3..5).contains(at));
    Some(busy.map(|(_, ticks)| ticks).sum::<f64>() / ticks_per_second())
}

#[cfg(unix)]
fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

#[cfg(not(unix))]
fn ticks_per_second() -> f64 {
    100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_stands_behind_the_name() {
        let stat = "1 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0";
        assert_eq!(cpu_s(stat), Some(300.0 / ticks_per_second()));
        assert_eq!(cpu_s("1 (a) S 1"), None);
    }

    #[test]
    fn a_machine_is_busy_when_it_is_neither_idle_nor_waiting() {
        let stat = "cpu  100 20 30 9000 800 5 6 40 7 7\ncpu0 1 2 3\n";
        assert_eq!(busy_s(stat), Some(201.0 / ticks_per_second()));
        assert_eq!(busy_s("intr 1"), None);
    }
}
