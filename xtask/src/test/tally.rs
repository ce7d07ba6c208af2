//! Counts tests from what the test runners print.

use std::{
    io::{self, BufRead, BufReader},
    process::{Command, ExitStatus, Stdio},
};

use crate::cargo;

/// Tests that ran.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) failed: usize,
    /// Summaries read. None at all means that the runner did not come to an end.
    summaries: usize,
}

impl Tally {
    /// Runs a test runner, shows what it prints and counts its tests.
    ///
    /// # Errors
    ///
    /// What to tell when it cannot be started, fails, or prints no summary.
    pub(super) fn run(&mut self, runner: &mut Command) -> Result<(), String> {
        let told = cargo::told(runner);
        println!("$ {told}");
        let mut tally = Self::default();
        let status = tally.watch(runner).map_err(|e| format!("{told}: {e}"))?;
        self.passed += tally.passed;
        self.failed += tally.failed;
        if !status.success() {
            return Err(format!("{} tests failed; {told}: {status}", tally.failed));
        }
        if tally.failed > 0 || tally.summaries == 0 {
            return Err(format!("{told}: {status} does not fit its summary"));
        }
        Ok(())
    }

    fn watch(&mut self, runner: &mut Command) -> io::Result<ExitStatus> {
        let (output, writer) = io::pipe()?;
        runner.stdout(writer.try_clone()?).stderr(writer);
        let mut child = runner.spawn()?;
        // The command keeps the writing end, without whose end the loop below would not come to its own.
        runner.stdout(Stdio::null()).stderr(Stdio::null());
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            self.read(&line);
        }
        child.wait()
    }

    /// Adds what `line` counts, if it is a summary.
    fn read(&mut self, line: &str) {
        // # pass 4
        // # fail 1
        if let Some(count) = line.strip_prefix("# pass ") {
            self.summaries += 1;
            self.passed += count.parse().unwrap_or(0);
            return;
        }
        if let Some(count) = line
            .strip_prefix("# fail ")
            .or_else(|| line.strip_prefix("# cancelled "))
        {
            self.failed += count.parse().unwrap_or(0);
            return;
        }
        // Indented it is what a test printed that failed: the other runner counts that.
        let is_result = line.starts_with("test result: ");
        let line = line.trim_start();
        let counts = if is_result {
            // test result: ok. 3 passed; 0 failed; 1 ignored; ...
            line.split_once(". ").map(|(_, counts)| counts)
        } else if line.starts_with("Summary [") {
            // Summary [ 0.012s] 5 tests run: 4 passed (1 slow, 1 leaky), 1 failed, 0 skipped
            line.split_once(" run: ").map(|(_, counts)| counts)
        } else {
            // 5 passed, 1 failed
            Some(line).filter(|line| is_plain(line))
        };
        let Some(counts) = counts else { return };
        self.summaries += 1;
        for count in without_parentheses(counts).split([',', ';']) {
            let Some((number, what)) = count.trim().split_once(' ') else {
                continue;
            };
            let number = number.parse().unwrap_or(0);
            match what.trim() {
                "passed" => self.passed += number,
                "failed" | "timed out" | "exec failed" => self.failed += number,
                _ => {}
            }
        }
    }
}

/// Whether a line is nothing but counts, as our own tools end with.
fn is_plain(line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().collect();
    let number = |word: &str| word.parse::<usize>().is_ok();
    matches!(words[..], [passed, "passed,", failed, "failed"] if number(passed) && number(failed))
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0;
    text.chars()
        .filter(|c| {
            depth += i32::from(*c == '(');
            let outside = depth == 0;
            depth -= i32::from(*c == ')');
            outside
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(lines: &str) -> (usize, usize, usize) {
        let mut tally = Tally::default();
        lines.lines().for_each(|line| tally.read(line));
        (tally.passed, tally.failed, tally.summaries)
    }

    #[test]
    fn summaries_of_the_built_in_runner_are_added() {
        assert_eq!(
            count(
                "running 4 tests\ntest a ... ok\n\
                 test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                 test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.2s"
            ),
            (4, 2, 2)
        );
    }

    #[test]
    fn a_failure_that_nextest_shows_is_counted_once() {
        let shown = "  stdout ---\n\n    test result: FAILED. 0 passed; 1 failed; 0 ignored; finished in 0.00s\n\
                     ------------\n     Summary [   0.1s] 2 tests run: 1 passed, 1 failed, 0 skipped";
        assert_eq!(count(shown), (1, 1, 1));
    }

    #[test]
    fn the_summary_of_nextest_counts_all_that_did_not_pass() {
        assert_eq!(
            count("     Summary [   0.012s] 1 test run: 1 passed, 0 skipped"),
            (1, 0, 1)
        );
        assert_eq!(
            count(
                "     Summary [   9.012s] 9 tests run: 5 passed (2 slow, 1 leaky), 2 failed, \
                 1 timed out, 1 exec failed, 3 skipped"
            ),
            (5, 4, 1)
        );
        assert_eq!(
            count("     Summary [   9.012s] 2/9 tests run: 1 passed, 1 failed, 0 skipped"),
            (1, 1, 1)
        );
    }

    #[test]
    fn a_line_of_counts_alone_is_a_summary() {
        assert_eq!(count("ok a\nok b\nFAIL c\n2 passed, 1 failed"), (2, 1, 1));
        assert_eq!(count("today 2 passed, 1 failed"), (0, 0, 0));
        assert_eq!(count("2 passed, 1 failed, they say"), (0, 0, 0));
    }

    #[test]
    fn the_summary_of_node_is_three_lines() {
        assert_eq!(
            count("ok 1 - # pass 7\n# tests 4\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 0"),
            (2, 2, 1)
        );
    }

    #[test]
    fn a_runner_without_a_summary_or_with_failed_tests_does_not_pass() {
        let mut tally = Tally::default();
        assert!(tally.run(Command::new("true").arg("x")).is_err());
        let ok = "test result: ok. 2 passed; 0 failed";
        assert_eq!(tally.run(Command::new("echo").arg(ok)), Ok(()));
        let lie = "test result: ok. 2 passed; 1 failed";
        assert!(tally.run(Command::new("echo").arg(lie)).is_err());
        assert_eq!((tally.passed, tally.failed), (4, 1));
    }
}
