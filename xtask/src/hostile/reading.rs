//! What one run of one attack gave.

use serde_json::Value;

use super::{attack::Attack, vitals::Vitals};

/// Calls of the good peer: above it, and above so many times what they took before, somebody notices.
const GOOD_P99_MS: f64 = 50.0;
const TIMES_CALM: f64 = 5.0;

/// Processors that others may take before bad times say nothing.
const DISTURBED: f64 = 0.5;

/// Time for a newcomer to join, with a first dial that was refused, and to make a call.
pub(super) const JOIN_MS: f64 = 2500.0;

/// Calls of the good peer over some time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Calls {
    pub(super) made: u64,
    pub(super) failed: u64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    /// Sessions that it has had.
    pub(super) sessions: u64,
}

impl From<&Value> for Calls {
    fn from(told: &Value) -> Self {
        let number = |key: &str| told[key].as_u64().unwrap_or_default();
        let millis = |key: &str| number(key) as f64 / 1e3;
        Self {
            made: number("calls"),
            failed: number("failed"),
            p50_ms: millis("p50_us"),
            p99_ms: millis("p99_us"),
            max_ms: millis("max_us"),
            sessions: number("sessions"),
        }
    }
}

/// What the victim knows of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) sessions: u64,
    pub(super) actors: u64,
    pub(super) groups: u64,
    /// As it was told, for the rest.
    pub(super) told: Value,
}

impl From<Value> for Counts {
    fn from(told: Value) -> Self {
        let number = |key: &str| told[key].as_u64().unwrap_or_default();
        Self {
            sessions: number("sessions"),
            actors: number("actors"),
            groups: number("groups"),
            told,
        }
    }
}

/// Something that had to be so.
#[derive(Debug, Clone)]
pub(super) struct Check {
    pub(super) what: String,
    pub(super) holds: bool,
    pub(super) found: String,
}

/// One run.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    /// As the attacker counts.
    pub(super) attempts: u64,
    pub(super) refused: u64,
    pub(super) checks: Vec<Check>,
    pub(super) notes: Vec<String>,
    /// The good peer before and during.
    pub(super) calm: Calls,
    pub(super) calls: Calls,
    /// Newcomers: how long each took to join, and what kept others out.
    pub(super) joins_ms: Vec<f64>,
    pub(super) shut_out: Vec<String>,
    /// The victim before, at the end of the attack, and when it had settled.
    pub(super) before: Vitals,
    pub(super) end: Vitals,
    pub(super) after: Vitals,
    /// Most files that were open.
    pub(super) files_peak: usize,
    pub(super) counts_before: Counts,
    pub(super) counts_after: Counts,
    /// From the end of the attack until everything was as before; `None` when it did not come to that.
    pub(super) settled_s: Option<f64>,
    /// What other programs took of the processors meanwhile, in processors.
    pub(super) others: f64,
    /// What the victim said in its distress.
    pub(super) panics: String,
}

impl Reading {
    /// Takes in what the attacker tells.
    pub(super) fn take_tally(&mut self, told: &Value) {
        self.attempts = told["attempts"].as_u64().unwrap_or_default();
        self.refused = told["refused"].as_u64().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |key: &str| told[key].as_array().cloned().unwrap_or_default();
        self.notes = list("notes").iter().map(text).collect();
        let checks = list("checks").into_iter().map(|check| Check {
            what: text(&check["what"]),
            holds: check["holds"].as_bool().unwrap_or(false),
            found: text(&check["found"]),
        });
        self.checks = checks.collect();
    }

    /// What calls of the good peer may take, in milliseconds: above it somebody notices.
    pub(super) fn p99_goal(&self) -> f64 {
        GOOD_P99_MS.max(TIMES_CALM * self.calm.p99_ms)
    }

    /// Whether good peers had to wait longer than they should.
    pub(super) fn is_late(&self, attack: &Attack) -> bool {
        let calls = self.calls.p99_ms > self.p99_goal() || self.calls.failed > 0;
        let joins = self.worst_join_ms() > JOIN_MS || !self.shut_out.is_empty();
        attack.session && calls || attack.newcomers && joins
    }

    pub(super) fn peak_mib(&self) -> f64 {
        self.end.peak_mib.max(self.after.peak_mib) - self.before.resident_mib
    }

    pub(super) fn kept_mib(&self) -> f64 {
        self.after.resident_mib - self.before.resident_mib
    }

    pub(super) fn cpu_s(&self) -> f64 {
        self.end.cpu_s - self.before.cpu_s
    }

    /// Time for which the victim wanted a processor and had none.
    pub(super) fn starved_s(&self) -> f64 {
        self.end.starved_s - self.before.starved_s
    }

    /// Whether other programs took so much of the processors that late is nobody's fault.
    pub(super) fn is_disturbed(&self) -> bool {
        self.others > DISTURBED
    }

    pub(super) fn worst_join_ms(&self) -> f64 {
        self.joins_ms.iter().copied().fold(0.0, f64::max)
    }
}
