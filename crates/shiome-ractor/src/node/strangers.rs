//! Who has connected and is not authenticated yet.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use shiome_transport::{
    AuthenticateError, Remote, TransportError,
    limits::{Admission, Counts, Limits, Ticket},
};
use tracing::{debug, warn};

mod fault;

use fault::Fault;

/// Least time between two warnings of one kind: strangers can cause as many as they like.
const WARNING_PERIOD: Duration = Duration::from_secs(60);

/// Admits accepted connections, and tells of those that it does not.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    admission: Admission,
    refused: Mutex<Warnings>,
    failed: Mutex<Warnings>,
}

impl Strangers {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            admission: Admission::new(limits),
            ..Self::default()
        })
    }

    pub(crate) fn counts(&self) -> Counts {
        self.admission.counts()
    }

    /// Admits who has connected; `None`: the connection is to be closed.
    pub(crate) fn admit(self: &Arc<Self>, remote: Remote) -> Option<Stranger> {
        match self.admission.try_admit(now(), remote.ip) {
            Ok(ticket) => Some(Stranger {
                ticket,
                label: remote.label,
                strangers: Arc::clone(self),
            }),
            Err(refusal) => {
                let (peer, reason) = (remote.label, refusal);
                debug!(peer, %reason, "connection refused");
                if let Some(refused) = count(&self.refused) {
                    warn!(peer, %reason, refused, "connections refused, the last of them this one");
                }
                None
            }
        }
    }
}

/// One accepted connection, until it is authenticated or has ended. Dropping it blames nobody.
#[derive(Debug)]
pub(crate) struct Stranger {
    ticket: Ticket,
    label: String,
    strangers: Arc<Strangers>,
}

impl Stranger {
    /// It has become a session.
    pub(crate) fn authenticated(self) {
        self.ticket.succeeded();
    }

    /// It did not become a link.
    pub(crate) fn not_established(self, error: &TransportError) {
        self.ended(fault::of_transport(error), &crate::outcome::Chain(error));
    }

    /// It was not authenticated.
    pub(crate) fn not_authenticated(self, error: &AuthenticateError) {
        self.ended(fault::of_handshake(error), &crate::outcome::Chain(error));
    }

    fn ended(self, fault: Option<Fault>, error: &dyn Display) {
        let peer = self.label;
        debug!(peer, %error, ?fault, "connection not authenticated");
        if let Some(fault) = fault {
            match fault {
                Fault::Lie => self.ticket.failed(now()),
                Fault::Waste => self.ticket.wasted(now()),
            }
            if let Some(failed) = count(&self.strangers.failed) {
                warn!(peer, %error, failed, "connections not authenticated, the last of them this one");
            }
        }
    }
}

/// When to warn of what happens as often as strangers like.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    silent_until: Option<Instant>,
    untold: u64,
}

impl Warnings {
    /// One more; how many to tell of now, if any.
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        if self.silent_until.is_some_and(|until| now < until) {
            return None;
        }
        self.silent_until = Some(now + WARNING_PERIOD);
        Some(std::mem::take(&mut self.untold))
    }
}

/// One more; how many to tell of now, if any.
pub(super) fn count(warnings: &Mutex<Warnings>) -> Option<u64> {
    // Two numbers are whole after any panic.
    let mut warnings = warnings.lock().unwrap_or_else(PoisonError::into_inner);
    warnings.count(now())
}

/// The runtime's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_of_once_a_minute() {
        let (mut warnings, start) = (Warnings::default(), Instant::now());
        assert_eq!(warnings.count(start), Some(1));
        for millis in 0..1000 {
            assert_eq!(warnings.count(start + Duration::from_millis(millis)), None);
        }
        assert_eq!(warnings.count(start + WARNING_PERIOD), Some(1001));
        assert_eq!(warnings.count(start + WARNING_PERIOD), None);
    }
}
