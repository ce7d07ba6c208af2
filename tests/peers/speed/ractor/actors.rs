//! The actors and their messages.

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::RactorClusterMessage;

#[derive(RactorClusterMessage)]
pub enum Message {
    Put(Vec<u8>),
    #[rpc]
    Echo(Vec<u8>, RpcReplyPort<Vec<u8>>),
    /// How many were put before.
    #[rpc]
    Count(RpcReplyPort<u64>),
}

/// Counts and echoes.
pub struct Counter;

impl Actor for Counter {
    type Msg = Message;
    type State = u64;
    type Arguments = ();

    async fn pre_start(
        &self,
        _myself: ActorRef<Message>,
        (): (),
    ) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        count: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        // A caller that has given up is not an error of the actor.
        match message {
            Message::Put(_) => *count += 1,
            Message::Echo(payload, reply) => drop(reply.send(payload)),
            Message::Count(reply) => drop(reply.send(*count)),
        }
        Ok(())
    }
}

/// Exists.
pub struct Idle;

impl Actor for Idle {
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
}
