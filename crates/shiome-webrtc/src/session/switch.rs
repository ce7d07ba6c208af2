//! The turn from one way to the other, in order and without copies.
//!
//! On the way to the channel, two signals go after all that was sent over the other link, one for each lane; when they have
//! arrived, all that was sent before has, and the channel begins to carry. When that takes too long, what was held back goes over the
//! other link as well, and they are sent anew. On the way back, what the channel had taken and is not
//! acknowledged goes over the other link first. What arrives twice by that is dropped by its number.

use std::{future::pending, pin::pin, sync::Arc, time::Duration};

use shiome_bus::{BoxFuture, BusError, Level, Peer, PeerId, Priority, SendOptions, WeakPeer};
use tokio::time::{sleep, timeout};

use super::{LAST_WORDS, RtcLink, voice::Voice};
use crate::{
    outbox::Diverted,
    signal::{Body, Purpose, SessionId, Signal},
};

/// Time for what is under way over another link to arrive, before what is held back goes after it: at first, and at most. It doubles in
/// between, so that a link that takes longer is waited for.
const PATIENCE: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(240)];

/// Time until a way that is not there, or full, is looked at again.
const RETRY: Duration = Duration::from_millis(50);

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// All that was sent over another link has arrived, or there is no other link.
    Arrived,
    /// That is not known, and the other link is there.
    Late,
    /// All that waited is sent over another link.
    Diverted,
}

/// What goes on.
pub(crate) struct Switch {
    peer: WeakPeer,
    remote: PeerId,
    session: SessionId,
    link: Arc<RtcLink>,
    patience: Duration,
    waiting: Option<BoxFuture<'static, Turn>>,
    diverting: Option<BoxFuture<'static, ()>>,
}

impl Switch {
    pub(super) fn new(peer: &WeakPeer, voice: &Voice, link: &Arc<RtcLink>) -> Self {
        link.restart();
        Self {
            peer: peer.clone(),
            remote: voice.remote().clone(),
            session: voice.id().clone(),
            link: Arc::clone(link),
            patience: PATIENCE[0],
            waiting: None,
            diverting: None,
        }
    }

    /// Begins to wait for what is under way over another link.
    pub(super) fn wait(&mut self) {
        self.diverting = None;
        let to = (self.remote.clone(), self.session.clone());
        self.waiting = Some(Box::pin(wait(self.peer.clone(), to, self.patience)));
    }

    /// Begins to send what waits over another link.
    pub(super) fn divert(&mut self) {
        self.waiting = None;
        if self.diverting.is_none() && self.link.begin_diverting() {
            self.diverting = Some(Box::pin(divert(Arc::clone(&self.link))));
        }
    }

    /// Leaves what waits where it is.
    pub(super) fn stop(&mut self) {
        (self.waiting, self.diverting) = (None, None);
    }

    /// Resolves when there is a [`Turn`]. Cancel-safe.
    pub(super) async fn run(&mut self) -> Turn {
        if let Some(diverting) = &mut self.diverting {
            diverting.await;
            self.diverting = None;
            Turn::Diverted
        } else if let Some(waiting) = &mut self.waiting {
            let turn = waiting.await;
            self.waiting = None;
            let [first, most] = PATIENCE;
            self.patience = match turn {
                Turn::Late => self.patience.saturating_mul(2).min(most),
                _ => first,
            };
            turn
        } else {
            pending().await
        }
    }

    /// As [`run`](Self::run), but resolves when there is nothing to do.
    pub(super) async fn run_out(&mut self) {
        if self.diverting.is_some() || self.waiting.is_some() {
            self.run().await;
        }
    }
}

async fn wait(peer: WeakPeer, (remote, session): (PeerId, SessionId), patience: Duration) -> Turn {
    let Some(peer) = peer.upgrade() else {
        return Turn::Arrived;
    };
    // Both at once: one that is made later than what is held back would make that look like copies.
    let arrive = |priority| {
        let options = SendOptions::default().level(Level::Received);
        let options = options.priority(priority).timeout(patience);
        arrive(&peer, &remote, &session, options)
    };
    match tokio::join!(arrive(Priority::Normal), arrive(Priority::Bulk)) {
        (Turn::Arrived, Turn::Arrived) => Turn::Arrived,
        _ => Turn::Late,
    }
}

/// Resolves when all that was sent before in a lane has arrived, or not in time.
async fn arrive(peer: &Peer, remote: &PeerId, session: &SessionId, options: SendOptions) -> Turn {
    let Ok(intent) = Signal::new(session, Body::Switch).intent(Purpose::Envelopes) else {
        return Turn::Arrived;
    };
    // It is said once, for the same reason.
    match peer.send_with(remote, intent, options).await {
        Err(BusError::Timeout { .. }) => Turn::Late,
        Err(BusError::QueueFull(_)) => {
            sleep(RETRY).await;
            Turn::Late
        }
        // It has arrived, or there is no way that it could go.
        _ => Turn::Arrived,
    }
}

/// Sends all that waits over another link, as long as there is one, for a session that cannot.
pub(crate) async fn divert_all(link: &Arc<RtcLink>) {
    link.clear_loose();
    if !link.begin_diverting() {
        return;
    }
    let mut diverting = pin!(divert(Arc::clone(link)));
    while timeout(LAST_WORDS, &mut diverting).await.is_err() {
        if link.detour().is_err() {
            // What it holds is put back when it is dropped, at the end.
            break;
        }
    }
}

/// An envelope that is put back when it is not sent.
struct Careful<'a> {
    link: &'a RtcLink,
    diverted: Option<Diverted>,
}

impl Drop for Careful<'_> {
    fn drop(&mut self) {
        if let Some(diverted) = self.diverted.take() {
            self.link.put_back(diverted);
        }
    }
}

async fn divert(link: Arc<RtcLink>) {
    loop {
        let mut next = Careful {
            link: &link,
            diverted: link.next_diverted(),
        };
        let Some(diverted) = &next.diverted else {
            return;
        };
        let sent = match link.detour() {
            Ok(detour) => detour.send(&diverted.envelope).await,
            Err(error) => Err(error),
        };
        match sent {
            Err(BusError::NotConnected(_) | BusError::NodeNotFound(_) | BusError::QueueFull(_)) => {
                drop(next);
                sleep(RETRY).await;
            }
            sent => {
                let gone = next.diverted.take();
                match (sent, gone) {
                    (Err(error), Some(gone)) => link.not_diverted(&gone.envelope, error),
                    _ => link.diverted(),
                }
            }
        }
    }
}
