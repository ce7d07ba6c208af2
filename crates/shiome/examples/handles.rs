//! A counter that one node exports, used by handle from another that keeps connected. In two terminals, `a` first, with the
//! port that it says:
//!
//! ```text
//! cargo run -p shiome --example handles -- a 0
//! cargo run -p shiome --example handles -- b PORT
//! ```
#![allow(clippy::print_stdout, reason = "it shows what happens")]

use std::{error::Error, time::Duration};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use shiome::{
    CallError, CastError, Expose, Node, PeerInfo, RactorClusterMessage, RemoteRef, TargetInfo, Verb,
};

#[derive(RactorClusterMessage)]
enum Count {
    Add(u64),
    #[rpc]
    Total(RpcReplyPort<u64>),
}

struct Counter;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Counter {
    type Msg = Count;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Count>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Count>,
        message: Count,
        total: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Count::Add(n) => *total += n,
            Count::Total(reply) => reply.send(*total)?,
        }
        Ok(())
    }
}

/// Exports a counter, and serves until it is interrupted.
pub(crate) async fn offer(port: &str) -> Result<(), Box<dyn Error>> {
    let node = Node::builder(format!("a@127.0.0.1:{port}"))
        .cookie("a long random secret")
        .expose(Expose::Explicit)
        .policy(|peer: &PeerInfo, actor: &TargetInfo, verb: Verb| {
            verb != Verb::Stop || (peer.name.starts_with("b@") && actor.name.is_some())
        })
        .start()
        .await?;
    let (counter, _) = Actor::spawn(Some("counter".to_owned()), Counter, ()).await?;
    node.export(&counter)?;

    Actor::spawn(Some("private".to_owned()), Counter, ()).await?;
    println!(
        "{} listens at port {}",
        node.name(),
        node.local_addr().port()
    );
    std::future::pending().await
}

/// Uses the counter of the node there, and stops it.
pub(crate) async fn count(address: &str) -> Result<(), Box<dyn Error>> {
    let node = Node::builder("b@127.0.0.1:0")
        .cookie("a long random secret")
        .start()
        .await?;
    let session = node.keep_connected(address)?.connected().await?;
    if node.remote::<Count>(&session, "private").is_some() {
        return Err("that was not exported".into());
    }

    let counter: RemoteRef<Count> = node.remote(&session, "counter").ok_or("no counter")?;
    let end = counter.monitor();
    counter.cast(Count::Add(5)).await?;
    match counter.try_cast(Count::Add(2)) {
        Err(CastError::Full { .. }) => println!("not now"),
        sent => sent?,
    }
    match counter
        .call(Count::Total, Some(Duration::from_secs(30)))
        .await
    {
        Ok(total) => println!("the total is {total}"),
        Err(CallError::LinkLost { written: false }) => println!("not sent: try again"),
        Err(error) => println!("no answer: {error}"),
    }
    counter.stop(Some("counted enough".to_owned()))?;
    println!("the counter has {}", end.await);

    let after = counter.call(Count::Total, None).await;
    println!("no answer: {}", after.err().ok_or("it answers still")?);
    node.stop().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["a", port] => offer(port).await,
        ["b", port] => count(&format!("127.0.0.1:{port}")).await,
        _ => Err("which node, a or b, and which port?".into()),
    }
}
