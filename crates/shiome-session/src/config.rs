use std::time::Duration;

use shiome_wire::MAX_FRAME_LEN;

/// Default limit on the actors that one peer announces.
///
/// A directory entry takes nine to eighteen bytes, and one of a named actor a hundred and the name, so this is some 30 MiB a
/// peer.
pub const MAX_ANNOUNCED_ACTORS: usize = 256 * 1024;

/// Default limit on the actors of one peer that are in process groups, or have been.
///
/// Each is represented by a local actor of some 11 KiB for as long as it lives, so this is some 1.4 GiB a peer at the very
/// worst, and what a cluster with a hundred thousand members needs. Take less where peers are not trusted that far.
pub const MAX_GROUPED_ACTORS: usize = 128 * 1024;

/// Default limit on the group memberships of one peer's actors, counted one a pair of actor and group.
///
/// Where no two are of one group, each takes some 1.2 KiB in the registry of groups: some 300 MiB a peer at the very worst.
pub const MAX_MEMBERSHIPS: usize = 256 * 1024;

/// Default limit on all names of one peer's actors and groups together, in bytes; a group's names count once a member.
pub const MAX_DIRECTORY_BYTES: usize = 64 * 1024 * 1024;

/// Limit on the names of actors, groups and scopes, in bytes. A longer one from the peer ends the link; longer ones of
/// this side are not told.
pub const MAX_NAME_LEN: usize = 4 * 1024;

/// Default limit on open calls, each way. An open call holds a reply port here and a place among those that wait for an answer at the callee.
pub const MAX_OPEN_CALLS: usize = 64 * 1024;

/// Default timeout of calls for which the caller set none.
///
/// The legacy protocol has no error reply: a call to an actor that is gone or cannot decode it is never answered.
pub const DEFAULT_CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the news of a local actor's end waits for the actor's last replies. The receiver of the news forgets the
/// calls that are still open.
pub const TERMINATE_HOLD: Duration = Duration::from_secs(1);

/// Time between the last reply of a local actor and the news of its end.
///
/// A legacy peer queues the reply for its stand-in and then stops the stand-in ahead of its queue; five milliseconds
/// were enough for an idle one to pass the reply on.
pub const REPLY_HEADSTART: Duration = Duration::from_millis(100);

/// How long calls to a remote actor stay open after its end was told: legacy peers let the news overtake replies.
pub const REPLY_GRACE: Duration = Duration::from_secs(1);

/// Default time in which a peer that says nothing counts as unresponsive.
///
/// Any byte counts. A link that loses every packet for longer loses its session too, so take less only where the network
/// is known.
pub const LIVENESS_TIMEOUT: Duration = Duration::from_secs(5);

/// Looks at the peer in one [`LIVENESS_TIMEOUT`]: a peer that falls silent right after one look is noticed at the last.
pub(crate) const LIVENESS_TICKS: u32 = 6;

/// Default limit on what waits to be sent to one peer, in bytes, see [`Config::max_outbox`].
pub const MAX_OUTBOX_LEN: usize = 64 * 1024 * 1024;

/// Default mark on the casts to one peer whose senders wait for their turn, in bytes, see [`Config::high_water`].
///
/// Twice what is written at a time, so that the link does not wait for senders nor each of them for each write. Memory of that
/// much is used over and over, and stays in the processor's cache.
pub const HIGH_WATER: usize = 512 * 1024;

/// Limit on what is told and answered without being waited for, in bytes. A peer that makes this node say more, and does
/// not read it, is not worth its link: [`Event::NotReading`](crate::Event::NotReading).
pub const MAX_CONTROL_BACKLOG: usize = 16 * 1024 * 1024;

/// Calls, replies and the like that wait to go ahead of bulk, in bytes, before calls wait for room as casts do. As long
/// as fewer wait, a call to an actor that nothing else waits for is not kept back by a full outbox.
pub const MAX_EXPRESS_BACKLOG: usize = 16 * 1024 * 1024;

/// What a message that waits to be sent takes besides its content, in bytes, at most.
///
/// Its place in a queue, the memory manager's part, the name of its kind, and a queue of its own if it is alone to its
/// actor: 200 to 290 bytes as measured. A payload that is a slice of something larger holds all of that, which is not
/// counted.
pub const MESSAGE_OVERHEAD: usize = 384;

/// Longest message that goes at once, in bytes. What is longer goes in pieces where the peer takes them, and waits for
/// whatever is shorter everywhere. A payload of this length may go at once too, with what stands around it.
///
/// At 1 Gbit/s it takes half a millisecond, which is what others wait for it.
pub const FRAGMENT_THRESHOLD: usize = 64 * 1024;

/// What may stand around a payload of [`FRAGMENT_THRESHOLD`] for it to go at once, in bytes, if the peer's limits leave room
/// for it.
pub(crate) const AROUND_PAYLOAD_LEN: usize = 1024;

/// Limit on the messages that are under way in fragments at a time, each way.
pub const MAX_FRAGMENTED: usize = 32;

/// Default limit on a message that comes in fragments, in bytes.
pub const MAX_MESSAGE_LEN: u64 = 64 * 1024 * 1024;

/// Default limit on all unfinished messages of one peer together, in bytes.
pub const MAX_REASSEMBLY_LEN: u64 = 128 * 1024 * 1024;

/// How long unfinished messages wait for the next fragment of any of them.
///
/// A link that takes more than a minute for 64 KiB cannot carry long messages.
pub const REASSEMBLY_TIMEOUT: Duration = Duration::from_secs(60);

/// Default limit on the bytes of casts and fragments that a peer sends before it is granted more.
///
/// What a link of 1 Gbit/s carries in 16 ms; longer round trips need more.
pub const WINDOW: u64 = 2 * 1024 * 1024;

/// Least window that works, in bytes: room for one frame of bulk.
pub const MIN_WINDOW: u64 = FRAGMENT_THRESHOLD as u64;

/// Bytes of bulk that go to a peer without credit beyond the last ping that it answered.
///
/// Such a peer answers in the order of its inbox, so its pong proves that what came before has been taken in.
pub const LEGACY_WINDOW: u64 = 8 * 1024 * 1024;

/// Limit on the actors that are monitored over one link, each way.
pub const MAX_MONITORS: usize = 64 * 1024;

/// Limit on the reason of a stop or an end and on the words of a goodbye, in bytes. Longer ones are cut.
pub const MAX_REASON_LEN: usize = 4 * 1024;

/// Times of this length and above never end, and are far within what an `Instant` can hold.
pub(crate) const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// Shortest pause between two looks at the peer, so that time passes between them.
const MIN_TICK: Duration = Duration::from_millis(1);

/// Limits and times of one [`Session`](crate::Session).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Whether this side has announced itself as native in the handshake. Then a proof from a peer that seems to have
    /// announced nothing ends the link: somebody has taken the announcement out on the way. Default: `true`.
    pub announced: bool,
    /// Longest message body that a peer without [`Terms`](crate::Terms) accepts, in bytes. Longer ones are refused with
    /// [`SendError::TooLong`](crate::SendError::TooLong) instead of costing the link, and lists are split to stay
    /// below. At least 16 KiB, which takes any name. Default: 16 MiB, the limit of legacy peers.
    pub max_frame_len: u64,
    /// See [`MAX_ANNOUNCED_ACTORS`], the default. One more ends the link.
    pub max_announced_actors: usize,
    /// See [`MAX_GROUPED_ACTORS`], the default. One more is left out of its groups and counted, see
    /// [`Event::Joined`](crate::Event::Joined).
    pub max_grouped_actors: usize,
    /// See [`MAX_MEMBERSHIPS`], the default. One more ends the link.
    pub max_memberships: usize,
    /// See [`MAX_DIRECTORY_BYTES`], the default. One more byte ends the link.
    pub max_directory_bytes: usize,
    /// See [`MAX_OPEN_CALLS`], the default. One more call out is a
    /// [`SendError::TooManyCalls`](crate::SendError::TooManyCalls), one more in is refused.
    pub max_open_calls: usize,
    /// See [`DEFAULT_CALL_TIMEOUT`], the default. `None` lets calls without timeout wait until the link ends.
    pub default_call_timeout: Option<Duration>,
    /// See [`TERMINATE_HOLD`], the default.
    pub terminate_hold: Duration,
    /// See [`REPLY_HEADSTART`], the default.
    pub reply_headstart: Duration,
    /// See [`REPLY_GRACE`], the default.
    pub reply_grace: Duration,
    /// See [`LIVENESS_TIMEOUT`], the default. At least 7 ms. See [`Event::Unresponsive`](crate::Event::Unresponsive).
    pub liveness_timeout: Duration,
    /// Bytes that wait to be sent before casts and calls are refused with
    /// [`SendError::Full`](crate::SendError::Full), until a quarter of it is free again. Each message counts with its
    /// length and [`MESSAGE_OVERHEAD`], which this is at least. The last message may go beyond it, and what has
    /// [room of its own](Self::high_water). Default: [`MAX_OUTBOX_LEN`].
    pub max_outbox: usize,
    /// Bytes of [casts in turn](crate::Session::cast_in_turn) that wait to be sent before the next waits, until a quarter of
    /// it is free again, counted as for [`max_outbox`](Self::max_outbox), which it is at most; short and
    /// [long](crate::Length) ones each by themselves, and nothing else. They do not wait for room in the outbox, which they
    /// count in, too. The last message may go beyond it. Default: [`HIGH_WATER`].
    pub high_water: usize,
    /// Longest message that this side puts together from fragments, in bytes. As announced to the peer.
    /// Default: [`MAX_MESSAGE_LEN`].
    pub max_message_len: u64,
    /// Bytes of unfinished messages that this side holds at a time. As announced to the peer. Default:
    /// [`MAX_REASSEMBLY_LEN`].
    pub max_reassembly_len: u64,
    /// Bytes of casts and fragments that this side takes before it grants more. As announced to the peer. At least
    /// [`MIN_WINDOW`]. Default: [`WINDOW`].
    pub window: u64,
    /// See [`REASSEMBLY_TIMEOUT`], the default.
    pub reassembly_timeout: Duration,
    /// See [`MAX_MONITORS`], the default. One more out is a
    /// [`SendError::TooManyMonitors`](crate::SendError::TooManyMonitors), one more in ends the link.
    pub max_monitors: usize,
}

impl Config {
    /// The same with times that can be added to any `now`, and a window that lets something through.
    pub(crate) fn bounded(mut self) -> Self {
        let least = MIN_TICK * (LIVENESS_TICKS + 1);
        self.liveness_timeout = self.liveness_timeout.clamp(least, FOREVER);
        self.reassembly_timeout = self.reassembly_timeout.min(FOREVER);
        self.window = self.window.max(MIN_WINDOW);
        self.max_outbox = self.max_outbox.max(MESSAGE_OVERHEAD);
        self.high_water = self.high_water.clamp(MESSAGE_OVERHEAD, self.max_outbox);
        self.terminate_hold = self.terminate_hold.min(FOREVER);
        self.reply_grace = self.reply_grace.min(FOREVER);
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            announced: true,
            max_frame_len: MAX_FRAME_LEN,
            max_announced_actors: MAX_ANNOUNCED_ACTORS,
            max_grouped_actors: MAX_GROUPED_ACTORS,
            max_memberships: MAX_MEMBERSHIPS,
            max_directory_bytes: MAX_DIRECTORY_BYTES,
            max_open_calls: MAX_OPEN_CALLS,
            default_call_timeout: Some(DEFAULT_CALL_TIMEOUT),
            terminate_hold: TERMINATE_HOLD,
            reply_headstart: REPLY_HEADSTART,
            reply_grace: REPLY_GRACE,
            liveness_timeout: LIVENESS_TIMEOUT,
            max_outbox: MAX_OUTBOX_LEN,
            high_water: HIGH_WATER,
            max_message_len: MAX_MESSAGE_LEN,
            max_reassembly_len: MAX_REASSEMBLY_LEN,
            window: WINDOW,
            reassembly_timeout: REASSEMBLY_TIMEOUT,
            max_monitors: MAX_MONITORS,
        }
    }
}
