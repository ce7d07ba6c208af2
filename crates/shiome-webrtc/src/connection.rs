//! One connection to a peer, without socket and clock.
//!
//! After each input - a method that takes `now` - the owner sends what [`Connection::poll_transmit`] gives, does what
//! [`Connection::poll_event`] tells, and calls [`Connection::handle_timeout`] at [`Connection::timeout`].
//!
//! ```text
//!  Connecting ── channel open ──► Up ── nothing heard, ICE lost ──► Lost ──┐
//!      │ deadline                 ▲│ closed                          │ ▲   │ heard
//!      │ no pair passes           │└─────────► Ended ◄───────────────┘ │   │
//!      └──────────────────────────┼──────────────▲       deadline      │   │
//!                                 └────────────────────────────────────┴───┘
//! ```

mod candidates;
mod channels;
mod engine;
mod signals;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use shiome_bus::{
    Incarnation,
    wire::{Batch, CloseReason, Encoding, Frame, Goodbye, Message},
};
use str0m::{
    Candidate, Input, Rtc,
    change::SdpPendingOffer,
    config::DtlsCert,
    net::{Protocol, Receive, Transmit},
};

use self::{candidates::Candidates, channels::Channels};
use crate::{
    Failure, RtcOptions,
    heartbeat::{Heartbeat, Silence},
    signal::{Body, Description, Purpose},
};

pub(crate) use self::candidates::{CandidateFault, MAX_CANDIDATES};

/// Bytes that wait in SCTP. Its cost grows with the square of what waits, and more makes nothing faster.
const SCTP_BUFFER_LEN: usize = 64 * 1024;

/// Time for a lost connection to come back.
const RESTART_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for the other end to acknowledge a goodbye: what was said just before may keep it waiting here.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// What an end says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) incarnation: Incarnation,
    pub(crate) max_message: usize,
    pub(crate) heartbeat: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) cert: Option<DtlsCert>,
    pub(crate) purpose: Purpose,
}

impl Config {
    pub(crate) fn new(purpose: Purpose, incarnation: Incarnation, options: &RtcOptions) -> Self {
        Self {
            incarnation,
            max_message: usize::try_from(options.max_message).unwrap_or(usize::MAX),
            heartbeat: options.heartbeat,
            connect_timeout: options.connect_timeout,
            cert: None,
            purpose,
        }
    }
}

/// What the other end said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) incarnation: Incarnation,
    pub(crate) encoding: Encoding,
    pub(crate) max_message: usize,
}

/// What the owner is told.
#[derive(Debug)]
pub(crate) enum Event {
    /// To be said to the other end.
    Signal(Body),
    /// Envelopes can be sent.
    Up,
    /// Envelopes and acknowledgements came in a message of so many bytes; `counted` if it kept all in order.
    Heard {
        frames: Vec<Frame>,
        len: usize,
        counted: bool,
    },
    /// Bytes of the stream came; none at its end.
    Bytes(Vec<u8>),
    /// Nothing gets through for now.
    Lost,
    /// It will never be up again.
    Ended(Failure),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting {
        until: Instant,
    },
    Up,
    Lost {
        until: Instant,
    },
    /// The goodbye is said, and not known to have been heard.
    Closing {
        until: Instant,
        reason: CloseReason,
    },
    Ended,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    rtc: Rtc,
    config: Config,
    offered: bool,
    pending: Option<SdpPendingOffer>,
    terms: Option<Terms>,
    phase: Phase,
    heartbeat: Heartbeat,
    candidates: Candidates,
    channels: Channels,
    /// Whether datagrams ever got through.
    reached: bool,
    /// The ping that waits for its answer: of several, the last.
    pong: Option<u64>,
    rtc_timeout: Instant,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

impl Connection {
    /// Offers a connection, with the candidates that are known so far.
    pub(crate) fn offer(
        now: Instant,
        config: Config,
        candidates: Vec<Candidate>,
    ) -> Result<Self, Failure> {
        let mut connection = Self::new(now, config, true, candidates);
        let mut change = connection.rtc.sdp_api();
        let configs = channels::configs();
        let ids = configs.map(|config| change.add_channel_with_config(config));
        let (offer, pending) = change.apply().expect("a channel was added");
        connection.channels.expect(ids);
        connection.pending = Some(pending);
        connection.describe(offer.to_sdp_string(), Body::Offer);
        connection.drain(now);
        Ok(connection)
    }

    /// Answers an offer.
    pub(crate) fn answer(
        now: Instant,
        config: Config,
        candidates: Vec<Candidate>,
        offer: &Description,
    ) -> Result<Self, Failure> {
        let mut connection = Self::new(now, config, false, candidates);
        connection.terms(now, offer);
        connection.accept_offer(offer)?;
        connection.drain(now);
        Ok(connection)
    }

    fn new(now: Instant, config: Config, offered: bool, candidates: Vec<Candidate>) -> Self {
        let mut builder = Rtc::builder()
            .clear_codecs()
            .set_sctp_max_buffered_amount(SCTP_BUFFER_LEN);
        if let Some(cert) = config.cert.clone() {
            builder = builder.set_dtls_cert(cert);
        }
        let mut connection = Self {
            rtc: builder.build(now),
            offered,
            pending: None,
            terms: None,
            phase: Phase::Connecting {
                until: now + config.connect_timeout,
            },
            heartbeat: Heartbeat::new(now, config.heartbeat),
            candidates: Candidates::default(),
            channels: Channels::new(config.purpose, config.max_message),
            reached: false,
            pong: None,
            rtc_timeout: now,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            config,
        };
        for candidate in candidates {
            connection
                .candidates
                .add_local(&mut connection.rtc, candidate);
        }
        connection
    }

    /// What the other end said of itself, once it did.
    pub(crate) fn remote(&self) -> Option<&Terms> {
        self.terms.as_ref()
    }

    /// A datagram came to `local`. What is none of this connection is skipped.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        source: SocketAddr,
        datagram: &[u8],
    ) {
        let Ok(receive) = Receive::new(Protocol::Udp, source, local, datagram) else {
            return;
        };
        let input = Input::Receive(now, receive);
        if self.phase == Phase::Ended || !self.rtc.accepts(&input) {
            return;
        }
        // A datagram that cannot be is that of an attacker as long as the connection lives on.
        let handled = self.rtc.handle_input(input);
        self.drain(now);
        if let Err(error) = handled
            && !self.rtc.is_alive()
        {
            self.end(Failure::malformed(error));
        }
        self.write_on(now);
        self.end_when_heard(now);
    }

    /// Time has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match self.phase {
            Phase::Connecting { until } if until <= now => self.end(self.diagnosis()),
            Phase::Lost { until } if until <= now => self.end(Failure::Unresponsive),
            Phase::Up => match self.heartbeat.handle_timeout(now) {
                Silence::Bearable => {}
                Silence::Ping(nonce) => self.push(&Frame::Ping { nonce }),
                Silence::Dead => self.lose(now),
            },
            _ => {}
        }
        self.tick(now);
        self.write_on(now);
        self.end_when_heard(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        let own = match self.phase {
            Phase::Connecting { until } | Phase::Lost { until } | Phase::Closing { until, .. } => {
                until
            }
            Phase::Up => self.heartbeat.timeout(),
            Phase::Ended => return None,
        };
        Some(own.min(self.rtc_timeout))
    }

    /// Why it did not open in time.
    fn diagnosis(&self) -> Failure {
        if self.terms.is_none() {
            Failure::NoAnswer
        } else if self.reached {
            Failure::Timeout
        } else {
            self.candidates.diagnosis()
        }
    }

    /// Whether envelopes can be sent now.
    pub(crate) fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Whether the channels were ever open.
    pub(crate) fn was_up(&self) -> bool {
        !matches!(self.phase, Phase::Connecting { .. })
    }

    /// Whether it was up, and may be again.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.phase, Phase::Lost { .. })
    }

    /// Whether a message is written at once.
    pub(crate) fn has_room(&self) -> bool {
        self.phase == Phase::Up && self.channels.has_room()
    }

    /// Writes a message to the channel that keeps all in order.
    pub(crate) fn write(&mut self, now: Instant, message: &Message) {
        self.channels.push(message);
        self.write_on(now);
    }

    /// Writes bytes of the stream, as many as go in one piece at most; none at its end.
    #[cfg(feature = "cluster")]
    pub(crate) fn write_bytes(&mut self, now: Instant, bytes: &[u8]) {
        self.channels.push_bytes(bytes);
        self.write_on(now);
    }

    /// What both ends of the connection know, and whoever stands between does not: the fingerprints of both, that of who
    /// offered first.
    #[cfg(feature = "cluster")]
    pub(crate) fn fingerprints(&mut self) -> Option<[Vec<u8>; 2]> {
        let api = self.rtc.direct_api();
        let ours = api.local_dtls_fingerprint().bytes.clone();
        let theirs = api.remote_dtls_fingerprint()?.bytes.clone();
        Some(if self.offered {
            [ours, theirs]
        } else {
            [theirs, ours]
        })
    }

    /// Writes a message of one piece to the channel that loses, if there is room.
    pub(crate) fn write_loose(&mut self, now: Instant, message: &Message) {
        if self.phase == Phase::Up {
            self.channels.write_loose(&mut self.rtc, message);
            self.drain(now);
        }
    }

    /// Says something besides envelopes.
    pub(crate) fn say(&mut self, now: Instant, frame: &Frame) {
        self.push(frame);
        self.write_on(now);
    }

    fn push(&mut self, frame: &Frame) {
        self.push_all(&[frame]);
    }

    /// Says these in one message.
    fn push_all(&mut self, frames: &[&Frame]) {
        let encoding = self.terms.as_ref().map(|terms| terms.encoding);
        let mut batch = Batch::new(encoding.unwrap_or_default());
        for frame in frames {
            batch.push(frame);
        }
        self.channels.push(&batch.finish());
    }

    /// Ends it at once, with a goodbye if it is up.
    pub(crate) fn close(&mut self, now: Instant, reason: CloseReason) {
        if self.phase == Phase::Ended {
            return;
        }
        if self.phase == Phase::Up {
            self.push(&Frame::Goodbye(Goodbye::new(reason)));
            self.write_on(now);
        }
        self.end(Failure::Closed(reason));
        // What it says last is for courtesy: it is gone in any case.
        let _ = self.rtc.close();
        self.drain(now);
    }

    /// Says goodbye, and how many envelopes have come, and ends it once the other end has heard that, in
    /// [`GOODBYE_TIMEOUT`] at the latest. What comes until then is not taken, which the other end knows by the goodbye.
    pub(crate) fn finish(&mut self, now: Instant, reason: CloseReason, received: Option<u64>) {
        match self.phase {
            Phase::Up => {}
            Phase::Closing { .. } => return,
            _ => return self.close(now, reason),
        }
        let goodbye = Frame::Goodbye(Goodbye::new(reason));
        match received.map(|received| Frame::Ack { received }) {
            Some(ack) => self.push_all(&[&ack, &goodbye]),
            None => self.push(&goodbye),
        }
        let until = now + GOODBYE_TIMEOUT;
        self.phase = Phase::Closing { until, reason };
        self.write_on(now);
    }

    fn end_when_heard(&mut self, now: Instant) {
        let Phase::Closing { until, reason } = self.phase else {
            return;
        };
        if until <= now || self.channels.is_heard(&mut self.rtc) {
            self.close(now, reason);
        }
    }

    #[must_use]
    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    #[must_use]
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn end(&mut self, failure: Failure) {
        let failure = match self.phase {
            Phase::Closing { reason, .. } => Failure::Closed(reason),
            _ => failure,
        };
        if self.phase != Phase::Ended {
            self.phase = Phase::Ended;
            self.events.push_back(Event::Ended(failure));
        }
    }
}

#[cfg(test)]
mod tests;
