//! The table.

use super::{
    Fault, Partners,
    figure::{Figure, Goal, Reading},
    schedule::{Found, Key},
};
use crate::{
    interop::GROUP,
    peers::{figures, programs::Kind},
    report,
};

/// One figure of one fault, with a partner.
pub(in crate::interop) struct Row {
    pub(in crate::interop) name: String,
    figure: &'static Figure,
    goal: Goal,
    /// What was found, or why nothing. None for what was not looked at.
    published: Option<Result<Reading, String>>,
    older: Option<Result<Reading, String>>,
    ours: Result<Reading, String>,
}

impl Fault {
    /// The names of the rows.
    pub(super) fn row_names(&self) -> Vec<String> {
        let partners = self.partners.of(Kind::Shiome).iter();
        partners
            .flat_map(|partner| {
                self.figures
                    .iter()
                    .map(|figure| self.name(figure, *partner))
            })
            .collect()
    }

    fn name(&self, figure: &Figure, partner: Kind) -> String {
        let with = match self.partners {
            Partners::Nodes => format!(" | with {partner}"),
            Partners::Each(_) => format!(" | {partner} dials"),
            Partners::Alone => String::new(),
        };
        format!("faults | {} | {}{with}", self.id, figure.name)
    }

    pub(super) fn rows(&'static self, found: &Found) -> Vec<Row> {
        let mut rows = Vec::new();
        for partner in self.partners.of(Kind::Shiome) {
            for (at, figure) in self.figures.iter().enumerate() {
                let reading = |subject, partner| {
                    let id = self.id;
                    let readings = found.get(&Key {
                        id,
                        subject,
                        partner,
                    })?;
                    let missing = || format!("{id} has no such figure");
                    let reading = readings.clone();
                    Some(reading.and_then(|all| all.get(at).cloned().ok_or_else(missing)))
                };
                let beside = |kind| reading(kind, self.partners.beside(kind, *partner));
                rows.push(Row {
                    name: self.name(figure, *partner),
                    figure,
                    goal: figure.goal_with(*partner),
                    published: beside(Kind::V0_16),
                    older: beside(Kind::V0_15),
                    ours: reading(Kind::Shiome, *partner)
                        .unwrap_or_else(|| Err("was not run".to_owned())),
                });
            }
        }
        rows
    }
}

impl Row {
    /// Whether ours does what it should. What could not be measured does not.
    pub(in crate::interop) fn holds(&self) -> bool {
        self.ours
            .as_ref()
            .is_ok_and(|reading| reading.reaches(self.goal))
    }

    pub(in crate::interop) fn report(&self) -> report::Row {
        let number = |reading: Option<&Reading>| reading.and_then(|reading| reading.value);
        let ours = self.ours.as_ref().ok();
        let published = self
            .published
            .as_ref()
            .and_then(|found| found.as_ref().ok());
        let (value, beside) = (number(ours), number(published));
        report::Row {
            group: GROUP.to_owned(),
            name: self.name.clone(),
            value: value.into(),
            unit: Some(self.figure.unit.to_owned()),
            baseline: Some("ractor_cluster 0.16.5".to_owned()),
            baseline_value: beside.into(),
            ratio: value
                .zip(beside)
                .filter(|(_, b)| *b != 0.0)
                .map(|(v, b)| v / b),
            goal: self.goal.number(ours.and_then(|reading| reading.of)).into(),
            holds: ours.map(|reading| reading.reaches(self.goal)),
            note: Some(self.note(true)).filter(|note| !note.is_empty()),
        }
    }

    /// What the numbers do not say, with those that have no key of their own or without.
    fn note(&self, with_older: bool) -> String {
        let mut notes = Vec::new();
        let columns = [
            (Kind::V0_16, self.published.as_ref()),
            (Kind::V0_15, self.older.as_ref()),
            (Kind::Shiome, Some(&self.ours)),
        ];
        for (kind, found) in columns {
            match found {
                Some(Ok(reading)) => {
                    if kind == Kind::V0_15 && with_older {
                        notes.push(format!("{kind}: {}", self.figure.told(reading)));
                    }
                    notes.extend(reading.note.as_ref().map(|note| format!("{kind}: {note}")));
                    if self.figure.missed_by.contains(&kind) && reading.reaches(self.goal) {
                        notes.push(format!("{kind} does not show the fault"));
                    }
                }
                Some(Err(problem)) => notes.push(format!("{kind} not measured: {problem}")),
                None => {}
            }
        }
        notes.join("; ")
    }

    fn cells(&self) -> [String; 6] {
        let told = |found: Option<&Result<Reading, String>>| match found {
            None => "-".to_owned(),
            Some(Ok(reading)) => self.figure.told(reading),
            Some(Err(_)) => "not measured".to_owned(),
        };
        [
            self.name.clone(),
            told(self.published.as_ref()),
            told(self.older.as_ref()),
            told(Some(&self.ours)),
            self.goal.told(),
            if self.holds() { "holds" } else { "FAILS" }.to_owned(),
        ]
    }
}

/// Prints the rows below each other, and under them what there is to be said.
pub(super) fn print(rows: &[Row]) {
    let head = ["", "0.16.5", "0.15.12", "shiome", "goal", ""].map(str::to_owned);
    let lines: Vec<_> = [head]
        .into_iter()
        .chain(rows.iter().map(Row::cells))
        .collect();
    figures::print_table(&lines);
    for row in rows {
        let note = row.note(false);
        if !note.is_empty() {
            println!("{}: {note}", row.name);
        }
    }
}
