//! Rust of `proto/*.proto`, one module a schema. Written by `cargo xtask codegen`, never by hand.
#![allow(
    missing_docs,
    clippy::all,
    clippy::exhaustive_enums,
    clippy::or_fun_call,
    clippy::use_self,
    unreachable_pub,
    unused_qualifications,
    reason = "generated code"
)]

#[rustfmt::skip]
pub mod auth;
#[rustfmt::skip]
pub mod control;
#[rustfmt::skip]
pub mod meta;
#[rustfmt::skip]
pub mod native;
#[rustfmt::skip]
pub mod node;
