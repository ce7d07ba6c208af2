use std::{sync::Weak, time::Duration};

use ractor::{
    Actor, ActorProcessingErr, ActorRef, Message, RpcReplyPort, message::SerializedMessage,
};
use shiome_session::{CallEnd, SendError};
use shiome_wire::node;
use tokio::{sync::oneshot, time::timeout};
use tracing::debug;

use crate::{
    node::node_session::Shared,
    overflow::{Overflow, Unsent},
};

/// How often a sender that waits for room looks whether the link has stalled.
const STALL_CHECK: Duration = Duration::from_millis(20);

/// Where the encoded reply of a call goes.
pub(crate) type ReplyPort = RpcReplyPort<Vec<u8>>;

/// Who waits for the reply of a call.
pub(crate) struct Caller {
    reply: ReplyPort,
    /// Where the reason goes when there is none.
    ended: Option<oneshot::Sender<CallEnd>>,
}

impl Caller {
    /// With somebody who wants to know why there is no reply.
    pub(crate) fn told(reply: ReplyPort, ended: oneshot::Sender<CallEnd>) -> Self {
        let ended = Some(ended);
        Self { reply, ended }
    }

    /// The caller may have stopped waiting.
    pub(crate) fn answer(self, what: Vec<u8>) {
        let _ = self.reply.send(what);
    }

    pub(crate) fn end(self, why: CallEnd) {
        debug!(?why, "call ended without reply");
        if let Some(ended) = self.ended {
            let _ = ended.send(why);
        }
    }
}

impl From<ReplyPort> for Caller {
    fn from(reply: ReplyPort) -> Self {
        let ended = None;
        Self { reply, ended }
    }
}

/// Local stand-in for an actor of another node: what is sent to it goes out on the link.
///
/// It has no actor name: a registered name would be taken from the local actor of that name when the shim ends.
pub(crate) struct RemoteActor;

/// Never received: messages to a remote actor arrive serialized.
pub(crate) struct Never(std::convert::Infallible);

impl Message for Never {}

/// Where a shim's messages go.
pub(crate) struct Route {
    /// Pid of the actor on its own node.
    pub(crate) pid: u64,
    pub(crate) link: Weak<Shared>,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for RemoteActor {
    type Msg = Never;
    type State = Route;
    type Arguments = Route;

    async fn pre_start(
        &self,
        _myself: ActorRef<Never>,
        route: Route,
    ) -> Result<Route, ActorProcessingErr> {
        Ok(route)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Never>,
        message: Never,
        _route: &mut Route,
    ) -> Result<(), ActorProcessingErr> {
        match message.0 {}
    }

    async fn handle_serialized(
        &self,
        _myself: ActorRef<Never>,
        message: SerializedMessage,
        route: &mut Route,
    ) -> Result<(), ActorProcessingErr> {
        // A session that is gone ends its shims, too.
        if let Some(link) = route.link.upgrade() {
            room(&link).await;
            route.send(&link, message);
        }
        Ok(())
    }
}

/// Waits for room on the link, as long as the policy wants. Waiting here leaves the messages in the shim's mailbox, in
/// order.
async fn room(link: &Shared) {
    match link.overflow {
        Overflow::Drop => {}
        Overflow::Wait => link.peer.room().await,
        Overflow::DropWhenStalled => {
            while timeout(STALL_CHECK, link.peer.room()).await.is_err() {
                if link.peer.is_stalled() {
                    return;
                }
            }
        }
    }
}

impl Route {
    /// A call that is not sent drops its reply port, which the caller sees at once.
    fn send(&self, link: &Shared, message: SerializedMessage) {
        let to = self.pid;
        let (sent, lost) = match message {
            SerializedMessage::Cast {
                variant,
                args,
                metadata,
            } => {
                let lost = Unsent {
                    casts: 1,
                    bytes: args.len() as u64,
                    ..Unsent::default()
                };
                let cast = node::Cast {
                    to,
                    what: args.into(),
                    variant,
                    metadata: metadata.map(Into::into),
                };
                (link.peer.apply(|session, _| session.cast(cast)), lost)
            }
            SerializedMessage::Call {
                variant,
                args,
                reply,
                metadata,
            } => {
                let lost = Unsent {
                    calls: 1,
                    bytes: args.len() as u64,
                    ..Unsent::default()
                };
                let timeout = reply.get_timeout();
                let call = node::Call {
                    to,
                    what: args.into(),
                    variant,
                    metadata: metadata.map(Into::into),
                    ..node::Call::default()
                };
                let sent = link
                    .peer
                    .apply(|session, now| session.call(now, call, timeout, reply.into()));
                (sent, lost)
            }
            // Only a cluster bridge makes these, and this one answers calls without them.
            SerializedMessage::CallReply(..) => return,
        };
        if let Err(error) = sent {
            self.lost(link, &error, lost);
        }
    }

    fn lost(&self, link: &Shared, error: &SendError, lost: Unsent) {
        debug!(pid = self.pid, %error, "message to a remote actor was not sent");
        link.lost(lost);
    }
}
