//! What came over the channels, on its way to the bus, and its acknowledgement.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use shiome_bus::{BoxFuture, Envelope};

use super::RtcLink;

/// Envelopes after which they are acknowledged at once.
const ACK_ENVELOPES: u64 = 512;

/// Bytes of messages after which envelopes are acknowledged at once.
const ACK_BYTES: usize = 128 * 1024;

/// How long an envelope waits for its acknowledgement at most.
const ACK_DELAY: Duration = Duration::from_millis(100);

/// Bytes of messages that may wait for the bus. What was not acknowledged is at most half of it, so an honest peer never has more
/// under way.
const MAX_WAITING: usize = 2 * crate::outbox::QUEUE.1 + 16 * 1024 * 1024;

/// One message.
#[derive(Debug)]
struct Arrived {
    envelopes: Vec<Envelope>,
    taken: Taken,
}

/// What the bus has taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    envelopes: u64,
    bytes: usize,
    /// Whether it is acknowledged.
    counted: bool,
}

/// Hands over what came in order, one message at a time.
pub(crate) struct Deliveries {
    link: Arc<RtcLink>,
    waiting: VecDeque<Arrived>,
    bytes: usize,
    delivering: Option<(Taken, BoxFuture<'static, ()>)>,
    received: u64,
    acknowledged: u64,
    unacknowledged_bytes: usize,
    ack_due: Option<Instant>,
}

impl Deliveries {
    pub(super) fn new(link: &Arc<RtcLink>) -> Self {
        Self {
            link: Arc::clone(link),
            waiting: VecDeque::new(),
            bytes: 0,
            delivering: None,
            received: 0,
            acknowledged: 0,
            unacknowledged_bytes: 0,
            ack_due: None,
        }
    }

    /// A message came. False when more waits than may.
    pub(super) fn push(
        &mut self,
        now: Instant,
        envelopes: Vec<Envelope>,
        bytes: usize,
        counted: bool,
    ) -> bool {
        if envelopes.is_empty() {
            return true;
        }
        if !counted && self.delivering.is_some() {
            // What may be lost is when the bus is behind.
            return true;
        }
        self.link.received(envelopes.len());
        self.bytes += bytes;
        let taken = Taken {
            envelopes: envelopes.len() as u64,
            bytes,
            counted,
        };
        self.waiting.push_back(Arrived { envelopes, taken });
        self.hurry(now);
        self.bytes <= MAX_WAITING
    }

    /// Hands over as much as the bus takes at once.
    fn hurry(&mut self, now: Instant) {
        use std::task::{Context, Poll, Waker};
        while self.begin() {
            let Some((taken, delivering)) = &mut self.delivering else {
                return;
            };
            let taken = *taken;
            let mut cx = Context::from_waker(Waker::noop());
            match delivering.as_mut().poll(&mut cx) {
                Poll::Ready(()) => {
                    self.delivering = None;
                    self.taken(now, taken);
                }
                Poll::Pending => return,
            }
        }
    }

    /// Begins with the next. False when there is none, or one is under way.
    fn begin(&mut self) -> bool {
        if self.delivering.is_some() {
            return false;
        }
        let Some(arrived) = self.waiting.pop_front() else {
            return false;
        };
        let inbound = self.link.inbound();
        let deliver = async move {
            if let Some(inbound) = inbound {
                inbound.deliver_all(arrived.envelopes).await;
            }
        };
        self.delivering = Some((arrived.taken, Box::pin(deliver)));
        true
    }

    /// Resolves when the bus has taken a message. Cancel-safe.
    pub(super) async fn run(&mut self) -> Taken {
        self.begin();
        match &mut self.delivering {
            Some((taken, delivering)) => {
                let taken = *taken;
                delivering.await;
                self.delivering = None;
                taken
            }
            None => std::future::pending().await,
        }
    }

    /// Hands over all that came.
    pub(super) async fn run_out(&mut self) {
        while self.delivering.is_some() || !self.waiting.is_empty() {
            self.run().await;
        }
    }

    pub(super) fn taken(&mut self, now: Instant, taken: Taken) {
        self.bytes -= taken.bytes;
        if !taken.counted {
            return;
        }
        self.received += taken.envelopes;
        self.unacknowledged_bytes += taken.bytes;
        self.ack_due.get_or_insert(now + ACK_DELAY);
        let many = self.received - self.acknowledged >= ACK_ENVELOPES;
        if many || self.unacknowledged_bytes >= ACK_BYTES {
            self.ack_due = Some(now);
        }
    }

    /// When an acknowledgement is due.
    pub(super) fn timeout(&self) -> Option<Instant> {
        self.ack_due
    }

    /// The acknowledgement that may ride along.
    pub(super) fn waiting_ack(&self) -> Option<u64> {
        self.ack_due.map(|_| self.received)
    }

    /// The acknowledgement that is due.
    pub(super) fn due_ack(&mut self, now: Instant) -> Option<u64> {
        self.ack_due.filter(|due| *due <= now)?;
        self.acknowledged(Some(self.received));
        Some(self.received)
    }

    pub(super) fn acknowledged(&mut self, ack: Option<u64>) {
        if let Some(received) = ack {
            self.acknowledged = received;
            self.unacknowledged_bytes = 0;
            self.ack_due = None;
        }
    }
}
