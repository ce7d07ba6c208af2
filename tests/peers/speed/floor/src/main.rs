//! What the machine gives: the frames of a cluster through a bare loop, without actors, handshake, limits or failures.
//!
//! Messages are built and read by prost's generated code, written in batches and read in large pieces; payloads are
//! handed over in memory of their own, as every actor gets them. Whatever does more than this costs more.

mod frames;
mod receiver;
mod sender;

use std::process::ExitCode;

use tokio::io::{AsyncRead, AsyncWrite};

fn main() -> ExitCode {
    speed_harness::run::<receiver::Floor, sender::Floor>()
}

/// A TCP connection, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}
