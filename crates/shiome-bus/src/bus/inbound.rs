//! What comes over a link: whether it may, whether it is new, and for whom it is.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    vec,
};

use tokio::time::timeout;

use super::{Core, InTurn, Line, LinkId, Target, answer};
use crate::{
    BoxFuture, BusError, DropReason, Envelope, Inbound, Incarnation, Level, Link, LinkKind,
    MAX_HOPS, PeerId, Remote,
    bus::Answer,
    mailbox::{Item, NoPlace, Path, Place},
    node::Node,
};

/// What a link of a bus puts into it.
#[derive(Debug)]
pub(super) struct Gate {
    core: Weak<Core>,
    id: LinkId,
    kind: LinkKind,
    /// The other end, since the link was up for the first time: what arrived before the link went down is still of it.
    remote: Mutex<Option<Remote>>,
}

impl Gate {
    pub(super) fn new(core: &Arc<Core>, id: LinkId, kind: LinkKind) -> Self {
        Self {
            core: Arc::downgrade(core),
            id,
            kind,
            remote: Mutex::default(),
        }
    }

    fn remote(&self) -> MutexGuard<'_, Option<Remote>> {
        // It is replaced as a whole.
        self.remote.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self) -> Path {
        Path::Link(self.id, self.kind)
    }

    async fn take(&self, envelopes: Vec<Envelope>) {
        let Some(core) = self.core.upgrade() else {
            return;
        };
        let mut envelopes = envelopes.into_iter();
        // Who waited may find everything changed after it.
        while let Some(waits) = self.take_some(&core, &mut envelopes) {
            self.wait(&core, waits).await;
        }
    }

    /// Takes envelopes, up to one that has to wait for room.
    fn take_some(
        &self,
        core: &Arc<Core>,
        envelopes: &mut vec::IntoIter<Envelope>,
    ) -> Option<Waits> {
        let mut before = Before::default();
        while let Some(first) = envelopes.as_mut_slice().first_mut() {
            if let Err(refusal) = self.check(core, first, &mut before) {
                self.refuse(core, first, refusal);
                envelopes.next();
                continue;
            }
            first.keep_lane();
            let waits = match first.reply_to {
                None => self.pass(core, envelopes, &mut before),
                Some(_) => {
                    let answer = envelopes.next()?;
                    self.take_answer(core, answer)
                }
            };
            if waits.is_some() {
                return waits;
            }
        }
        None
    }

    /// Whether an envelope may come in here.
    fn check(&self, core: &Core, envelope: &Envelope, before: &mut Before) -> Result<(), Refusal> {
        let answers = envelope.reply_to.is_some();
        if answers || before.from.as_ref() != Some(&envelope.from) {
            self.check_source(core, envelope)?;
            before.from = (!answers).then(|| envelope.from.clone());
        }
        let (len, limit) = (
            envelope.intent.payload().text_len(),
            core.options.max_payload_len,
        );
        if len > limit {
            let error = BusError::PayloadTooLarge { len, limit };
            return Err(Refusal::told(DropReason::PayloadTooLarge, error));
        }
        if envelope.hops > MAX_HOPS {
            let error = BusError::TooManyHops(envelope.to.clone());
            return Err(Refusal::told(DropReason::TooManyHops, error));
        }
        if !core.first(envelope) {
            return Err(Refusal::silent(DropReason::Duplicate));
        }
        Ok(())
    }

    /// The other end speaks for itself, or is a gateway; and never for a peer that is here.
    fn check_source(&self, core: &Core, envelope: &Envelope) -> Result<(), Refusal> {
        let known = core.routes(|routes| routes.knows(&envelope.from, self.id));
        // What waits for an answer over a link takes it from there: only the other end can say that nobody is behind it.
        let awaited = envelope.reply_to;
        if awaited.is_some_and(|id| core.awaits(envelope, id, self.id)) {
            return Ok(());
        }
        if core.local(&envelope.from).is_some() {
            return Err(Refusal::silent(DropReason::Echo));
        }
        let told = || core.routes(|routes| routes.is_told_by(&envelope.from, self.id));
        let allowed = |remote: &Remote| {
            remote.id == envelope.from || remote.gateway && (!remote.told_only || told())
        };
        if !self.remote().as_ref().is_some_and(allowed) {
            return Err(Refusal::silent(DropReason::Forged));
        }
        // Answers, receipts among them, also come from who speaks in the place of a peer.
        let (life, speaks) = (envelope.id.incarnation, envelope.reply_to.is_none());
        let learns = !known && speaks;
        if learns && core.routes_mut(|routes| routes.learn(&envelope.from, life, self.id)) {
            core.names_changed.send_replace(());
        }
        Ok(())
    }

    /// Passes on the first envelope: to the peer if it is here; on only if this bus is a relay; else it is dropped. One that has
    /// to wait for room is handed back.
    fn pass(
        &self,
        core: &Arc<Core>,
        envelopes: &mut vec::IntoIter<Envelope>,
        before: &mut Before,
    ) -> Option<Waits> {
        let first = envelopes.as_slice().first()?;
        let known = before.to.as_ref().is_some_and(|node| node.id == first.to);
        if !known {
            before.to = core.local(&first.to);
        }
        let Some(node) = &before.to else {
            let envelope = envelopes.next()?;
            return self.relay(core, envelope);
        };
        if node.ignores(first) {
            envelopes.next();
            return None;
        }
        match node.try_reserve(first) {
            Err(NoPlace::Full) => {
                let envelope = envelopes.next()?;
                return Some(Waits::Mailbox(Arc::clone(node), envelope));
            }
            Ok(place) if first.level != Level::Received => {
                self.put_first(core, node, place, envelopes);
            }
            place => {
                let envelope = envelopes.next()?;
                self.put(core, node, place, envelope);
            }
        }
        None
    }

    /// Puts the first envelope, of which nobody is told, from where it is into the mailbox.
    #[inline]
    fn put_first(
        &self,
        core: &Core,
        node: &Node,
        place: Place<'_, Item>,
        envelopes: &mut vec::IntoIter<Envelope>,
    ) {
        let path = self.path();
        let first = || {
            let envelope = envelopes.next();
            node.item(envelope.expect("the place is for the first"), path)
        };
        if place.put_with(first).is_err() {
            // It closed between the two.
            envelopes.next();
            core.drops.count(DropReason::Closed);
        }
    }

    async fn wait(&self, core: &Arc<Core>, waits: Waits) {
        let patience = core.options.inbound_patience;
        match waits {
            Waits::Mailbox(node, envelope) => {
                let place = node.reserve_within(&envelope, patience).await;
                self.put(core, &node, place, envelope);
            }
            Waits::Link(link, mut envelope) => {
                let put = link.put(&mut envelope, |link, envelope| link.try_send(envelope));
                let sent = timeout(patience, put).await;
                let full = || Err(BusError::QueueFull(envelope.to.clone()));
                self.relayed(core, &envelope, sent.unwrap_or_else(|_| full()));
            }
        }
    }

    fn put(
        &self,
        core: &Arc<Core>,
        node: &Node,
        place: Result<Place<'_, Item>, NoPlace>,
        envelope: Envelope,
    ) {
        // What is told of the envelope once the mailbox has it.
        let told = (envelope.level == Level::Received).then(|| envelope.clone());
        let put = match place {
            Ok(place) => {
                let item = node.item(envelope, self.path());
                place.put(item).map_err(|_| None)
            }
            Err(no_place) => {
                let error = no_place.of(&envelope.to);
                let refusal = Refusal::told(Core::reason(&error), error);
                Err(Some((envelope, refusal)))
            }
        };
        match (put, told) {
            (Ok(()), Some(about)) => {
                core.answer(&about, self.path(), Answer::Reached(Level::Received));
            }
            (Ok(()), None) => {}
            (Err(Some((envelope, refusal))), _) => self.refuse(core, &envelope, refusal),
            // It closed between the two; who waits is told like all others.
            (Err(None), told) => {
                core.drops.count(DropReason::Closed);
                if let Some(about) = told {
                    let error = BusError::Closed(about.to.clone());
                    core.answer(&about, self.path(), Answer::Failed(error));
                }
            }
        }
    }

    fn relay(&self, core: &Arc<Core>, mut envelope: Envelope) -> Option<Waits> {
        let unknown = || BusError::NodeNotFound(envelope.to.clone());
        let way = match core.options.relay {
            true => core.onward(self.id, &envelope),
            false => Err(unknown()),
        };
        let sent = match way {
            Ok(Target::Link(_, link)) if envelope.hops < MAX_HOPS => {
                envelope.hops += 1;
                match link.try_put(&mut envelope, |link, envelope| link.try_send(envelope)) {
                    Err(BusError::QueueFull(_)) => return Some(Waits::Link(link, envelope)),
                    sent => sent,
                }
            }
            Ok(_) => Err(BusError::TooManyHops(envelope.to.clone())),
            Err(error) => Err(error),
        };
        self.relayed(core, &envelope, sent);
        None
    }

    fn relayed(&self, core: &Arc<Core>, envelope: &Envelope, sent: Result<(), BusError>) {
        if let Err(error) = sent {
            let refusal = Refusal::told(Core::reason(&error), error);
            self.refuse(core, envelope, refusal);
        }
    }

    fn take_answer(&self, core: &Arc<Core>, envelope: Envelope) -> Option<Waits> {
        if core.local(&envelope.to).is_none() {
            return self.relay(core, envelope);
        }
        let item = Item {
            envelope,
            path: self.path(),
            since: None,
        };
        if let Err(item) = core.answered(item) {
            match answer::lost(core, &item.envelope) {
                Some((lost, reason)) => core.drops.trace(&lost, reason),
                None => core.drops.trace(&item.envelope, DropReason::LateReply),
            }
        }
        None
    }

    /// Drops an envelope, and tells the sender if it waits and may know; of an answer, who asked.
    fn refuse(&self, core: &Arc<Core>, envelope: &Envelope, refusal: Refusal) {
        core.drops.trace(envelope, refusal.reason);
        match (refusal.told, envelope.reply_to) {
            (Some(error), Some(id)) => core.fail_asker(envelope, id, error),
            (Some(error), None) if envelope.level > Level::Accepted => {
                core.answer(envelope, self.path(), Answer::Failed(error));
            }
            _ => {}
        }
    }
}

/// An envelope that finds no room where it is to go.
enum Waits {
    Mailbox(Arc<Node>, Envelope),
    Link(Arc<Line>, Envelope),
}

/// What was found out for the envelope before: what arrives together is mostly of one sender and for one peer.
#[derive(Debug, Default)]
struct Before {
    /// It may come from here.
    from: Option<PeerId>,
    to: Option<Arc<Node>>,
}

/// Why an envelope does not come in, and what its sender may know of that.
#[derive(Debug)]
struct Refusal {
    reason: DropReason,
    told: Option<BusError>,
}

impl Refusal {
    fn told(reason: DropReason, error: BusError) -> Self {
        Self {
            reason,
            told: Some(error),
        }
    }

    fn silent(reason: DropReason) -> Self {
        Self { reason, told: None }
    }
}

impl Core {
    /// What an error that ends an envelope's way is counted as.
    pub(crate) fn reason(error: &BusError) -> DropReason {
        match error {
            BusError::NodeNotFound(_) => DropReason::NodeNotFound,
            BusError::NoHandler { .. } => DropReason::NoHandler,
            BusError::NotConnected(_) => DropReason::NotConnected,
            BusError::QueueFull(_) => DropReason::QueueFull,
            BusError::PayloadTooLarge { .. } => DropReason::PayloadTooLarge,
            BusError::TooManyHops(_) => DropReason::TooManyHops,
            BusError::Refused(_) => DropReason::Refused,
            BusError::Closed(_) => DropReason::Closed,
            BusError::Unauthorized(_) => DropReason::Forged,
            _ => DropReason::Network,
        }
    }

    /// An envelope could not be handed over. One that only met a full queue is counted, and told to who sent it.
    pub(crate) fn failed(&self, envelope: &Envelope, error: &BusError) {
        match Self::reason(error) {
            DropReason::QueueFull => self.drops.count(DropReason::QueueFull),
            reason => self.drops.trace(envelope, reason),
        }
    }
}

impl Inbound for Gate {
    fn up(&self, remote: Remote) {
        *self.remote() = Some(remote.clone());
        if let Some(core) = self.core.upgrade() {
            core.routes_mut(|routes| routes.up(self.id, remote));
            core.names_changed.send_replace(());
        }
    }

    fn down(&self) {
        if let Some(core) = self.core.upgrade() {
            core.routes_mut(|routes| routes.down(self.id));
            core.fail_link(self.id);
            core.names_changed.send_replace(());
        }
    }

    fn diverted(&self) {
        if let Some(core) = self.core.upgrade() {
            core.routes_mut(|routes| routes.diverted(self.id));
            core.names_changed.send_replace(());
        }
    }

    fn detour(&self, to: &PeerId) -> Result<Arc<dyn Link>, BusError> {
        let core = self.core.upgrade();
        let core = core.ok_or_else(|| BusError::Closed(to.clone()))?;
        match core.detour(self.id, to)? {
            Target::Link(_, line) => Ok(Arc::new(InTurn(line))),
            Target::Local(_) => Err(BusError::NodeNotFound(to.clone())),
        }
    }

    fn closed(&self) {
        if let Some(core) = self.core.upgrade() {
            core.detach(self.id);
        }
    }

    fn peer_up(&self, peer: &PeerId, incarnation: Incarnation) -> Result<(), BusError> {
        let core = self.core.upgrade();
        let core = core.ok_or_else(|| BusError::Closed(peer.clone()))?;
        if core.local(peer).is_some() {
            return Err(BusError::NameTaken(peer.clone()));
        }
        let may = |remote: &Remote| remote.gateway || remote.id == *peer;
        core.routes_mut(|routes| {
            let link = routes.link(self.id);
            // Before it is up, the link knows its other end and we do not.
            let refused = link
                .and_then(|link| link.remote.as_ref())
                .is_some_and(|r| !may(r));
            if refused {
                let why = format!("the link speaks for itself, not for {peer}");
                return Err(BusError::Unauthorized(why.into()));
            }
            routes.peer_up(self.id, peer, incarnation, core.options.bridge)
        })?;
        core.names_changed.send_replace(());
        Ok(())
    }

    fn peer_down(&self, peer: &PeerId, incarnation: Incarnation) {
        let Some(core) = self.core.upgrade() else {
            return;
        };
        if core.routes_mut(|routes| routes.peer_down(self.id, peer, incarnation)) {
            for node in core.registry.owners() {
                node.pending.fail_peer(self.id, peer);
            }
            core.names_changed.send_replace(());
        }
    }

    fn peer_untold(&self, peer: &PeerId, incarnation: Incarnation) {
        if let Some(core) = self.core.upgrade() {
            core.routes_mut(|routes| routes.untold(self.id, peer, incarnation));
            core.names_changed.send_replace(());
        }
    }

    fn tells_of_all(&self, all: bool) {
        if let Some(core) = self.core.upgrade() {
            core.routes_mut(|routes| routes.tells_of_all(self.id, all));
        }
    }

    fn deliver(&self, envelope: Envelope) -> BoxFuture<'_, ()> {
        Box::pin(self.take(vec![envelope]))
    }

    fn deliver_all(&self, envelopes: Vec<Envelope>) -> BoxFuture<'_, ()> {
        Box::pin(self.take(envelopes))
    }

    fn lost(&self, envelope: &Envelope, error: BusError) {
        let Some(core) = self.core.upgrade() else {
            return;
        };
        core.drops.trace(envelope, Core::reason(&error));
        if let Some(sender) = core.local(&envelope.from) {
            let (id, to) = (envelope.id, &envelope.to);
            sender
                .pending
                .resolve(id, to, false, |_| Answer::Failed(error));
        }
    }

    fn refused(&self, envelope: &Envelope, error: &BusError) {
        if let Some(core) = self.core.upgrade() {
            core.drops.trace(envelope, Core::reason(error));
        }
    }

    fn malformed(&self, error: &BusError) {
        tracing::debug!(link = %self.kind, %error, "no envelope");
        if let Some(core) = self.core.upgrade() {
            core.drops.count(DropReason::Malformed);
        }
    }
}
