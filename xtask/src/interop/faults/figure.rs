//! What a run comes to, and what it should come to.

pub(super) use crate::peers::figures::Goal;
use crate::peers::{figures, programs::Kind};

/// One thing that is measured.
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) goal: Goal,
    /// Another goal between two nodes of ours.
    pub(super) native_goal: Option<Goal>,
    /// The published versions that miss the goal, as far as it is known.
    pub(super) missed_by: &'static [Kind],
}

/// What a figure was.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    /// `None` when what was waited for did not come.
    pub(super) value: Option<f64>,
    /// How many were tried.
    pub(super) of: Option<f64>,
    pub(super) note: Option<String>,
}

pub(super) const BOTH: &[Kind] = &[Kind::V0_16, Kind::V0_15];

impl Figure {
    /// A figure that both published versions are known to miss.
    pub(super) const fn new(name: &'static str, unit: &'static str, goal: Goal) -> Self {
        Self {
            name,
            unit,
            goal,
            native_goal: None,
            missed_by: BOTH,
        }
    }

    pub(super) const fn missed_by(self, missed_by: &'static [Kind]) -> Self {
        Self { missed_by, ..self }
    }

    pub(super) const fn native(self, goal: Goal) -> Self {
        Self {
            native_goal: Some(goal),
            ..self
        }
    }

    pub(super) fn goal_with(&self, partner: Kind) -> Goal {
        match self.native_goal {
            Some(goal) if !partner.is_published() => goal,
            _ => self.goal,
        }
    }

    pub(super) fn told(&self, reading: &Reading) -> String {
        match (reading.value, reading.of) {
            (None, _) => "never".to_owned(),
            (Some(value), Some(of)) => {
                format!("{} of {}", figures::told(value), figures::told(of))
            }
            (Some(value), None) => format!("{} {}", figures::told(value), self.unit),
        }
    }
}

impl Reading {
    pub(super) fn reaches(&self, goal: Goal) -> bool {
        goal.holds(self.value, self.of)
    }

    pub(super) fn of(value: usize, of: usize) -> Self {
        Self {
            value: Some(value as f64),
            of: Some(of as f64),
            note: None,
        }
    }

    pub(super) fn is(value: f64) -> Self {
        Self::found(Some(value))
    }

    pub(super) fn found(value: Option<f64>) -> Self {
        Self {
            value,
            of: None,
            note: None,
        }
    }

    pub(super) fn note(self, note: impl Into<String>) -> Self {
        Self {
            note: Some(note.into()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_may_have_a_goal_of_their_own() {
        let figure = Figure::new("x", "s", Goal::AtMost(60.0)).native(Goal::AtMost(1.0));
        assert_eq!(figure.goal_with(Kind::V0_16), Goal::AtMost(60.0));
        assert_eq!(figure.goal_with(Kind::Shiome), Goal::AtMost(1.0));
    }
}
