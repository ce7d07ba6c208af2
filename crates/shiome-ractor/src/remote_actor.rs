use std::{sync::Arc, time::Instant};

use ractor::{
    Actor, ActorProcessingErr, ActorRef, Message, RpcReplyPort, message::SerializedMessage,
};
use shiome_session::{SendError, Session};
use shiome_transport::Peer;
use shiome_wire::node;
use tracing::warn;

/// Where the encoded reply of a call goes.
pub(crate) type ReplyPort = RpcReplyPort<Vec<u8>>;

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
    pub(crate) peer: Arc<Peer<ReplyPort>>,
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
        let mut waiting = Some(message);
        while waiting.is_some() {
            // Waiting here leaves the messages in this actor's mailbox, in order.
            route.peer.room().await;
            let (pid, sent) = (route.pid, route.send_if_room(&mut waiting));
            if let Err(error) = sent {
                warn!(pid, %error, "message to a remote actor was not sent");
            }
        }
        Ok(())
    }
}

impl Route {
    /// Sends the message, unless another has taken the room.
    fn send_if_room(&self, waiting: &mut Option<SerializedMessage>) -> Result<(), SendError> {
        self.peer.apply(|session, now| match session.is_full() {
            true => Ok(()),
            false => match waiting.take() {
                Some(message) => send(session, now, self.pid, message),
                None => Ok(()),
            },
        })
    }
}

/// A call that is not sent drops its reply port, which the caller sees at once.
fn send(
    session: &mut Session<ReplyPort>,
    now: Instant,
    to: u64,
    message: SerializedMessage,
) -> Result<(), SendError> {
    match message {
        SerializedMessage::Cast {
            variant,
            args,
            metadata,
        } => session.cast(node::Cast {
            to,
            what: args.into(),
            variant,
            metadata: metadata.map(Into::into),
        }),
        SerializedMessage::Call {
            variant,
            args,
            reply,
            metadata,
        } => {
            let timeout = reply.get_timeout();
            let call = node::Call {
                to,
                what: args.into(),
                variant,
                metadata: metadata.map(Into::into),
                ..node::Call::default()
            };
            session.call(now, call, timeout, reply)
        }
        // Only a cluster bridge makes these, and this one answers calls without them.
        SerializedMessage::CallReply(..) => Ok(()),
    }
}
