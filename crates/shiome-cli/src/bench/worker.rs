//! The other node, and the actor there.

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use shiome::{Expose, Node, RactorClusterMessage, node::NodeConnectionMode};
use tokio::io::AsyncReadExt as _;

use crate::{cookie, error::Error, print};

/// What the actor is called.
pub(super) const WORKER: &str = "bench-worker";

#[derive(RactorClusterMessage)]
pub(super) enum Work {
    Take(Vec<u8>),
    #[rpc]
    Taken(RpcReplyPort<u64>),
    #[rpc]
    Echo(Vec<u8>, RpcReplyPort<Vec<u8>>),
}

/// Counts what it takes, and echoes.
struct Worker;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Worker {
    type Msg = Work;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Work>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Work>,
        message: Work,
        taken: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Work::Take(_) => *taken += 1,
            Work::Taken(reply) => reply.send(*taken)?,
            Work::Echo(bytes, reply) => reply.send(bytes)?,
        }
        Ok(())
    }
}

/// Prints where it is dialled, and runs until its standard input ends.
pub(super) async fn run() -> Result<(), Error> {
    let node = Node::builder("bench-worker@127.0.0.1:0")
        .cookie(cookie::read(None)?)
        .connection_mode(NodeConnectionMode::Isolated)
        .expose(Expose::Explicit)
        .start()
        .await?;
    let spawned = Actor::spawn(Some(WORKER.to_owned()), Worker, ()).await;
    let (worker, _) = spawned.map_err(|error| Error::Child(std::io::Error::other(error)))?;
    let exported = node.export(&worker);
    exported.map_err(|error| Error::Child(std::io::Error::other(error)))?;
    print(node.local_addr()).map_err(Error::Print)?;
    let mut input = tokio::io::stdin();
    // Whatever comes, the end of it counts.
    while input.read(&mut [0; 64]).await.map_err(Error::Child)? > 0 {}
    node.stop().await;
    Ok(())
}
