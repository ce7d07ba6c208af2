//! The victim's actors.

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use shiome::RactorClusterMessage;

/// Name of the one that good peers call.
pub(crate) const ECHO: &str = "echo";

/// Name of the one that attackers call: what waits in one mailbox waits for one actor.
pub(crate) const TARGET: &str = "target";

/// What they understand.
#[derive(RactorClusterMessage)]
pub(crate) enum Say {
    /// Nothing is done.
    Hear(Vec<u8>),
    /// The same comes back.
    #[rpc]
    Echo(Vec<u8>, RpcReplyPort<Vec<u8>>),
    /// Is not answered as long as the caller waits.
    #[rpc]
    Keep(RpcReplyPort<u64>),
}

pub(crate) struct Echo;

impl Actor for Echo {
    type Msg = Say;
    type State = Vec<RpcReplyPort<u64>>;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Say>, (): ()) -> Result<Self::State, ActorProcessingErr> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: ActorRef<Say>,
        message: Say,
        kept: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Say::Hear(_) => {}
            // Who asked may be gone.
            Say::Echo(what, reply) => drop(reply.send(what)),
            Say::Keep(reply) => {
                if kept.len() == kept.capacity() {
                    kept.retain(|port| !port.is_closed());
                }
                kept.push(reply);
            }
        }
        Ok(())
    }
}
