use ractor::{Actor, ActorProcessingErr, ActorRef, pg};
use shiome::Node;
use tokio::sync::watch;

use crate::demo::{
    counter::{Count, Counter, GROUP},
    protocol::{Owned, Role},
    sink::Sink,
};

/// Spawns the actors of a node. One of them tells how many calls it holds.
pub(super) async fn spawn(
    node: &Node,
    role: &Role,
    holding: &watch::Sender<usize>,
) -> Result<(), ActorProcessingErr> {
    match role {
        Role::Member { .. } => {
            let counter = counter(None, holding.clone()).await?;
            pg::join(GROUP.to_owned(), vec![counter.get_cell()]);
        }
        Role::Owner => own(node, holding).await?,
        Role::User { .. } | Role::Stranger => {}
    }
    Ok(())
}

async fn own(node: &Node, holding: &watch::Sender<usize>) -> Result<(), ActorProcessingErr> {
    let open = counter(Some(Owned::Counter), watch::Sender::default()).await?;
    let private = counter(Some(Owned::Private), watch::Sender::default()).await?;
    let worker = counter(Some(Owned::Worker), holding.clone()).await?;
    node.export(&open)?;
    node.export(&worker)?;
    for owned in [Owned::Sink, Owned::Drain] {
        let (sink, _) = Actor::spawn(Some(owned.name().to_owned()), Sink, ()).await?;
        node.export(&sink)?;
    }
    let members = vec![open.get_cell(), private.get_cell()];
    pg::join(GROUP.to_owned(), members);
    Ok(())
}

async fn counter(
    owned: Option<Owned>,
    holding: watch::Sender<usize>,
) -> Result<ActorRef<Count>, ractor::SpawnErr> {
    let name = owned.map(|owned| owned.name().to_owned());
    let (counter, _) = Actor::spawn(name, Counter, holding).await?;
    Ok(counter)
}
