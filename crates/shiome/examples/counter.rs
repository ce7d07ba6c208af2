//! A counter on one node, used from another. In two terminals, `a` first:
//!
//! ```text
//! cargo run -p shiome --example counter -- a
//! cargo run -p shiome --example counter -- b
//! ```
#![allow(clippy::print_stdout, reason = "it shows what happens")]

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, call_t, pg};
use shiome::{Node, RactorClusterMessage};

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
        println!("counted to {total}");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).ok_or("which node, a or b?")?;
    let port = if name == "a" { 4697 } else { 0 };
    let node = Node::builder(format!("{name}@127.0.0.1:{port}"))
        .cookie("a long random secret")
        .start()
        .await?;
    if name == "a" {
        let (counter, _) = Actor::spawn(None, Counter, ()).await?;
        pg::join("counters".into(), vec![counter.get_cell()]);
        println!("{} offers a counter at {}", node.name(), node.local_addr());
        return std::future::pending().await; // until interrupted
    }
    let peer = node.connect("127.0.0.1:4697").await?;
    let counters = pg::get_members(&"counters".into());
    println!("{} offers {} counter", peer.name, counters.len());
    let counter = counters.first().ok_or("no counter")?;
    let counter = ActorRef::<Count>::from(counter.clone());
    counter.cast(Count::Add(5))?;
    counter.cast(Count::Add(2))?;
    println!("the total is {}", call_t!(counter, Count::Total, 1000)?);
    node.stop().await;
    Ok(())
}
