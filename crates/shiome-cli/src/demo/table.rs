//! What the demo prints.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use super::{process::Failure, step::Step};
use crate::row::Row;

/// Widths of the columns. The whole table fits 80.
const WIDTHS: [usize; 4] = [9, SEEN_WIDTH, 7, 8];

/// Width of the column for what was seen.
const SEEN_WIDTH: usize = 50;

/// What was seen in a step that went well.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) what: String,
    /// In what time it was to be.
    pub(super) promised: Option<Duration>,
}

impl From<String> for Seen {
    fn from(what: String) -> Self {
        Self {
            what,
            promised: None,
        }
    }
}

/// The steps so far. Each is printed as soon as it is done.
pub(super) struct Table<W> {
    out: W,
    rows: Vec<Row>,
    with_tls: bool,
    began: Instant,
}

impl<W: Write> Table<W> {
    /// Prints the head to `out`.
    pub(super) fn begin(nodes: u8, with_tls: bool, out: W) -> Self {
        let mut table = Self {
            out,
            rows: Vec::new(),
            with_tls,
            began: Instant::now(),
        };
        table.line(&format!(
            "shiome demo: {nodes} nodes on 127.0.0.1, a process each{}",
            if with_tls { ", all links TLS" } else { "" }
        ));
        table.line("");
        table.row("step", "what was seen", "ms", "promised");
        table.rule();
        table
    }

    /// Takes a step, and prints it; gives it back when it failed.
    pub(super) async fn step<S: Into<Seen>>(
        &mut self,
        step: Step,
        taken: impl Future<Output = Result<S, Failure>>,
    ) -> Result<(), Step> {
        let began = Instant::now();
        let result = taken.await;
        self.add(step, began.elapsed(), result)
    }

    /// Prints a step that could not be begun, and gives it back.
    pub(super) fn fail(&mut self, step: Step, failure: Failure) -> Result<(), Step> {
        self.add::<Seen>(step, Duration::ZERO, Err(failure))
    }

    /// Prints a step that is done; gives it back when it failed.
    pub(super) fn add<S: Into<Seen>>(
        &mut self,
        step: Step,
        took: Duration,
        result: Result<S, Failure>,
    ) -> Result<(), Step> {
        let ms = took.as_secs_f64() * 1000.0;
        let printed_ms = format!("{ms:.1}");
        let (holds, note, goal) = match result.map(Into::into) {
            Ok(Seen { what, promised }) => {
                let goal = promised.map(|time| time.as_secs_f64() * 1000.0);
                let promised = goal.map_or_else(String::new, |ms| format!("{ms:.0}"));
                self.row(step.name(), &what, &printed_ms, &promised);
                (true, what, goal)
            }
            Err(Failure { expected, seen }) => {
                self.row(step.name(), "FAILED", &printed_ms, "");
                self.line(&format!("            expected  {expected}"));
                self.line(&format!("            seen      {seen}"));
                (false, format!("expected {expected}; seen {seen}"), None)
            }
        };
        let mut row = row(step, Some(ms), Some(holds), note);
        row.goal = goal;
        self.rows.push(row);
        if holds { Ok(()) } else { Err(step) }
    }

    /// Prints the foot.
    pub(super) fn end(&mut self) {
        let good = self.rows.iter().filter(|row| row.holds == Some(true));
        let (good, all) = (good.count(), Step::all(self.with_tls).count());
        let took = self.began.elapsed().as_secs_f64();
        self.rule();
        self.line(&format!(
            "  {good} of {all} steps as expected, in {took:.2} s"
        ));
        let reached = self.rows.len();
        let rest = Step::all(self.with_tls).skip(reached);
        let rest = rest.map(|step| row(step, None, None, "not reached".to_owned()));
        self.rows.extend(rest);
    }

    /// Prints a line that is no step.
    pub(super) fn say(&mut self, text: &str) {
        self.line(&format!("  {text}"));
    }

    fn rule(&mut self) {
        let [step, seen, ms, promised] = WIDTHS.map(|width| "─".repeat(width));
        self.row(&step, &seen, &ms, &promised);
    }

    fn row(&mut self, step: &str, seen: &str, ms: &str, promised: &str) {
        let [a, b, c, d] = WIDTHS;
        self.line(&format!("  {step:<a$} {seen:<b$} {ms:>c$} {promised:>d$}"));
    }

    /// Prints a line. The demo goes on when nobody reads: its exit code still tells how it went.
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{}", text.trim_end());
        let _ = self.out.flush();
    }

    /// All steps, as a JSON list.
    pub(super) fn json(&self) -> String {
        let mut json =
            serde_json::to_string_pretty(&self.rows).expect("rows are plain text and numbers");
        json.push('\n');
        json
    }
}

/// `ms` is the time that the step took.
fn row(step: Step, ms: Option<f64>, holds: Option<bool>, note: String) -> Row {
    let mut row = Row::new("demo", step.name(), ms, "ms");
    row.holds = holds;
    row.note = note.into();
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_ends_the_demo_and_the_rest_is_listed_as_not_reached() {
        let mut table = Table::begin(3, false, Vec::new());
        let ms = Duration::from_millis(1);
        let up = Seen {
            promised: Some(ms * 2),
            ..Seen::from("up".to_owned())
        };
        assert_eq!(table.add(Step::Start, ms, Ok(up)), Ok(()));
        let failure = Err::<String, _>(Failure::new("a session", "none"));
        assert_eq!(table.add(Step::Join, ms, failure), Err(Step::Join));
        table.end();

        let printed = String::from_utf8(table.out.clone()).unwrap();
        assert!(printed.contains("join      FAILED"), "{printed}");
        assert!(printed.contains("expected  a session"), "{printed}");
        let foot = format!("1 of {} steps as expected", Step::all(false).count());
        assert!(printed.contains(&foot), "{printed}");

        let rows: Vec<serde_json::Value> = serde_json::from_str(&table.json()).unwrap();
        assert_eq!(rows.len(), Step::all(false).count());
        let holds: Vec<_> = rows.iter().map(|row| row["holds"].as_bool()).collect();
        assert_eq!(holds[..3], [Some(true), Some(false), None]);
        assert!(holds[3..].iter().all(Option::is_none));
        assert_eq!(rows[0]["goal"], 2.0);
        assert_eq!(rows[1]["note"], "expected a session; seen none");
        assert_eq!(rows[2]["value"], serde_json::Value::Null);
    }
}
