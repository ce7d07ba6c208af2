//! What messages go through.

use ractor::rpc::CallResult;
use ractor::{ActorCell, ActorRef};
use speed_harness::Handle;

use crate::actors::Message;

pub fn unknown(handle: &str) -> String {
    format!("no handle {handle}")
}

/// The handle that published nodes have.
pub struct Local(ActorRef<Message>);

impl Local {
    pub fn new(to: &ActorCell) -> Self {
        Self(to.clone().into())
    }
}

impl Handle for Local {
    async fn cast(&mut self, payload: &[u8]) -> Result<(), String> {
        let sent = self.0.cast(Message::Put(payload.to_vec()));
        sent.map_err(|error| error.to_string())
    }

    async fn arrived(&mut self) -> Result<u64, String> {
        answer(self.0.call(Message::Count, None).await)
    }

    async fn call(&mut self, payload: &[u8]) -> Result<usize, String> {
        let payload = payload.to_vec();
        let reply = self.0.call(|port| Message::Echo(payload, port), None).await;
        answer(reply).map(|reply| reply.len())
    }
}

fn answer<T>(result: Result<CallResult<T>, ractor::MessagingErr<Message>>) -> Result<T, String> {
    match result {
        Ok(CallResult::Success(answer)) => Ok(answer),
        Ok(CallResult::Timeout) => Err("timeout".to_owned()),
        Ok(CallResult::SenderError) => Err("no answer".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Handles that go to the link at once, and wait when it is full.
#[cfg(feature = "remote-ref")]
pub fn remote<'a>(to: impl Iterator<Item = &'a ActorCell>) -> Result<Vec<Remote>, String> {
    to.map(|to| {
        let remote = ractor_cluster::RemoteRef::of(&to.clone().into());
        remote.map(Remote).ok_or_else(|| "not remote".to_owned())
    })
    .collect()
}

#[cfg(feature = "remote-ref")]
pub struct Remote(ractor_cluster::RemoteRef<Message>);

#[cfg(feature = "remote-ref")]
impl Handle for Remote {
    async fn cast(&mut self, payload: &[u8]) -> Result<(), String> {
        let sent = self.0.cast(Message::Put(payload.to_vec())).await;
        sent.map_err(|error| error.to_string())
    }

    async fn arrived(&mut self) -> Result<u64, String> {
        let count = self.0.call(Message::Count, None).await;
        count.map_err(|error| error.to_string())
    }

    async fn call(&mut self, payload: &[u8]) -> Result<usize, String> {
        let payload = payload.to_vec();
        let reply = self.0.call(|port| Message::Echo(payload, port), None).await;
        reply
            .map(|reply| reply.len())
            .map_err(|error| error.to_string())
    }
}
