//! The table, and its rows.

use serde_json::Value;

use super::{
    GROUP,
    attack::Attack,
    reading::{JOIN_MS, Reading},
};
use crate::{peers::figures, report::Row};

/// Where everything is small there are too few calls for a percentile, and no time to wait for a quiet moment: a sign of life
/// within so many times the usual will do.
const QUICK_PATIENCE: f64 = 20.0;

/// Memory that may stay with the allocator when all is over, beyond what there was, unless the attack may take less.
const KEPT_MIB: f64 = 64.0;

/// Unit of the figures that other programs spoil.
const MILLIS: &str = "ms";

/// What came of one attack.
pub(super) struct Verdict<'a> {
    attack: &'a Attack,
    /// The runs that came to something.
    readings: Vec<Reading>,
    /// Why others did not.
    problems: Vec<String>,
    /// By how much times may be longer.
    patience: f64,
    /// Bounds that did not hold.
    broken: Vec<String>,
    /// Times that did not hold while other programs had the processors: they say nothing.
    unjudged: Vec<String>,
}

/// A figure of an attack, with its bound if it has one.
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    calm: Option<f64>,
    goal: Option<f64>,
}

impl<'a> Verdict<'a> {
    pub(super) fn new(attack: &'a Attack, runs: Vec<Result<Reading, String>>, quick: bool) -> Self {
        let (mut readings, mut problems) = (Vec::new(), Vec::new());
        for run in runs {
            match run {
                Ok(reading) => readings.push(reading),
                Err(problem) => problems.push(problem),
            }
        }
        let mut verdict = Self {
            attack,
            readings,
            problems,
            patience: if quick { QUICK_PATIENCE } else { 1.0 },
            broken: Vec::new(),
            unjudged: Vec::new(),
        };
        verdict.judge();
        verdict
    }

    pub(super) fn name(&self) -> &str {
        &self.attack.name
    }

    /// Whether everything is as it should be; `None` when that cannot be told, and nothing else is wrong.
    pub(super) fn holds(&self) -> Option<bool> {
        let known = self.problems.is_empty() && self.broken.is_empty();
        (!known || self.unjudged.is_empty()).then_some(known)
    }

    fn judge(&mut self) {
        let (mut broken, mut late) = (Vec::new(), Vec::new());
        for figure in self.figures() {
            if let Some(goal) = figure.goal
                && figure.value > goal
            {
                let (name, value, unit) = (figure.name, figure.value, figure.unit);
                let told = format!("{name} {value:.1} {unit}, not {goal:.1}");
                let list = if unit == MILLIS {
                    &mut late
                } else {
                    &mut broken
                };
                list.push(told);
            }
        }
        for reading in &self.readings {
            broken.extend(self.broken_by(reading));
            late.extend(self.late_by(reading));
        }
        broken.dedup();
        late.dedup();
        if self.is_disturbed() {
            self.unjudged = late;
        } else {
            broken.append(&mut late);
        }
        self.broken = broken;
    }

    /// Whether times that are bad say nothing.
    fn is_disturbed(&self) -> bool {
        let disturbed = self.readings.iter().filter(|run| run.is_disturbed());
        2 * disturbed.count() > self.readings.len()
    }

    /// What took too long in a run.
    fn late_by(&self, reading: &Reading) -> Vec<String> {
        let mut late = Vec::new();
        if self.attack.session && reading.calls.failed > 0 {
            late.push(format!("{} good calls failed", reading.calls.failed));
        }
        if self.attack.newcomers {
            late.extend(
                reading
                    .shut_out
                    .iter()
                    .map(|why| format!("newcomer: {why}")),
            );
        }
        late
    }

    /// What has to be so in every run.
    fn broken_by(&self, reading: &Reading) -> Vec<String> {
        let mut broken = Vec::new();
        let checks = reading.checks.iter().filter(|check| !check.holds);
        broken.extend(checks.map(|check| format!("not {}: {}", check.what, check.found)));
        if reading.attempts == 0 {
            broken.push("nothing was attempted".to_owned());
        }
        if !reading.panics.is_empty() {
            broken.push(format!("the victim panicked: {}", reading.panics));
        }
        if reading.settled_s.is_none() {
            let (before, after) = (&reading.counts_before, &reading.counts_after);
            broken.push(format!(
                "not as before: files {} {}, sessions {} {}, actors {} {}, groups {} {}",
                reading.before.files,
                reading.after.files,
                before.sessions,
                after.sessions,
                before.actors,
                after.actors,
                before.groups,
                after.groups,
            ));
        }
        if self.attack.session {
            if reading.calls.sessions > 1 {
                broken.push("the good peer's session was lost".to_owned());
            }
            if reading.calls.made == 0 {
                broken.push("the good peer was silenced".to_owned());
            }
        }
        if self.attack.newcomers && reading.joins_ms.is_empty() && reading.shut_out.is_empty() {
            broken.push("no newcomer was seen".to_owned());
        }
        broken
    }

    /// The median of the runs.
    fn median(&self, figure: impl Fn(&Reading) -> f64) -> f64 {
        let mut values: Vec<_> = self.readings.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn most(&self, figure: impl Fn(&Reading) -> f64) -> f64 {
        self.readings.iter().map(figure).fold(0.0, f64::max)
    }

    fn figures(&self) -> Vec<Figure> {
        let (attack, calm) = (self.attack, self.median(|r| r.calm.p99_ms));
        let p99_goal = self.median(Reading::p99_goal) * self.patience;
        let memory = attack.peak_mib as f64;
        let plain = |name, value, unit| Figure {
            name,
            value,
            unit,
            calm: None,
            goal: None,
        };
        let bound = |figure: Figure, goal: f64| Figure {
            goal: Some(goal),
            ..figure
        };
        vec![
            plain("attempts", self.median(|r| r.attempts as f64), "times"),
            plain("refused", self.median(|r| r.refused as f64), "times"),
            plain("victim's processor time", self.median(Reading::cpu_s), "s"),
            bound(
                plain(
                    "victim's memory at most",
                    self.most(Reading::peak_mib),
                    "MiB more",
                ),
                memory,
            ),
            bound(
                plain(
                    "victim's memory after",
                    self.most(Reading::kept_mib),
                    "MiB more",
                ),
                memory.max(KEPT_MIB),
            ),
            plain(
                "open files at most",
                self.most(|r| r.files_peak as f64),
                "files",
            ),
            plain("good call p50", self.median(|r| r.calls.p50_ms), MILLIS),
            Figure {
                calm: Some(calm),
                goal: attack.session.then_some(p99_goal),
                ..plain("good call p99", self.median(|r| r.calls.p99_ms), MILLIS)
            },
            plain("longest good call", self.most(|r| r.calls.max_ms), MILLIS),
            Figure {
                goal: attack.newcomers.then_some(JOIN_MS * self.patience),
                ..plain(
                    "newcomer joins in",
                    self.median(Reading::worst_join_ms),
                    MILLIS,
                )
            },
            plain(
                "as before after",
                self.most(|r| r.settled_s.unwrap_or(f64::NAN)),
                "s",
            ),
            plain(
                "victim without a processor",
                self.median(Reading::starved_s),
                "s",
            ),
            plain("other programs", self.median(|r| r.others), "processors"),
        ]
    }

    /// What the victim counted in the last run.
    fn counted(&self) -> String {
        let Some(reading) = self.readings.last() else {
            return String::new();
        };
        let mut counted = Vec::new();
        let (before, after) = (&reading.counts_before.told, &reading.counts_after.told);
        flatten("", before, after, &mut counted);
        counted.join(", ")
    }

    fn note(&self) -> String {
        let mut notes = self.broken.clone();
        if !self.unjudged.is_empty() {
            let others = self.median(|reading| reading.others);
            notes.push(format!(
                "not judged, for other programs took {others:.1} processors: {}",
                self.unjudged.join(", ")
            ));
        }
        notes.extend(self.problems.clone());
        if let Some(reading) = self.readings.last() {
            notes.extend(reading.notes.clone());
            if !self.attack.newcomers && !reading.shut_out.is_empty() {
                let (out, all) = (reading.shut_out.len(), reading.joins_ms.len());
                notes.push(format!("newcomers: {all} in, {out} shut out"));
            }
            if !self.attack.session {
                let calls = &reading.calls;
                notes.push(format!(
                    "good calls: {} made, {} failed, {} sessions",
                    calls.made, calls.failed, calls.sessions
                ));
            }
        }
        notes.push(format!("the victim counted: {}", self.counted()));
        notes.join("; ")
    }

    /// The rows of the common contract.
    pub(super) fn rows(&self) -> Vec<Row> {
        let name = |what: &str| format!("{} | {what}", self.attack.name);
        let mut rows: Vec<_> = Vec::new();
        if !self.readings.is_empty() {
            rows.extend(self.figures().into_iter().map(|figure| Row {
                group: GROUP.to_owned(),
                name: name(figure.name),
                value: figure.value.into(),
                unit: Some(figure.unit.to_owned()),
                baseline: figure.calm.map(|_| "before the attack".to_owned()),
                baseline_value: figure.calm.into(),
                ratio: figure.calm.filter(|c| *c > 0.0).map(|c| figure.value / c),
                goal: figure.goal.into(),
                holds: self.holds_by(&figure),
                note: None,
            }));
        }
        rows.push(Row {
            group: GROUP.to_owned(),
            name: name("withstood"),
            value: self.holds().into(),
            goal: true.into(),
            holds: self.holds().filter(|_| !self.readings.is_empty()),
            note: Some(format!("{}; {}", self.attack.about, self.note())),
            ..Row::default()
        });
        rows
    }

    fn holds_by(&self, figure: &Figure) -> Option<bool> {
        let holds = figure.value <= figure.goal?;
        (holds || figure.unit != MILLIS || !self.is_disturbed()).then_some(holds)
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![self.attack.name.clone()];
        let figures = self.figures();
        let cell = |name: &str| {
            let figure = figures.iter().find(|figure| figure.name == name);
            figure.map_or_else(String::new, |figure| short(figure.value))
        };
        cells.extend(COLUMNS.iter().map(|(_, name)| match *name {
            "calm" => short(self.median(|reading| reading.calm.p99_ms)),
            "bound" => self.attack.peak_mib.to_string(),
            name => cell(name),
        }));
        let holds = match self.holds() {
            Some(true) => "holds",
            Some(false) => "FAILS",
            None => "not judged",
        };
        cells.push(holds.to_owned());
        cells
    }
}

/// Heads of the table's columns, and their figures.
const COLUMNS: [(&str, &str); 15] = [
    ("attempts", "attempts"),
    ("refused", "refused"),
    ("cpu s", "victim's processor time"),
    ("peak MiB", "victim's memory at most"),
    ("of", "bound"),
    ("kept MiB", "victim's memory after"),
    ("files", "open files at most"),
    ("calm p99 ms", "calm"),
    ("p50 ms", "good call p50"),
    ("p99 ms", "good call p99"),
    ("max ms", "longest good call"),
    ("join ms", "newcomer joins in"),
    ("settled s", "as before after"),
    ("starved s", "victim without a processor"),
    ("others", "other programs"),
];

fn short(value: f64) -> String {
    if value.is_nan() {
        "-".to_owned()
    } else if value.fract() == 0.0 || value >= 1000.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

/// Numbers that have changed, with their names.
fn flatten(prefix: &str, before: &Value, after: &Value, counted: &mut Vec<String>) {
    for (key, value) in after.as_object().into_iter().flatten() {
        let name = format!("{prefix}{key}");
        match value.as_u64() {
            Some(number) => {
                let more = number.saturating_sub(before[key].as_u64().unwrap_or_default());
                if more > 0 {
                    counted.push(format!("{name} {more}"));
                }
            }
            None => flatten(&format!("{name}: "), &before[key], value, counted),
        }
    }
}

/// One run in a line.
pub(super) fn told(reading: &Result<Reading, String>) -> String {
    match reading {
        Err(problem) => format!("not measured: {problem}"),
        Ok(reading) => format!(
            "{} attempts, {} refused, {:.1} s, +{:.0} MiB, p99 {:.1} ms ({:.1} before), {} newcomers in at most {:.0} ms, \
             {} shut out",
            reading.attempts,
            reading.refused,
            reading.cpu_s(),
            reading.peak_mib(),
            reading.calls.p99_ms,
            reading.calm.p99_ms,
            reading.joins_ms.len(),
            reading.worst_join_ms(),
            reading.shut_out.len(),
        ),
    }
}

/// A row for what could not be measured at all.
pub(super) fn not_run(name: &str, problem: &str) -> Row {
    Row {
        group: GROUP.to_owned(),
        name: name.to_owned(),
        note: Some(problem.to_owned()),
        ..Row::default()
    }
}

/// Prints the table, and under it what there is to be said.
pub(super) fn print(verdicts: &[Verdict<'_>]) {
    let head = COLUMNS.iter().map(|(head, _)| (*head).to_owned());
    let head: Vec<_> = [String::new()]
        .into_iter()
        .chain(head)
        .chain([String::new()])
        .collect();
    let lines = [head]
        .into_iter()
        .chain(verdicts.iter().map(Verdict::cells));
    let lines: Vec<[String; 17]> = lines.filter_map(|line| line.try_into().ok()).collect();
    println!();
    figures::print_table(&lines);
    println!();
    for verdict in verdicts {
        println!("{}: {}", verdict.name(), verdict.note());
    }
}
