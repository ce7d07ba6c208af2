//! What was measured, ours beside the published crate.

use crate::{
    peers::figures::{self, Goal},
    report,
};

pub(super) const GROUP: &str = "bench";

const BASELINE: &str = "ractor_cluster 0.16.5";

/// One figure.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) unit: &'static str,
    pub(super) goal: Option<Goal>,
    pub(super) ours: Figure,
    pub(super) published: Figure,
    pub(super) note: String,
}

/// What a figure was.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Figure {
    Is(f64),
    /// So many of those that were tried.
    Of(f64, f64),
    /// What was waited for did not come.
    Never,
    /// Why there is none.
    NotMeasured(String),
    /// There is nothing to measure.
    None,
}

impl Figure {
    pub(super) fn of(values: &Result<Vec<f64>, String>, reduce: fn(&[f64]) -> Option<f64>) -> Self {
        match values {
            Err(problem) => Self::NotMeasured(problem.clone()),
            Ok(values) => reduce(values).map_or(Self::Never, Self::Is),
        }
    }

    pub(super) fn value(&self) -> Option<f64> {
        match self {
            Self::Is(value) | Self::Of(value, _) => Some(*value),
            Self::Never | Self::NotMeasured(_) | Self::None => None,
        }
    }

    fn tried(&self) -> Option<f64> {
        match self {
            Self::Of(_, of) => Some(*of),
            _ => None,
        }
    }

    fn told(&self, unit: &str) -> String {
        match self {
            Self::Is(value) => format!("{} {unit}", figures::told(*value)),
            Self::Of(value, of) => format!("{} of {}", figures::told(*value), figures::told(*of)),
            Self::Never => "never".to_owned(),
            Self::NotMeasured(_) => "not measured".to_owned(),
            Self::None => String::new(),
        }
    }
}

impl Row {
    /// Whether ours reaches the goal; `None` without one, or when ours was not measured.
    pub(super) fn holds(&self) -> Option<bool> {
        if matches!(self.ours, Figure::NotMeasured(_)) {
            return None;
        }
        let (value, tried) = (self.ours.value(), self.ours.tried());
        self.goal.map(|goal| goal.holds(value, tried))
    }

    pub(super) fn report(&self) -> report::Row {
        let (value, beside) = (self.ours.value(), self.published.value());
        report::Row {
            group: GROUP.to_owned(),
            name: self.name.clone(),
            value: value.into(),
            unit: Some(self.unit.to_owned()),
            baseline: (self.published != Figure::None).then(|| BASELINE.to_owned()),
            baseline_value: beside.into(),
            ratio: value
                .zip(beside)
                .filter(|(_, b)| *b != 0.0)
                .map(|(v, b)| v / b),
            goal: self
                .goal
                .and_then(|goal| goal.number(self.ours.tried()))
                .into(),
            holds: self.holds(),
            note: Some(self.told_note()).filter(|note| !note.is_empty()),
        }
    }

    fn told_note(&self) -> String {
        let problem = |who: &str, figure: &Figure| match figure {
            Figure::NotMeasured(problem) => Some(format!("{who} not measured: {problem}")),
            _ => None,
        };
        let problems = problem("shiome", &self.ours)
            .into_iter()
            .chain(problem("0.16.5", &self.published));
        let note = Some(self.note.clone()).filter(|note| !note.is_empty());
        Vec::from_iter(note.into_iter().chain(problems)).join("; ")
    }

    fn cells(&self) -> [String; 6] {
        [
            self.name.clone(),
            self.ours.told(self.unit),
            self.published.told(self.unit),
            self.goal.map(Goal::told).unwrap_or_default(),
            match self.holds() {
                Some(true) => "holds",
                Some(false) => "FAILS",
                None => "",
            }
            .to_owned(),
            self.told_note(),
        ]
    }
}

pub(super) fn print(rows: &[Row]) {
    let head = ["", "shiome", "0.16.5", "goal", "", ""].map(str::to_owned);
    let lines: Vec<_> = [head]
        .into_iter()
        .chain(rows.iter().map(Row::cells))
        .collect();
    figures::print_table(&lines);
}

/// The row of what could not be run at all.
pub(super) fn not_run(name: &str, problem: &str) -> report::Row {
    report::Row {
        group: GROUP.to_owned(),
        name: name.to_owned(),
        baseline: Some(BASELINE.to_owned()),
        note: Some(problem.to_owned()),
        ..report::Row::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours: Figure) -> Row {
        Row {
            name: "x".to_owned(),
            unit: "ms",
            goal: Some(Goal::AtMost(10.0)),
            ours,
            published: Figure::Is(50.0),
            note: String::new(),
        }
    }

    #[test]
    fn ours_alone_is_judged() {
        assert_eq!(row(Figure::Is(5.0)).holds(), Some(true));
        assert_eq!(row(Figure::Is(11.0)).holds(), Some(false));
        assert_eq!(row(Figure::Never).holds(), Some(false));
        let missing = row(Figure::NotMeasured("why".to_owned()));
        assert_eq!(missing.holds(), None);
        let report = missing.report();
        assert!(report.note.is_some_and(|note| note.contains("why")));
        assert_eq!(row(Figure::Is(5.0)).report().ratio, Some(0.1));
    }
}
