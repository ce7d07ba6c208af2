//! The way of an envelope from a client.

use std::sync::atomic::Ordering;

use serde_json::json;

use super::Hub;
use crate::{
    BusError, Envelope, ErrorKind, Intent, Level, MAX_HOPS, MessageId, Name, Payload, Priority,
    error::cut, websocket::member::Member, wire::CloseReason,
};

/// What says that an envelope comes no further.
const NACK: &str = "sys.nack";

/// Forged envelopes of a client after which its link is closed. A peer that speaks for one that has just left may send a few.
const MAX_FORGED: u8 = 16;

impl Hub {
    /// What a client sent: to another client, or it is handed back for the bus of this process.
    pub(crate) fn route(
        &self,
        by: &Member,
        envelope: Envelope,
    ) -> Result<Option<Envelope>, CloseReason> {
        self.counters.received();
        if !by.may_send_as(&envelope.from) {
            return self.forged(by, &envelope).map(|()| None);
        }
        let other = match self.options.relay {
            true => self.member(&envelope.to),
            false => None,
        };
        match other {
            Some(other) if !std::ptr::eq(&*other, by) => self.pass_on(&other, envelope),
            None if by.attached.get().is_some() => return Ok(Some(envelope)),
            _ => self.refuse(&envelope, &BusError::NodeNotFound(envelope.to.clone())),
        }
        Ok(None)
    }

    fn pass_on(&self, other: &Member, envelope: Envelope) {
        if envelope.hops >= MAX_HOPS {
            let error = BusError::TooManyHops(envelope.to.clone());
            return self.refuse(&envelope, &error);
        }
        let mut envelope = envelope;
        envelope.hops += 1;
        match other.push(&envelope) {
            Ok(()) => self.counters.passed_on(),
            Err(error) => self.refuse(&envelope, &error),
        }
    }

    fn forged(&self, by: &Member, envelope: &Envelope) -> Result<(), CloseReason> {
        self.counters.refused(ErrorKind::Unauthorized);
        let forged = {
            let mut state = by.state();
            state.forged = state.forged.saturating_add(1);
            state.forged
        };
        if forged >= MAX_FORGED {
            return Err(CloseReason::Policy);
        }
        if waits(envelope) {
            let reason = format!("{} does not speak for {}", by.id, envelope.from);
            let nack = self.nack(envelope, &BusError::Unauthorized(reason.into()));
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

    /// Tells the sender that an envelope comes no further, if that waits for it.
    pub(super) fn answer(&self, envelope: &Envelope, error: &BusError) {
        if !waits(envelope) {
            return;
        }
        // Who takes no receipts gets none.
        if let Some(sender) = self.member(&envelope.from) {
            let _ = sender.push(&self.nack(envelope, error));
        }
    }

    fn nack(&self, about: &Envelope, error: &BusError) -> Envelope {
        let reason = error.to_string();
        let told = json!({ "error": error.kind().as_str(), "reason": cut(&reason) });
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
