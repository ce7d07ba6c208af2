//! Calls to remote actors.

use std::time::Duration;

use ractor::rpc::CallResult;
use ractor::{ActorCell, ActorRef, Message as RactorMessage, MessagingErr, RpcReplyPort};

use crate::actor::{Message, Note, Stranger};

/// How long a call without a timeout of its own may keep a command waiting.
const PATIENCE: Duration = Duration::from_secs(65);

/// The forms of a call; all take one word and answer one.
#[derive(Clone, Copy)]
pub enum Kind {
    Echo,
    PortFirst,
    Struct,
    Prost,
    Values,
    Hold,
    Discard,
    Last,
    Unknown,
}

impl Kind {
    /// The kind that a command, or the first argument of `call-start`, names.
    pub fn of(command: &str) -> Option<Self> {
        Some(match command {
            "call" => Self::Echo,
            "call-first" => Self::PortFirst,
            "call-struct" => Self::Struct,
            "call-prost" => Self::Prost,
            "call-values" => Self::Values,
            "call-hold" | "call-never" => Self::Hold,
            "call-discard" => Self::Discard,
            "call-and-die" => Self::Last,
            "call-unknown" => Self::Unknown,
            _ => return None,
        })
    }
}

pub async fn call(
    to: ActorCell,
    kind: Kind,
    text: String,
    timeout: Option<Duration>,
) -> Result<String, String> {
    match kind {
        Kind::Echo => ask(to, timeout, |port| Message::Echo(text, port)).await,
        Kind::PortFirst => ask(to, timeout, |port| Message::Repeat(port, text, 3)).await,
        Kind::Struct => {
            let count = u64::MAX;
            ask(to, timeout, |reply| Message::Describe {
                label: text,
                reply,
                count,
            })
            .await
        }
        Kind::Prost => {
            let note = Note {
                id: 41,
                label: text,
            };
            let note = ask(to, timeout, |port| Message::Annotate(note, port)).await?;
            Ok(format!("note:{}:{}", note.id, note.label))
        }
        Kind::Values => {
            let answer = ask(to, timeout, |port| values(&text, port)).await?;
            Ok(answer.replace(' ', ""))
        }
        Kind::Hold => ask(to, timeout, |port| Message::Hold(text, port)).await,
        Kind::Discard => ask(to, timeout, |port| Message::Discard(text, port)).await,
        Kind::Last => ask(to, timeout, |port| Message::Last(text, port)).await,
        Kind::Unknown => ask(to, timeout, |port| Stranger::Ask(text, port)).await,
    }
}

/// One value at the edge of each convertible type.
fn values(text: &str, reply: RpcReplyPort<String>) -> Message {
    Message::Values {
        reply,
        flag: true,
        letter: '潮',
        small: i8::MIN,
        wide: u128::MAX,
        ratio: -0.1,
        nothing: (),
        words: vec![i16::MIN, -1, 0, i16::MAX],
        flags: vec![true, false],
        letters: text.chars().collect(),
        fractions: vec![f32::MIN_POSITIVE, f32::INFINITY],
    }
}

pub async fn ask<M: RactorMessage, R: Send + 'static>(
    to: ActorCell,
    timeout: Option<Duration>,
    message: impl FnOnce(RpcReplyPort<R>) -> M,
) -> Result<R, String> {
    let to = ActorRef::<M>::from(to);
    match tokio::time::timeout(PATIENCE, to.call(message, timeout)).await {
        Err(_) => Err("no-answer".into()),
        Ok(Ok(CallResult::Success(answer))) => Ok(answer),
        Ok(Ok(CallResult::Timeout)) => Err("timeout".into()),
        Ok(Ok(CallResult::SenderError)) => Err("sender-error".into()),
        Ok(Err(error)) => Err(refusal(&error)),
    }
}

/// One line for each reason why a reference did not take a message.
pub fn refusal<M>(error: &MessagingErr<M>) -> String {
    match error {
        MessagingErr::SendErr(_) | MessagingErr::ChannelClosed => "send closed".into(),
        MessagingErr::InvalidActorType => "send invalid-type".into(),
    }
}
