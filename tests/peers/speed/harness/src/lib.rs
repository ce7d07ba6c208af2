//! What all programs have in common that are measured: the command line, the commands, and the loops that send.
//!
//! An implementation gives a [`Receiver`] and a [`Sender`] and calls [`run`]. `tests/peers/README.md` has the contract
//! with the runner.

mod drive;
mod program;
mod tls;

pub use drive::{Handle, calls, casts, shared_casts};
pub use program::run;
pub use tls::{SERVER_NAME, Tls};

use std::time::{Duration, Instant};

/// Actors of a receiver that take casts and calls, or what comes closest.
pub const COUNTERS: usize = 8;

/// The receiving process.
pub trait Receiver: Sized {
    /// Listens; the port.
    fn start(tls: Option<Tls>) -> impl Future<Output = Result<(Self, u16), String>>;

    /// Starts so many actors that do nothing.
    fn spawn(&mut self, count: usize, place: Place) -> impl Future<Output = Result<(), String>> {
        let _ = (count, place);
        async { Err("there are no actors".to_owned()) }
    }

    /// From now on the actors that take casts rest for a millisecond after so many.
    fn rest_after(&mut self, casts: u64) -> Result<(), String> {
        let _ = casts;
        Err("there are no actors".to_owned())
    }
}

/// Where actors are that do nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In one process group.
    Group,
    /// In none: peers only hear that they exist.
    Alone,
}

/// The sending process.
pub trait Sender: Sized {
    /// Connects, and waits until so many actors of the group are seen beside those that always are.
    fn connect(
        address: String,
        tls: Option<Tls>,
        members: usize,
    ) -> impl Future<Output = Result<(Self, Connected), String>>;

    /// Casts, and waits until all have arrived.
    fn casts(
        &mut self,
        handle: &str,
        casts: Casts,
    ) -> impl Future<Output = Result<Duration, String>>;

    /// Calls.
    fn calls(&mut self, handle: &str, calls: Calls)
    -> impl Future<Output = Result<Called, String>>;
}

/// How long it took, from the first step on.
#[derive(Debug, Clone, Copy)]
pub struct Connected {
    /// Until messages can be sent.
    pub ready: Duration,
    /// Until all actors of the group were seen.
    pub visible: Duration,
}

/// Casts to send.
#[derive(Debug, Clone, Copy)]
pub struct Casts {
    /// Tasks that send, each to an actor of its own.
    pub senders: usize,
    /// Casts of all tasks together.
    pub count: u64,
    /// Bytes of each.
    pub len: usize,
    /// A task waits for its casts to have arrived after so many; 0 for at the end alone.
    pub every: u64,
}

/// Calls to make.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    /// Calls of all tasks together.
    pub count: u64,
    /// Bytes of each, and of its reply.
    pub len: usize,
    /// Tasks that call, one call each at a time.
    pub callers: usize,
}

/// What became of calls.
#[derive(Debug)]
pub struct Called {
    pub wall: Duration,
    /// How long each took, in nanoseconds.
    pub latencies: Vec<u64>,
}

impl Called {
    /// The latency that `percent` of the others do not exceed (nearest rank), in nanoseconds.
    fn percentile(&self, percent: usize) -> u64 {
        let rank = (self.latencies.len() * percent).div_ceil(100);
        self.latencies
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or(0)
    }
}

/// Nanoseconds since then.
pub fn nanos_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
