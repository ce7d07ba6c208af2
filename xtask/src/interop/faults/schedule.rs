//! Which runs go side by side.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Instant,
};

use super::{Fault, Lane, Options, Reading, Scene};
use crate::peers::{
    programs::{Kind, Programs},
    stage::Stage,
};

/// Runs that share the processors.
const AT_ONCE: usize = 2;

/// What all runs came to.
pub(super) type Found = BTreeMap<Key, Result<Vec<Reading>, String>>;

/// One run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) id: &'static str,
    pub(super) subject: Kind,
    pub(super) partner: Kind,
}

/// Runs all that the faults need.
pub(super) fn run(programs: &Programs, faults: &[&'static Fault], options: Options) -> Found {
    let found = Mutex::new(Found::new());
    let run = |(fault, key): (&Fault, Key)| {
        let start = Instant::now();
        let readings = perform(programs, fault, key, options);
        let word = if readings.is_ok() { "done" } else { "FAIL" };
        let Key {
            id,
            subject,
            partner,
        } = key;
        println!(
            "{word} faults | {id} | {subject} with {partner} {:6} ms",
            start.elapsed().as_millis()
        );
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(key, readings);
    };
    let of = |lane: Lane| -> VecDeque<_> {
        let faults = faults.iter().filter(move |fault| fault.lane == lane);
        faults
            .flat_map(|fault| fault.keys().into_iter().map(|key| (*fault, key)))
            .collect()
    };
    thread::scope(|scope| {
        for job in of(Lane::Waits) {
            scope.spawn(move || run(job));
        }
        for (lane, threads) in [(Lane::Shares, AT_ONCE), (Lane::Hogs, 1)] {
            let jobs = Arc::new(Mutex::new(of(lane)));
            for _ in 0..threads {
                let jobs = Arc::clone(&jobs);
                scope.spawn(move || {
                    while let Some(job) = next(&jobs) {
                        run(job)
                    }
                });
            }
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn next<T>(jobs: &Mutex<VecDeque<T>>) -> Option<T> {
    jobs.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop_front()
}

impl Fault {
    fn keys(&self) -> Vec<Key> {
        let subjects = [Kind::V0_16, Kind::V0_15, Kind::Shiome];
        let subjects = subjects
            .into_iter()
            .filter(|subject| self.older || *subject != Kind::V0_15);
        let keys = subjects.flat_map(|subject| {
            let partners = self.partners.of(subject).iter();
            partners.map(move |partner| Key {
                id: self.id,
                subject,
                partner: *partner,
            })
        });
        keys.collect()
    }
}

fn perform(
    programs: &Programs,
    fault: &Fault,
    key: Key,
    options: Options,
) -> Result<Vec<Reading>, String> {
    let scene = Scene {
        stage: Stage::new(programs),
        subject: key.subject,
        partner: key.partner,
        options,
    };
    let readings = (fault.run)(&scene);
    let panics = scene.stage.panics();
    if panics.is_empty() {
        readings
    } else {
        Err(panics.join("; "))
    }
}
