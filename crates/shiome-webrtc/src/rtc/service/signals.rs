//! What other peers signal.

use shiome_bus::{PeerId, Priority, SendOptions, wire::CloseReason};

use super::{GOODBYE, MAX_REFUSALS, Service};
use crate::{
    rtc::entry::{Offered, Verdict},
    session::{Command, Start},
    signal::{Body, Description, Purpose, SessionId, Signal},
};

impl Service {
    pub(super) fn handle_signal(&mut self, remote: &PeerId, signal: Signal) {
        let Signal { session, body } = signal;
        match body {
            Body::Offer(offer) => self.handle_offer(remote, session, offer),
            body => {
                let Some(entry) = self.entries.get_mut(remote) else {
                    return;
                };
                match &entry.running {
                    Some(running) if running.id == session => {
                        let _ = running.commands.try_send(Command::Signal(body));
                    }
                    // Of a session that is over, or of one that will begin.
                    _ => {
                        entry.keep_early(&session, body);
                    }
                }
            }
        }
    }

    fn handle_offer(&mut self, remote: &PeerId, id: SessionId, offer: Description) {
        if !self.has_entry(remote) {
            return self.refuse(remote, &id, CloseReason::Limit);
        }
        let Some(entry) = self.entries.get_mut(remote) else {
            return;
        };
        let verdict = entry.judge(&self.local, remote, (&id, offer.incarnation));
        match (verdict, &mut entry.running) {
            (Verdict::Pass, Some(running)) => {
                let command = Command::Signal(Body::Offer(offer));
                let _ = running.commands.try_send(command);
            }
            (Verdict::Ignore, _) => {}
            (_, Some(running)) => {
                running.close(CloseReason::Replaced);
                entry.offered = Some(Offered {
                    id,
                    offer,
                    early: Vec::new(),
                });
            }
            (_, None) => self.begin(remote, id, Start::Answer(Box::new(offer))),
        }
    }

    /// Tells who offered that nothing comes of it. Who does not hear it waits for its deadline.
    fn refuse(&mut self, remote: &PeerId, id: &SessionId, reason: CloseReason) {
        let close = Signal::new(id, Body::Close(reason.as_str().to_owned()));
        while self.refusals.try_join_next().is_some() {}
        if let (Some(peer), Ok(intent)) = (self.peer.upgrade(), close.intent(Purpose::Envelopes))
            && self.refusals.len() < MAX_REFUSALS
        {
            let options = SendOptions::default().priority(Priority::System);
            let options = options.timeout(GOODBYE);
            let remote = remote.clone();
            self.refusals.spawn(async move {
                let _ = peer.send_with(&remote, intent, options).await;
            });
        }
    }
}
