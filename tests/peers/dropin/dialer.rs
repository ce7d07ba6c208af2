//! The second process, and how the two keep step: the dialer stops at named points until the listener says go.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, Stdin, stdin};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::report::{Checked, Report};

/// Far beyond what any step takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The dialing process, seen by the listener.
pub struct Dialer {
    process: Child,
    cues: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    phase: String,
}

impl Dialer {
    /// Starts the process and tells it its part.
    pub async fn start(program: &Path, phase: &str, arguments: &[&str]) -> Result<Self, String> {
        let mut process = Command::new(program)
            .arg("dial")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let cues = process.stdin.take().expect("stdin is piped");
        let lines = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        let mut dialer = Self {
            process,
            cues,
            lines,
            phase: phase.into(),
        };
        dialer
            .write(&format!("{phase} {}\n", arguments.join(" ")))
            .await?;
        Ok(dialer)
    }

    /// Waits until the dialer stands at this point.
    pub async fn at(&mut self, point: &str) -> Checked {
        let line = self.line(point).await?;
        if line.strip_prefix("at ") == Some(point) {
            return Ok(());
        }
        Err(format!("{}: waited for {point}: {line}", self.phase))
    }

    pub async fn go(&mut self) -> Checked {
        self.write("go\n").await
    }

    /// Takes over the report of the dialer, which then exits.
    pub async fn end(mut self, report: &mut Report) -> Checked {
        loop {
            let line = self.line("end").await?;
            match line.split_once(' ') {
                Some(("check", check)) => report.take(check.into()),
                None if line == "end" => break,
                _ => return Err(format!("{}: waited for the end: {line}", self.phase)),
            }
        }
        let exited = timeout(PATIENCE, self.process.wait()).await;
        let status = exited.map_err(|_| format!("{}: dialer does not exit", self.phase))?;
        match status {
            Ok(status) if status.success() => Ok(()),
            other => Err(format!("{}: dialer exited: {other:?}", self.phase)),
        }
    }

    async fn line(&mut self, point: &str) -> Result<String, String> {
        let late = || format!("{}: dialer did not get to {point}", self.phase);
        let line = timeout(PATIENCE, self.lines.next_line())
            .await
            .map_err(|_| late())?;
        line.map_err(|error| error.to_string())?.ok_or_else(late)
    }

    async fn write(&mut self, cue: &str) -> Checked {
        self.cues
            .write_all(cue.as_bytes())
            .await
            .map_err(|error| error.to_string())
    }
}

/// The listener, seen by the dialing process.
pub struct Cue {
    lines: Lines<BufReader<Stdin>>,
    pub phase: String,
    pub arguments: Vec<String>,
}

impl Cue {
    pub async fn from_stdin() -> Result<Self, String> {
        let mut lines = BufReader::new(stdin()).lines();
        let first = lines.next_line().await.map_err(|error| error.to_string())?;
        let mut words = first
            .as_deref()
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned);
        let phase = words.next().ok_or("no phase on stdin")?;
        let arguments = words.collect();
        Ok(Self {
            lines,
            phase,
            arguments,
        })
    }

    pub fn argument(&self, index: usize) -> Result<&str, String> {
        let argument = self.arguments.get(index).map(String::as_str);
        argument.ok_or_else(|| format!("{} lacks argument {index}", self.phase))
    }

    /// Stands at this point until the listener says go.
    pub async fn point(&mut self, point: &str) -> Checked {
        println!("at {point}");
        let line = self
            .lines
            .next_line()
            .await
            .map_err(|error| error.to_string())?;
        line.map(|_| ())
            .ok_or_else(|| format!("the listener went away at {point}"))
    }

    /// Hands over the report, or the reason why there is none.
    pub fn end(self, report: Report, result: Checked) -> Checked {
        if let Err(reason) = &result {
            println!("failed {reason}");
            std::process::exit(1);
        }
        for line in report.into_lines() {
            println!("check {line}");
        }
        println!("end");
        // Returning would wait for the thread that reads stdin.
        std::process::exit(0);
    }
}
