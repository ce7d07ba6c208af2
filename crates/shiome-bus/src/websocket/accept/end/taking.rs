//! How what came from a client is taken: by whichever connection the client has.

use std::task::{Context, Poll, ready};

use super::ServerEnd;
use crate::{
    BoxFuture, Envelope,
    websocket::{
        hub::Routed,
        intake::{Arrived, Inbox},
        pump::now,
    },
};

impl ServerEnd {
    /// Keeps what came until it is taken, if this is still the connection over which it comes.
    pub(super) fn park(&self, envelopes: Vec<Envelope>, count: usize, bytes: usize) {
        let mut inbox = self.member.inbox();
        if self.is_current() {
            self.hub.parked(bytes);
            inbox.intake.push(envelopes, count, bytes);
        }
    }

    /// Passes on what came, up to an envelope for which there is no room. What that waits for is to be polled then.
    fn take(&self, inbox: &mut Inbox, mut arrived: Arrived) {
        let mut own = Vec::new();
        if !self.hub.options.relay && self.member.attached.get().is_some() {
            // All are for the bus of this process, in the vector that they came in.
            own = std::mem::take(&mut arrived.left).collect();
        }
        while let Some(envelope) = arrived.left.next() {
            match self.hub.route(&self.member, envelope) {
                Routed::Done => {}
                Routed::Own(envelope) => own.push(envelope),
                Routed::Waits(waits) => {
                    let waits = match self.deliver(own) {
                        Some(delivery) => Box::pin(async move {
                            delivery.await;
                            waits.await;
                        }),
                        None => waits,
                    };
                    inbox.delivery = Some((arrived, waits));
                    return;
                }
            }
        }
        match self.deliver(own) {
            Some(delivery) => inbox.delivery = Some((arrived, delivery)),
            None => self.took(&arrived),
        }
    }

    /// All of a message was taken.
    fn took(&self, arrived: &Arrived) {
        self.hub.unparked(arrived.bytes);
        let envelopes = arrived.envelopes as u64;
        let mut state = self.member.state();
        state.session.receive(now(), envelopes, arrived.bytes);
    }

    /// Hands envelopes to the bus of this process, one after the other.
    fn deliver(&self, envelopes: Vec<Envelope>) -> Option<BoxFuture<'static, ()>> {
        if envelopes.is_empty() {
            return None;
        }
        let attached = self.member.attached.get()?;
        self.member.state().received += envelopes.len() as u64;
        Some(attached.deliver(envelopes))
    }

    /// Ready when all that came is taken, or another connection goes on with it.
    pub(in crate::websocket::accept) fn poll_rest(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.member.state().bell.wait(cx.waker());
        self.poll_inbox(cx)
    }

    pub(super) fn poll_inbox(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inbox = self.member.inbox();
        // Connections change under the lock of the inbox only.
        if !self.is_current() {
            return Poll::Ready(());
        }
        loop {
            if let Some((_, delivery)) = &mut inbox.delivery {
                ready!(delivery.as_mut().poll(cx));
            }
            let arrived = inbox.delivery.take().map(|(arrived, _)| arrived);
            let Some(arrived) = arrived.or_else(|| inbox.intake.pop()) else {
                return Poll::Ready(());
            };
            self.take(&mut inbox, arrived);
        }
    }
}
