//! `gossip-storm [--count N] [--seed N]`: decodes mutated gossip datagrams, classic and compact, and visits every
//! field of what decodes. Fails when anything panics.
//!
//! Build it with `--release`: it is to run a billion times. A run is determined by its count and its seed.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal"
)]

mod mutate;
mod samples;
mod visit;

use std::{
    env,
    error::Error,
    hint::black_box,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::{Duration, Instant},
};

use mutate::{Mutator, Rng};

/// Executions under one guard against panics. What follows a panic in its batch is not executed.
const BATCH: u64 = 4096;

/// How many panics are told with their input.
const TOLD: u64 = 10;

struct Options {
    count: u64,
    seed: u64,
}

#[derive(Default)]
struct Tally {
    executions: u64,
    decoded: u64,
    items: u64,
    panics: u64,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(e) => {
            eprintln!("{e}\nusage: gossip-storm [--count N] [--seed N]");
            return ExitCode::from(2);
        }
    };
    let samples = match samples::all() {
        Ok(samples) => samples,
        Err(e) => {
            eprintln!("samples: {e}");
            return ExitCode::FAILURE;
        }
    };
    println!("{} samples, seed {}", samples.len(), options.seed);
    let start = Instant::now();
    let tally = storm(&options, &samples);
    report(&tally, start.elapsed());
    // A storm in which nothing decodes has met the first byte only.
    let met = tally.decoded > 0 && tally.items > 0;
    if tally.panics == 0 && met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        count: 10_000_000,
        seed: 1,
    };
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().ok_or_else(|| format!("{arg}: no value"))?;
        match arg.as_str() {
            "--count" => options.count = value.parse()?,
            "--seed" => options.seed = value.parse()?,
            _ => return Err(format!("{arg}: no such option").into()),
        }
    }
    Ok(options)
}

fn storm(options: &Options, samples: &[Vec<u8>]) -> Tally {
    let mut mutator = Mutator::new(samples, Rng::new(options.seed));
    let mut tally = Tally::default();
    let mut left = options.count;
    while left > 0 {
        let batch = left.min(BATCH);
        left -= batch;
        let run = AssertUnwindSafe(|| execute(batch, &mut mutator, &mut tally));
        if catch_unwind(run).is_err() {
            tally.panics += 1;
            if tally.panics <= TOLD {
                eprintln!("panic on {}", hex::encode(mutator.datagram()));
            }
        }
    }
    tally
}

fn execute(batch: u64, mutator: &mut Mutator<'_>, tally: &mut Tally) {
    for _ in 0..batch {
        tally.executions += 1;
        mutator.mutate();
        let mut visited = visit::Visited::default();
        if visited.datagram(mutator.datagram()).is_ok() {
            tally.decoded += 1;
        }
        tally.items += visited.items;
        black_box(visited.sum);
    }
}

fn report(tally: &Tally, elapsed: Duration) {
    let executions = tally.executions;
    let rate = executions as f64 / elapsed.as_secs_f64();
    println!("executions        {executions}");
    println!("executions/s      {rate:.0}");
    println!("seconds           {:.1}", elapsed.as_secs_f64());
    println!("messages decoded  {}", tally.decoded);
    println!("items decoded     {}", tally.items);
    println!("panics            {}", tally.panics);
}
