//! What this side tells about itself.

use std::time::Instant;

use prost::Message;
use shiome_wire::{
    auth::NameMessage,
    control::{self, Actor, control_message},
};

use super::Session;
use crate::{
    config::MAX_NAME_LEN,
    event::Event,
    exports::{Termination, Wait},
    timer::Timer,
};

/// Items in one message of a list, to let other messages in between.
const ITEMS_PER_MESSAGE: usize = 1024;

/// Bytes of items in one message of a list, far below the frame limit of every peer.
const ITEM_BYTES_PER_MESSAGE: u64 = 1024 * 1024;

/// What a message of a list may take besides its items: the names of group and scope, and the headers.
const LIST_OVERHEAD_LEN: u64 = 2 * MAX_NAME_LEN as u64 + 64;

impl<C> Session<C> {
    /// Starts to ping, and with `ask_peers_as`, the own name, asks for the nodes that the peer is connected to.
    /// Called once.
    pub fn start(&mut self, now: Instant, ask_peers_as: Option<NameMessage>) {
        if self.is_closed() {
            return;
        }
        self.set_clock(now);
        let first = self.liveness.start(now);
        self.timers.set(first, Timer::Tick);
        self.ping(now);
        if let Some(name) = ask_peers_as {
            self.transmit(control_message::Msg::EnumerateNodeSessions(name));
        }
    }

    /// Lets the peer address these local actors. Those already announced are left out, and so are those whose end is
    /// held back: pids are not reused, so that is news which comes late.
    ///
    /// A name above [`MAX_NAME_LEN`] is not told, see [`Event::NameUntold`].
    pub fn announce(&mut self, actors: impl IntoIterator<Item = Actor>) {
        let actors = self.checked_names(actors);
        self.announce_checked(actors);
    }

    /// Tells that the initial announcements are complete. Once is enough.
    pub fn synced(&mut self) {
        if !self.is_closed() && !std::mem::replace(&mut self.local_ready, true) {
            self.transmit(control::Ready {});
            self.check_ready();
        }
    }

    /// Tells that a local actor is gone, after its replies: while calls to it are open the news is held, for
    /// [`Config::terminate_hold`](crate::Config::terminate_hold) at most, and further while answers of it wait to be
    /// sent. Towards a legacy peer its last reply gets a [`Config::reply_headstart`](crate::Config::reply_headstart).
    /// Nothing is delivered to it from here on, and but its answers, the groups that it leaves, and how it
    /// [`exited`](Self::exited), nothing is told of it.
    pub fn terminate(&mut self, now: Instant, pid: u64) {
        if self.is_closed() {
            return;
        }
        let until = now + self.config.terminate_hold;
        self.set_clock(now);
        let headstart = self.headstart();
        match self.exports.terminate(now, pid, until, headstart) {
            Termination::Untold | Termination::Hold(Wait::Queue) => {}
            Termination::Tell => self.tell_gone(pid),
            Termination::Hold(Wait::Until(until)) => {
                self.timers.set(until, Timer::Release { pid });
            }
        }
    }

    /// Tells that local actors joined a group, and announces those that were not. Those whose end is held back are
    /// left out.
    ///
    /// A group with a name above [`MAX_NAME_LEN`] is not told, see [`Event::NameUntold`].
    pub fn join(&mut self, scope: &str, group: &str, actors: Vec<Actor>) {
        let mut actors = self.checked_names(actors);
        self.announce_checked(actors.iter().cloned());
        actors.retain(|actor| self.exports.contains(actor.pid));
        if !self.check_group(scope, group) {
            return;
        }
        for actors in self.chunks(actors) {
            self.transmit(control::PgJoin {
                group: group.to_owned(),
                actors,
                scope: scope.to_owned(),
            });
        }
    }

    /// Tells that local actors left a group.
    ///
    /// A group with a name above [`MAX_NAME_LEN`] is not told, see [`Event::NameUntold`].
    pub fn leave(&mut self, scope: &str, group: &str, actors: Vec<Actor>) {
        let actors = self.checked_names(actors);
        if !self.check_group(scope, group) {
            return;
        }
        for actors in self.chunks(actors) {
            self.transmit(control::PgLeave {
                group: group.to_owned(),
                actors,
                scope: scope.to_owned(),
            });
        }
    }

    /// Answers [`Event::SessionsRequested`]. A long list is told in several messages.
    pub fn list_sessions(&mut self, sessions: Vec<NameMessage>) {
        if sessions.is_empty() {
            return self.transmit(control::NodeSessions { sessions });
        }
        for sessions in self.chunks(sessions) {
            self.transmit(control::NodeSessions { sessions });
        }
    }

    fn announce_checked(&mut self, actors: impl IntoIterator<Item = Actor>) {
        if self.is_closed() {
            return;
        }
        let fresh: Vec<_> = actors
            .into_iter()
            .filter(|actor| self.exports.announce(actor.pid))
            .collect();
        for actors in self.chunks(fresh) {
            self.transmit(control::Spawn { actors });
        }
    }

    /// The actors, without the names that a peer would close the link for.
    fn checked_names(&mut self, actors: impl IntoIterator<Item = Actor>) -> Vec<Actor> {
        let mut actors: Vec<_> = actors.into_iter().collect();
        for actor in &mut actors {
            if let Some(name) = actor.name.take_if(|name| name.len() > MAX_NAME_LEN) {
                self.untold(name.len());
            }
        }
        actors
    }

    /// Whether a peer takes these names; if not, says so.
    fn check_group(&mut self, scope: &str, group: &str) -> bool {
        let len = scope.len().max(group.len());
        if len > MAX_NAME_LEN {
            self.untold(len);
        }
        len <= MAX_NAME_LEN
    }

    fn untold(&mut self, len: usize) {
        if !self.is_closed() {
            self.tell(Event::NameUntold { len });
        }
    }

    fn max_frame_len(&self) -> u64 {
        let announced = self.terms.map(|terms| terms.max_frame_len);
        announced.unwrap_or(self.config.max_frame_len)
    }

    fn chunks<M: Message>(&self, items: Vec<M>) -> impl Iterator<Item = Vec<M>> + use<M, C> {
        let room = self.max_frame_len().saturating_sub(LIST_OVERHEAD_LEN);
        chunks(items, room.min(ITEM_BYTES_PER_MESSAGE))
    }
}

/// Splits a list for messages of at most [`ITEMS_PER_MESSAGE`] items, or `max_len` bytes of them. An item that is
/// longer goes alone.
fn chunks<M: Message>(items: Vec<M>, max_len: u64) -> impl Iterator<Item = Vec<M>> {
    let mut items = items.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = items.next()?;
        let mut len = item_len(&first);
        let mut chunk = vec![first];
        while chunk.len() < ITEMS_PER_MESSAGE
            && let Some(item) = items.next_if(|item| len + item_len(item) <= max_len)
        {
            len += item_len(&item);
            chunk.push(item);
        }
        Some(chunk)
    })
}

/// Bytes that an item takes in its list: a tag, a varint of its length, itself.
fn item_len(item: &impl Message) -> u64 {
    let len = item.encoded_len();
    (1 + prost::length_delimiter_len(len) + len) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(pid: u64, name_len: usize) -> Actor {
        Actor {
            pid,
            name: Some("n".repeat(name_len)),
        }
    }

    #[test]
    fn chunks_keep_order_and_both_limits() {
        let actors: Vec<_> = (0..5000)
            .map(|pid| named(pid, pid as usize % 300))
            .collect();
        let max_len = 100_000;
        let split: Vec<_> = chunks(actors.clone(), max_len).collect();
        assert!(split.iter().all(|chunk| chunk.len() <= ITEMS_PER_MESSAGE));
        let len = |chunk: &Vec<Actor>| {
            let actors = chunk.clone();
            control::Spawn { actors }.encoded_len() as u64
        };
        assert!(split.iter().all(|chunk| len(chunk) <= max_len));
        // Full enough: each could not take the next one's first.
        for pair in split.windows(2) {
            let full = pair[0].len() == ITEMS_PER_MESSAGE
                || len(&pair[0]) + item_len(&pair[1][0]) > max_len;
            assert!(full);
        }
        assert_eq!(split.concat(), actors);
    }

    #[test]
    fn an_item_above_the_limit_goes_alone() {
        let split: Vec<_> = chunks(vec![named(1, 1), named(2, 50), named(3, 1)], 20).collect();
        let lens: Vec<_> = split.iter().map(Vec::len).collect();
        assert_eq!(lens, [1, 1, 1]);
    }

    #[test]
    fn nothing_makes_no_chunk() {
        assert_eq!(chunks(Vec::<Actor>::new(), 20).count(), 0);
    }
}
