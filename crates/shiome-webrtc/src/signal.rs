//! What peers say to each other to open a channel, as intents `sys.rtc.*`. `docs/PROTOCOL.md`, section 13.13.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shiome_bus::{
    BusError, Incarnation, Intent, Name, Payload,
    wire::{DEFAULT_MAX_MESSAGE_LEN, Encoding, MAX_MAX_MESSAGE_LEN, MIN_MAX_MESSAGE_LEN},
};
use thiserror::Error;

use crate::Failure;

/// Version of what is said here and on the channels.
pub(crate) const VERSION: u64 = 1;

/// Bytes of an SDP at most: one of a data channel has less than 2 KiB, and 100 bytes for each candidate.
pub(crate) const MAX_SDP_LEN: usize = 16 * 1024;

/// Bytes of a candidate at most.
pub(crate) const MAX_CANDIDATE_LEN: usize = 512;

/// Bytes of a signal that describes nothing.
const MAX_SHORT_LEN: usize = 4096;

/// Bytes of the name of a session.
pub(crate) const MAX_SESSION_LEN: usize = 64;

/// Names of encodings that are looked at.
const MAX_ENCODINGS: usize = 8;

/// What all names of signals for the channels of the bus begin with.
pub(crate) const PREFIX: &str = "sys.rtc.";

/// Says that all before it has arrived.
pub(crate) const SWITCH: &str = "sys.rtc.switch";

/// What a connection is for. Each has names of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Envelopes of the bus.
    Envelopes,
    /// A stream of bytes.
    #[cfg_attr(
        not(feature = "cluster"),
        allow(dead_code, reason = "for links of a cluster")
    )]
    Bytes,
}

impl Purpose {
    /// What the names of its signals begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Envelopes => PREFIX,
            Self::Bytes => "sys.stream.",
        }
    }
}

/// Names one attempt to open a channel, and what comes of it. Chosen at random by who offers.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionId(String);

impl SessionId {
    pub(crate) fn random() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    fn new(text: String) -> Result<Self, SignalError> {
        let fits = (1..=MAX_SESSION_LEN).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(Self(text));
        }
        Err(SignalError::Session)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What came is no signal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum SignalError {
    #[error("{0}")]
    Json(String),
    #[error("no such signal")]
    Unknown,
    #[error("no name of a session")]
    Session,
    #[error("an SDP of more than {MAX_SDP_LEN} bytes")]
    SdpTooLong,
    #[error("a signal of more than {MAX_SHORT_LEN} bytes")]
    TooLong,
    #[error("a candidate of more than {MAX_CANDIDATE_LEN} bytes")]
    CandidateTooLong,
    #[error("version {0} is not spoken here")]
    Version(u64),
    #[error("no such incarnation")]
    Incarnation,
    #[error("no such longest message")]
    MaxMessage,
}

/// One of the things that are said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Signal {
    pub(crate) session: SessionId,
    pub(crate) body: Body,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    Offer(Description),
    Answer(Description),
    /// `None`: those were all.
    Candidate(Option<String>),
    Close(String),
    /// All that was sent before over this way has arrived when this is answered.
    Switch,
}

/// An SDP, and what one end says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Description {
    pub(crate) sdp: String,
    pub(crate) incarnation: Incarnation,
    /// Whether it takes the binary form.
    pub(crate) encoding: Encoding,
    /// Bytes of the longest message that it takes.
    pub(crate) max_message: usize,
    pub(crate) heartbeat_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct DescriptionJson {
    version: u64,
    session: String,
    sdp: String,
    incarnation: u64,
    #[serde(default)]
    encodings: Vec<String>,
    #[serde(default = "default_max_message")]
    max_message: u64,
    #[serde(default = "default_heartbeat")]
    heartbeat_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct CandidateJson {
    session: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    candidate: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct CloseJson {
    session: String,
    #[serde(default)]
    reason: String,
    /// Why there is no way, if that is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct SwitchJson {
    session: String,
}

fn default_max_message() -> u64 {
    DEFAULT_MAX_MESSAGE_LEN
}

fn default_heartbeat() -> u64 {
    crate::options::HEARTBEAT.as_millis() as u64
}

impl Signal {
    pub(crate) fn new(session: &SessionId, body: Body) -> Self {
        Self {
            session: session.clone(),
            body,
        }
    }

    /// The signal that an intent is.
    pub(crate) fn read(purpose: Purpose, intent: &Intent) -> Result<Self, SignalError> {
        let payload = intent.payload();
        let name = intent.name().as_str().strip_prefix(purpose.prefix());
        let (session, body) = match name.ok_or(SignalError::Unknown)? {
            "offer" => Description::read(payload).map(|(id, read)| (id, Body::Offer(read)))?,
            "answer" => Description::read(payload).map(|(id, read)| (id, Body::Answer(read)))?,
            _ if payload.text_len() > MAX_SHORT_LEN => return Err(SignalError::TooLong),
            "candidate" => {
                let json: CandidateJson = parse(payload)?;
                let candidate = json.candidate.filter(|text| !text.is_empty());
                if candidate.as_ref().map_or(0, String::len) > MAX_CANDIDATE_LEN {
                    return Err(SignalError::CandidateTooLong);
                }
                (json.session, Body::Candidate(candidate))
            }
            "close" => {
                let json: CloseJson = parse(payload)?;
                let why = json.why.filter(|why| Failure::of_told(why).is_some());
                (json.session, Body::Close(why.unwrap_or(json.reason)))
            }
            "switch" if purpose == Purpose::Envelopes => {
                (parse::<SwitchJson>(payload)?.session, Body::Switch)
            }
            _ => return Err(SignalError::Unknown),
        };
        Ok(Self {
            session: SessionId::new(session)?,
            body,
        })
    }

    /// The intent that says it.
    pub(crate) fn intent(&self, purpose: Purpose) -> Result<Intent, BusError> {
        let session = self.session.0.clone();
        let (name, payload) = match &self.body {
            Body::Offer(description) => ("offer", description.payload(session)?),
            Body::Answer(description) => ("answer", description.payload(session)?),
            Body::Candidate(candidate) => {
                let candidate = candidate.clone();
                let json = CandidateJson { session, candidate };
                ("candidate", Payload::json(&json)?)
            }
            Body::Close(reason) => {
                let why = Failure::of_told(reason);
                let json = CloseJson {
                    session,
                    reason: match &why {
                        Some(failure) => failure.reason().as_str().to_owned(),
                        None => reason.clone(),
                    },
                    why: why.map(|_| reason.clone()),
                };
                ("close", Payload::json(&json)?)
            }
            Body::Switch => ("switch", Payload::json(&SwitchJson { session })?),
        };
        let name = format!("{}{name}", purpose.prefix());
        Ok(Intent::of(Name::any(&name)?, payload))
    }
}

impl Description {
    fn read(payload: &Payload) -> Result<(String, Self), SignalError> {
        if payload.text_len() > 2 * MAX_SDP_LEN {
            return Err(SignalError::SdpTooLong);
        }
        let json: DescriptionJson = parse(payload)?;
        if json.version == 0 || json.version > VERSION {
            return Err(SignalError::Version(json.version));
        }
        if json.sdp.len() > MAX_SDP_LEN {
            return Err(SignalError::SdpTooLong);
        }
        if json.max_message < MIN_MAX_MESSAGE_LEN {
            return Err(SignalError::MaxMessage);
        }
        let binary = json.encodings.iter().take(MAX_ENCODINGS);
        let binary = binary
            .into_iter()
            .any(|name| name == Encoding::Binary.as_str());
        let description = Self {
            sdp: json.sdp,
            incarnation: Incarnation::new(json.incarnation).ok_or(SignalError::Incarnation)?,
            encoding: if binary {
                Encoding::Binary
            } else {
                Encoding::Json
            },
            max_message: json.max_message.min(MAX_MAX_MESSAGE_LEN) as usize,
            heartbeat_ms: json.heartbeat_ms,
        };
        Ok((json.session, description))
    }

    fn payload(&self, session: String) -> Result<Payload, BusError> {
        let encodings = match self.encoding {
            Encoding::Binary => vec!["binary".to_owned(), "json".to_owned()],
            _ => vec!["json".to_owned()],
        };
        Payload::json(&DescriptionJson {
            version: VERSION,
            session,
            sdp: self.sdp.clone(),
            incarnation: self.incarnation.get(),
            encodings,
            max_message: self.max_message as u64,
            heartbeat_ms: self.heartbeat_ms,
        })
    }
}

fn parse<T: DeserializeOwned>(payload: &Payload) -> Result<T, SignalError> {
    payload
        .parse()
        .map_err(|error| SignalError::Json(error.to_string()))
}

#[cfg(test)]
mod tests;
