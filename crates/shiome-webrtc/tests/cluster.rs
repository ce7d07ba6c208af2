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

/// Runs one, and sees to it that nothing is left of its links where it ends them.
async fn conforms<T: Future<Output = ()>>(
    name: &str,
    test: impl FnOnce(Case) -> T,
    ends_all: bool,
) {
    let (case, ends) = schemes::rtc();
    let began = Instant::now();
    let done = timeout(GIVEN_UP_AFTER, test(case)).await;
    done.unwrap_or_else(|_| panic!("{name} is not done in {GIVEN_UP_AFTER:?}"));
    println!("{name}: {:?}", began.elapsed());
    if ends_all {
        let gone = timeout(GIVEN_UP_AFTER, ends.are_idle()).await;
        gone.unwrap_or_else(|_| panic!("{name} leaves links"));
    }
}

macro_rules! conform {
    ($($name:ident: $test:path, $ends_all:literal;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            conforms(stringify!($name), $test, $ends_all).await;
        })*
    };
}

conform! {
    join: nodes::join, false;
    sync: nodes::sync, true;
    calls: nodes::calls, false;
    large: nodes::large_messages, false;
    accept: streams::accept_waits_for_nobody, true;
    half_close: streams::half_close, true;
    abrupt: nodes::abrupt_close, true;
    slow: streams::slow_reader, true;
    pressure: streams::back_pressure, true;
    overflow: nodes::overflow, false;
}
