//! Limits on strangers: how many connections may be open that are not authenticated yet, in all and from one source, and
//! how long a source waits that has failed too often.
//!
//! No clock is read and nothing is waited for: each call says what time it is.
//!
//! 1. For each accepted connection: [`Admission::try_admit`], before its first byte is read. Whom it refuses is closed.
//! 2. The [`Ticket`] is kept until the connection is authenticated or closed, TLS handshake included, and dropped then.
//! 3. [`Ticket::succeeded`], [`Ticket::failed`] or [`Ticket::wasted`] says how authentication ended.
//!
//! What a source has failed costs it two things: time, for which it is refused, and places, of which it has half as many
//! with each failure. So guesses of the cookie come to one at a time, while those that only waste a place shut nobody out
//! who shares their address for longer than a moment.
//!
//! A source is an IPv4 address, or the /64 network of an IPv6 address: that is what one host is given. Nodes that share
//! an address, as behind NAT, share its fate.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use thiserror::Error;

mod table;

use table::{Failure, Source, Table};

/// What [`Admission`] allows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections in all that are not authenticated yet. Default: 256. Each may hold one small frame and a TLS handshake,
    /// some 64 KiB.
    pub max_unauthenticated: usize,
    /// Those of one source. Default: 32. Below a half of all, two sources cannot shut out the others; as many nodes behind
    /// one address can join at once. Half as many with each failure that is not free, down to one.
    pub max_unauthenticated_per_source: usize,
    /// Failures in a row that cost a source nothing. Default: 3. Nodes fail innocently, for instance when both dial at once.
    pub max_free_failures: u32,
    /// How long a source is refused after a failure that is not free. Doubles each time that it has [lied](Ticket::failed);
    /// connections that were open already when it began make it no longer. Default: 1 s.
    pub first_penalty: Duration,
    /// The longest penalty. Default: 5 minutes, at most [`MAX_PENALTY`].
    pub longest_penalty: Duration,
    /// How long after its last failure, and penalty, a source is remembered. Default: 10 minutes, at most [`MAX_PENALTY`].
    pub memory: Duration,
    /// Sources whose failures are remembered. Default: 4096, of some 100 bytes each. When one more fails, the one with the
    /// fewest failures is forgotten, among equals the one that would be forgotten first.
    pub max_remembered: usize,
}

/// No source is refused, or remembered, for longer: one day.
pub const MAX_PENALTY: Duration = Duration::from_secs(24 * 3600);

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_unauthenticated: 256,
            max_unauthenticated_per_source: 32,
            max_free_failures: 3,
            first_penalty: Duration::from_secs(1),
            longest_penalty: Duration::from_secs(5 * 60),
            memory: Duration::from_secs(10 * 60),
            max_remembered: 4096,
        }
    }
}

/// Why a connection is not admitted. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Too many connections in all are not authenticated yet.
    #[error("too many unauthenticated connections")]
    Full,
    /// Too many of this source are not authenticated yet.
    #[error("too many unauthenticated connections from this source")]
    SourceFull,
    /// The source has failed to authenticate too often.
    #[error("too many failures from this source")]
    Penalty {
        /// From when on it is admitted again, if it does not fail meanwhile.
        until: Instant,
    },
}

/// Admits connections that are not authenticated yet. Its clones are the same.
#[derive(Clone)]
pub struct Admission {
    table: Arc<Mutex<Table>>,
}

impl Admission {
    /// Nobody is known yet.
    pub fn new(limits: Limits) -> Self {
        let table = Arc::new(Mutex::new(Table::new(limits)));
        Self { table }
    }

    /// Whether a connection from `ip` is admitted. It counts until its ticket is dropped.
    ///
    /// Those of remotes without an IP address, such as the processes of this host, count among all and have no limit of
    /// their own.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; the connection is to be closed at once.
    pub fn try_admit(
        &self,
        now: Instant,
        ip: impl Into<Option<IpAddr>>,
    ) -> Result<Ticket, Refusal> {
        let source = ip.into().map(Source::of);
        self.table().open(now, source)?;
        Ok(Ticket {
            table: Arc::clone(&self.table),
            source,
            since: now,
        })
    }

    /// What has become of all connections since the start.
    pub fn counts(&self) -> Counts {
        self.table().counts()
    }

    /// Connections that are admitted and hold their tickets.
    pub fn unauthenticated(&self) -> usize {
        self.table().total()
    }

    /// Sources whose failures are remembered, of which some may be due to be forgotten.
    pub fn remembered(&self) -> usize {
        self.table().remembered()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("unauthenticated", &self.unauthenticated())
            .field("remembered", &self.remembered())
            .finish_non_exhaustive()
    }
}

/// Connections since the start, by what became of them.
///
/// An admitted one that is neither authenticated nor failed is open still, or has ended innocently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Admitted.
    pub admitted: u64,
    /// Of the admitted, those that were authenticated.
    pub authenticated: u64,
    /// Of the admitted, those that could not be authenticated: by a fault of the peer's, or for lack of time.
    pub failed: u64,
    /// Refused for [`Refusal::Full`].
    pub refused_full: u64,
    /// Refused for [`Refusal::SourceFull`].
    pub refused_source: u64,
    /// Refused for [`Refusal::Penalty`].
    pub refused_penalty: u64,
}

/// The place of a connection that is not authenticated yet. Dropping it makes room, and says nothing against the source: the
/// connection was closed by either end without anybody's fault.
#[must_use = "the connection counts only as long as its ticket is kept"]
pub struct Ticket {
    table: Arc<Mutex<Table>>,
    source: Option<Source>,
    since: Instant,
}

impl Ticket {
    /// The connection was authenticated. The failures of its source, and its penalty, are forgotten.
    pub fn succeeded(self) {
        self.table().succeeded(self.source);
    }

    /// The peer has lied: about its name, or about knowing the cookie.
    pub fn failed(self, now: Instant) {
        self.end(now, Failure::Lie);
    }

    /// The peer has taken up a place for nothing: by silence, or by what no node says. That may be a node that is set up
    /// wrongly, or no node at all: its source is refused for [`Limits::first_penalty`] each time and no longer.
    pub fn wasted(self, now: Instant) {
        self.end(now, Failure::Waste);
    }

    fn end(self, now: Instant, failure: Failure) {
        self.table().failed(now, self.source, self.since, failure);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.table().close(self.source);
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.source).finish()
    }
}

#[cfg(test)]
mod tests;
