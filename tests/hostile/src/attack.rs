//! What an attack is, and what it tells.

pub(crate) mod crowd;
pub(crate) mod heard;
pub(crate) mod peer;
pub(crate) mod raw;
pub(crate) mod spray;

use std::{net::Ipv4Addr, pin::Pin, time::Duration};

use serde::Serialize;
use tokio::time::Instant;

use crate::{Problem, attacks, options::Options, told::tell};

/// Priority of attackers: elsewhere they would not share the victim's processors.
const NICENESS: i32 = 10;

/// One attack.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// What is done, how often at most, and for how long.
    pub(crate) about: &'static str,
    pub(crate) bounds: Bounds,
    pub(crate) run: fn(Arena) -> Running,
}

/// An attack under way.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<Tally, Problem>> + Send>>;

/// What the victim may be brought to, and what its good peers may notice.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Bounds {
    /// How long the attack goes on when it is not over before, at full size, in milliseconds.
    pub(crate) millis: u64,
    /// How much memory the victim takes beyond what it had, in MiB.
    pub(crate) peak_mib: u64,
    /// Which listener the newcomer dials: the one that is attacked.
    pub(crate) door: Door,
    /// What is not asked for, because it cannot be had; the attack's description says why.
    pub(crate) given_up: GivenUp,
}

/// A listener of the victim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Door {
    Tcp,
    Tls,
    Ws,
}

/// A promise that an attack is known to break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GivenUp {
    Nothing,
    /// That a newcomer gets in.
    Newcomer,
    /// That the good peer's session stays.
    Session,
}

/// What most attacks are bounded by.
pub(crate) const USUAL: Bounds = Bounds {
    millis: 4000,
    peak_mib: 64,
    door: Door::Tcp,
    given_up: GivenUp::Nothing,
};

/// Where an attack takes place.
#[derive(Debug, Clone)]
pub(crate) struct Arena {
    pub(crate) options: Options,
    /// When the attack is over.
    pub(crate) until: Instant,
}

impl Arena {
    /// `full`, or little of it when everything is to be small.
    pub(crate) fn count(&self, full: u64) -> u64 {
        if self.options.small {
            full.div_ceil(20)
        } else {
            full
        }
    }

    /// Whether who has attempted so much is to stop. One attempt is always made, however late it is: what attempts nothing
    /// shows nothing.
    pub(crate) fn is_over(&self, tally: &Tally) -> bool {
        tally.attempts > 0 && self.left().is_zero()
    }

    /// How long the next attempt of who has attempted so much may take.
    pub(crate) fn left_for(&self, tally: &Tally) -> Duration {
        if tally.attempts > 0 {
            self.left()
        } else {
            raw::PATIENCE
        }
    }

    pub(crate) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// The same, but over after a part of the time that is left: for 2, half of it.
    pub(crate) fn part(&self, of: u32) -> Self {
        Self {
            options: self.options.clone(),
            until: Instant::now() + self.left() / of,
        }
    }

    /// An address of this machine that no good node has.
    pub(crate) fn source(&self, number: u64) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, 1 + (number / 250) as u8, 2 + (number % 250) as u8)
    }
}

/// What came of an attack, as the attacker sees it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Tally {
    /// Connections or messages, as the attack says.
    pub(crate) attempts: u64,
    /// Of them, those that the victim did not go along with: closed, refused, or told so.
    pub(crate) refused: u64,
    /// What must be so, beyond the bounds.
    pub(crate) checks: Vec<Check>,
    /// What else a reader should know.
    pub(crate) notes: Vec<String>,
}

/// Something that must be so.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) holds: bool,
    pub(crate) found: String,
}

impl Tally {
    pub(crate) fn check(&mut self, what: &str, holds: bool, found: impl std::fmt::Display) {
        self.checks.push(Check {
            what: what.to_owned(),
            holds,
            found: found.to_string(),
        });
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

/// Runs the attack that is named, and tells its tally.
pub(crate) async fn run(options: Options) -> Result<(), Problem> {
    #[cfg(unix)]
    rustix::process::nice(NICENESS)?;
    let attack = attacks::all()
        .find(|attack| attack.name == options.name)
        .ok_or_else(|| format!("no attack {}", options.name))?;
    let until = Instant::now() + options.time;
    let arena = Arena { options, until };
    tell(&(attack.run)(arena).await?)
}
