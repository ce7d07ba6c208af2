//! A node that is looked into over real sockets.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod actions;
mod dashboard;
mod discard;
mod feed;
mod limits;
#[cfg(feature = "prometheus")]
mod prometheus;
mod read;
mod support;
