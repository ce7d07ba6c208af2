//! One set of programs over every path that an envelope can take: what they see must not depend on it.
//!
//! A path is a [`Stage`](stage::Stage). `cargo test --test conformance -- --nocapture table` prints what holds where.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

mod bad_input;
mod behaviours;
mod elision;
mod inbox;
mod memory;
mod rooms;
mod stage;
mod table;
