//! What a session says to the other end over other links: one signal after the other, the answer to an offer awaited beside.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use shiome_bus::{BoxFuture, BusError, Level, PeerId, Priority, SendOptions, WeakPeer};
use tokio::time::sleep;

use super::{Context, Signal};
use crate::{
    Failure,
    signal::{Body, Purpose, SessionId},
};

/// Signals that wait to be said. A session has less than a hundred candidates.
const MAX_UNSAID: usize = 128;

/// Time until what was not said is said again.
const RETRY: Duration = Duration::from_secs(1);

/// Says signals in order.
pub(crate) struct Voice {
    peer: WeakPeer,
    remote: PeerId,
    id: SessionId,
    purpose: Purpose,
    patience: Duration,
    unsaid: VecDeque<Body>,
    saying: Option<BoxFuture<'static, Result<(), BusError>>>,
    /// The description that is being said, or was the last that was not.
    description: Option<Body>,
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
            description: None,
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
            let describes = matches!(body, Body::Offer(_) | Body::Answer(_));
            self.description = describes.then(|| body.clone());
            self.saying = Some(Box::pin(self.begin(body)));
        }
        let Some(saying) = &mut self.saying else {
            return Ok(());
        };
        let said = saying.await;
        self.saying = None;
        if said.is_ok() {
            self.description = None;
        }
        let offering = matches!(self.description, Some(Body::Offer(_)));
        said.map_err(|error| failure(error, offering))
    }

    fn begin(&self, body: Body) -> impl Future<Output = Result<(), BusError>> + Send + use<> {
        say(
            self.peer.clone(),
            self.remote.clone(),
            Signal::new(&self.id, body),
            self.purpose,
            self.patience,
        )
    }

    /// Says a description that was not said after a while again, unless there is another one.
    pub(crate) fn say_again(&mut self) {
        let newer = |body: &Body| matches!(body, Body::Offer(_) | Body::Answer(_));
        if let Some(body) = self.description.clone()
            && self.saying.is_none()
            && !self.unsaid.iter().any(newer)
        {
            let said = self.begin(body);
            self.saying = Some(Box::pin(async {
                sleep(RETRY).await;
                said.await
            }));
        }
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
    // Past what users say: it is about a faster way for that.
    let options = SendOptions::default().priority(Priority::System);
    let options = options.level(level).timeout(patience);
    peer.send_with(&remote, intent, options).await.map(drop)
}
