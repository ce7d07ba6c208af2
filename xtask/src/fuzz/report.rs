//! What came out, for people and for programs.

use serde_json::Value;

use super::libfuzzer::Run;
use crate::report::Row;

/// A target, and how its run went, or why there was none.
pub(super) struct Fuzzed {
    pub(super) target: String,
    pub(super) outcome: Result<Run, String>,
}

impl Fuzzed {
    /// Whether it ran, and nothing broke it.
    pub(super) fn holds(&self) -> bool {
        matches!(&self.outcome, Ok(run) if run.executions > 0 && run.findings.is_empty())
    }

    pub(super) fn rows(&self) -> [Row; 2] {
        let row = |what: &str, unit: &str| Row {
            group: "fuzz".to_owned(),
            name: format!("{}: {what}", self.target),
            unit: Some(unit.to_owned()),
            ..Row::default()
        };
        let executions = row("executions", "executions");
        let findings = Row {
            goal: 0.into(),
            ..row("findings", "inputs")
        };
        match &self.outcome {
            Ok(run) => [
                Row {
                    value: run.executions.into(),
                    holds: Some(run.executions > 0),
                    note: Some(run.told()),
                    ..executions
                },
                Row {
                    value: run.findings.len().into(),
                    holds: Some(run.findings.is_empty()),
                    note: run.findings_told(),
                    ..findings
                },
            ],
            Err(problem) => [executions, findings].map(|row| Row {
                value: Value::Null,
                note: Some(problem.clone()),
                ..row
            }),
        }
    }
}

impl Run {
    fn per_second(&self) -> f64 {
        self.executions as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    fn told(&self) -> String {
        let (count, len) = self.corpus;
        format!(
            "{:.0} s, {:.0}/s, from {count} inputs of {len} bytes",
            self.took.as_secs_f64(),
            self.per_second()
        )
    }

    fn findings_told(&self) -> Option<String> {
        let paths = self.findings.iter().map(|path| path.display().to_string());
        let paths = Vec::from_iter(paths).join(", ");
        (!paths.is_empty()).then_some(paths)
    }
}

/// A line a target.
pub(super) fn print(fuzzed: &[Fuzzed]) {
    println!(
        "\n{:18} {:>8} {:>12} {:>9} {:>7} {:>8} {:>8}",
        "target", "seconds", "executions", "exec/s", "corpus", "bytes", "findings"
    );
    for Fuzzed { target, outcome } in fuzzed {
        match outcome {
            Ok(run) => println!(
                "{target:18} {:8.0} {:12} {:9.0} {:7} {:8} {:8}",
                run.took.as_secs_f64(),
                run.executions,
                run.per_second(),
                run.corpus.0,
                run.corpus.1,
                run.findings.len()
            ),
            Err(problem) => println!("{target:18} NOT RUN  {problem}"),
        }
    }
    for run in fuzzed
        .iter()
        .filter_map(|fuzzed| fuzzed.outcome.as_ref().ok())
    {
        for path in &run.findings {
            println!("found: {}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fuzzed(executions: u64, findings: &[&str]) -> Fuzzed {
        Fuzzed {
            target: "target".to_owned(),
            outcome: Ok(Run {
                took: Duration::from_secs(2),
                executions,
                corpus: (3, 40),
                findings: findings.iter().map(Into::into).collect(),
            }),
        }
    }

    #[test]
    fn a_run_with_a_finding_does_not_hold() {
        let broken = fuzzed(1000, &["artifacts/target/crash-1"]);
        assert!(fuzzed(1000, &[]).holds() && !broken.holds());
        let [executions, findings] = broken.rows();
        assert_eq!(executions.value, 1000);
        let note = executions.note.as_deref();
        assert_eq!(note, Some("2 s, 500/s, from 3 inputs of 40 bytes"));
        assert_eq!((findings.value, findings.holds), (1.into(), Some(false)));
        assert!(findings.note.is_some_and(|note| note.contains("crash-1")));
    }

    #[test]
    fn what_did_not_run_says_so() {
        let not_run = Fuzzed {
            target: "target".to_owned(),
            outcome: Err("no nightly".to_owned()),
        };
        assert!(!not_run.holds());
        for row in not_run.rows() {
            assert_eq!((row.value, row.holds), (Value::Null, None));
            assert_eq!(row.note.as_deref(), Some("no nightly"));
        }
        assert!(!fuzzed(0, &[]).holds(), "an idle run proves nothing");
    }
}
