//! What an operator asks of nodes and actors by hand.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use ractor::{
    ActorCell, ActorId, RpcReplyPort,
    message::SerializedMessage,
    registry::{where_is, where_is_pid},
};
use shiome_session::{CallEnd, SendError};
use shiome_wire::node;
use thiserror::Error;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use super::Inspector;
use crate::{
    NodeId,
    node::node_session::Shared,
    remote_actor::{Caller, EndCell},
};

/// Longest arguments of a [`Request`], in bytes: what is typed by hand is shorter.
pub const MAX_ARGUMENTS_LEN: usize = 1024 * 1024;

/// An actor, as an operator names it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// By the name that it is registered under at its node.
    Name(String),
    /// By its number at its node.
    Pid(u64),
}

impl From<&str> for Target {
    /// A number is a pid, anything else a name.
    fn from(text: &str) -> Self {
        text.parse()
            .map_or_else(|_| Self::Name(text.to_owned()), Self::Pid)
    }
}

/// A message to an actor, encoded by whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a message has these parts")]
pub struct Request {
    /// Full name of the actor's node; this node's own, or one that there is a session with.
    pub node: String,
    /// The actor.
    pub actor: Target,
    /// Name of the variant of its message type.
    pub variant: String,
    /// The arguments, encoded as the actor's type says. At most [`MAX_ARGUMENTS_LEN`].
    pub arguments: Bytes,
}

/// An operator's request was not fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AskError {
    /// There is no session with that node.
    #[error("no session with `{0}`")]
    NoNode(String),
    /// The node has no such actor, or does not tell.
    #[error("the node has no such actor")]
    NoActor,
    /// Messages of the actor cannot be serialized.
    #[error("messages of the actor cannot be serialized")]
    NotRemotable,
    /// The arguments are too long.
    #[error("the arguments are longer than {MAX_ARGUMENTS_LEN} bytes")]
    TooLong,
    /// It was not sent; in words.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The time was over.
    #[error("timed out")]
    TimedOut,
    /// There will be no answer; in words.
    #[error("no answer: {0}")]
    NoAnswer(String),
}

impl Inspector {
    /// Number of the connection to the node of that name.
    pub fn node_id(&self, name: &str) -> Option<NodeId> {
        self.link_to(name).map(|link| link.node_id)
    }

    /// Asks a node for a sign of life; what the answer took, from the moment that it was asked for.
    ///
    /// # Errors
    ///
    /// [`AskError::NoNode`] or [`AskError::TimedOut`], also when the session ends.
    pub async fn ping(&self, node: &str, limit: Duration) -> Result<Duration, AskError> {
        let link = self
            .link_to(node)
            .ok_or_else(|| AskError::NoNode(node.to_owned()))?;
        let mut trips = link.meter.round_trips();
        let began = Instant::now();
        let before = trips.borrow_and_update().pongs;
        link.peer.apply(|session, now| session.probe(now));
        let pong = trips.wait_for(|trips| trips.pongs > before);
        match timeout(limit, pong).await {
            Ok(Ok(_)) => Ok(began.elapsed()),
            _ => Err(AskError::TimedOut),
        }
    }

    /// Sends a one-way message. That it was taken in is told by nothing.
    ///
    /// # Errors
    ///
    /// [`AskError`]; nothing was sent.
    pub fn cast(&self, request: Request) -> Result<(), AskError> {
        check(&request)?;
        if request.node == *self.name {
            let message = SerializedMessage::Cast {
                variant: request.variant,
                args: request.arguments.into(),
                metadata: None,
            };
            return deliver(&local(&request.actor)?, message);
        }
        let (link, to) = self.remote(&request)?;
        let cast = node::Cast {
            to,
            what: request.arguments,
            variant: request.variant,
            metadata: None,
        };
        let sent = link.peer.apply(|session, _| session.cast(cast));
        sent.map_err(AskError::from)
    }

    /// Sends a message and waits for the reply, which is encoded as the actor's type says.
    ///
    /// # Errors
    ///
    /// [`AskError`].
    pub async fn call(&self, request: Request, limit: Duration) -> Result<Bytes, AskError> {
        check(&request)?;
        let (reply, answer) = oneshot::channel::<Vec<u8>>();
        let reply = RpcReplyPort::from((reply, limit));
        let end = EndCell::default();
        if request.node == *self.name {
            let message = SerializedMessage::Call {
                variant: request.variant,
                args: request.arguments.into(),
                reply,
                metadata: None,
            };
            deliver(&local(&request.actor)?, message)?;
        } else {
            let (link, to) = self.remote(&request)?;
            let call = node::Call {
                to,
                what: request.arguments,
                variant: request.variant,
                ..node::Call::default()
            };
            let caller = Caller::told(reply, Arc::clone(&end));
            link.peer
                .apply(|session, now| session.call(now, call, Some(limit), caller))?;
        }
        match timeout(limit, answer).await {
            Ok(Ok(answer)) => Ok(answer.into()),
            Ok(Err(_)) => Err(end.get().map_or_else(dropped, |&end| end.into())),
            Err(_) => Err(AskError::TimedOut),
        }
    }

    fn remote(&self, request: &Request) -> Result<(Arc<Shared>, u64), AskError> {
        let node = &request.node;
        let link = self
            .link_to(node)
            .ok_or_else(|| AskError::NoNode(node.clone()))?;
        let pid = match &request.actor {
            Target::Pid(pid) => Some(*pid),
            Target::Name(name) => link.peer.apply(|session, _| session.remote_pid(name)),
        };
        Ok((link, pid.ok_or(AskError::NoActor)?))
    }
}

fn check(request: &Request) -> Result<(), AskError> {
    if request.arguments.len() > MAX_ARGUMENTS_LEN {
        return Err(AskError::TooLong);
    }
    Ok(())
}

fn local(target: &Target) -> Result<ActorCell, AskError> {
    let actor = match target {
        Target::Pid(pid) => where_is_pid(ActorId::Local(*pid)),
        Target::Name(name) => where_is(name.clone()),
    };
    let actor = actor.ok_or(AskError::NoActor)?;
    if actor.supports_remoting() {
        Ok(actor)
    } else {
        Err(AskError::NotRemotable)
    }
}

fn deliver(actor: &ActorCell, message: SerializedMessage) -> Result<(), AskError> {
    let sent = actor.send_serialized(message);
    sent.map_err(|_| AskError::NotSent("the actor has ended".to_owned()))
}

fn dropped() -> AskError {
    AskError::NoAnswer("the actor dropped the call".to_owned())
}

impl From<SendError> for AskError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::UnknownActor { .. } => Self::NoActor,
            error => Self::NotSent(error.to_string()),
        }
    }
}

impl From<CallEnd> for AskError {
    fn from(end: CallEnd) -> Self {
        match crate::CallError::from(end) {
            crate::CallError::TimedOut => Self::TimedOut,
            crate::CallError::UnknownActor => Self::NoActor,
            error => Self::NoAnswer(error.to_string()),
        }
    }
}
