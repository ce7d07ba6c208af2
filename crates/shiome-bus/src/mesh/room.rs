//! One member's side of a room.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, atomic::Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    select,
    sync::{Notify, watch},
    time::timeout,
};

use super::{
    Member, RoomSubscription,
    roster::{Event, Joined, Roster},
    watch::{Handler, OnJoin, OnLeave, Watcher, What},
};
use crate::{
    BoxFuture, BusError, Delivery, Intent, Name, Pattern, Payload, Peer, PeerId, Receipt,
    Subscription, bus::Here, dispatch, listed::Listed,
};

/// Turns that something said to a room may be away from what was said of a peer's own accord: an answer, and an answer to that.
///
/// With `n` members, whatever their handlers do, what one says leads to less than `n³` envelopes.
pub const MAX_TURNS: u8 = 2;

/// Time after which those are told again that a peer is in the room whose mailbox was full.
const GREET_AGAIN: Duration = Duration::from_secs(1);

tokio::task_local! {
    /// In a handler of a room: the turn of what it handles.
    static TURN: u8;
}

/// What hears what is said.
pub(super) enum OnMessage {
    Sync(Box<Hears>),
    Async(Box<HearsAsync>),
}

type Hears = dyn Fn(&Payload, &PeerId) + Send + Sync;
type HearsAsync = dyn Fn(Payload, PeerId) -> BoxFuture<'static, ()> + Send + Sync;

impl OnMessage {
    /// Whether it ran to its end. What it says to rooms is said in turn.
    async fn hear(&self, payload: &Payload, from: &PeerId, turn: u8) -> bool {
        match self {
            Self::Sync(handler) => {
                let run = || TURN.sync_scope(turn, || handler(payload, from));
                catch_unwind(AssertUnwindSafe(run)).is_ok()
            }
            Self::Async(handler) => {
                let begin = || TURN.sync_scope(turn, || handler(payload.clone(), from.clone()));
                match catch_unwind(AssertUnwindSafe(begin)) {
                    Ok(future) => {
                        let future = Box::pin(TURN.scope(turn, future));
                        dispatch::unwinding(future).await.is_ok()
                    }
                    Err(_) => false,
                }
            }
        }
    }
}

pub(super) struct Room {
    name: String,
    /// Names of what is sent.
    join: Name,
    leave: Name,
    full: Name,
    say: Name,
    peer: Peer,
    roster: Mutex<Roster>,
    /// Changes with the roster.
    changed: watch::Sender<()>,
    /// Told when somebody is to be greeted.
    greets: Arc<Notify>,
    /// The number under which its peer is in.
    since: u64,
    messages: Listed<(Pattern, Arc<OnMessage>)>,
    watchers: Listed<Arc<Watcher>>,
    listens: OnceLock<[Subscription; 4]>,
}

/// What is said to a room.
#[derive(Serialize, Deserialize)]
struct Said {
    name: String,
    payload: Value,
    seq: u64,
    turn: u8,
}

#[derive(Serialize, Deserialize)]
struct Greeting {
    answer: bool,
    #[serde(default)]
    seq: u64,
}

#[derive(Serialize, Deserialize)]
struct Goodbye {
    seq: u64,
}

/// What became of what was said to a room, for each member that was known.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// By member, in the order of names.
    pub members: Vec<(PeerId, Result<Receipt, BusError>)>,
    said: Intent,
}

impl Report {
    /// How many have it, in their mailbox or on the link to them.
    #[must_use]
    pub fn accepted(&self) -> usize {
        let members = self.members.iter();
        members.filter(|(_, sent)| sent.is_ok()).count()
    }

    /// Who does not have it, and why.
    pub fn failed(&self) -> impl Iterator<Item = (&PeerId, &BusError)> {
        let members = self.members.iter();
        members.filter_map(|(id, sent)| Some((id, sent.as_ref().err()?)))
    }
}

impl Room {
    pub(super) fn open(peer: &Peer, name: &str) -> Result<Arc<Self>, BusError> {
        let named = |verb: &str| Name::any(&format!("sys.mesh.{verb}.{name}"));
        let room = Arc::new(Self {
            name: name.to_owned(),
            join: named("join")?,
            leave: named("leave")?,
            full: named("full")?,
            say: named("say")?,
            peer: peer.clone(),
            roster: Mutex::default(),
            changed: watch::Sender::new(()),
            greets: Arc::default(),
            since: peer.node().next_said(),
            messages: Listed::default(),
            watchers: Listed::default(),
            listens: OnceLock::new(),
        });
        if !peer.node().enter_room(&room.say) {
            let why = format!("{} is in the room {name}", peer.id());
            return Err(BusError::Refused(why.into()));
        }
        let begun = room.begin();
        begun.inspect_err(|_| peer.node().leave_room(&room.say))?;
        Ok(room)
    }

    fn begin(self: &Arc<Self>) -> Result<(), BusError> {
        let listens = [
            self.listen(&self.join, Self::joined)?,
            self.listen(&self.leave, Self::left)?,
            self.listen(&self.full, Self::closed)?,
            self.hear()?,
        ];
        self.listens.get_or_init(|| listens);
        Ok(())
    }

    fn listen(
        self: &Arc<Self>,
        name: &Name,
        take: fn(&Self, &Delivery) -> Result<(), BusError>,
    ) -> Result<Subscription, BusError> {
        let room = Arc::downgrade(self);
        self.peer.on(name, move |delivery| {
            let room = room.upgrade();
            room.map_or(Ok(()), |room| take(&room, delivery))
        })
    }

    fn hear(self: &Arc<Self>) -> Result<Subscription, BusError> {
        let room = Arc::downgrade(self);
        self.peer.on_async(&self.say, move |delivery| {
            let room = room.upgrade();
            async move {
                match room {
                    Some(room) => room.said(&delivery).await,
                    None => Ok(()),
                }
            }
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn greets(&self) -> Arc<Notify> {
        Arc::clone(&self.greets)
    }

    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(super) fn members(&self) -> Vec<Member> {
        self.roster().members().collect()
    }

    pub(super) async fn wait_for(&self, id: &PeerId) {
        let mut changed = self.changed.subscribe();
        // The sender is ours: it cannot be gone.
        let _ = changed.wait_for(|()| self.roster().contains(id)).await;
    }

    /// A peer says that it is in.
    fn joined(&self, delivery: &Delivery) -> Result<(), BusError> {
        let greeting: Greeting = delivery.parse()?;
        let member = member(delivery);
        if member.id == *self.peer.id() {
            return Ok(());
        }
        // Asked before anything is sent, which may be lost with the link.
        let (joined, here) = self.change(|roster, events| {
            let (joined, here) = self.join(roster, &member, events);
            if joined == Joined::In {
                roster.joined_as(&member, greeting.seq);
            }
            (joined, here)
        });
        match joined {
            Joined::In if greeting.answer => self.tell_now(&member.id, self.greeting(false))?,
            Joined::Full => return self.tell_full(&member.id),
            Joined::In | Joined::Earlier | Joined::Over => return Ok(()),
        };
        if let Some(here) = here.filter(|here| here.life == member.incarnation) {
            self.roster().greeted(member.id, here);
        }
        Ok(())
    }

    /// Asks under the lock who is there: of what changes after it, the keeper learns.
    fn join(
        &self,
        roster: &mut Roster,
        member: &Member,
        events: &mut Vec<Event>,
    ) -> (Joined, Option<Here>) {
        if !roster.is(member) && self.peer.is_over(&member.id, member.incarnation) {
            return (roster.over(member), None);
        }
        let here = self.peer.here(&member.id);
        (roster.join(member, here, events), here)
    }

    fn tell_full(&self, id: &PeerId) -> Result<(), BusError> {
        let full = Intent::of(self.full.clone(), Payload::null());
        self.tell_now(id, full).map(drop)
    }

    /// A member has no place for us.
    fn closed(&self, delivery: &Delivery) -> Result<(), BusError> {
        let member = member(delivery);
        self.change(|roster, events| {
            if !self.peer.is_over(&member.id, member.incarnation) {
                roster.closed_by(&member, events);
            }
        });
        Ok(())
    }

    /// Whether somebody has no place for us.
    pub(super) fn is_full(&self) -> bool {
        self.roster().closed().next().is_some()
    }

    fn left(&self, delivery: &Delivery) -> Result<(), BusError> {
        let member = member(delivery);
        let goodbye = delivery.parse::<Goodbye>();
        let seq = goodbye.map_or(u64::MAX, |goodbye| goodbye.seq);
        let here = self.peer.here(&member.id);
        self.change(|roster, events| roster.left(&member, here, seq, events));
        Ok(())
    }

    async fn said(&self, delivery: &Delivery) -> Result<(), BusError> {
        let said: Said = delivery.parse()?;
        let (name, member) = (Name::new(&said.name)?, member(delivery));
        // Who speaks is in, should it not have come through that it joined.
        let (joined, new) = self.change(|roster, events| {
            let (joined, _) = self.join(roster, &member, events);
            let new = match joined {
                Joined::In => roster.hears(&member.id, said.seq),
                // Its last words.
                Joined::Over => true,
                Joined::Earlier | Joined::Full => false,
            };
            (joined, new)
        });
        if joined == Joined::Full {
            return self.tell_full(&member.id);
        }
        if !new {
            return Ok(());
        }
        let payload = Payload::from(said.payload);
        for (_, (pattern, handler)) in self.messages.snapshot().iter().flat_map(|list| list.iter())
        {
            if !pattern.matches(&name) {
                continue;
            }
            if !handler.hear(&payload, &member.id, said.turn).await {
                self.panicked(1);
            }
        }
        Ok(())
    }

    /// So many handlers panicked.
    fn panicked(&self, times: u64) {
        if times > 0 {
            let panics = &self.peer.node().totals.taken.panics;
            panics.fetch_add(times, Ordering::Relaxed);
            tracing::debug!(room = self.name, times, "handlers of a room panicked");
        }
    }

    pub(super) fn try_send(&self, intent: &Intent) -> Result<Report, BusError> {
        let turn = TURN.try_with(|turn| turn + 1).unwrap_or(0);
        if turn > MAX_TURNS {
            return Err(BusError::TooManyHops(self.peer.id().clone()));
        }
        let said = Said {
            name: intent.name().as_str().to_owned(),
            payload: intent.payload().value().clone(),
            seq: self.peer.node().next_said(),
            turn,
        };
        let said = Intent::of(self.say.clone(), Payload::json(&said)?);
        let members = self.members().into_iter();
        let members = members.map(|Member { id, .. }| {
            let sent = self.peer.try_send(&id, said.clone());
            (id, sent)
        });
        let mut members: Vec<_> = members.collect();
        let closed = |sent: &Result<Receipt, BusError>| matches!(sent, Err(BusError::Closed(id)) if id == self.peer.id());
        if members.iter().any(|(_, sent)| closed(sent)) {
            return Err(BusError::Closed(self.peer.id().clone()));
        }
        let full = || BusError::Refused(format!("the room {} is full", self.name).into());
        let roster = self.roster();
        members.extend(roster.closed().map(|id| (id.clone(), Err(full()))));
        drop(roster);
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Report { members, said })
    }

    /// Waits for those who had no room.
    pub(super) async fn send_rest(&self, report: &mut Report) {
        for (id, sent) in &mut report.members {
            if matches!(sent, Err(BusError::QueueFull(_))) {
                *sent = self.peer.send(&*id, report.said.clone()).await;
            }
        }
    }

    pub(super) fn on(self: &Arc<Self>, pattern: Pattern, handler: OnMessage) -> RoomSubscription {
        let id = self.messages.add((pattern, Arc::new(handler)));
        self.subscription(What::Message(id))
    }

    pub(super) fn on_join(self: &Arc<Self>, handler: OnJoin) -> RoomSubscription {
        let (id, watcher) = {
            let roster = self.roster();
            // Under the lock: what happens later is queued behind those who are there.
            let there = roster.members().map(Event::Joined);
            let watcher = Arc::new(Watcher::new(Handler::Join(handler), there));
            (self.watchers.add(Arc::clone(&watcher)), watcher)
        };
        self.panicked(watcher.begin());
        self.subscription(What::Watcher(id))
    }

    pub(super) fn on_leave(self: &Arc<Self>, handler: OnLeave) -> RoomSubscription {
        let watcher = Arc::new(Watcher::new(Handler::Leave(handler), std::iter::empty()));
        let id = self.watchers.add(Arc::clone(&watcher));
        self.panicked(watcher.begin());
        self.subscription(What::Watcher(id))
    }

    fn subscription(self: &Arc<Self>, what: What) -> RoomSubscription {
        RoomSubscription {
            room: Arc::downgrade(self),
            what,
        }
    }

    pub(super) fn remove(&self, what: What) -> bool {
        match what {
            What::Message(id) => self.messages.remove(id),
            What::Watcher(id) => self.watchers.remove(id),
        }
    }

    /// Says goodbye, without waiting: who does not get it sees us go.
    pub(super) fn leave(&self) {
        let mut there: Vec<_> = self.members().into_iter().map(|m| m.id).collect();
        there.extend(self.roster().waiting().cloned());
        for id in there {
            let seq = self.peer.node().next_said();
            let goodbye = serde_json::json!(Goodbye { seq });
            let goodbye = Intent::of(self.leave.clone(), goodbye.into());
            if let Err(error) = self.peer.try_send(&id, goodbye) {
                tracing::debug!(room = self.name, member = %id, %error, "no goodbye");
            }
        }
        self.messages.clear();
        self.watchers.clear();
        for name in [&self.join, &self.leave, &self.full, &self.say] {
            self.peer.off(name);
        }
        self.peer.node().leave_room(&self.say);
    }

    fn greeting(&self, answer: bool) -> Intent {
        let seq = self.since;
        let payload = serde_json::json!(Greeting { answer, seq });
        Intent::of(self.join.clone(), payload.into())
    }

    pub(super) fn greet(&self, id: &PeerId) -> Result<(), BusError> {
        self.tell_now(id, self.greeting(true)).map(drop)
    }

    /// Says something of the protocol itself, which takes no place of what users say.
    fn tell_now(&self, id: &PeerId, intent: Intent) -> Result<Receipt, BusError> {
        self.peer.node().try_send_system(id.clone(), intent)
    }

    /// Changes the roster, and tells those who watch.
    fn change<T>(&self, change: impl FnOnce(&mut Roster, &mut Vec<Event>) -> T) -> T {
        let (result, changed) = {
            let (mut roster, mut events) = (self.roster(), Vec::new());
            let result = change(&mut roster, &mut events);
            if roster.invites() {
                self.greets.notify_one();
            }
            for (_, watcher) in self.watchers.snapshot().iter().flat_map(|list| list.iter()) {
                events.iter().for_each(|event| watcher.push(event));
            }
            (result, !events.is_empty())
        };
        if changed {
            self.changed.send_replace(());
            self.tell();
        }
        result
    }

    fn tell(&self) {
        for (_, watcher) in self.watchers.snapshot().iter().flat_map(|list| list.iter()) {
            self.panicked(watcher.tell());
        }
    }

    /// Takes out who is gone, and greets who has come. Whether some could not be greeted.
    fn look(&self) -> bool {
        let reaches = |id: &PeerId| self.peer.reachable(id);
        let (strangers, present) = self.change(|roster, events| {
            // Under the lock: who has joined since would be taken for one who is gone.
            let present = self.peer.present();
            (roster.look(&present, reaches, events), present)
        });
        let mut failed = false;
        for id in strangers {
            match self.greet(&id) {
                Ok(()) => {
                    if let Some(here) = present.get(&id) {
                        self.roster().greeted(id, *here);
                    }
                }
                Err(BusError::QueueFull(_)) => failed = true,
                // It is tried again when something has changed.
                Err(error) => tracing::debug!(room = self.name, %id, %error, "not greeted"),
            }
        }
        failed
    }

    fn roster(&self) -> MutexGuard<'_, Roster> {
        // The roster is whole after any panic.
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn member(delivery: &Delivery) -> Member {
    Member {
        id: delivery.from().clone(),
        incarnation: delivery.envelope().id.incarnation,
    }
}

/// Keeps a room as it is until it is left.
pub(super) async fn keep(room: Weak<Room>, mut changed: watch::Receiver<()>, greets: Arc<Notify>) {
    loop {
        changed.mark_unchanged();
        let failed = match room.upgrade() {
            Some(room) => room.look(),
            None => return,
        };
        let again = if failed { GREET_AGAIN } else { Duration::MAX };
        select! {
            changed = timeout(again, changed.changed()) => {
                if let Ok(Err(_)) = changed {
                    return;
                }
            }
            () = greets.notified() => {}
        }
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Room({}, {} others)", self.name, self.members().len())
    }
}
