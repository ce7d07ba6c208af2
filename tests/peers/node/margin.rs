//! Messages with metadata beside what they carry.

use std::sync::Arc;
use std::time::Duration;

use ractor::message::{BoxedDowncastErr, SerializedMessage};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, Message, RpcReplyPort};

use crate::calls;
use crate::inbox::Inbox;

/// A message that is nothing but its metadata, as a program that uses it would write it.
pub enum Margin {
    Cast(Option<Vec<u8>>),
    Call(Option<Vec<u8>>, RpcReplyPort<Vec<u8>>),
    /// A call that test actors understand.
    Echo(Option<Vec<u8>>, RpcReplyPort<Vec<u8>>),
}

/// The word that a test actor echoes.
const WORD: &str = "x";

impl Message for Margin {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        let call = |variant: &str, args, reply, metadata| SerializedMessage::Call {
            variant: variant.into(),
            args,
            reply,
            metadata,
        };
        Ok(match self {
            Self::Cast(metadata) => SerializedMessage::Cast {
                variant: "Margin".into(),
                args: Vec::new(),
                metadata,
            },
            Self::Call(metadata, reply) => call("Margin", Vec::new(), reply, metadata),
            Self::Echo(metadata, reply) => {
                let mut args = (WORD.len() as u64).to_be_bytes().to_vec();
                args.extend(WORD.bytes());
                call("Echo", args, reply, metadata)
            }
        })
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        match message {
            SerializedMessage::Cast { metadata, .. } => Ok(Self::Cast(metadata)),
            SerializedMessage::Call {
                metadata, reply, ..
            } => Ok(Self::Call(metadata, reply)),
            SerializedMessage::CallReply(..) => Err(BoxedDowncastErr),
        }
    }
}

/// Tells the metadata of what it gets.
pub struct Reader(pub Arc<Inbox>);

impl Actor for Reader {
    type Msg = Margin;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<Margin>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _myself: ActorRef<Margin>,
        message: Margin,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Margin::Cast(metadata) => self.0.text(format!("margin:{}", word(metadata.as_deref()))),
            Margin::Call(metadata, reply) | Margin::Echo(metadata, reply) => {
                // A caller that has given up is not an error of the actor.
                let _ = reply.send(word(metadata.as_deref()).into_bytes());
            }
        }
        Ok(())
    }
}

pub fn cast(to: ActorCell, metadata: &str) -> Result<String, String> {
    let message = Margin::Cast(of_word(metadata)?);
    let sent = ActorRef::<Margin>::from(to).cast(message);
    sent.map(|()| String::new())
        .map_err(|error| calls::refusal(&error))
}

/// Asks an actor of this kind, or with `echo` any test actor.
pub async fn call(
    to: ActorCell,
    echo: bool,
    metadata: &str,
    timeout: Option<Duration>,
) -> Result<String, String> {
    let metadata = of_word(metadata)?;
    let ask = |port| match echo {
        true => Margin::Echo(metadata, port),
        false => Margin::Call(metadata, port),
    };
    let answer: Vec<u8> = calls::ask(to, timeout, ask).await?;
    String::from_utf8(answer).map_err(|error| error.to_string())
}

/// As hexadecimal digits, with a prefix because there can be none of them; `none` for none.
fn word(metadata: Option<&[u8]>) -> String {
    let Some(metadata) = metadata else {
        return "none".into();
    };
    let digits = metadata.iter().map(|byte| format!("{byte:02x}"));
    format!("hex:{}", digits.collect::<String>())
}

fn of_word(word: &str) -> Result<Option<Vec<u8>>, String> {
    let Some(digits) = word.strip_prefix("hex:") else {
        return Ok(None);
    };
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).map_err(|error| error.to_string())?;
        u8::from_str_radix(pair, 16).map_err(|error| error.to_string())
    });
    pairs.collect::<Result<_, String>>().map(Some)
}
