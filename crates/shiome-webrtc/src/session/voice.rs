//! What a session says to the other end over other links: one signal after the other, the answer to an offer awaited beside.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use shiome_bus::{BoxFuture, BusError, Level, PeerId, SendOptions, WeakPeer};

use super::{Context, Signal};
use crate::{
    Failure,
    signal::{Body, Purpose, SessionId},
};

/// Signals that wait to be said. A session has less than a hundred candidates.
const MAX_UNSAID: usize = 128;

/// Says signals in order.
pub(crate) struct Voice {
    peer: WeakPeer,
    remote: PeerId,
    id: SessionId,
    purpose: Purpose,
    patience: Duration,
    unsaid: VecDeque<Body>,
    saying: Option<BoxFuture<'static, Result<(), BusError>>>,
    /// An offer was said, and whether the other end took it is not known yet.
    offering: bool,
}

impl Voice {
    pub(crate) fn new(context: &Context, remote: PeerId, id: SessionId) -> Self {
        Self {
            peer: context.peer.clone(),
            remote,
            id,
            purpose: context.config.purpose,
            patience: context.options.connect_timeout,
            unsaid: VecDeque::new(),
            saying: None,
            offering: false,
        }
    }

    pub(crate) fn remote(&self) -> &PeerId {
        &self.remote
    }

    pub(crate) fn id(&self) -> &SessionId {
        &self.id
    }

    pub(crate) fn say(&mut self, body: Body) {
        if self.unsaid.len() < MAX_UNSAID {
            self.unsaid.push_back(body);
        }
    }

    /// Says what is to be said. Resolves when something could not be. Cancel-safe.
    pub(crate) async fn run(&mut self) -> Failure {
        loop {
            if let Err(failure) = self.next().await {
                return failure;
            }
            if self.saying.is_none() && self.unsaid.is_empty() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Says all that is to be said, as far as it can be.
    pub(crate) async fn run_out(&mut self) {
        while self.saying.is_some() || !self.unsaid.is_empty() {
            let _ = self.next().await;
        }
    }

    async fn next(&mut self) -> Result<(), Failure> {
        if self.saying.is_none() {
            let Some(body) = self.unsaid.pop_front() else {
                return Ok(());
            };
            self.offering = matches!(body, Body::Offer(_));
            let said = say(
                self.peer.clone(),
                self.remote.clone(),
                Signal::new(&self.id, body),
                self.purpose,
                self.patience,
            );
            self.saying = Some(Box::pin(said));
        }
        let Some(saying) = &mut self.saying else {
            return Ok(());
        };
        let said = saying.await;
        self.saying = None;
        let offering = std::mem::take(&mut self.offering);
        said.map_err(|error| failure(error, offering))
    }
}

/// What it means that a signal was not taken.
fn failure(error: BusError, offering: bool) -> Failure {
    match error {
        BusError::NoHandler { .. } if offering => Failure::Unsupported,
        BusError::HandlerFailed { reason, .. } if offering => Failure::Refused(reason),
        BusError::Unauthorized(reason) => Failure::Refused(Arc::clone(&reason)),
        BusError::Timeout { .. } => Failure::NoAnswer,
        error => Failure::Signalling(error),
    }
}

async fn say(
    peer: WeakPeer,
    remote: PeerId,
    signal: Signal,
    purpose: Purpose,
    patience: Duration,
) -> Result<(), BusError> {
    let offers = matches!(signal.body, Body::Offer(_));
    let intent = signal.intent(purpose)?;
    let peer = peer
        .upgrade()
        .ok_or_else(|| BusError::Closed(remote.clone()))?;
    // Whether the other end knows what that is, and wants it, is told at once.
    let level = if offers {
        Level::Handled
    } else {
        Level::Accepted
    };
    let options = SendOptions::default().level(level).timeout(patience);
    peer.send_with(&remote, intent, options).await.map(drop)
}
