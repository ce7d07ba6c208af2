//! A small call to one actor while large casts to another one of the same node are under way.

use std::time::Duration;

use super::{
    Lab,
    row::{Figure, Row},
};
use crate::peers::{
    figures::{self, Goal, median},
    programs::Kind,
    stage::{Pair, Stage},
};

pub(super) const NAME: &str = "head-of-line";

const ROUNDS: usize = 5;

/// Calls that each side makes in all rounds together, at least.
const SAMPLES: usize = 200;

/// Casts that are under way at the same time.
const BATCH: usize = 20;
const CAST_LEN: usize = 8 * 1024 * 1024;

/// Batches of a round at most: enough for [`SAMPLES`] when each sees a single call.
const MAX_BATCHES: usize = 60;

/// Pause between the starts of two calls, in milliseconds: often enough to find the worst, and little beside the casts.
const PAUSE_MS: usize = 5;

/// Time for all batches of a round.
const TIME: Duration = Duration::from_secs(120);

/// What a small call may take behind 160 MiB.
const MAX_P99_MS: f64 = 10.0;

/// How much slower than the published node our casts may seem: less is noise.
const NOISE: f64 = 0.9;

const MICROS_PER_MILLI: f64 = 1e3;

/// What one side measured, or why it did not.
type Found = Result<Samples, String>;

#[derive(Default)]
struct Samples {
    calls_ms: Vec<f64>,
    bulk_mb_per_s: Vec<f64>,
}

pub(super) fn rows() -> Vec<String> {
    let figures = [
        "small call, p50",
        "small call, p99",
        "small call, max",
        "bulk",
    ];
    figures.map(|figure| format!("{NAME} | {figure}")).into()
}

pub(super) fn run(lab: &Lab<'_>) -> Vec<Row> {
    let (mut ours, mut published) = (Found::Ok(Samples::default()), Ok(Samples::default()));
    let rounds: Vec<_> = lab.rounds(ROUNDS).collect();
    let wanted = SAMPLES.div_ceil(rounds.len());
    for kind in rounds.into_iter().flatten() {
        let found = match kind {
            Kind::Shiome => &mut ours,
            _ => &mut published,
        };
        let outcome = match found {
            Ok(samples) => round(&lab.stage(), kind, wanted, samples),
            Err(_) => continue,
        };
        if let Err(problem) = outcome {
            *found = Err(problem);
        }
    }
    table(&ours, &published)
}

fn round(stage: &Stage<'_>, kind: Kind, wanted: usize, into: &mut Samples) -> Result<(), String> {
    let mut pair = stage.pair(kind, kind)?;
    pair.allow(TIME);
    let enough = into.calls_ms.len() + wanted;
    for _ in 0..MAX_BATCHES {
        batch(&mut pair, into)?;
        if into.calls_ms.len() >= enough {
            return Ok(());
        }
    }
    Err(format!(
        "fewer than {wanted} calls in {MAX_BATCHES} batches"
    ))
}

fn batch(pair: &mut Pair, into: &mut Samples) -> Result<(), String> {
    let command = format!("bulk-and-calls actorref - inbox - early {BATCH} {CAST_LEN} {PAUSE_MS}");
    let answer = pair.subject.ask(&command)?;
    let (micros, latencies) = answer.split_once(' ').unwrap_or((&answer, ""));
    let number = |word: &str| {
        let number = word.parse::<f64>();
        number.map_err(|_| format!("{command}: {answer}"))
    };
    // Bytes per microsecond are megabytes per second.
    into.bulk_mb_per_s
        .push((BATCH * CAST_LEN) as f64 / number(micros)?);
    for latency in latencies.split(',') {
        into.calls_ms.push(number(latency)? / MICROS_PER_MILLI);
    }
    Ok(())
}

fn table(ours: &Found, published: &Found) -> Vec<Row> {
    type Values = fn(&Samples) -> &[f64];
    type Reduce = fn(&[f64]) -> Option<f64>;
    let calls: Values = |samples| &samples.calls_ms;
    let bulk: Values = |samples| &samples.bulk_mb_per_s;
    let p99: Reduce = |values| figures::percentile(values, 99.0);
    let of = |found: &Found, values: Values, reduce: Reduce| match found {
        Ok(samples) => reduce(values(samples)).map_or(Figure::Never, Figure::Is),
        Err(problem) => Figure::NotMeasured(problem.clone()),
    };
    let count = |found: &Found, values: Values| found.as_ref().map_or(0, |s| values(s).len());
    let not_slower = of(published, bulk, median)
        .value()
        .map(|value| Goal::AtLeast(NOISE * value));
    let figures: [(_, Values, Reduce, _); 4] = [
        ("ms", calls, median, None),
        ("ms", calls, p99, Some(Goal::AtMost(MAX_P99_MS))),
        ("ms", calls, figures::max, None),
        ("MB/s", bulk, median, not_slower),
    ];
    let named = rows().into_iter().zip(figures);
    named
        .map(|(name, (unit, values, reduce, goal))| Row {
            name,
            unit,
            goal,
            ours: of(ours, values, reduce),
            published: of(published, values, reduce),
            note: format!(
                "{} samples beside {}",
                count(ours, values),
                count(published, values)
            ),
        })
        .collect()
}
