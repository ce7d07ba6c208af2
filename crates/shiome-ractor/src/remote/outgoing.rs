use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shiome_session::{Length, SendError, Session};
use shiome_wire::{node, trace::TraceContext};

use super::{CastError, RemoteRef};
use crate::{node::node_session::Shared, remote_actor::Caller, trace::Pack};

/// A call on its way to the link.
pub(super) struct Outgoing {
    pub(super) call: node::Call,
    pub(super) context: Option<Box<TraceContext>>,
    pub(super) caller: Caller,
    pub(super) limit: Limit,
}

/// How long a call has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    /// From when it is handed to the link; `None`: as long as the session lets it.
    FromThen(Option<Duration>),
    /// Until then, since it has waited already.
    Until(Instant),
}

/// What keeps a message from being handed to the link.
pub(super) enum Obstacle {
    /// Enough casts of that length wait.
    High(Length),
    /// The outbox is full.
    Full,
    /// The node has not told its actors yet, so it is not known whether there is such an actor.
    NotReady,
    /// The link ends.
    Ending,
}

impl Outgoing {
    fn has_room(&self, session: &Session<Caller>) -> bool {
        session.has_room_for_call(self.call.to, self.call.what.len())
    }

    fn hand_to(mut self, session: &mut Session<Caller>, now: Instant) -> Result<(), SendError> {
        let limit = match self.limit {
            Limit::FromThen(limit) => limit,
            Limit::Until(deadline) => Some(deadline.saturating_duration_since(now)),
        };
        self.call.pack(session, self.context.as_deref());
        session.call(now, self.call, limit, self.caller)
    }
}

impl<M> RemoteRef<M> {
    /// Sends the cast, unless something keeps it from being sent now. A full outbox does not.
    #[inline]
    pub(super) fn attempt_cast(
        &self,
        cast: &mut node::Cast,
        context: Option<&TraceContext>,
    ) -> Result<Result<(), CastError>, Obstacle> {
        match self.run.link() {
            Ok(link) => attempt_cast(&link, self.pid, cast, context),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Sends a cast when nothing keeps it from being sent. Cancel-safe: dropped earlier, nothing was sent.
    pub(super) async fn send_cast(
        &self,
        mut cast: node::Cast,
        context: Option<Box<TraceContext>>,
    ) -> Result<(), CastError> {
        loop {
            let link = self.run.link()?;
            let mut sent = attempt_cast(&link, self.pid, &mut cast, context.as_deref());
            if let Err(Obstacle::High(length)) = sent {
                let _turn = link.peer.low_water(length).await;
                sent = attempt_cast(&link, self.pid, &mut cast, context.as_deref());
            }
            match sent {
                Ok(sent) => return sent,
                Err(obstacle) => self.pass(obstacle, &link).await,
            }
        }
    }

    /// Waits until the obstacle may be gone.
    async fn pass(&self, obstacle: Obstacle, link: &Arc<Shared>) {
        match obstacle {
            // Others were faster.
            Obstacle::High(_) => {}
            Obstacle::Full => link.peer.room().await,
            Obstacle::NotReady => link.introduction().await,
            Obstacle::Ending => self.run.moves_on_from(link).await,
        }
    }

    /// Sends a call when nothing keeps it from being sent. Cancel-safe: dropped earlier, nothing was sent.
    pub(super) async fn send(&self, message: Outgoing) -> Result<(), CastError> {
        let mut message = Some(message);
        loop {
            match self.attempt(tokio::time::Instant::now(), &mut message) {
                Ok(sent) => return sent,
                Err((obstacle, link)) => self.pass(obstacle, &link).await,
            }
        }
    }

    /// Takes the call and sends it, unless something keeps it from being sent `now`.
    pub(super) fn attempt(
        &self,
        now: tokio::time::Instant,
        message: &mut Option<Outgoing>,
    ) -> Result<Result<(), CastError>, (Obstacle, Arc<Shared>)> {
        let link = match self.run.link() {
            Ok(link) => link,
            Err(error) => return Ok(Err(error)),
        };
        let sent = link.peer.apply_at(now.into_std(), |session, now| {
            check(session, self.pid)?;
            let message = message.take_if(|message| message.has_room(session));
            let message = message.ok_or(Obstacle::Full)?;
            Ok(message.hand_to(session, now))
        });
        match sent {
            Ok(sent) => Ok(sent.map_err(|error| CastError::from_send(error, &link))),
            Err(obstacle) => Err((obstacle, link)),
        }
    }

    /// Lets `f` use the session if the actor can be addressed by it now.
    pub(super) fn apply<R>(
        &self,
        f: impl FnOnce(&mut Session<Caller>) -> Result<R, SendError>,
    ) -> Result<R, CastOrSend> {
        let link = self.run.link()?;
        let result = link
            .peer
            .apply(|session, _| check(session, self.pid).map(|()| f(session)));
        match result {
            Ok(result) => result.map_err(|error| CastOrSend::Send(error, link)),
            Err(Obstacle::NotReady) => Err(CastError::NotReady.into()),
            Err(_) => Err(CastError::ending(&link).into()),
        }
    }
}

/// Why something was not sent: for a reason of the handle's, or of that session's.
pub(super) enum CastOrSend {
    Cast(CastError),
    Send(SendError, Arc<Shared>),
}

impl From<CastError> for CastOrSend {
    fn from(error: CastError) -> Self {
        Self::Cast(error)
    }
}

impl From<CastOrSend> for CastError {
    fn from(error: CastOrSend) -> Self {
        match error {
            CastOrSend::Cast(error) => error,
            CastOrSend::Send(error, link) => Self::from_send(error, &link),
        }
    }
}

fn attempt_cast(
    link: &Arc<Shared>,
    pid: u64,
    cast: &mut node::Cast,
    context: Option<&TraceContext>,
) -> Result<Result<(), CastError>, Obstacle> {
    let sent = link.peer.hand_over(|session| {
        check(session, pid)?;
        let length = Length::of(cast);
        if session.is_high(length) {
            return Err(Obstacle::High(length));
        }
        cast.pack(session, context);
        Ok(session.cast_in_turn(&mut *cast))
    })?;
    Ok(sent.map_err(|error| CastError::from_send(error, link)))
}

fn check(session: &Session<Caller>, pid: u64) -> Result<(), Obstacle> {
    if session.is_closed() || session.is_finishing() {
        Err(Obstacle::Ending)
    } else if !session.is_ready() && !session.knows(pid) {
        Err(Obstacle::NotReady)
    } else {
        Ok(())
    }
}
