use std::{
    ops::ControlFlow,
    pin::Pin,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use ractor::{
    Actor, ActorProcessingErr, ActorRef, Message, RpcReplyPort, message::SerializedMessage,
};
use shiome_session::{CallEnd, SendError};
use shiome_wire::{node, trace::TraceContext};
use tokio::time::timeout;
use tracing::{Span, debug};

use crate::{
    inspect::CallOutcome,
    node::node_session::{Place, Shared},
    overflow::{Overflow, Unsent},
    trace::{self, Origin, Pack},
};

/// How often a sender that waits for room looks whether the link has stalled.
const STALL_CHECK: Duration = Duration::from_millis(20);

/// Where the encoded reply of a call goes.
pub(crate) type ReplyPort = RpcReplyPort<Vec<u8>>;

/// Who waits for the reply of a call.
pub(crate) struct Caller {
    // Goes before the port: who sees that dropped looks for the reason.
    ended: Ended,
    reply: ReplyPort,
    began: tokio::time::Instant,
    /// Of the call to a stand-in, until it has ended. That of a handle is the handle's.
    span: Span,
}

/// Where the reason is when there is no reply.
pub(crate) type EndCell = Arc<OnceLock<CallEnd>>;

/// Where the reason goes. Dropped without a word, it says that the link is gone.
struct Ended(Option<EndCell>);

impl Ended {
    fn tell(&mut self, why: CallEnd) {
        if let Some(ended) = self.0.take() {
            let _ = ended.set(why);
        }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.tell(CallEnd::Closed { written: true });
    }
}

impl Caller {
    /// With somebody who wants to know why there is no reply.
    pub(crate) fn told(reply: ReplyPort, ended: EndCell) -> Self {
        Self {
            ended: Ended(Some(ended)),
            ..reply.into()
        }
    }

    /// Since when it waits.
    pub(crate) fn began(&self) -> tokio::time::Instant {
        self.began
    }

    /// How long it has waited.
    pub(crate) fn age(&self, now: tokio::time::Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }

    /// The caller may have stopped waiting.
    pub(crate) fn answer(mut self, what: Vec<u8>) {
        self.ended.0 = None;
        let _ = self.reply.send(what);
    }

    pub(crate) fn end(mut self, why: CallEnd) {
        debug!(?why, "call ended without reply");
        let word = CallOutcome::of(why).as_str();
        trace::failed(&self.span, word, &word);
        self.ended.tell(why);
    }
}

impl From<ReplyPort> for Caller {
    fn from(reply: ReplyPort) -> Self {
        Self {
            reply,
            ended: Ended(None),
            began: tokio::time::Instant::now(),
            span: Span::none(),
        }
    }
}

/// Local stand-in for an actor of another node: what is sent to it goes out on the link.
///
/// It has no actor name: a registered name would be taken from the local actor of that name when the shim ends.
pub(crate) struct RemoteActor;

impl RemoteActor {
    /// Ends a shim for `reason` when it has handled what came before. A message of a kind that only cluster bridges make,
    /// and this one makes for no other purpose.
    pub(crate) fn last_message(reason: &str) -> SerializedMessage {
        SerializedMessage::CallReply(0, reason.as_bytes().to_vec())
    }
}

/// Never received: messages to a remote actor arrive serialized.
pub(crate) struct Never(std::convert::Infallible);

impl Message for Never {}

/// Where a shim's messages go.
pub(crate) struct Route {
    /// Pid of the actor on its own node.
    pub(crate) pid: u64,
    pub(crate) link: Weak<Shared>,
    pub(crate) _place: Place,
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

    // The message is taken before the future is there: `ractor` moves that around for each message, so it is small.
    #[cfg(not(feature = "async-trait"))]
    fn handle_serialized(
        &self,
        myself: ActorRef<Never>,
        message: SerializedMessage,
        route: &mut Route,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        let waiting = route.take(&myself, message);
        async move {
            if let Some(waiting) = waiting {
                waiting.await;
            }
            Ok(())
        }
    }

    #[cfg(feature = "async-trait")]
    async fn handle_serialized(
        &self,
        myself: ActorRef<Never>,
        message: SerializedMessage,
        route: &mut Route,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(waiting) = route.take(&myself, message) {
            waiting.await;
        }
        Ok(())
    }
}

/// What is done when a message has to wait for room.
type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Route {
    /// Sends a message, at once if there is room.
    fn take(&self, myself: &ActorRef<Never>, message: SerializedMessage) -> Option<Waiting> {
        let message = match message {
            SerializedMessage::CallReply(_, reason) => {
                myself.stop(Some(String::from_utf8_lossy(&reason).into_owned()));
                return None;
            }
            SerializedMessage::Cast {
                variant,
                args,
                metadata: None,
            } if !trace::is_wanted() => return self.cast(variant, args),
            message => message,
        };
        // A session that is gone ends its shims, too.
        let link = self.link.upgrade()?;
        let mut outgoing = Outgoing::new(self.pid, message)?;
        let traced = outgoing.trace(&link);
        self.send(link, outgoing, traced)
    }

    /// What most messages are: a cast that goes without anything beside it.
    fn cast(&self, variant: String, args: Vec<u8>) -> Option<Waiting> {
        let link = self.link.upgrade()?;
        let mut cast = node::Cast {
            to: self.pid,
            what: args.into(),
            variant,
            metadata: None,
        };
        let sent = link
            .peer
            .hand_over(|session| (!session.is_full()).then(|| session.cast(&mut cast)));
        match sent {
            Some(Ok(())) => None,
            Some(Err(error)) => {
                tell_unsent(&link, self.pid, &error, unsent_cast(cast.what.len()), None);
                None
            }
            None => self.send(link, Outgoing::Cast(cast), None),
        }
    }

    fn send(
        &self,
        link: Arc<Shared>,
        outgoing: Outgoing,
        traced: Option<Box<Traced>>,
    ) -> Option<Waiting> {
        let pid = self.pid;
        let lost = outgoing.as_unsent();
        match outgoing.offer(&link, true, traced.as_deref()) {
            ControlFlow::Break(Ok(())) => None,
            ControlFlow::Break(Err(error)) => {
                tell_unsent(&link, pid, &error, lost, traced.as_deref());
                None
            }
            ControlFlow::Continue(outgoing) => Some(Box::pin(async move {
                if let Err(error) = outgoing.send(&link, traced.as_deref()).await {
                    tell_unsent(&link, pid, &error, lost, traced.as_deref());
                }
            })),
        }
    }
}

fn unsent_cast(what_len: usize) -> Unsent {
    Unsent {
        casts: 1,
        bytes: what_len as u64,
        ..Unsent::default()
    }
}

#[cold]
fn tell_unsent(
    link: &Arc<Shared>,
    pid: u64,
    error: &SendError,
    lost: Unsent,
    traced: Option<&Traced>,
) {
    debug!(pid, %error, "message to a remote actor was not sent");
    link.lost(lost);
    if let Some(traced) = traced {
        trace::failed(&traced.span, "unsent", error);
    }
}

/// A message on its way to the link.
enum Outgoing {
    Cast(node::Cast),
    Call(node::Call, Caller),
}

/// Span of a message, and what is told of it. Ends no sooner than the message is sent, so that no span ends under a lock.
struct Traced {
    span: Span,
    context: Option<Box<TraceContext>>,
}

impl Outgoing {
    /// Begins its span, in that of the sender if the message tells of one. `None` when nobody wants it.
    fn trace(&mut self, link: &Shared) -> Option<Box<Traced>> {
        let parent = self.take_context();
        let node = link.run.get().map_or("", |run| run.name());
        let span = match self {
            Self::Cast(cast) => trace::cast(node, cast.to, &cast.variant),
            Self::Call(call, _) => trace::call(node, call.to, &call.variant),
        };
        if span.is_disabled() {
            return None;
        }
        trace::continue_trace(&span, parent.as_ref(), Origin::Here);
        if let Self::Call(_, caller) = self {
            caller.span = span.clone();
        }
        let context = trace::context_of(&span);
        Some(Box::new(Traced { span, context }))
    }

    /// What [`trace::metadata`] has put there.
    fn take_context(&mut self) -> Option<TraceContext> {
        let (Self::Cast(node::Cast { metadata, .. }) | Self::Call(node::Call { metadata, .. }, _)) =
            self;
        trace::take(metadata)
    }

    /// `None` for the [last message](RemoteActor::last_message).
    fn new(to: u64, message: SerializedMessage) -> Option<Self> {
        match message {
            SerializedMessage::Cast {
                variant,
                args,
                metadata,
            } => Some(Self::Cast(node::Cast {
                to,
                what: args.into(),
                variant,
                metadata: metadata.map(Into::into),
            })),
            SerializedMessage::Call {
                variant,
                args,
                reply,
                metadata,
            } => {
                let call = node::Call {
                    to,
                    what: args.into(),
                    variant,
                    metadata: metadata.map(Into::into),
                    ..node::Call::default()
                };
                Some(Self::Call(call, reply.into()))
            }
            SerializedMessage::CallReply(..) => None,
        }
    }

    fn as_unsent(&self) -> Unsent {
        match self {
            Self::Cast(cast) => unsent_cast(cast.what.len()),
            Self::Call(call, _) => Unsent {
                calls: 1,
                bytes: call.what.len() as u64,
                ..Unsent::default()
            },
        }
    }

    /// Sends when there is room, or tries to when the policy does not wait any longer. Waiting here leaves the messages
    /// behind it in the shim's mailbox, in order.
    async fn send(mut self, link: &Shared, traced: Option<&Traced>) -> Result<(), SendError> {
        loop {
            let patient = room(link).await;
            match self.offer(link, patient, traced) {
                ControlFlow::Break(sent) => return sent,
                ControlFlow::Continue(again) => self = again,
            }
        }
    }

    /// Sends, unless there is no room and somebody waits for it: then the message comes back.
    ///
    /// A call that is not sent drops its reply port, which the caller sees at once.
    fn offer(
        self,
        link: &Shared,
        patient: bool,
        traced: Option<&Traced>,
    ) -> ControlFlow<Result<(), SendError>, Self> {
        let context = traced.and_then(|traced| traced.context.as_deref());
        match self {
            Self::Cast(mut cast) => link.peer.hand_over(|session| {
                if patient && session.is_full() {
                    return ControlFlow::Continue(Self::Cast(cast));
                }
                cast.pack(session, context);
                ControlFlow::Break(session.cast(cast))
            }),
            Self::Call(mut call, caller) => link.peer.apply(|session, now| {
                if patient && !session.has_room_for_call(call.to, call.what.len()) {
                    return ControlFlow::Continue(Self::Call(call, caller));
                }
                call.pack(session, context);
                let timeout = caller.reply.get_timeout();
                ControlFlow::Break(session.call(now, call, timeout, caller))
            }),
        }
    }
}

/// Waits for room on the link as long as the policy wants; `false` when it does not want to any more.
async fn room(link: &Shared) -> bool {
    match link.overflow {
        Overflow::Drop => return false,
        Overflow::Wait => link.peer.room().await,
        Overflow::DropWhenStalled => {
            // Looked at first: what comes to a link that has stalled is dropped as fast as it comes.
            while !link.peer.is_stalled() {
                if timeout(STALL_CHECK, link.peer.room()).await.is_ok() {
                    return true;
                }
            }
            return false;
        }
    }
    true
}
