//! The test actors and their messages. The variants and their arguments are a wire contract between all
//! the programs built from this source.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::{RactorClusterMessage, RactorMessage, derive_serialization_for_prost_type};

use crate::inbox::Inbox;

#[derive(Clone, PartialEq, prost::Message)]
pub struct Note {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    #[prost(string, tag = "2")]
    pub label: String,
}

derive_serialization_for_prost_type! { Note }

#[derive(RactorClusterMessage)]
pub enum Message {
    Text(String),
    Numbered(u64),
    Bytes(Vec<u8>),
    Bulk(Vec<u8>),
    Note(Note),
    #[rpc]
    Echo(String, RpcReplyPort<String>),
    #[rpc]
    Repeat(RpcReplyPort<String>, String, u32),
    #[rpc]
    Describe {
        label: String,
        reply: RpcReplyPort<String>,
        count: u64,
    },
    #[rpc]
    Annotate(Note, RpcReplyPort<Note>),
    #[rpc]
    Values {
        reply: RpcReplyPort<String>,
        flag: bool,
        letter: char,
        small: i8,
        wide: u128,
        ratio: f64,
        nothing: (),
        words: Vec<i16>,
        flags: Vec<bool>,
        letters: Vec<char>,
        fractions: Vec<f32>,
    },
    /// The port is kept until `release`, or for ever.
    #[rpc]
    Hold(String, RpcReplyPort<String>),
    /// The port is dropped without an answer.
    #[rpc]
    Discard(String, RpcReplyPort<String>),
    /// How many `Bulk` casts the process has received by now.
    #[rpc]
    Tally(RpcReplyPort<u64>),
    /// The answer is the last thing that the actor does.
    #[rpc]
    Last(String, RpcReplyPort<String>),
}

/// Messages that no test actor can decode.
#[derive(RactorClusterMessage)]
pub enum Stranger {
    Shout(String),
    #[rpc]
    Ask(String, RpcReplyPort<String>),
}

/// Records what it gets.
pub struct Recorder(pub Arc<Inbox>);

impl Actor for Recorder {
    type Msg = Message;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _myself: ActorRef<Message>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let inbox = &self.0;
        match message {
            Message::Text(text) => inbox.text(text),
            Message::Numbered(number) => inbox.number(number),
            Message::Bytes(bytes) => inbox.text(digest(&bytes)),
            Message::Bulk(_) => inbox.bulk(),
            Message::Note(note) => inbox.text(format!("note:{}:{}", note.id, note.label)),
            Message::Hold(text, reply) => inbox.hold(text, reply),
            Message::Discard(text, _reply) => inbox.text(text),
            Message::Tally(reply) => answer(reply, inbox.lock().bulk),
            Message::Last(text, reply) => {
                answer(reply, text);
                myself.stop(None);
            }
            call => answer_at_once(call),
        }
        Ok(())
    }
}

fn answer_at_once(call: Message) {
    match call {
        Message::Echo(text, reply) => answer(reply, text),
        Message::Repeat(reply, text, times) => answer(reply, text.repeat(times as usize)),
        Message::Describe {
            label,
            reply,
            count,
        } => answer(reply, format!("{label}={count}")),
        Message::Annotate(note, reply) => {
            let label = format!("{}!", note.label);
            answer(
                reply,
                Note {
                    id: note.id + 1,
                    label,
                },
            );
        }
        Message::Values {
            reply,
            flag,
            letter,
            small,
            wide,
            ratio,
            nothing,
            words,
            flags,
            letters,
            fractions,
        } => answer(
            reply,
            format!(
                "{flag:?}/{letter:?}/{small:?}/{wide:?}/{ratio:?}/{nothing:?}/\
                 {words:?}/{flags:?}/{letters:?}/{fractions:?}"
            ),
        ),
        _ => {}
    }
}

/// A caller that has given up is not an error of the actor.
fn answer<T>(reply: RpcReplyPort<T>, value: T) {
    let _ = reply.send(value);
}

/// Length and FNV-1a hash of a payload, as one word.
pub fn digest(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("bytes:{}:{hash:016x}", bytes.len())
}

/// Takes bare strings, which travel without a variant name.
pub struct Plain(pub Arc<Inbox>);

impl Actor for Plain {
    type Msg = String;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<String>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _myself: ActorRef<String>,
        text: String,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        self.0.text(format!("plain:{text}"));
        Ok(())
    }
}

/// A message that cannot leave the process.
#[derive(RactorMessage)]
pub enum Private {}

/// An actor that no peer hears of.
pub struct Hermit;

impl Actor for Hermit {
    type Msg = Private;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _myself: ActorRef<Private>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}
