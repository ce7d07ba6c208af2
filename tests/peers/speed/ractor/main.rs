//! The same work through a ractor cluster: one source for shiome and for what it is compared with.

mod actors;
mod events;
mod handles;
mod members;
mod node;
mod receiver;
mod sender;

use std::process::ExitCode;

fn main() -> ExitCode {
    speed_harness::run::<receiver::Receiving, sender::Sending>()
}
