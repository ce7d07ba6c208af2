//! What every kind of link of a cluster can do, over data channels on loopback. `--nocapture` prints how long it took.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(clippy::print_stdout, reason = "the times are to be seen")]

use std::{
    future::Future,
    time::{Duration, Instant},
};

use tokio::time::timeout;

use crate::schemes::Case;

#[path = "../../shiome-transport/tests/links/endpoint.rs"]
#[allow(dead_code, reason = "other suites use the rest")]
mod endpoint;
#[path = "../../shiome-transport/tests/conformance/nodes.rs"]
mod nodes;
#[path = "cluster/schemes.rs"]
mod schemes;
#[path = "../../shiome-transport/tests/conformance/streams.rs"]
mod streams;

/// No test takes nearly as long, on any machine.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(60);

/// Runs one, and sees to it that nothing is left of its links.
async fn conforms<T: Future<Output = ()>>(name: &str, test: impl FnOnce(Case) -> T) {
    let (case, ends) = schemes::rtc();
    let began = Instant::now();
    let done = timeout(GIVEN_UP_AFTER, test(case)).await;
    done.unwrap_or_else(|_| panic!("{name} is not done in {GIVEN_UP_AFTER:?}"));
    println!("{name}: {:?}", began.elapsed());
    let gone = timeout(GIVEN_UP_AFTER, ends.are_idle()).await;
    gone.unwrap_or_else(|_| panic!("{name} leaves links"));
}

macro_rules! conform {
    ($($name:ident: $test:path,)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            conforms(stringify!($name), $test).await;
        })*
    };
}

conform! {
    join: nodes::join,
    sync: nodes::sync,
    calls: nodes::calls,
    large: nodes::large_messages,
    accept: streams::accept_waits_for_nobody,
    half_close: streams::half_close,
    abrupt: nodes::abrupt_close,
    slow: streams::slow_reader,
    pressure: streams::back_pressure,
    overflow: nodes::overflow,
}
