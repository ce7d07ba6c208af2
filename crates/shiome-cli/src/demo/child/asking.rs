//! Calls, what they took, and why there is no answer.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use ractor::{ActorRef, MessagingErr, RpcReplyPort, rpc::CallResult};

use super::CALL_TIMEOUT;
use crate::demo::counter::Count;

pub(super) async fn timed<F: Future>(future: F) -> (F::Output, Duration) {
    let began = Instant::now();
    let output = future.await;
    (output, began.elapsed())
}

/// In microseconds.
pub(super) fn median_and_longest(mut times: Vec<Duration>) -> (u64, u64) {
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied();
    (micros(median), micros(times.last().copied()))
}

pub(super) fn micros(time: Option<Duration>) -> u64 {
    u64::try_from(time.unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}

/// Calls a counter, and says in words why there is no answer.
pub(super) async fn call(
    counter: &ActorRef<Count>,
    message: impl FnOnce(RpcReplyPort<u64>) -> Count,
) -> Result<u64, String> {
    match counter.call(message, Some(CALL_TIMEOUT)).await {
        Ok(CallResult::Success(answer)) => Ok(answer),
        Ok(CallResult::Timeout) => Err("timed out".to_owned()),
        Ok(CallResult::SenderError) => Err("no answer will come".to_owned()),
        Err(error) => Err(unsent(error)),
    }
}

pub(super) fn unsent(error: MessagingErr<Count>) -> String {
    match error {
        MessagingErr::SendErr(_) | MessagingErr::ChannelClosed => "the actor is gone".to_owned(),
        MessagingErr::InvalidActorType => "the actor is of another type".to_owned(),
    }
}
