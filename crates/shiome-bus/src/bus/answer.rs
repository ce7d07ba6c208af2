//! What comes back to a sender who waits, and how it is said over a link.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Core, LinkId};
use crate::{
    BusError, DropReason, Envelope, ErrorKind, Intent, Level, MessageId, Name, Payload, PeerId,
    Priority,
    error::cut,
    mailbox::{Item, Path},
};

/// Payload: `"received"` or `"handled"`.
const ACK: &str = "sys.ack";
/// Payload: `{ "error": kind, "reason": text }`; of relays also `name`, that of the intent.
const NACK: &str = "sys.nack";

/// What comes back.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The envelope got that far.
    Reached(Level),
    /// It did not get as far as it should.
    Failed(BusError),
    /// What a peer said to it.
    Reply(Box<Item>),
}

impl Answer {
    /// Reads what came over a link in reply to something about `asked`.
    fn of(item: Item, asked: &Name) -> Self {
        let (intent, peer) = (&item.envelope.intent, &item.envelope.from);
        match intent.name().as_str() {
            ACK => match intent.payload().as_str() {
                Some("handled") => Self::Reached(Level::Handled),
                _ => Self::Reached(Level::Received),
            },
            NACK => Self::Failed(read_error(intent.payload().value(), peer, asked)),
            _ => Self::Reply(Box::new(item)),
        }
    }

    fn intent(&self) -> Option<Intent> {
        let (name, payload) = match self {
            Self::Reached(level) => {
                let level = match level {
                    Level::Handled | Level::Answered => "handled",
                    Level::Accepted | Level::Received => "received",
                };
                (ACK, level.into())
            }
            Self::Failed(error) => {
                let reason = match error {
                    BusError::HandlerFailed { reason, .. } => reason.to_string(),
                    BusError::Refused(why) | BusError::Unauthorized(why) => why.to_string(),
                    BusError::Serialization(source) => source.to_string(),
                    other => other.to_string(),
                };
                let kind = error.kind().as_str();
                (
                    NACK,
                    json!({ "error": kind, "reason": cut(&reason) }).into(),
                )
            }
            Self::Reply(_) => return None,
        };
        Some(Intent::of(Name::system(name), payload))
    }
}

fn read_error(told: &Value, peer: &PeerId, asked: &Name) -> BusError {
    let text = |key: &str| told.get(key).and_then(Value::as_str).unwrap_or_default();
    let (peer, reason) = (peer.clone(), cut(text("reason")));
    match ErrorKind::from_name(text("error")) {
        Some(ErrorKind::NodeNotFound) => BusError::NodeNotFound(peer),
        Some(ErrorKind::NoHandler) => BusError::NoHandler {
            peer,
            intent: asked.clone(),
        },
        Some(ErrorKind::HandlerFailed) => BusError::HandlerFailed {
            peer,
            reason: reason.into(),
        },
        Some(ErrorKind::NotConnected) => BusError::NotConnected(peer),
        Some(ErrorKind::QueueFull) => BusError::QueueFull(peer),
        Some(ErrorKind::Serialization) => BusError::serialization(reason),
        Some(ErrorKind::Unauthorized) => BusError::Unauthorized(reason.into()),
        Some(ErrorKind::TooManyHops) => BusError::TooManyHops(peer),
        Some(ErrorKind::Refused) => BusError::Refused(reason.into()),
        Some(ErrorKind::Closed) => BusError::Closed(peer),
        // Others are not said of an envelope that arrived, or come from a later version.
        _ => BusError::network(format!("{}: {reason}", text("error"))),
    }
}

/// What a receipt says of an envelope of `core` for which nobody waits: one that was accepted, and is lost after all.
pub(super) fn lost(core: &Core, receipt: &Envelope) -> Option<(Envelope, DropReason)> {
    let (told, id) = (receipt.intent.payload(), receipt.reply_to?);
    let own = core.local(&receipt.to)?.incarnation == id.incarnation;
    if !own || receipt.intent.name().as_str() != NACK {
        return None;
    }
    let name = told.value().get("name").and_then(Value::as_str)?;
    let name = Name::any(name).ok()?;
    let reason = Core::reason(&read_error(told.value(), &receipt.from, &name));
    let (from, to) = (receipt.to.clone(), receipt.from.clone());
    let lost = Envelope::new(id, from, to, Intent::of(name, Payload::null()));
    Some((lost, reason))
}

impl Core {
    /// Tells the sender of `about`, which `path` brought, what became of it. Does not wait: if the link has no room, it goes as soon as
    /// there is.
    pub(crate) fn answer(self: &Arc<Self>, about: &Envelope, path: Path, answer: Answer) {
        let asked = Asked {
            asker: &about.from,
            id: about.id,
            asked: &about.to,
        };
        self.answer_to(&asked, path, answer);
    }

    pub(crate) fn answer_to(self: &Arc<Self>, asked: &Asked<'_>, path: Path, answer: Answer) {
        match path {
            Path::Bus => {
                if let Some(asker) = self.local(asked.asker) {
                    asker
                        .pending
                        .resolve(asked.id, asked.asked, false, |_| answer);
                }
            }
            Path::Link(id, _) => {
                if let (Some(link), Some(intent)) = (self.link(id), answer.intent()) {
                    let envelope = self.answering(asked, intent);
                    self.send_receipt(id, &link, envelope);
                }
            }
        }
    }

    fn answering(&self, asked: &Asked<'_>, intent: Intent) -> Envelope {
        let (from, to) = (asked.asked.clone(), asked.asker.clone());
        let mut envelope = Envelope::new(self.next_id(), from, to, intent);
        envelope.reply_to = Some(asked.id);
        envelope.priority = Priority::System;
        envelope
    }

    /// An answer came over a link, for a peer of this bus.
    ///
    /// # Errors
    ///
    /// The answer, when nobody waits for it.
    pub(super) fn answered(&self, item: Item) -> Result<(), Box<Item>> {
        let asker = self.local(&item.envelope.to);
        let (Some(asker), Some(id)) = (asker, item.envelope.reply_to) else {
            return Err(Box::new(item));
        };
        let name = item.envelope.intent.name().as_str();
        let reply = name != ACK && name != NACK;
        let (from, mut item) = (item.envelope.from.clone(), Some(item));
        asker.pending.resolve(id, &from, reply, |asked| {
            let item = item.take().expect("an answer is made once");
            Answer::of(item, asked)
        });
        item.map_or(Ok(()), |item| Err(Box::new(item)))
    }

    /// The answer to `id` that came is not taken: who asked will get none.
    pub(super) fn fail_asker(&self, answer: &Envelope, id: MessageId, error: BusError) {
        if let Some(asker) = self.local(&answer.to) {
            let failed = |_: &Name| Answer::Failed(error);
            asker.pending.resolve(id, &answer.from, true, failed);
        }
    }

    /// Whether a peer of this bus waits for an answer of `from` to `id` over that link.
    pub(super) fn awaits(&self, envelope: &Envelope, id: MessageId, link: LinkId) -> bool {
        let asker = self.local(&envelope.to);
        asker.is_some_and(|asker| asker.pending.awaits(id, &envelope.from, link))
    }
}

/// An envelope that a sender waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) asker: &'a PeerId,
    pub(crate) id: MessageId,
    pub(crate) asked: &'a PeerId,
}
