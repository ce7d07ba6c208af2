//! Buses of real nodes, over real sessions.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod cluster {
    mod bridge;
    mod hostile;
    mod lifecycle;
    mod names;
    mod support;
}
