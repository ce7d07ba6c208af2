//! Nodes on real sockets of the loopback interface.
#![allow(clippy::unwrap_used, reason = "tests")]

mod cluster;
mod discovery;
mod hostile;
#[cfg(feature = "metrics")]
mod metrics;
mod persistence;
mod reliable;
mod security;
mod start;
mod support;
