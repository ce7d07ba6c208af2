use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use shiome::RactorClusterMessage;

/// What a sink understands.
#[derive(RactorClusterMessage)]
pub(super) enum Load {
    /// Something large.
    Put(String),
    /// How many bytes have been put.
    #[rpc]
    Taken(RpcReplyPort<u64>),
}

/// Counts the bytes that it is sent, and keeps none.
pub(super) struct Sink;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Sink {
    type Msg = Load;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<Load>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Load>,
        message: Load,
        taken: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Load::Put(text) => *taken += text.len() as u64,
            Load::Taken(reply) => {
                let _ = reply.send(*taken);
            }
        }
        Ok(())
    }
}
