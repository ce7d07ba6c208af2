//! The way of an envelope from a client.

use std::sync::{Arc, atomic::Ordering};

use serde_json::json;

use super::Hub;
use crate::{
    BoxFuture, BusError, Envelope, ErrorKind, Intent, Level, MAX_HOPS, MessageId, Name, Payload,
    Priority, error::cut, websocket::member::Member, wire::CloseReason,
};

/// What says how far an envelope has come.
const ACK: &str = "sys.ack";

/// What says that an envelope comes no further.
const NACK: &str = "sys.nack";

/// Forged envelopes of a client after which its link is closed. A peer that speaks for one that has just left may send a few.
const MAX_FORGED: u8 = 16;

/// What became of an envelope of a client.
pub(crate) enum Routed {
    /// It is on its way, or refused.
    Done,
    /// It is for the bus of this process.
    Own(Envelope),
    /// Its destination has no room now. To be waited for, before what came after it.
    Waits(BoxFuture<'static, ()>),
}

impl Hub {
    /// Whether a client may send that; after too many that it may not, its link ends.
    pub(crate) fn check(&self, by: &Member, envelope: &Envelope) -> Result<bool, CloseReason> {
        self.counters.received();
        if by.may_send_as(&envelope.from) {
            return Ok(true);
        }
        self.forged(by, envelope).map(|()| false)
    }

    /// Passes on what a client sent.
    pub(crate) fn route(self: &Arc<Self>, by: &Member, mut envelope: Envelope) -> Routed {
        envelope.keep_lane();
        let other = match self.options.relay {
            true => self.member(&envelope.to),
            false => None,
        };
        match other {
            Some(other) if !std::ptr::eq(&*other, by) => {
                // What a client says itself was passed on by nobody before; in a circle there is always somebody else.
                let passed_on = envelope.from != by.id;
                return self.pass_on(other, envelope, passed_on);
            }
            None if by.attached.get().is_some() => return Routed::Own(envelope),
            _ => self.refuse(&envelope, &BusError::NodeNotFound(envelope.to.clone())),
        }
        Routed::Done
    }

    fn pass_on(
        self: &Arc<Self>,
        other: Arc<Member>,
        mut envelope: Envelope,
        passed_on: bool,
    ) -> Routed {
        if passed_on && envelope.hops >= MAX_HOPS {
            let error = BusError::TooManyHops(envelope.to.clone());
            self.refuse(&envelope, &error);
            return Routed::Done;
        }
        envelope.hops += u8::from(passed_on);
        let patience = self.options.patience;
        match other.push(&envelope) {
            Err(BusError::QueueFull(_)) if other.makes_room(patience) => {
                let hub = Arc::clone(self);
                Routed::Waits(Box::pin(async move {
                    let pushed = other.push_within(&envelope, patience).await;
                    hub.passed_on(&envelope, pushed);
                }))
            }
            pushed => {
                self.passed_on(&envelope, pushed);
                Routed::Done
            }
        }
    }

    fn passed_on(&self, envelope: &Envelope, pushed: Result<(), BusError>) {
        match pushed {
            Ok(()) => self.counters.passed_on(),
            Err(error) => self.refuse(envelope, &error),
        }
    }

    fn forged(&self, by: &Member, envelope: &Envelope) -> Result<(), CloseReason> {
        self.counters.refused(ErrorKind::Unauthorized);
        let forged = {
            let mut state = by.state();
            state.forged = state.forged.saturating_add(1);
            state.forged
        };
        let reason = format!("{} does not speak for {}", by.id, envelope.from);
        let error = BusError::Unauthorized(reason.into());
        if let Some(attached) = by.attached.get() {
            attached.inbound.refused(envelope, &error);
        }
        if forged >= MAX_FORGED {
            return Err(CloseReason::Policy);
        }
        if waits(envelope) {
            let nack = self.nack(envelope, &error);
            // To who sent it, whoever it said it was.
            let _ = by.push(&Envelope {
                to: by.id.clone(),
                ..nack
            });
        }
        Ok(())
    }

    fn refuse(&self, envelope: &Envelope, error: &BusError) {
        self.counters.refused(error.kind());
        self.answer(envelope, error);
    }

    /// Tells the sender that an envelope comes no further, if that waits for it; or if it could not know, and had it accepted.
    pub(super) fn answer(&self, envelope: &Envelope, error: &BusError) {
        let lost = matches!(error, BusError::QueueFull(_) | BusError::NotConnected(_));
        if !waits(envelope) && (!lost || is_receipt(envelope)) {
            return;
        }
        // Who takes no receipts gets none.
        if let Some(sender) = self.member(&envelope.from) {
            let _ = sender.push(&self.nack(envelope, error));
        }
    }

    fn nack(&self, about: &Envelope, error: &BusError) -> Envelope {
        let reason = error.to_string();
        let told = json!({
            "error": error.kind().as_str(),
            "reason": cut(&reason),
            "name": about.intent.name().as_str(),
        });
        let intent = Intent::of(Name::system(NACK), Payload::from(told));
        let id = MessageId {
            incarnation: self.incarnation,
            seq: self.seq.fetch_add(1, Ordering::Relaxed) + 1,
        };
        let mut nack = Envelope::new(id, about.to.clone(), about.from.clone(), intent);
        nack.reply_to = Some(about.id);
        nack.priority = Priority::System;
        nack
    }
}

/// Whether the sender is told what becomes of it.
fn waits(envelope: &Envelope) -> bool {
    envelope.level > Level::Accepted && envelope.reply_to.is_none()
}

/// Whether it says what became of another.
fn is_receipt(envelope: &Envelope) -> bool {
    let name = envelope.intent.name().as_str();
    envelope.reply_to.is_some() && (name == ACK || name == NACK)
}
