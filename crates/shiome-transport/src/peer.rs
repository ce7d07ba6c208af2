use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use shiome_session::{Event, GoodbyeReason, Length, Session, SessionError};
use shiome_wire::meta::NetworkMessage;
use tokio::sync::Notify;

use crate::{drive::LinkEnd, writer::Progress};

/// Default time without progress after which a link on which bytes wait counts as stalled.
///
/// Longer than what a slow network needs to take the next bytes, shorter than the time in which a peer that hangs is down.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(1);

/// The session of a driven link, shared by all who speak to the peer.
///
/// `C` is the owner's handle of an outgoing call, as in [`Session`].
///
/// Nobody is left asleep: whoever waits looks at the state under the lock after it has begun to listen (`room`,
/// `low_water`), or listens to a signal that is kept until somebody hears it (`filled`, `attention`), and whoever changes the
/// state signals after that, before it lets go of the lock. Of those who wait for low water one is woken, who wakes the
/// next when it has had its [`Turn`].
#[derive(Debug)]
pub struct Peer<C> {
    state: Mutex<State<C>>,
    stall_timeout: Duration,
    /// Wakes the driver when there are events, or timers that it does not know, or the session is to end.
    pub(crate) attention: Notify,
    /// Wakes the writer when there may be something to write, or nothing ever again.
    pub(crate) filled: Notify,
    /// Wakes all who wait for room.
    emptied: Notify,
    /// Wakes one of those who wait for low water, by the length of what they send.
    lowered: [Notify; 2],
}

/// The turn of one who has waited for [low water](Peer::low_water). The next one's comes when it is dropped.
#[derive(Debug)]
#[must_use = "the next has its turn when this is dropped"]
pub struct Turn<'a>(&'a Notify);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[derive(Debug)]
struct State<C> {
    session: Session<C>,
    progress: Progress,
    /// Whether the writer has found nothing to do, and has not been woken since.
    writer_waits: bool,
}

impl<C> State<C> {
    fn standing(&self) -> Standing {
        let session = &self.session;
        Standing {
            has_events: session.has_events(),
            is_finishing: session.is_finishing(),
            due: session.poll_timeout(),
        }
    }

    fn next_events(
        &mut self,
        most: usize,
        quick: impl Fn(&Event<C>) -> bool,
        events: &mut Vec<Event<C>>,
    ) -> Option<Event<C>> {
        while events.len() < most
            && let Some(event) = self.session.poll_event()
        {
            if !quick(&event) {
                return Some(event);
            }
            self.progress.given(&event);
            events.push(event);
        }
        None
    }
}

/// What a driver has to do, and until when it may wait.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) has_events: bool,
    /// Whether the session takes no more from users, and ends once what waits is written.
    pub(crate) is_finishing: bool,
    pub(crate) due: Option<Instant>,
}

impl<C> Peer<C> {
    /// Shares a session. Nothing moves before [`drive()`](fn@crate::drive).
    pub fn new(session: Session<C>) -> Self {
        Self {
            state: Mutex::new(State {
                session,
                progress: Progress::default(),
                writer_waits: false,
            }),
            stall_timeout: STALL_TIMEOUT,
            attention: Notify::new(),
            filled: Notify::new(),
            emptied: Notify::new(),
            lowered: [Notify::new(), Notify::new()],
        }
    }

    /// Sets the time without progress after which [`is_stalled`](Self::is_stalled). Default: [`STALL_TIMEOUT`].
    #[must_use]
    pub fn with_stall_timeout(self, stall_timeout: Duration) -> Self {
        Self {
            stall_timeout,
            ..self
        }
    }

    /// Lets `f` use the session. What it sends leaves in the order of these calls, as far as
    /// [`Session`] keeps order.
    ///
    /// Never waits for the network; see [`room`](Self::room). `f` runs under a lock and must not call back.
    pub fn apply<R>(&self, f: impl FnOnce(&mut Session<C>, Instant) -> R) -> R {
        self.apply_at(now(), f)
    }

    /// As [`apply`](Self::apply), for an owner that has just looked at the runtime's clock.
    pub fn apply_at<R>(&self, now: Instant, f: impl FnOnce(&mut Session<C>, Instant) -> R) -> R {
        let mut state = self.lock();
        let due = state.session.poll_timeout();
        let result = f(&mut state.session, now);
        let earlier = match (state.session.poll_timeout(), due) {
            (Some(new), Some(old)) => new < old,
            (new, _) => new.is_some(),
        };
        if earlier || state.session.has_events() {
            self.attention.notify_one();
        }
        self.changed(&mut state, now);
        result
    }

    /// As [`apply`](Self::apply), for what takes no time and tells nothing, such as
    /// [`Session::cast`](shiome_session::Session::cast): neither the clock is read nor the driver woken.
    pub fn hand_over<R>(&self, f: impl FnOnce(&mut Session<C>) -> R) -> R {
        let mut state = self.lock();
        let result = f(&mut state.session);
        self.filled(&mut state, now);
        result
    }

    /// Waits until the peer's outbox has room for messages of users, or the session is closed. Others may have taken the
    /// room when this returns: [`SendError::Full`](shiome_session::SendError::Full) says so. Cancel-safe.
    pub async fn room(&self) {
        loop {
            let emptied = self.emptied.notified();
            if !self.lock().session.is_full() {
                return;
            }
            emptied.await;
        }
    }

    /// Waits until a [cast in turn](Session::cast_in_turn) of that length may be sent, see
    /// [`Config::high_water`](shiome_session::Config::high_water), or the session is closed. Who has waited has its turn
    /// then, and sends before it ends that; otherwise all who wait would be woken for the room of a few. Cancel-safe.
    pub async fn low_water(&self, length: Length) -> Turn<'_> {
        let lowered = &self.lowered[length as usize];
        loop {
            let woken = lowered.notified();
            if !self.lock().session.is_high(length) {
                return Turn(lowered);
            }
            woken.await;
        }
    }

    /// Bytes that wait to be written, with the overhead of each message.
    pub fn queued_len(&self) -> usize {
        let state = self.lock();
        state.session.queued_len() + state.progress.in_flight()
    }

    /// Whether bytes wait to be written, and for the [stall timeout](Self::with_stall_timeout) the link has taken none and
    /// not one has come from the peer: it hangs, or the network is gone. From a peer that is slow at least pongs come.
    pub fn is_stalled(&self) -> bool {
        let now = now();
        let state = self.lock();
        let silent = now.saturating_duration_since(state.session.last_heard());
        let waits = state.progress.waits(now);
        waits.is_some_and(|waits| waits.min(silent) >= self.stall_timeout)
    }

    /// Closes the session in good order, see [`close_with`](Self::close_with).
    pub fn close(&self) {
        self.close_with(GoodbyeReason::Closed, "");
    }

    /// Takes no more from users, and closes the session once what waits has been written, and a goodbye to a peer that
    /// understands it; or without that, when it takes longer than [`DRAIN_TIMEOUT`](crate::DRAIN_TIMEOUT). Open calls
    /// end then.
    pub fn close_with(&self, reason: GoodbyeReason, detail: &str) {
        self.apply(|session, _| session.goodbye(reason, detail));
        self.attention.notify_one();
    }

    /// Closes the session when nobody drives it any more. `told` gets what the sink has not had: among it the ends of
    /// open calls, and what was not sent.
    pub fn abandon(&self, mut told: impl FnMut(Event<C>)) {
        self.apply(|session, _| session.close());
        while let Some(event) = self.next_event() {
            told(event);
        }
    }

    /// Closes the session of a link that has ended.
    pub(crate) fn ended(&self, end: &LinkEnd) {
        self.apply(|session, _| {
            match end {
                LinkEnd::Unresponsive { .. } => session.goodbye(GoodbyeReason::Unresponsive, ""),
                LinkEnd::NotReading => session.goodbye(GoodbyeReason::Protocol, "does not read"),
                LinkEnd::Read(error) => {
                    session.goodbye(GoodbyeReason::Protocol, &error.to_string());
                }
                _ => {}
            }
            session.close();
        });
    }

    pub(crate) fn heard(&self) {
        let now = now();
        self.lock().session.heard(now);
    }

    /// Takes in messages, up to the one by which the peer breaks a rule. Casts that nothing waits before go to the end of
    /// `events` at once, if `quick` is true of them, and then the [next events](Self::next_events).
    pub(crate) fn receive(
        &self,
        messages: impl IntoIterator<Item = NetworkMessage>,
        most: usize,
        quick: impl Fn(&Event<C>) -> bool,
        events: &mut Vec<Event<C>>,
    ) -> (Result<(), SessionError>, Option<Event<C>>) {
        let now = now();
        let mut state = self.lock();
        let mut messages = messages.into_iter();
        let result = messages.try_for_each(|message| {
            events.extend(state.session.take_in(now, message, &quick)?);
            Ok(())
        });
        let other = state.next_events(most, quick, events);
        self.changed(&mut state, now);
        (result, other)
    }

    /// Does what is due, and tells what is left to be done.
    pub(crate) fn handle_due(&self) -> Standing {
        let now = now();
        let mut state = self.lock();
        if state.session.poll_timeout().is_some_and(|due| due <= now) {
            state.session.handle_timeout(now);
            self.changed(&mut state, now);
        }
        state.standing()
    }

    pub(crate) fn standing(&self) -> Standing {
        self.lock().standing()
    }

    pub(crate) fn next_event(&self) -> Option<Event<C>> {
        let mut state = self.lock();
        let event = state.session.poll_event()?;
        self.filled(&mut state, now);
        Some(event)
    }

    /// Moves the next events, as long as `quick` is true of them, to the end of `events`, up to so many. Returns the one
    /// after them, if there is room for it.
    pub(crate) fn next_events(
        &self,
        most: usize,
        quick: impl Fn(&Event<C>) -> bool,
        events: &mut Vec<Event<C>>,
    ) -> Option<Event<C>> {
        let mut state = self.lock();
        let other = state.next_events(most, quick, events);
        self.filled(&mut state, now);
        other
    }

    /// Whether the session is ending or has ended; by this side, unless an event says otherwise.
    pub(crate) fn is_ending(&self) -> bool {
        let state = self.lock();
        state.session.is_finishing() || state.session.is_closed()
    }

    #[cfg(test)]
    pub(crate) fn expects_more(&self) -> bool {
        let state = self.lock();
        state.progress.expects_more(&state.session)
    }

    /// Lets the writer use session and progress. It has nothing to do when `f` returns `None`.
    pub(crate) fn write<R>(
        &self,
        f: impl FnOnce(&mut Session<C>, &mut Progress, Instant) -> Option<R>,
    ) -> Option<R> {
        let now = now();
        let state = &mut *self.lock();
        let was_full = state.session.is_full();
        let was_high = Length::ALL.map(|length| state.session.is_high(length));
        let had_events = state.session.has_events();
        let due = state.session.poll_timeout();
        let result = f(&mut state.session, &mut state.progress, now);
        state.writer_waits = result.is_none();
        if was_full && !state.session.is_full() {
            self.emptied.notify_waiters();
        }
        for (length, was_high) in Length::ALL.into_iter().zip(was_high) {
            if was_high && !state.session.is_high(length) {
                self.lowered[length as usize].notify_one();
            }
        }
        // A reply that leaves can start the clock of its actor's end.
        if state.session.poll_timeout() != due || !had_events && state.session.has_events() {
            self.attention.notify_one();
        }
        result
    }

    fn changed(&self, state: &mut State<C>, now: Instant) {
        self.filled(state, || now);
        if state.session.is_closed() {
            self.emptied.notify_waiters();
            self.lowered.iter().for_each(Notify::notify_waiters);
        }
    }

    /// Something may be there for the writer, which is woken if it sleeps and can do something about it.
    fn filled(&self, state: &mut State<C>, now: impl FnOnce() -> Instant) {
        // Most messages join others: looked at first is what is so all the time then.
        let session = &state.session;
        if !state.progress.is_waiting() && session.has_transmits() {
            state.progress.begins_to_wait(now);
        }
        let is_wanted =
            || session.is_transmit_ready() || session.is_closed() || session.is_finishing();
        if state.writer_waits && is_wanted() {
            state.writer_waits = false;
            self.filled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        // Only the session's own code runs under the lock; it does not panic, and if it did, the link is better
        // served by going on than by poisoning every sender.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runtime's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use std::{
        pin::{Pin, pin},
        task::{Context, Poll, Waker},
    };

    use shiome_session::{Config, wire::control::Actor};
    use shiome_wire::{Frames, node};

    use super::*;

    /// A session that may send to one actor, with a mark at 1000 bytes.
    fn peer() -> Peer<()> {
        let mut config = Config::default();
        config.high_water = 1000;
        let peer = Peer::new(Session::new(Instant::now(), config, 1));
        peer.apply(|session, now| {
            let actors = vec![Actor { pid: 1, name: None }];
            let spawn = shiome_wire::control::Spawn { actors };
            session.handle_message(now, spawn.into()).unwrap();
        });
        peer
    }

    fn fill(peer: &Peer<()>) {
        fill_with(peer, 0);
    }

    /// Sends casts of that length up to the mark.
    fn fill_with(peer: &Peer<()>, what_len: usize) {
        let cast = node::Cast {
            to: 1,
            what: vec![0; what_len].into(),
            ..node::Cast::default()
        };
        while !peer.hand_over(|session| session.is_high(Length::of(&cast))) {
            let cast = cast.clone();
            peer.hand_over(|session| session.cast_in_turn(cast))
                .unwrap();
        }
    }

    fn write_all(peer: &Peer<()>) {
        let mut frames = Frames::new();
        while peer
            .write(|session, _, _| session.poll_frame(&mut frames).then_some(()))
            .is_some()
        {}
    }

    fn poll<'a, F: Future<Output = Turn<'a>>>(waits: Pin<&mut F>) -> Option<Turn<'a>> {
        let mut cx = Context::from_waker(Waker::noop());
        match waits.poll(&mut cx) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_who_waits_for_low_water_is_woken_after_the_other_and_after_one_that_gives_up() {
        let peer = peer();
        fill(&peer);
        let (mut a, mut c) = (
            pin!(peer.low_water(Length::Short)),
            pin!(peer.low_water(Length::Short)),
        );
        let mut b = Box::pin(peer.low_water(Length::Short));
        assert!(poll(a.as_mut()).is_none());
        assert!(poll(b.as_mut()).is_none());
        assert!(poll(c.as_mut()).is_none());
        write_all(&peer);
        assert!(poll(b.as_mut()).is_none(), "it is the turn of another");
        let turn = poll(a.as_mut()).expect("its turn");
        assert!(poll(c.as_mut()).is_none());
        drop(turn);
        // It was woken, and gives up before it looks.
        drop(b);
        assert!(poll(c.as_mut()).is_some());
    }

    #[test]
    fn the_water_of_long_casts_is_theirs_alone() {
        let peer = peer();
        fill_with(&peer, 1_000_000);
        let mut long = pin!(peer.low_water(Length::Long));
        assert!(poll(long.as_mut()).is_none());
        assert!(poll(pin!(peer.low_water(Length::Short))).is_some());
        fill(&peer);
        let mut short = pin!(peer.low_water(Length::Short));
        assert!(poll(short.as_mut()).is_none());
        write_all(&peer);
        // Either has its turn, whoever looks first.
        let (long, short) = (poll(long.as_mut()), poll(short.as_mut()));
        assert!(long.is_some() && short.is_some());
    }

    #[test]
    fn who_finds_the_water_high_again_waits_again() {
        let peer = peer();
        fill(&peer);
        let mut waits = pin!(peer.low_water(Length::Short));
        assert!(poll(waits.as_mut()).is_none());
        write_all(&peer);
        fill(&peer);
        assert!(poll(waits.as_mut()).is_none());
        write_all(&peer);
        assert!(poll(waits.as_mut()).is_some());
    }

    #[test]
    fn all_who_wait_are_woken_when_the_session_is_closed() {
        let peer = peer();
        fill(&peer);
        let (mut a, mut b) = (
            pin!(peer.low_water(Length::Short)),
            pin!(peer.low_water(Length::Short)),
        );
        assert!(poll(a.as_mut()).is_none() && poll(b.as_mut()).is_none());
        peer.abandon(drop);
        let (a, b) = (poll(a.as_mut()), poll(b.as_mut()));
        assert!(a.is_some() && b.is_some());
    }
}
