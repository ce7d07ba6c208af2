use std::{ops::Range, time::Duration};

use shiome_wire::MAX_FRAME_LEN;

/// Default limit on the actors that one peer announces.
///
/// A directory entry takes about a hundred bytes and a name, so this is some 30 MiB a peer.
pub const MAX_ANNOUNCED_ACTORS: usize = 256 * 1024;

/// Default limit on the actors of one peer that are in process groups.
///
/// Each is represented by a local actor of some 11 KiB, so this is some 350 MiB a peer at the very worst.
pub const MAX_GROUPED_ACTORS: usize = 32 * 1024;

/// Default limit on the group memberships of one peer's actors, counted one a pair of actor and group.
pub const MAX_MEMBERSHIPS: usize = 256 * 1024;

/// Default limit on all names of one peer's actors and groups together, in bytes; a group's names count once a member.
pub const MAX_DIRECTORY_BYTES: usize = 64 * 1024 * 1024;

/// Limit on the names of actors, groups and scopes, in bytes. A longer one from the peer ends the link; longer ones of
/// this side are not told.
pub const MAX_NAME_LEN: usize = 4 * 1024;

/// Default limit on open calls, each way. An open call holds a reply port here and a waiting task at the callee.
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

/// Bounds of the random pause between two pings, as in the installed base.
pub const PING_INTERVAL: Range<Duration> = Duration::from_secs(1)..Duration::from_secs(5);

/// Default silence after which a pinged peer counts as unresponsive.
///
/// A message counts when it is complete, so this is also the time that the longest message, 16 MiB, may take on a
/// slow link.
pub const PONG_TIMEOUT: Duration = Duration::from_secs(20);

/// Times of this length and above never end, and are far within what an `Instant` can hold.
pub(crate) const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// Shortest pause between two pings, so that time passes between them.
const MIN_PING_PAUSE: Duration = Duration::from_millis(1);

/// Limits and times of one [`Session`](crate::Session).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Longest message body that the peer accepts, in bytes. Longer ones are refused with
    /// [`SendError::TooLong`](crate::SendError::TooLong) instead of costing the link, and lists are split to stay
    /// below. At least 16 KiB, which takes any name. Default: 16 MiB, the limit of legacy peers.
    pub max_frame_len: u64,
    /// See [`MAX_ANNOUNCED_ACTORS`], the default. One more ends the link.
    pub max_announced_actors: usize,
    /// See [`MAX_GROUPED_ACTORS`], the default. One more ends the link.
    pub max_grouped_actors: usize,
    /// See [`MAX_MEMBERSHIPS`], the default. One more ends the link.
    pub max_memberships: usize,
    /// See [`MAX_DIRECTORY_BYTES`], the default. One more byte ends the link.
    pub max_directory_bytes: usize,
    /// See [`MAX_OPEN_CALLS`], the default. One more call out is a
    /// [`SendError::TooManyCalls`](crate::SendError::TooManyCalls), one more in is skipped.
    pub max_open_calls: usize,
    /// See [`DEFAULT_CALL_TIMEOUT`], the default. `None` lets calls without timeout wait until the link ends.
    pub default_call_timeout: Option<Duration>,
    /// See [`TERMINATE_HOLD`], the default.
    pub terminate_hold: Duration,
    /// See [`REPLY_HEADSTART`], the default.
    pub reply_headstart: Duration,
    /// See [`REPLY_GRACE`], the default.
    pub reply_grace: Duration,
    /// See [`PING_INTERVAL`], the default. At least a millisecond.
    pub ping_interval: Range<Duration>,
    /// See [`PONG_TIMEOUT`], the default, and [`Event::Unresponsive`](crate::Event::Unresponsive). Counted from a ping
    /// and checked at later ones, so take several times [`ping_interval`](Self::ping_interval).
    pub pong_timeout: Duration,
}

impl Config {
    /// The same with times that can be added to any `now`.
    pub(crate) fn bounded(mut self) -> Self {
        let pause = |pause: Duration| pause.clamp(MIN_PING_PAUSE, FOREVER);
        self.ping_interval = pause(self.ping_interval.start)..pause(self.ping_interval.end);
        self.terminate_hold = self.terminate_hold.min(FOREVER);
        self.reply_grace = self.reply_grace.min(FOREVER);
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
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
            ping_interval: PING_INTERVAL,
            pong_timeout: PONG_TIMEOUT,
        }
    }
}
