//! What every kind of link can do, over every scheme. `--nocapture` prints the table.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(clippy::print_stdout, reason = "the table is to be seen")]

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::timeout};

use crate::schemes::Case;

#[path = "links/endpoint.rs"]
#[allow(dead_code, reason = "the other suite uses the rest")]
mod endpoint;

#[path = "conformance/faults.rs"]
mod faults;
#[path = "conformance/nodes.rs"]
mod nodes;
#[path = "conformance/schemes.rs"]
mod schemes;
#[path = "conformance/streams.rs"]
mod streams;
#[cfg(feature = "websocket")]
#[path = "conformance/web_server.rs"]
mod web_server;

/// No test takes nearly as long, on any machine.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(60);

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

type Test = (&'static str, fn(Case) -> Running);

const TESTS: &[Test] = &[
    ("join", |case| Box::pin(nodes::join(case))),
    ("sync", |case| Box::pin(nodes::sync(case))),
    ("calls", |case| Box::pin(nodes::calls(case))),
    ("large", |case| Box::pin(nodes::large_messages(case))),
    ("accept", |case| {
        Box::pin(streams::accept_waits_for_nobody(case))
    }),
    ("half-close", |case| Box::pin(streams::half_close(case))),
    ("abrupt", |case| Box::pin(nodes::abrupt_close(case))),
    ("slow", |case| Box::pin(streams::slow_reader(case))),
    ("pressure", |case| Box::pin(streams::back_pressure(case))),
    ("overflow", |case| Box::pin(nodes::overflow(case))),
];

/// Whether it held, and in what time.
async fn run((name, test): Test, case: Case) -> Result<Duration, String> {
    let began = Instant::now();
    let mut task = JoinSet::new();
    let scheme = case.name;
    task.spawn(test(case));
    match timeout(GIVEN_UP_AFTER, task.join_next()).await {
        Ok(Some(Ok(()))) => Ok(began.elapsed()),
        Ok(Some(Err(error))) => Err(format!("{name} over {scheme}: {error}")),
        Ok(None) => unreachable!("there is one task"),
        Err(_) => Err(format!(
            "{name} over {scheme}: not done in {GIVEN_UP_AFTER:?}"
        )),
    }
}

fn print(table: &[(&str, Vec<Result<Duration, String>>)]) {
    print!("{:12}", "ms");
    for (test, _) in TESTS {
        print!("{test:>11}");
    }
    println!();
    for (scheme, results) in table {
        print!("{scheme:12}");
        for result in results {
            match result {
                Ok(took) => print!("{:>11.1}", took.as_secs_f64() * 1e3),
                Err(_) => print!("{:>11}", "FAILED"),
            }
        }
        println!();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scheme_conforms() {
    let cases = schemes::all();
    let mut table = Vec::new();
    for case in &cases {
        let mut results = Vec::new();
        for test in TESTS {
            results.push(run(*test, case.clone()).await);
        }
        table.push((case.name, results));
    }
    print(&table);
    let failed: Vec<_> = table
        .into_iter()
        .flat_map(|(_, results)| results)
        .filter_map(Result::err)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
