//! How an envelope leaves a peer: checked, seen by interceptors, and handed to exactly one mailbox or link.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::Node;
use crate::{
    BusError, Delivery, DropReason, Envelope, Intent, Level, Link, MAX_HOPS, PeerId, Receipt,
    Route, SendOptions, Via,
    bus::{Answer, Target},
    deadline::deadline,
    dispatch,
    mailbox::{Item, NoPlace, Path, Place},
    pending::{Wait, Wanted},
    stats::count,
};

impl Node {
    /// An envelope of this peer, which goes out as told.
    #[inline]
    fn envelope(
        &self,
        to: PeerId,
        intent: Intent,
        options: &SendOptions,
    ) -> Result<Envelope, BusError> {
        self.check_open()?;
        options.check(intent.name())?;
        let mut envelope = Envelope::new(self.next_id(), self.id.clone(), to, intent);
        envelope.hops = envelope.intent.send_on();
        envelope.level = options.level;
        envelope.priority = options.priority;
        Ok(envelope)
    }

    /// An answer to `to`. A peer that is closing still answers.
    fn answering(&self, to: &Delivery, intent: Intent) -> Result<Envelope, BusError> {
        if self.is_ended() {
            return Err(self.closed());
        }
        let (asked, id) = (to.envelope(), self.next_id());
        let mut envelope = Envelope::new(id, self.id.clone(), asked.from.clone(), intent);
        // To answer is no reflection.
        envelope.hops = 0;
        envelope.reply_to = Some(asked.id);
        envelope.priority = asked.priority;
        Ok(envelope)
    }

    /// Where an envelope goes, if it may leave.
    #[inline]
    fn way(&self, envelope: &mut Envelope, route: Route) -> Result<Target, BusError> {
        let allowed = self.check(envelope);
        let target = allowed.and_then(|()| self.core.target(&envelope.from, &envelope.to, route));
        target.map_err(|error| self.failed(envelope, error))
    }

    #[inline]
    fn check(&self, envelope: &mut Envelope) -> Result<(), BusError> {
        self.outbound.run(envelope)?;
        let limit = self.core.options.max_payload_len;
        let len = envelope.intent.payload().checked_len()?;
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
        if envelope.reply_to.is_none() {
            envelope.intent.not_sent_on();
        }
        error
    }

    pub(crate) fn try_send(&self, to: PeerId, intent: Intent) -> Result<Receipt, BusError> {
        let mut envelope = self.envelope(to, intent, &SendOptions::default())?;
        let target = self.way(&mut envelope, Route::Any)?;
        self.hand_over(envelope, &target)
    }

    /// Says something of a protocol between peers, ahead of what users say.
    pub(crate) fn try_send_system(&self, to: PeerId, intent: Intent) -> Result<Receipt, BusError> {
        let mut envelope = self.envelope(to, intent, &SendOptions::default().urgent())?;
        let target = self.way(&mut envelope, Route::Any)?;
        self.hand_over(envelope, &target)
    }

    pub(crate) async fn send(&self, to: PeerId, intent: Intent) -> Result<Receipt, BusError> {
        let mut waits = None;
        if let Some(receipt) = self.send_now(to, intent, &mut waits)? {
            return Ok(receipt);
        }
        let (envelope, target) = waits.expect("what was not sent waits");
        self.hand_over_by(envelope, &target, None, None).await
    }

    /// Sends an envelope if there is room for it now; if not, it `waits`. Outside of any future, into which it would have to be
    /// moved.
    fn send_now(
        &self,
        to: PeerId,
        intent: Intent,
        waits: &mut Option<(Envelope, Target)>,
    ) -> Result<Option<Receipt>, BusError> {
        let mut envelope = self.envelope(to, intent, &SendOptions::default())?;
        let target = self.way(&mut envelope, Route::Any)?;
        match &target {
            Target::Link(id, line) => {
                let put = |link: &dyn Link, envelope: &mut Envelope| {
                    self.put_over(*id, link, envelope, None)
                };
                match line.try_put(&mut envelope, put) {
                    Ok(()) => {}
                    Err(BusError::QueueFull(_)) => {
                        *waits = Some((envelope, target));
                        return Ok(None);
                    }
                    Err(error) => return Err(self.failed(&envelope, error)),
                }
                count(&self.totals.out.sent);
                Ok(Some(receipt(&envelope, &target)))
            }
            Target::Local(node) if !node.ignores(&envelope) => {
                let receipt = receipt(&envelope, &target);
                match node.try_reserve(&envelope) {
                    Ok(place) => self.put(node, place, envelope)?,
                    Err(NoPlace::Full) => {
                        *waits = Some((envelope, Target::Local(Arc::clone(node))));
                        return Ok(None);
                    }
                    Err(no_place) => return Err(self.failed(&envelope, no_place.of(&node.id))),
                }
                count(&self.totals.out.sent);
                Ok(Some(receipt))
            }
            Target::Local(_) => self.hand_over(envelope, &target).map(Some),
        }
    }

    pub(crate) async fn send_with(
        &self,
        to: PeerId,
        intent: Intent,
        options: &SendOptions,
    ) -> Result<Receipt, BusError> {
        let mut envelope = self.envelope(to, intent, options)?;
        let target = self.way(&mut envelope, options.route)?;
        // A mailbox of this bus has what it accepted.
        let last = match target {
            Target::Local(_) => Level::Received,
            Target::Link(..) => Level::Accepted,
        };
        if options.level <= last {
            let by = options.timeout.map(deadline);
            return self.hand_over_by(envelope, &target, by, None).await;
        }
        let (receipt, _) = self.ask(envelope, &target, options.timeout).await?;
        Ok(receipt)
    }

    pub(crate) async fn request(
        &self,
        to: PeerId,
        intent: Intent,
        options: &SendOptions,
    ) -> Result<Delivery, BusError> {
        let options = &options.level(Level::Answered);
        let mut envelope = self.envelope(to, intent, options)?;
        let target = self.way(&mut envelope, options.route)?;
        let (_, answer) = self.ask(envelope, &target, options.timeout).await?;
        let Answer::Reply(mut item) = answer else {
            return Err(BusError::network("acknowledged, and never answered"));
        };
        self.inbound.run(&mut item.envelope)?;
        let node = self.seat.upgrade().ok_or_else(|| self.closed())?;
        Ok(Delivery { item: *item, node })
    }

    /// Answers without waiting for room.
    pub(crate) fn try_respond(&self, to: &Delivery, intent: Intent) -> Result<Receipt, BusError> {
        let mut envelope = self.answering(to, intent)?;
        let target = self.way(&mut envelope, Route::Any)?;
        let receipt = self.hand_over(envelope, &target)?;
        self.owed.settle(to.from(), to.envelope().id);
        Ok(receipt)
    }

    /// Answers a ping, now or as soon as there is room.
    pub(crate) fn pong(&self, to: &Delivery, intent: Intent) -> Result<(), BusError> {
        let mut envelope = self.answering(to, intent)?;
        match self.way(&mut envelope, Route::Any)? {
            Target::Link(id, link) => self.core.send_receipt(id, &link, envelope),
            local @ Target::Local(_) => return self.hand_over(envelope, &local).map(drop),
        }
        count(&self.totals.out.sent);
        Ok(())
    }

    /// Answers, waiting for room on the link.
    pub(crate) async fn respond(&self, to: &Delivery, intent: Intent) -> Result<Receipt, BusError> {
        let mut envelope = self.answering(to, intent)?;
        let target = self.way(&mut envelope, Route::Any)?;
        let receipt = self.hand_over_by(envelope, &target, None, None).await?;
        self.owed.settle(to.from(), to.envelope().id);
        Ok(receipt)
    }

    /// Sends, and waits for what comes back.
    async fn ask(
        &self,
        envelope: Envelope,
        target: &Target,
        timeout: Option<Duration>,
    ) -> Result<(Receipt, Answer), BusError> {
        let after = timeout.unwrap_or(self.core.options.request_timeout);
        let by = deadline(after);
        let peer = envelope.to.clone();
        let mut wait = self.wait_for(&envelope, target)?;
        let receipt = self
            .hand_over_by(envelope, target, Some(by), Some(&mut wait))
            .await?;
        let answer = match timeout_at(by, wait.answer()).await {
            Ok(Answer::Failed(error)) => Err(error),
            Ok(answer) => Ok(answer),
            Err(_) => Err(BusError::Timeout { peer, after }),
        };
        let answer = answer.inspect_err(|_| count(&self.totals.out.errors))?;
        Ok((receipt, answer))
    }

    fn wait_for(&self, envelope: &Envelope, target: &Target) -> Result<Wait<'_>, BusError> {
        let wanted = Wanted {
            seq: envelope.id.seq,
            to: envelope.to.clone(),
            intent: envelope.intent.name().clone(),
            link: match target {
                Target::Local(_) => None,
                Target::Link(id, _) => Some(*id),
            },
            level: envelope.level,
        };
        let refused = |no_place| match no_place {
            NoPlace::Full => BusError::QueueFull(envelope.to.clone()),
            NoPlace::Closed => self.closed(),
        };
        self.pending.wait(wanted).map_err(refused)
    }

    /// Hands an envelope over if there is room.
    #[inline]
    fn hand_over(&self, mut envelope: Envelope, target: &Target) -> Result<Receipt, BusError> {
        let mut receipt = receipt(&envelope, target);
        match target {
            Target::Local(asker) if envelope.reply_to.is_some() => {
                self.reply(asker, envelope);
                Ok(())
            }
            Target::Local(node) if node.ignores(&envelope) => Ok(()),
            Target::Local(node) => match node.try_reserve(&envelope) {
                Ok(place) => self.put(node, place, envelope),
                Err(no_place) => Err(self.failed(&envelope, no_place.of(&node.id))),
            },
            Target::Link(id, line) => {
                let put = |link: &dyn Link, envelope: &mut Envelope| {
                    self.put_over(*id, link, envelope, None)
                };
                let sent = line.try_put(&mut envelope, put);
                receipt.id = envelope.id;
                sent.map_err(|error| self.failed(&envelope, error))
            }
        }?;
        count(&self.totals.out.sent);
        Ok(receipt)
    }

    /// Hands an envelope over as soon as there is room. Cancel-safe: either it was handed over, or nothing happened.
    async fn hand_over_by(
        &self,
        mut envelope: Envelope,
        target: &Target,
        by: Option<Instant>,
        mut wait: Option<&mut Wait<'_>>,
    ) -> Result<Receipt, BusError> {
        let by = || by.unwrap_or_else(|| deadline(self.core.options.send_timeout));
        match target {
            Target::Local(node) if envelope.reply_to.is_none() && !node.ignores(&envelope) => {
                let place = match node.try_reserve(&envelope) {
                    // A handler that waits for its own peer would wait for itself.
                    Err(NoPlace::Full) if !dispatch::serves(node) => {
                        let place = timeout_at(by(), node.reserve(&envelope)).await;
                        place.unwrap_or(Err(NoPlace::Full))
                    }
                    place => place,
                };
                let receipt = receipt(&envelope, target);
                match place {
                    Ok(place) => self.put(node, place, envelope)?,
                    Err(no_place) => return Err(self.failed(&envelope, no_place.of(&node.id))),
                }
                count(&self.totals.out.sent);
                Ok(receipt)
            }
            Target::Link(id, line) => {
                let mut put = |link: &dyn Link, envelope: &mut Envelope| {
                    self.put_over(*id, link, envelope, wait.as_deref_mut())
                };
                let sent = match line.try_put(&mut envelope, &mut put) {
                    Err(full @ BusError::QueueFull(_)) => {
                        let sent = timeout_at(by(), line.put(&mut envelope, &mut put)).await;
                        sent.unwrap_or(Err(full))
                    }
                    sent => sent,
                };
                sent.map_err(|error| self.failed(&envelope, error))?;
                count(&self.totals.out.sent);
                Ok(receipt(&envelope, target))
            }
            Target::Local(_) => self.hand_over(envelope, target),
        }
    }

    #[inline]
    fn put(&self, node: &Self, place: Place<'_, Item>, envelope: Envelope) -> Result<(), BusError> {
        let put = place.put(node.item(envelope, Path::Bus));
        put.map_err(|no_place| {
            count(&self.totals.out.errors);
            self.core.drops.count(DropReason::Closed);
            no_place.of(&node.id)
        })
    }

    /// Answers a peer of this bus. It goes to who waits for it, past the mailbox, as one over a link does.
    fn reply(&self, asker: &Self, envelope: Envelope) {
        let Some(id) = envelope.reply_to else {
            return;
        };
        let mut item = Some(asker.item(envelope, Path::Bus));
        asker.pending.resolve(id, &self.id, true, |_| {
            let item = item.take().expect("an answer is made once");
            Answer::Reply(Box::new(item))
        });
        if let Some(late) = item {
            self.core.drops.trace(&late.envelope, DropReason::LateReply);
        }
    }
}

fn receipt(envelope: &Envelope, target: &Target) -> Receipt {
    let via = match target {
        Target::Local(_) => Via::Bus,
        Target::Link(_, link) => Via::Link(link.kind()),
    };
    Receipt {
        id: envelope.id,
        via,
    }
}
