//! The sample program, on shiome and on the published crate: its output is the same whichever two builds meet.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::duo::Verdict;
use crate::peers::programs::Programs;

/// Time for one run of the sample.
const PATIENCE: Duration = Duration::from_secs(60);

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Two builds of the sample.
pub(super) struct Pair {
    listens: Build,
    dials: Build,
}

#[derive(Clone, Copy)]
enum Build {
    Real,
    Shiome,
}

/// All but the published crate with itself, which the others are compared with.
pub(super) const PAIRS: &[Pair] = &[
    Pair {
        listens: Build::Shiome,
        dials: Build::Shiome,
    },
    Pair {
        listens: Build::Shiome,
        dials: Build::Real,
    },
    Pair {
        listens: Build::Real,
        dials: Build::Shiome,
    },
];

impl Build {
    fn name(self) -> &'static str {
        match self {
            Self::Real => "0.16.5",
            Self::Shiome => "shiome",
        }
    }

    fn program(self, programs: &Programs) -> Result<PathBuf, String> {
        match self {
            Self::Real => Ok(programs.dropin_real()),
            Self::Shiome => programs.dropin_shiome(),
        }
    }
}

impl Pair {
    pub(super) fn name(&self) -> String {
        format!(
            "drop-in | {} listens | {} dials",
            self.listens.name(),
            self.dials.name()
        )
    }

    pub(super) fn run(&self, programs: &Programs) -> Verdict {
        let (listens, dials) = (
            self.listens.program(programs)?,
            self.dials.program(programs)?,
        );
        let real = programs.dropin_real();
        let expected = output(&real, &real)?;
        let found = output(&listens, &dials)?;
        match difference(&expected, &found) {
            None => Ok(Some(format!("{} equal lines", found.lines().count()))),
            Some(difference) => Err(difference),
        }
    }
}

/// What a run prints.
fn output(listens: &Path, dials: &Path) -> Result<String, String> {
    let mut child = Command::new(listens)
        .arg("listen")
        .arg("--peer")
        .arg(dials)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{}: {e}", listens.display()))?;
    let deadline = Instant::now() + PATIENCE;
    // A page of text fits into the pipes, so the program does not wait for a reader.
    loop {
        match child.try_wait().map_err(|e| e.to_string())? {
            Some(_) => break,
            None if Instant::now() >= deadline => {
                // It is waited for below, with what it has said.
                let _ = child.kill();
                break;
            }
            None => thread::sleep(POLL_INTERVAL),
        }
    }
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if output.status.success() {
        return Ok(out.into_owned());
    }
    Err(format!(
        "{}; after {} lines: {}",
        output.status,
        out.lines().count(),
        err.trim().replace('\n', " / ")
    ))
}

/// The first line that is not the same.
fn difference(expected: &str, found: &str) -> Option<String> {
    let (mut expected, mut found) = (expected.lines(), found.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (expected.next(), found.next()) {
            (None, None) => return None,
            (e, f) if e == f => {}
            (e, f) => {
                let told = |line: Option<&str>| line.unwrap_or("<nothing>").to_owned();
                return Some(format!("line {number}: - {} + {}", told(e), told(f)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_with_its_line() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(
            difference("a\nb\n", "a\nc\n").as_deref(),
            Some("line 2: - b + c")
        );
        assert_eq!(
            difference("a\n", "a\nb\n").as_deref(),
            Some("line 2: - <nothing> + b")
        );
        assert_eq!(
            difference("a\n", "").as_deref(),
            Some("line 1: - a + <nothing>")
        );
    }
}
