//! One run of a target, and what the fuzzer tells of it.

use std::{
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use super::{
    DIR,
    corpus::{self, Inputs},
    files, nightly,
};
use crate::cargo;

/// Time for one input, above which it counts as a finding.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a run did.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) took: Duration,
    pub(super) executions: u64,
    /// Inputs in the tree, and their length in bytes.
    pub(super) corpus: (usize, u64),
    /// Inputs that break the target.
    pub(super) findings: Vec<PathBuf>,
}

/// Fuzzes a target for so many seconds, or until it breaks.
///
/// # Errors
///
/// What to tell when it could not be run, or ended without a finding and not in good order.
pub(super) fn run(root: &Path, target: &str, seconds: u32) -> Result<Run, String> {
    let inputs = Inputs::of(root, target)?;
    let artifacts = root.join(DIR).join("artifacts").join(target);
    let before = files(&artifacts)?;
    cargo::succeed(nightly(root).args(["fuzz", "build", "--fuzz-dir", DIR, target]))?;

    let mut fuzz = nightly(root);
    // What the fuzzer comes upon goes into the first directory; the others are only read.
    fuzz.args(["fuzz", "run", "--fuzz-dir", DIR, target])
        .args([&inputs.found, &inputs.corpus])
        .args(&inputs.seeds)
        .args(["--", "-print_final_stats=1"])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={}", TIMEOUT.as_secs()));
    let told = cargo::told(&fuzz);
    println!("\n== {target}: {seconds} s\n$ {told}");
    let start = Instant::now();
    let mut said = Said::default();
    let status = watch(&mut fuzz, &mut said).map_err(|e| format!("{told}: {e}"))?;
    let took = start.elapsed();

    let mut findings = files(&artifacts)?;
    findings.retain(|path| !before.contains(path));
    if !status.success() && findings.is_empty() {
        return Err(format!("{told}: {status}"));
    }
    let executions = said.executions.ok_or("the fuzzer told no figures")?;
    Ok(Run {
        took,
        executions,
        corpus: corpus::size(&inputs.corpus)?,
        findings,
    })
}

/// Runs the fuzzer, shows what it prints and reads it.
fn watch(fuzz: &mut Command, said: &mut Said) -> io::Result<ExitStatus> {
    let mut child = fuzz.stderr(Stdio::piped()).spawn()?;
    let output = child.stderr.take().into_iter().map(BufReader::new);
    for line in output.flat_map(|output| output.split(b'\n')) {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        said.read(&line);
    }
    child.wait()
}

/// What the fuzzer says of itself.
#[derive(Debug, Default)]
struct Said {
    executions: Option<u64>,
}

impl Said {
    /// Takes in a line, if it is a figure: `stat::number_of_executed_units: 17`.
    fn read(&mut self, line: &str) {
        let executions = line.strip_prefix("stat::number_of_executed_units:");
        if let Some(executions) = executions.and_then(|text| text.trim().parse().ok()) {
            self.executions = Some(executions);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_executions_is_read() {
        let mut said = Said::default();
        for line in [
            "#2097152\tpulse  cov: 1045 ft: 3921 corp: 402/14Kb lim: 163 exec/s: 95325 rss: 511Mb",
            "stat::new_units_added:          1174",
            "stat::slowest_unit_time_sec:    0",
        ] {
            said.read(line);
            assert_eq!(said.executions, None);
        }
        said.read("stat::number_of_executed_units: 5718253");
        assert_eq!(said.executions, Some(5_718_253));
    }
}
