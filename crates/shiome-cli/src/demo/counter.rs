use std::collections::HashMap;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use shiome::RactorClusterMessage;
use tokio::sync::watch;

/// The process group of all counters.
pub(super) const GROUP: &str = "counters";

/// What a counter understands, from its own node and from others.
#[derive(RactorClusterMessage)]
pub(super) enum Count {
    /// Adds one to the sender's count.
    Add { from: String },
    /// The sender's count.
    #[rpc]
    Of(String, RpcReplyPort<u64>),
    /// The counts of all senders together.
    #[rpc]
    Total(RpcReplyPort<u64>),
    /// Never answered: the call is open as long as both ends live.
    #[rpc]
    Hold(RpcReplyPort<u64>),
    /// Dropped without an answer.
    #[rpc]
    Drop(RpcReplyPort<u64>),
}

/// Counts what it is sent, by sender.
pub(super) struct Counter;

#[derive(Default)]
pub(super) struct State {
    counts: HashMap<String, u64>,
    held: Vec<RpcReplyPort<u64>>,
    /// Number of calls held.
    holding: watch::Sender<usize>,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Counter {
    type Msg = Count;
    type State = State;
    type Arguments = watch::Sender<usize>;

    async fn pre_start(
        &self,
        _myself: ActorRef<Count>,
        holding: watch::Sender<usize>,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State {
            holding,
            ..State::default()
        })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Count>,
        message: Count,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Count::Add { from } => *state.counts.entry(from).or_default() += 1,
            Count::Of(sender, reply) => {
                let count = state.counts.get(&sender).copied().unwrap_or_default();
                let _ = reply.send(count);
            }
            Count::Total(reply) => {
                let _ = reply.send(state.counts.values().sum());
            }
            Count::Hold(reply) => {
                state.held.push(reply);
                state.holding.send_replace(state.held.len());
            }
            Count::Drop(reply) => drop(reply),
        }
        Ok(())
    }
}
