//! Handles of actors of other nodes.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use ractor::{ActorCell, ActorRef, Message, RpcReplyPort, concurrency, message::SerializedMessage};
use shiome_wire::node;
use tokio::time::{Instant, timeout_at};
use tracing::Span;

use crate::{
    inspect::CallOutcome,
    remote_actor::{Caller, EndCell},
    trace::{self, Pack},
};

mod actor_link;
mod down;
mod error;
mod linked;
mod monitor;
mod outgoing;
mod pace;
mod run;

pub use actor_link::ActorLink;
pub use down::{Down, NodeDown};
pub use error::{CallError, CastError, StopError};
pub(crate) use linked::Linked;
pub(crate) use monitor::Watchers;
pub use monitor::{Monitor, NodeMonitor};
use outgoing::{CastOrSend, Limit, Outgoing};
use pace::let_others_run;
pub use run::RunEnd;
pub(crate) use run::{Run, Runs};

/// An actor of another node, that understands `M`.
///
/// Other than an `ActorRef` it is no actor: what is sent goes straight to the link, which says when it is full, and a
/// failed call says why. It stays good when the link is lost and comes back while the other node runs on; it ends with
/// that run of the node, see [`ended`](Self::ended).
///
/// Messages that one handle sends arrive in order, those of several handles of one actor in the order of the sends.
/// That the other node has taken a message in is told by nothing but a reply.
///
/// Get one from [`Node::remote`](crate::Node::remote), or [of](Self::of) an `ActorRef`.
pub struct RemoteRef<M> {
    run: Arc<Run>,
    pid: u64,
    message: PhantomData<fn(M)>,
}

impl<M> Clone for RemoteRef<M> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.run), self.pid)
    }
}

impl<M> fmt::Debug for RemoteRef<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteRef")
            .field("node", &self.run.name())
            .field("incarnation", &self.run.incarnation())
            .field("pid", &self.pid)
            .finish()
    }
}

impl<M> RemoteRef<M> {
    pub(crate) fn new(run: Arc<Run>, pid: u64) -> Self {
        let message = PhantomData;
        Self { run, pid, message }
    }

    /// Full name of the actor's node, `name@host`.
    pub fn node(&self) -> &str {
        self.run.name()
    }

    /// Which run of that node the actor belongs to; 0 when the node does not tell.
    pub fn incarnation(&self) -> u64 {
        self.run.incarnation()
    }

    /// Number of the actor on its node.
    pub fn pid(&self) -> u64 {
        self.pid
    }

    /// Whether there is a link to the node now.
    pub fn is_connected(&self) -> bool {
        self.run.link().is_ok()
    }

    /// Waits until no link can bring this handle back, and says why: the node has stopped, or was seen to run anew. Of a
    /// node that tells no incarnation that is the end of the session. Cancel-safe.
    pub async fn ended(&self) -> RunEnd {
        self.run.ended().await
    }

    /// Asks the node to stop the actor, after the message that it is handling, and returns when that is on its way.
    ///
    /// Whether the node lets this one do so is told by [`stop_and_wait`](Self::stop_and_wait) only.
    ///
    /// # Errors
    ///
    /// See [`StopError`]; nobody was asked.
    pub fn stop(&self, reason: Option<String>) -> Result<(), StopError> {
        self.request_stop(reason, false)
    }

    /// Asks the node to end the actor at once, whatever it is doing. Otherwise as [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// See [`StopError`]; nobody was asked.
    pub fn kill(&self) -> Result<(), StopError> {
        self.request_stop(None, true)
    }

    /// [Stops](Self::stop) the actor and waits for its end. Dropping the future does not undo the request.
    ///
    /// # Errors
    ///
    /// See [`StopError`]; with [`NotAllowed`](StopError::NotAllowed) and [`TimedOut`](StopError::TimedOut) the node was
    /// asked.
    pub async fn stop_and_wait(
        &self,
        reason: Option<String>,
        timeout: Option<Duration>,
    ) -> Result<Down, StopError> {
        let monitor = self.monitor();
        let refused = self.run.link()?.watchers.stop_refused(self.pid);
        self.stop(reason)?;
        let down = async {
            tokio::select! {
                down = monitor => match down {
                    Down::NotAllowed => Err(StopError::NotAllowed),
                    down => Ok(down),
                },
                Ok(()) = refused => Err(StopError::NotAllowed),
            }
        };
        match timeout {
            Some(limit) => tokio::time::timeout(limit, down)
                .await
                .unwrap_or(Err(StopError::TimedOut)),
            None => down.await,
        }
    }

    fn request_stop(&self, reason: Option<String>, kill: bool) -> Result<(), StopError> {
        let asked = self.apply(|session| session.stop(self.pid, reason, kill));
        asked.map_err(StopError::from)
    }

    /// Watches the actor. The monitor resolves once: when the actor has ended, with its reason, or when the node is down.
    pub fn monitor(&self) -> Monitor {
        match self.run.link() {
            Ok(link) => Monitor::start(&link, self.pid),
            Err(error) => Monitor::resolved(error.down()),
        }
    }

    /// Ties a local actor to this one: when either ends, the other is stopped. Nothing but that; supervision is local.
    ///
    /// The remote actor is stopped as by [`stop`](Self::stop), if its node lets this one do so. The link ends with
    /// either actor, with the connection (the local actor is stopped then), or when it is [undone](ActorLink::unlink).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn link(&self, local: &ActorCell) -> ActorLink {
        ActorLink::tie(self.clone_untyped(), local.clone())
    }

    fn clone_untyped(&self) -> RemoteRef<()> {
        RemoteRef::new(Arc::clone(&self.run), self.pid)
    }
}

impl<M: Message> RemoteRef<M> {
    /// The handle of the actor that `actor` stands in for, such as a member of a process group; `None` when it is an
    /// actor of this node, or the session that it belongs to has ended.
    pub fn of(actor: &ActorRef<M>) -> Option<Self> {
        let id = actor.get_id();
        let run = Linked::find(id.node())?.run.get()?.clone();
        Some(Self::new(run, id.pid()))
    }

    /// Sends a message when the link has room for it.
    ///
    /// Waits while [`Config::high_water`](shiome_session::Config::high_water) bytes of such casts wait to be written, short
    /// and long ones each by themselves, and while a node that has just come back has not told its actors. Cancel-safe:
    /// dropped earlier, nothing was sent.
    ///
    /// # Errors
    ///
    /// See [`CastError`], but never [`Full`](CastError::Full) or [`NotReady`](CastError::NotReady); nothing was sent.
    pub async fn cast(&self, message: M) -> Result<(), CastError> {
        let mut cast = self.encode_cast(message)?;
        let_others_run(cast.what.len()).await;
        if trace::is_wanted() {
            return Box::pin(self.cast_in_span(cast)).await;
        }
        match self.attempt_cast(&mut cast, None) {
            Ok(sent) => sent,
            // In a box, since most casts need no room for it.
            Err(_) => Box::pin(self.send_cast(cast, None)).await,
        }
    }

    async fn cast_in_span(&self, cast: node::Cast) -> Result<(), CastError> {
        let span = trace::cast(self.node(), self.pid, &cast.variant);
        let context = trace::context_of(&span);
        let sent = self.send_cast(cast, context).await;
        sent.inspect_err(|error| trace::failed(&span, "unsent", error))
    }

    /// Sends a message if the link has room for it.
    ///
    /// # Errors
    ///
    /// See [`CastError`]; nothing was sent.
    pub fn try_cast(&self, message: M) -> Result<(), CastError> {
        let mut cast = self.encode_cast(message)?;
        let span = trace::cast(self.node(), self.pid, &cast.variant);
        let context = trace::context_of(&span);
        let sent = self.apply(|session| {
            cast.pack(session, context.as_deref());
            session.cast(cast)
        });
        let sent = sent.map_err(CastError::from);
        sent.inspect_err(|error| trace::failed(&span, "unsent", error))
    }

    /// Sends the message that `message` makes of a reply port, when the link has room for it, and waits for the reply.
    ///
    /// ```no_run
    /// # use shiome_ractor::RemoteRef;
    /// # use ractor::RpcReplyPort;
    /// # use std::time::Duration;
    /// # #[derive(shiome_derive::RactorClusterMessage)]
    /// # enum Counter { #[rpc] Get(RpcReplyPort<u64>) }
    /// # async fn example(counter: RemoteRef<Counter>) -> Result<(), Box<dyn std::error::Error>> {
    /// let count: u64 = counter.call(Counter::Get, Some(Duration::from_secs(1))).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It always ends: without `timeout` by
    /// [`Config::default_call_timeout`](shiome_session::Config::default_call_timeout), 60 seconds unless set. Time runs
    /// from now on, also while the call waits for room; the port has none of its own. Dropping the future drops the
    /// reply; whether the actor gets the message is open.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn call<R: Send + 'static>(
        &self,
        message: impl FnOnce(RpcReplyPort<R>) -> M,
        timeout: Option<Duration>,
    ) -> Result<R, CallError> {
        let (port, reply) = concurrency::oneshot();
        let end = EndCell::default();
        let ended = Arc::clone(&end);
        let span = self.send_call(message(port.into()), timeout, ended).await?;
        if let Ok(reply) = reply.await {
            return Ok(reply);
        }
        let (word, error) = match end.get() {
            Some(&end) => (CallOutcome::of(end).as_str(), end.into()),
            // Without an end there was a reply, and it did not decode.
            None => ("undecodable_reply", CallError::UndecodableReply),
        };
        trace::failed(&span, word, &error);
        Err(error)
    }

    /// Returns the span of the call.
    async fn send_call(
        &self,
        message: M,
        timeout: Option<Duration>,
        ended: EndCell,
    ) -> Result<Span, CallError> {
        let Ok(SerializedMessage::Call {
            variant,
            args,
            reply,
            metadata,
        }) = message.serialize()
        else {
            return Err(CastError::Unserializable.into());
        };
        let mut metadata = metadata.map(Into::into);
        // Its span is the one that this is called in.
        trace::take(&mut metadata);
        let call = node::Call {
            to: self.pid,
            what: args.into(),
            variant,
            metadata,
            ..node::Call::default()
        };
        let caller = Caller::told(reply, ended);
        let begun = caller.began();
        let span = trace::call(self.node(), self.pid, &call.variant);
        let mut message = Some(Outgoing {
            context: trace::context_of(&span),
            call,
            caller,
            limit: Limit::FromThen(timeout),
        });
        let sent = match self.attempt(begun, &mut message) {
            Ok(sent) => sent.map_err(CallError::from),
            // In a box, since most calls need no room for it.
            Err(_) => Box::pin(self.send_call_later(message, begun, timeout)).await,
        };
        match sent {
            Ok(()) => Ok(span),
            Err(error) => {
                trace::failed(&span, "unsent", &error);
                Err(error)
            }
        }
    }

    /// Sends a call that has to wait, while its time lasts.
    async fn send_call_later(
        &self,
        mut message: Option<Outgoing>,
        begun: Instant,
        timeout: Option<Duration>,
    ) -> Result<(), CallError> {
        let deadline = self.deadline(begun, timeout)?;
        if let (Some(call), Some(deadline)) = (&mut message, deadline) {
            call.limit = Limit::Until(deadline.into_std());
        }
        let Some(message) = message else {
            return Ok(());
        };
        let sending = self.send(message);
        match deadline {
            Some(deadline) => timeout_at(deadline, sending)
                .await
                .map_err(|_| CallError::TimedOut)??,
            None => sending.await?,
        }
        Ok(())
    }

    /// When a call that began then ends at the latest; `None` if the clock does not go that far.
    fn deadline(
        &self,
        begun: Instant,
        timeout: Option<Duration>,
    ) -> Result<Option<Instant>, CastError> {
        let limit = match timeout {
            Some(limit) => Some(limit),
            None => {
                let peer = &self.run.link()?.peer;
                peer.apply(|session, _| session.default_call_timeout())
            }
        };
        Ok(limit.and_then(|limit| begun.checked_add(limit)))
    }

    #[inline]
    fn encode_cast(&self, message: M) -> Result<node::Cast, CastError> {
        let Ok(SerializedMessage::Cast {
            variant,
            args,
            metadata,
        }) = message.serialize()
        else {
            return Err(CastError::Unserializable);
        };
        let mut metadata = metadata.map(Into::into);
        trace::take(&mut metadata);
        Ok(node::Cast {
            to: self.pid,
            what: args.into(),
            variant,
            metadata,
        })
    }
}
