use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Mutex,
};

use ractor::{Message, RpcReplyPort};
use shiome::{CallError, CastError, Monitor, Node, RemoteRef};

use super::{CALL_TIMEOUT, lock, median_and_longest, micros, timed};
use crate::demo::{
    counter::Count,
    protocol::{Answer, Owned, Use},
    sink::Load,
};

/// Uses the actors of another node, by handles.
#[derive(Default)]
pub(super) struct User {
    handles: Mutex<BTreeMap<Owned, Handle>>,
    monitor: Mutex<Option<Monitor>>,
}

/// A handle, and one of the same actor as if it were of another kind.
#[derive(Clone)]
struct Handle {
    counter: RemoteRef<Count>,
    sink: RemoteRef<Load>,
}

impl User {
    pub(super) async fn answer(&self, node: &Node, order: Use) -> Result<Answer, String> {
        match order {
            Use::Find => self.find(node).await,
            Use::Cast { count } => self.cast(node.name(), count).await,
            Use::Watch(actor) => self.watch(actor).await,
            Use::Down => self.down().await,
            Use::Stop(reason) => {
                let worker = self.handle(Owned::Worker)?.counter;
                worker.stop(Some(reason)).map_err(words)?;
                Ok(Answer::Done)
            }
            Use::Hold => {
                let worker = self.handle(Owned::Worker)?.counter;
                call(&worker, Count::Hold)
                    .await
                    .map(Answer::Counted)
                    .map_err(words)
            }
            Use::Refused => self.refused().await,
            Use::Bulk { count, len } => self.bulk(count, len).await,
            Use::Flood { count, len } => self.flood(count, len),
            Use::Ended => {
                let end = self.handle(Owned::Counter)?.counter.ended().await;
                Ok(Answer::Went(end.to_string()))
            }
        }
    }

    async fn find(&self, node: &Node) -> Result<Answer, String> {
        let sessions = node.sessions().await.map_err(words)?;
        let session = sessions.first().ok_or("no session")?;
        let handles = Owned::ALL.into_iter().filter_map(|actor| {
            let handle = Handle {
                counter: node.remote(session, actor.name())?,
                sink: node.remote(session, actor.name())?,
            };
            Some((actor, handle))
        });
        let handles: BTreeMap<_, _> = handles.collect();
        let found = handles.keys().copied().collect::<BTreeSet<_>>();
        *lock(&self.handles) = handles;
        Ok(Answer::Found(found))
    }

    fn handle(&self, actor: Owned) -> Result<Handle, String> {
        let handle = lock(&self.handles).get(&actor).cloned();
        handle.ok_or_else(|| format!("no handle of {}", actor.name()))
    }

    async fn cast(&self, own_name: &str, count: u64) -> Result<Answer, String> {
        let counter = self.handle(Owned::Counter)?.counter;
        let from = || own_name.to_owned();
        for _ in 0..count {
            counter
                .cast(Count::Add { from: from() })
                .await
                .map_err(words)?;
        }
        let counted = call(&counter, |reply| Count::Of(from(), reply)).await;
        counted.map(Answer::Counted).map_err(words)
    }

    async fn watch(&self, actor: Owned) -> Result<Answer, String> {
        let actor = self.handle(actor)?.counter;
        *lock(&self.monitor) = Some(actor.monitor());
        // Goes behind the request to watch.
        let counter = self.handle(Owned::Counter)?.counter;
        call(&counter, Count::Total).await.map_err(words)?;
        Ok(Answer::Done)
    }

    async fn down(&self) -> Result<Answer, String> {
        let monitor = lock(&self.monitor).take();
        let down = monitor.ok_or("nothing is watched")?.await;
        Ok(Answer::Went(down.to_string()))
    }

    /// To an actor that takes other messages, to one that drops the call, and to one that has ended.
    async fn refused(&self) -> Result<Answer, String> {
        let counter = self.handle(Owned::Counter)?;
        let worker = self.handle(Owned::Worker)?.counter;
        let calls = [
            timed(call(&counter.sink, Load::Taken)).await,
            timed(call(&counter.counter, Count::Drop)).await,
            timed(call(&worker, Count::Total)).await,
        ];
        let slowest = calls.iter().map(|(_, time)| *time).max();
        let why = calls.into_iter().map(|(result, _)| match result {
            Ok(answer) => Err(format!("an answer: {answer}")),
            Err(error) => Ok(words(error)),
        });
        Ok(Answer::Refused {
            why: why.collect::<Result<_, _>>()?,
            slowest_us: micros(slowest),
        })
    }

    async fn bulk(&self, count: u64, len: usize) -> Result<Answer, String> {
        let sink = self.handle(Owned::Sink)?.sink;
        let counter = self.handle(Owned::Counter)?.counter;
        let mut bulk = tokio::spawn(async move {
            let load = "x".repeat(len);
            for _ in 0..count {
                sink.cast(Load::Put(load.clone())).await?;
                // There is room for many: whoever shares the thread is not to wait for all of them.
                tokio::task::yield_now().await;
            }
            // Comes after the casts: both take the same way, in order.
            call(&sink, Load::Taken).await
        });
        let mut times = Vec::new();
        loop {
            tokio::select! {
                bytes = &mut bulk => {
                    let bytes = bytes.map_err(words)?.map_err(words)?;
                    let calls = times.len();
                    let (median_us, slowest_us) = median_and_longest(times);
                    return Ok(Answer::Beside { bytes, calls, median_us, slowest_us });
                }
                (total, time) = timed(call(&counter, Count::Total)) => {
                    total.map_err(words)?;
                    times.push(time);
                }
            }
        }
    }

    fn flood(&self, count: u64, len: usize) -> Result<Answer, String> {
        let drain = self.handle(Owned::Drain)?.sink;
        let load = "x".repeat(len);
        let (mut taken, mut full) = (0, 0);
        for _ in 0..count {
            match drain.try_cast(Load::Put(load.clone())) {
                Ok(()) => taken += 1,
                Err(CastError::Full { .. }) => full += 1,
                Err(other) => return Err(words(other)),
            }
        }
        Ok(Answer::Offered { taken, full })
    }
}

async fn call<M: Message>(
    actor: &RemoteRef<M>,
    message: impl FnOnce(RpcReplyPort<u64>) -> M,
) -> Result<u64, CallError> {
    actor.call(message, Some(CALL_TIMEOUT)).await
}

fn words(error: impl fmt::Display) -> String {
    error.to_string()
}
