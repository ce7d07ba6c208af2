//! The actors and their messages.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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

/// After how many casts a counter rests, so that it is slower than who sends; 0: never.
pub static REST_AFTER: AtomicU64 = AtomicU64::new(0);

const REST: Duration = Duration::from_millis(1);

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
            Message::Put(_) => {
                *count += 1;
                let rest_after = REST_AFTER.load(Ordering::Relaxed);
                if rest_after > 0 && *count % rest_after == 0 {
                    tokio::time::sleep(REST).await;
                }
            }
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
