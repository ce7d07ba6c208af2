//! The members of frames, as they stand in JSON.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::RawValue;

use super::super::{
    CloseReason, DEFAULT_GRACE_MS, DEFAULT_HEARTBEAT_MS, DEFAULT_MAX_MESSAGE_LEN, Encoding, Frame,
    Goodbye, Hello, MAX_PRESENCE, MAX_RECLAIM_LEN, MAX_TOKEN_LEN, MIN_MAX_MESSAGE_LEN, Presence,
    Refused, Secret, Welcome, WireError,
    parts::{self, Before},
};
use super::limited::Limited;
use crate::{Envelope, Intent};

/// Encodings that a hello may name, known or not.
const MAX_ENCODINGS: usize = 16;

/// The members of one frame.
pub(super) enum Members<'a> {
    Hello(Box<HelloMembers<'a>>),
    Welcome(Box<WelcomeMembers<'a>>),
    Refused(RefusedMembers<'a>),
    Envelope(EnvelopeMembers<'a>),
    Ack(AckMembers),
    Ping(NonceMembers),
    Pong(NonceMembers),
    Presence(PresenceMembers<'a>),
    Goodbye(GoodbyeMembers<'a>),
    Unknown,
}

impl<'a> Members<'a> {
    /// Reads those of a frame of this type.
    pub(super) fn of<D: Deserializer<'a>>(kind: &str, json: D) -> Result<Self, D::Error> {
        Ok(match kind {
            "envelope" => Self::Envelope(Deserialize::deserialize(json)?),
            "ack" => Self::Ack(Deserialize::deserialize(json)?),
            "ping" => Self::Ping(Deserialize::deserialize(json)?),
            "pong" => Self::Pong(Deserialize::deserialize(json)?),
            "presence" => Self::Presence(Deserialize::deserialize(json)?),
            "goodbye" => Self::Goodbye(Deserialize::deserialize(json)?),
            "refused" => Self::Refused(Deserialize::deserialize(json)?),
            "hello" => Self::Hello(Deserialize::deserialize(json)?),
            "welcome" => Self::Welcome(Deserialize::deserialize(json)?),
            _ => {
                IgnoredAny::deserialize(json)?;
                Self::Unknown
            }
        })
    }

    /// The frame, unless its type is not known.
    pub(super) fn frame(self, before: &mut Before) -> Result<Option<Frame>, WireError> {
        Ok(Some(match self {
            Self::Hello(members) => Frame::Hello(Box::new(members.value()?)),
            Self::Welcome(members) => Frame::Welcome(Box::new(members.value()?)),
            Self::Refused(members) => Frame::Refused(members.value()?),
            Self::Envelope(members) => Frame::Envelope(members.value(before)?),
            Self::Ack(AckMembers { received }) => Frame::Ack {
                received: parts::number(received)?,
            },
            Self::Ping(NonceMembers { nonce }) => Frame::Ping {
                nonce: parts::number(nonce)?,
            },
            Self::Pong(NonceMembers { nonce }) => Frame::Pong {
                nonce: parts::number(nonce)?,
            },
            Self::Presence(members) => Frame::Presence(members.value()?),
            Self::Goodbye(members) => Frame::Goodbye(members.value()?),
            Self::Unknown => return Ok(None),
        }))
    }
}

#[derive(Deserialize)]
pub(super) struct AckMembers {
    received: u64,
}

#[derive(Deserialize)]
pub(super) struct NonceMembers {
    nonce: u64,
}

#[derive(Deserialize)]
pub(super) struct EnvelopeMembers<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    from: Cow<'a, str>,
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(default)]
    sent_at: u64,
    #[serde(borrow)]
    reply_to: Option<Cow<'a, str>>,
    #[serde(default)]
    hops: u64,
    #[serde(borrow)]
    level: Option<Cow<'a, str>>,
    #[serde(borrow)]
    priority: Option<Cow<'a, str>>,
}

impl EnvelopeMembers<'_> {
    fn value(self, before: &mut Before) -> Result<Envelope, WireError> {
        let payload = self.payload.map(|payload| parts::payload(payload.get()));
        let payload = payload.transpose()?.unwrap_or_default();
        let intent = Intent::of(before.name(self.name.as_bytes())?, payload);
        let reply_to = self.reply_to.map(|id| parts::message_id_of(&id));
        let level = self.level.map(|level| parts::level(&level)).transpose()?;
        let priority = self.priority.map(|priority| parts::priority(&priority));
        Ok(Envelope {
            id: parts::message_id_of(&self.id)?,
            from: before.from(self.from.as_bytes())?,
            to: before.to(self.to.as_bytes())?,
            intent,
            sent_at: parts::number(self.sent_at)?,
            reply_to: reply_to.transpose()?,
            hops: parts::hops(self.hops)?,
            level: level.unwrap_or_default(),
            priority: priority.transpose()?.unwrap_or_default(),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct PresenceMembers<'a> {
    #[serde(default)]
    all: bool,
    #[serde(default)]
    partial: bool,
    #[serde(default)]
    more: bool,
    #[serde(borrow, default)]
    present: Limited<(Cow<'a, str>, u64), MAX_PRESENCE>,
    #[serde(borrow, default)]
    absent: Limited<Cow<'a, str>, MAX_PRESENCE>,
}

impl PresenceMembers<'_> {
    fn value(self) -> Result<Presence, WireError> {
        let (present, absent) = (self.present.0, self.absent.0);
        if present.len() + absent.len() > MAX_PRESENCE {
            return Err(WireError::TooLong("presence"));
        }
        let present = present.iter();
        let present = present.map(|(id, run)| Ok((parts::peer_id(id)?, parts::incarnation(*run)?)));
        Ok(Presence {
            all: self.all,
            partial: self.partial,
            more: self.more,
            present: present.collect::<Result<_, WireError>>()?,
            absent: absent
                .iter()
                .map(|id| parts::peer_id(id))
                .collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct GoodbyeMembers<'a> {
    #[serde(borrow)]
    reason: Cow<'a, str>,
    #[serde(borrow, default)]
    detail: Cow<'a, str>,
}

impl GoodbyeMembers<'_> {
    fn value(self) -> Result<Goodbye, WireError> {
        Ok(Goodbye {
            reason: CloseReason::of_name(&self.reason),
            detail: parts::detail(&self.detail)?,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct RefusedMembers<'a> {
    #[serde(borrow)]
    reason: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    retry_ms: Option<u64>,
    #[serde(borrow, default)]
    detail: Cow<'a, str>,
}

impl RefusedMembers<'_> {
    fn value(self) -> Result<Refused, WireError> {
        Ok(Refused {
            reason: CloseReason::of_name(&self.reason),
            id: self.id.map(|id| parts::peer_id(&id)).transpose()?,
            retry_ms: self.retry_ms.map(parts::number).transpose()?,
            detail: parts::detail(&self.detail)?,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct HelloMembers<'a> {
    version: u64,
    #[serde(borrow)]
    id: Cow<'a, str>,
    incarnation: u64,
    token: Option<String>,
    reclaim: Option<String>,
    received: Option<u64>,
    #[serde(borrow, default)]
    encodings: Limited<Cow<'a, str>, MAX_ENCODINGS>,
    max_message: Option<u64>,
    heartbeat_ms: Option<u64>,
}

impl HelloMembers<'_> {
    fn value(self) -> Result<Hello, WireError> {
        let known = self.encodings.0.iter();
        let mut encodings: Vec<_> = known.filter_map(|name| Encoding::of_name(name)).collect();
        if !encodings.contains(&Encoding::Json) {
            encodings.push(Encoding::Json);
        }
        Ok(Hello {
            version: parts::number(self.version)?,
            id: parts::peer_id(&self.id)?,
            incarnation: parts::incarnation(self.incarnation)?,
            token: secret(self.token, MAX_TOKEN_LEN, "token")?,
            reclaim: secret(self.reclaim, MAX_RECLAIM_LEN, "reclaim")?,
            received: self.received.map(parts::number).transpose()?,
            encodings,
            max_message: max_message(self.max_message)?,
            heartbeat_ms: parts::number(self.heartbeat_ms.unwrap_or(DEFAULT_HEARTBEAT_MS))?,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct WelcomeMembers<'a> {
    version: u64,
    #[serde(borrow)]
    id: Cow<'a, str>,
    incarnation: u64,
    #[serde(default)]
    relay: bool,
    #[serde(default)]
    gateway: bool,
    #[serde(borrow)]
    encoding: Option<Cow<'a, str>>,
    reclaim: String,
    #[serde(default)]
    resumed: bool,
    #[serde(default)]
    received: u64,
    max_message: Option<u64>,
    heartbeat_ms: Option<u64>,
    grace_ms: Option<u64>,
}

impl WelcomeMembers<'_> {
    fn value(self) -> Result<Welcome, WireError> {
        let encoding = match self.encoding {
            Some(name) => Encoding::of_name(&name).ok_or(WireError::Value("encoding"))?,
            None => Encoding::Json,
        };
        let reclaim = secret(Some(self.reclaim), MAX_RECLAIM_LEN, "reclaim")?;
        Ok(Welcome {
            version: parts::number(self.version)?,
            id: parts::peer_id(&self.id)?,
            incarnation: parts::incarnation(self.incarnation)?,
            relay: self.relay,
            gateway: self.gateway,
            encoding,
            reclaim: reclaim.ok_or(WireError::Missing("reclaim"))?,
            resumed: self.resumed,
            received: parts::number(self.received)?,
            max_message: max_message(self.max_message)?,
            heartbeat_ms: parts::number(self.heartbeat_ms.unwrap_or(DEFAULT_HEARTBEAT_MS))?,
            grace_ms: parts::number(self.grace_ms.unwrap_or(DEFAULT_GRACE_MS))?,
        })
    }
}

fn secret(
    text: Option<String>,
    max: usize,
    what: &'static str,
) -> Result<Option<Secret>, WireError> {
    if text.as_ref().is_some_and(|text| text.len() > max) {
        return Err(WireError::TooLong(what));
    }
    Ok(text.map(Secret::new))
}

fn max_message(len: Option<u64>) -> Result<u64, WireError> {
    let len = len.unwrap_or(DEFAULT_MAX_MESSAGE_LEN);
    if len < MIN_MAX_MESSAGE_LEN {
        return Err(WireError::Value("max_message"));
    }
    parts::number(len)
}
