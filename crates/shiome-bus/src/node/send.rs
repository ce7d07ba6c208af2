//! How an envelope leaves a peer: checked, seen by interceptors, and handed to exactly one mailbox or link.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Node;
use crate::{
    BusError, Delivery, DropReason, Envelope, Intent, Level, MAX_HOPS, PeerId, Receipt, Route,
    SendOptions, Via,
    bus::{Answer, LinkId, Target},
    dispatch,
    mailbox::{NoPlace, Path, Place},
    pending::{Wait, Wanted},
    stats::count,
};

/// An envelope and where it goes.
pub(super) struct Outgoing {
    envelope: Envelope,
    target: Target,
}

impl Node {
    /// Makes an envelope that may leave, and finds its way.
    fn outgoing(
        &self,
        to: PeerId,
        intent: Intent,
        options: &SendOptions,
    ) -> Result<Outgoing, BusError> {
        self.check_open()?;
        let mut envelope = Envelope::new(self.next_id(), self.id.clone(), to, intent);
        envelope.level = options.level;
        envelope.priority = options.priority;
        self.checked(envelope, options.route)
    }

    /// An answer to `to`, over the link that brought the question while that is up.
    pub(super) fn answer_with(&self, to: &Delivery, intent: Intent) -> Result<Outgoing, BusError> {
        if self.is_ended() {
            return Err(self.closed());
        }
        let asked = to.envelope();
        let mut envelope =
            Envelope::new(self.next_id(), self.id.clone(), asked.from.clone(), intent);
        // To answer is no reflection.
        envelope.hops = 0;
        envelope.reply_to = Some(asked.id);
        envelope.priority = asked.priority;
        let outgoing = self.checked(envelope, Route::Any)?;
        self.owed.settle(&asked.from, asked.id);
        Ok(outgoing)
    }

    fn checked(&self, mut envelope: Envelope, route: Route) -> Result<Outgoing, BusError> {
        let result = self.check(&mut envelope);
        let target = result.and_then(|()| self.core.target(&envelope.to, route));
        match target {
            Ok(target) => Ok(Outgoing { envelope, target }),
            Err(error) => Err(self.failed(&envelope, error)),
        }
    }

    fn check(&self, envelope: &mut Envelope) -> Result<(), BusError> {
        self.outbound.run(envelope)?;
        let limit = self.core.options.max_payload_len;
        let len = envelope.intent.payload().text_len();
        if len > limit {
            return Err(BusError::PayloadTooLarge { len, limit });
        }
        if envelope.hops > MAX_HOPS {
            return Err(BusError::TooManyHops(envelope.to.clone()));
        }
        Ok(())
    }

    fn failed(&self, envelope: &Envelope, error: BusError) -> BusError {
        count(&self.totals.out.errors);
        self.core.failed(envelope, &error);
        error
    }

    pub(crate) fn try_send(&self, to: PeerId, intent: Intent) -> Result<Receipt, BusError> {
        self.outgoing(to, intent, &SendOptions::default())?
            .try_send(self)
    }

    pub(crate) async fn send(&self, to: PeerId, intent: Intent) -> Result<Receipt, BusError> {
        let outgoing = self.outgoing(to, intent, &SendOptions::default())?;
        outgoing.send(self).await
    }

    pub(crate) async fn send_with(
        &self,
        to: PeerId,
        intent: Intent,
        options: &SendOptions,
    ) -> Result<Receipt, BusError> {
        let outgoing = self.outgoing(to, intent, options)?;
        // A mailbox of this bus has what it accepted.
        let local = matches!(outgoing.target, Target::Local(_));
        let last = if local {
            Level::Received
        } else {
            Level::Accepted
        };
        if options.level <= last {
            let by = options.timeout.map(|timeout| Instant::now() + timeout);
            return outgoing.send_by(self, by).await;
        }
        let (receipt, _) = self.ask(outgoing, options.timeout).await?;
        Ok(receipt)
    }

    pub(crate) async fn request(
        &self,
        to: PeerId,
        intent: Intent,
        options: &SendOptions,
    ) -> Result<(Receipt, Delivery), BusError> {
        let options = &options.level(Level::Answered);
        let outgoing = self.outgoing(to, intent, options)?;
        let (peer, after) = (outgoing.envelope.to.clone(), options.timeout);
        let (receipt, answer) = self.ask(outgoing, options.timeout).await?;
        let Answer::Reply(mut item) = answer else {
            // Only an answer ends the wait for one.
            let after = after.unwrap_or(self.core.options.request_timeout);
            return Err(BusError::Timeout { peer, after });
        };
        self.inbound.run(&mut item.envelope)?;
        let node = self.seat.upgrade().ok_or_else(|| self.closed())?;
        Ok((receipt, Delivery { item: *item, node }))
    }

    /// Sends, and waits for what comes back.
    async fn ask(
        &self,
        outgoing: Outgoing,
        timeout: Option<Duration>,
    ) -> Result<(Receipt, Answer), BusError> {
        let after = timeout.unwrap_or(self.core.options.request_timeout);
        let by = Instant::now() + after;
        let peer = outgoing.envelope.to.clone();
        let mut wait = self.wait_for(&outgoing)?;
        let receipt = outgoing.send_by(self, Some(by)).await?;
        let answer = match timeout_at(by, wait.answer()).await {
            Ok(Answer::Failed(error)) => Err(error),
            Ok(answer) => Ok(answer),
            Err(_) => Err(BusError::Timeout { peer, after }),
        };
        let answer = answer.inspect_err(|_| count(&self.totals.out.errors))?;
        Ok((receipt, answer))
    }

    fn wait_for(&self, outgoing: &Outgoing) -> Result<Wait<'_>, BusError> {
        let envelope = &outgoing.envelope;
        let wanted = Wanted {
            seq: envelope.id.seq,
            to: envelope.to.clone(),
            intent: envelope.intent.name().clone(),
            link: outgoing.link(),
            level: envelope.level,
        };
        let refused = |no_place| match no_place {
            NoPlace::Full => BusError::QueueFull(envelope.to.clone()),
            NoPlace::Closed => self.closed(),
        };
        self.pending.wait(wanted).map_err(refused)
    }

    fn sent(&self, receipt: Receipt) -> Receipt {
        count(&self.totals.out.sent);
        receipt
    }
}

impl Outgoing {
    fn link(&self) -> Option<LinkId> {
        match &self.target {
            Target::Local(_) => None,
            Target::Link(id, _) => Some(*id),
        }
    }

    fn receipt(&self) -> Receipt {
        let via = match &self.target {
            Target::Local(_) => Via::Bus,
            Target::Link(_, link) => Via::Link(link.kind()),
        };
        Receipt {
            id: self.envelope.id,
            via,
        }
    }

    /// Hands it over if there is room.
    pub(super) fn try_send(self, sender: &Node) -> Result<Receipt, BusError> {
        let receipt = self.receipt();
        let Self { envelope, target } = self;
        let sent = match &target {
            Target::Local(asker) if envelope.reply_to.is_some() => {
                reply(sender, asker, envelope);
                Ok(())
            }
            Target::Local(node) => match node.try_reserve(&envelope) {
                Ok(place) => put(sender, node, place, envelope),
                Err(no_place) => Err(sender.failed(&envelope, no_place.of(&node.id))),
            },
            Target::Link(_, link) => {
                let sent = link.try_send(&envelope);
                sent.map_err(|error| sender.failed(&envelope, error))
            }
        };
        sent.map(|()| sender.sent(receipt))
    }

    /// Hands it over as soon as there is room. Cancel-safe: either it was handed over, or nothing happened.
    pub(super) async fn send(self, sender: &Node) -> Result<Receipt, BusError> {
        self.send_by(sender, None).await
    }

    async fn send_by(self, sender: &Node, by: Option<Instant>) -> Result<Receipt, BusError> {
        let receipt = self.receipt();
        let Self { envelope, target } = self;
        let by = || by.unwrap_or_else(|| Instant::now() + sender.core.options.send_timeout);
        let sent = match &target {
            Target::Local(asker) if envelope.reply_to.is_some() => {
                reply(sender, asker, envelope);
                Ok(())
            }
            Target::Local(node) => {
                let place = match node.try_reserve(&envelope) {
                    // A handler that waits for its own peer would wait for itself.
                    Err(NoPlace::Full) if !dispatch::serves(node) => {
                        let place = timeout_at(by(), node.reserve(&envelope)).await;
                        place.unwrap_or(Err(NoPlace::Full))
                    }
                    place => place,
                };
                match place {
                    Ok(place) => put(sender, node, place, envelope),
                    Err(no_place) => Err(sender.failed(&envelope, no_place.of(&node.id))),
                }
            }
            Target::Link(_, link) => {
                let sent = match link.try_send(&envelope) {
                    Err(full @ BusError::QueueFull(_)) => {
                        let sent = timeout_at(by(), link.send(&envelope)).await;
                        sent.unwrap_or(Err(full))
                    }
                    sent => sent,
                };
                sent.map_err(|error| sender.failed(&envelope, error))
            }
        };
        sent.map(|()| sender.sent(receipt))
    }
}

fn put(sender: &Node, node: &Node, place: Place<'_>, envelope: Envelope) -> Result<(), BusError> {
    let put = place.put(node.item(envelope, Path::Bus));
    put.map_err(|no_place| {
        count(&sender.totals.out.errors);
        sender.core.drops.count(DropReason::Closed);
        no_place.of(&node.id)
    })
}

/// Answers a peer of this bus. It goes to who waits for it, past the mailbox, as one over a link does.
fn reply(sender: &Node, asker: &Node, envelope: Envelope) {
    let Some(id) = envelope.reply_to else {
        return;
    };
    let mut item = Some(asker.item(envelope, Path::Bus));
    asker.pending.resolve(id, &sender.id, true, |_| {
        let item = item.take().expect("an answer is made once");
        Answer::Reply(Box::new(item))
    });
    if let Some(late) = item {
        sender
            .core
            .drops
            .trace(&late.envelope, DropReason::LateReply);
    }
}
