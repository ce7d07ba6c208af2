//! Actors and messages of the sample, with every way to make a message travel.

use bytes::Bytes;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, Message, RpcReplyPort};
use ractor_cluster::{
    BytesConvertable, RactorClusterMessage, RactorMessage, derive_serialization_for_prost_type,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A newtype with a conversion of its own is a message as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct TextMessage(pub String);

impl BytesConvertable for TextMessage {
    fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// A protobuf type, as an argument, as a reply and as a message of its own.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Reading {
    #[prost(uint32, tag = "1")]
    pub sensor: u32,
    #[prost(sint64, tag = "2")]
    pub value: i64,
    #[prost(string, tag = "3")]
    pub unit: String,
    #[prost(bytes = "bytes", tag = "4")]
    pub raw: Bytes,
}

derive_serialization_for_prost_type! {Reading}

#[derive(RactorClusterMessage)]
pub enum Wire {
    Nothing,
    Words(String, TextMessage),
    Load(Vec<u8>),
    Measured {
        reading: Reading,
        at: u64,
    },
    #[rpc]
    Length(String, RpcReplyPort<u64>),
    #[rpc]
    Repeat(RpcReplyPort<String>, String, u32),
    #[rpc]
    Scale {
        reading: Reading,
        reply: RpcReplyPort<Reading>,
        factor: i64,
    },
    #[rpc]
    Silence(RpcReplyPort<()>),
}

/// A message that stays in its process.
#[derive(RactorMessage)]
pub enum Private {
    Hello,
}

/// Answers calls and hands casts on in words.
pub struct Echo(pub UnboundedSender<String>);

impl Actor for Echo {
    type Msg = Wire;
    type State = Vec<RpcReplyPort<()>>;
    type Arguments = ();

    async fn pre_start(
        &self,
        _myself: ActorRef<Wire>,
        (): (),
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _myself: ActorRef<Wire>,
        message: Wire,
        unanswered: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Wire::Nothing => self.0.send("nothing".into())?,
            Wire::Words(first, second) => self.0.send(format!("words {first} {}", second.0))?,
            Wire::Load(bytes) => self.0.send(format!("load {}", bytes.len()))?,
            Wire::Measured { reading, at } => self.0.send(format!("measured {reading:?} {at}"))?,
            Wire::Length(text, reply) => reply.send(text.len() as u64)?,
            Wire::Repeat(reply, text, times) => reply.send(text.repeat(times as usize))?,
            Wire::Scale {
                mut reading,
                reply,
                factor,
            } => {
                reading.value *= factor;
                reply.send(reading)?;
            }
            Wire::Silence(reply) => unanswered.push(reply),
        }
        Ok(())
    }
}

/// Hands on messages that are their own bytes.
pub struct Listener<T>(pub UnboundedSender<T>);

impl<T: Message + Sync> Actor for Listener<T> {
    type Msg = T;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<T>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _myself: ActorRef<T>,
        message: T,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        // Nobody listening any more is no reason to fail.
        let _ = self.0.send(message);
        Ok(())
    }
}

/// Starts an actor that listens, and returns what it hears.
pub async fn listener<T: Message + Sync>() -> Result<(ActorCell, UnboundedReceiver<T>), String> {
    let (sender, heard) = unbounded_channel();
    Ok((spawn(None, Listener(sender)).await?, heard))
}

pub async fn spawn<A>(name: Option<&str>, actor: A) -> Result<ActorCell, String>
where
    A: Actor<Arguments = ()>,
{
    let name = name.map(str::to_owned);
    let (actor, _) = Actor::spawn(name, actor, ())
        .await
        .map_err(|error| error.to_string())?;
    Ok(actor.get_cell())
}
