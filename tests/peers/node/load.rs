//! Many or large casts at once, and what they do to calls.

use std::time::Duration;

use ractor::{ActorCell, ActorRef};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::actor::Message;
use crate::calls;
use crate::casts::payload;

/// Time for all that was sent to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// What casts go through.
#[derive(Clone, Copy)]
pub enum Handle {
    ActorRef,
    /// A handle that says when the link is full.
    #[cfg(feature = "remote-ref")]
    RemoteTry,
    /// One that waits then.
    #[cfg(feature = "remote-ref")]
    RemoteCast,
}

impl Handle {
    pub fn of(word: &str) -> Result<Self, String> {
        match word {
            "actorref" => Ok(Self::ActorRef),
            #[cfg(feature = "remote-ref")]
            "tryref" => Ok(Self::RemoteTry),
            #[cfg(feature = "remote-ref")]
            "castref" => Ok(Self::RemoteCast),
            _ => Err(format!("unknown handle {word}")),
        }
    }

    /// Whether the handle took the message.
    async fn cast(self, to: &ActorCell, message: Message) -> bool {
        match self {
            Self::ActorRef => ActorRef::<Message>::from(to.clone()).cast(message).is_ok(),
            #[cfg(feature = "remote-ref")]
            Self::RemoteTry => remote(to).is_some_and(|to| to.try_cast(message).is_ok()),
            #[cfg(feature = "remote-ref")]
            Self::RemoteCast => match remote(to) {
                Some(to) => to.cast(message).await.is_ok(),
                None => false,
            },
        }
    }
}

#[cfg(feature = "remote-ref")]
fn remote(to: &ActorCell) -> Option<ractor_cluster::RemoteRef<Message>> {
    ractor_cluster::RemoteRef::of(&to.clone().into())
}

/// Sends as fast as the handle accepts, and goes on after a refusal.
pub async fn flood(handle: Handle, to: &ActorCell, count: u64, len: usize) -> String {
    let (mut sent, mut refused) = (0_u64, 0_u64);
    let payload = payload(len);
    for _ in 0..count {
        if handle.cast(to, Message::Bulk(payload.clone())).await {
            sent += 1;
        } else {
            refused += 1;
        }
    }
    format!("sent={sent} refused={refused}")
}

/// Large casts to one actor and small calls to another of the same node: one call each `pause`, whether or not those
/// before it were answered, until an answer says that all casts have arrived.
pub async fn bulk_and_calls(
    handle: Handle,
    bulk: &ActorCell,
    asked: &ActorCell,
    (count, len): (u64, usize),
    pause: Duration,
) -> Result<String, String> {
    let expected = tally(asked.clone()).await?.1 + count;
    let payloads: Vec<_> = (0..count).map(|_| payload(len)).collect();
    let start = Instant::now();
    for payload in payloads {
        if !handle.cast(bulk, Message::Bulk(payload)).await {
            return Err("a cast was refused".into());
        }
    }
    let mut clock = interval(pause);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut open, mut latencies, mut all_after) = (JoinSet::new(), Vec::new(), None);
    while all_after.is_none() || !open.is_empty() {
        tokio::select! {
            biased;
            Some(ended) = open.join_next() => {
                let (latency, arrived): (Duration, u64) = ended.map_err(|e| e.to_string())??;
                latencies.push(latency.as_micros().to_string());
                if arrived >= expected {
                    all_after.get_or_insert_with(|| start.elapsed());
                } else if start.elapsed() > PATIENCE {
                    return Err(format!("{} casts are missing", expected - arrived));
                }
            }
            _ = clock.tick(), if all_after.is_none() => {
                open.spawn(tally(asked.clone()));
            }
        }
    }
    let micros = all_after.unwrap_or_default().as_micros();
    Ok(format!("{micros} {}", latencies.join(",")))
}

/// How long a call took, and its answer.
async fn tally(asked: ActorCell) -> Result<(Duration, u64), String> {
    let start = Instant::now();
    let arrived = calls::ask(asked, Some(PATIENCE), Message::Tally).await?;
    Ok((start.elapsed(), arrived))
}
