//! One set of programs over every path of the bus: what they see must not depend on it.
//!
//! A path is a `Stage`, and all of them are listed in `stage.rs`. A path of any crate may stand there, which is why the programs have a
//! package of their own. `cargo test -p shiome-conformance -- --nocapture table` prints what holds where.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "support code of tests")]

mod bad_input;
mod behaviours;
mod cluster;
mod elision;
mod inbox;
mod memory;
mod rooms;
mod stage;
mod table;
mod webrtc;
mod websocket;
