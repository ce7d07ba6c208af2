//! Rooms: groups of peers in which each says things to all others.
//!
//! A room has no owner and no server. A peer that joins says so to every peer that it can reach, now and whenever another one
//! comes into reach; members of that room answer that they are there. Who leaves, or is reached no longer, is out.
//!
//! Rooms have a list of members of their own, and not the membership of a cluster: a member is a peer, as a page, and not a node; who is
//! there is told by links of every kind, and a room is only as large as its members.
//!
//! # What is said to a room cannot loop
//!
//! It goes as one envelope to each member that is known, never back to the one who says it, and no receiver sends it on. What a
//! handler of the room says to the room in turn carries how many such turns led to it, and after [`MAX_TURNS`] is refused.
//!
//! # What is sent
//!
//! | intent | payload | meaning |
//! |---|---|---|
//! | `sys.mesh.join.ROOM` | `{"answer": bool, "seq"}` | the sender is in; with `answer`, members are to say that they are, too |
//! | `sys.mesh.leave.ROOM` | `{"seq"}` | the sender is out |
//! | `sys.mesh.full.ROOM` | `null` | the sender is in, and has no place for the receiver |
//! | `sys.mesh.say.ROOM` | `{"name", "payload", "seq", "turn"}` | an intent for the room, its number among those of the sender, and its turn |
//!
//! Greetings go ahead of what users say, and peers that are in no such room take no notice of them.

mod room;
mod roster;
mod watch;

use std::{fmt, sync::Arc};

use tokio::task::AbortHandle;

use self::room::{OnMessage, Room};
pub use self::{
    room::{MAX_TURNS, Report},
    roster::{MAX_MEMBERS, Member},
    watch::{LeaveReason, RoomSubscription},
};
use crate::{
    BoxFuture, BusError, Intent, NameFault, Pattern, Payload, Peer, PeerId, error::InvalidName,
};

/// Bytes of the name of a room at most: with what stands before it, it is part of the name of an intent.
pub const MAX_ROOM_LEN: usize = 128;

/// Name of what [`Mesh::send_text`] sends.
const MESSAGE: &str = "message";

/// A peer's place in a room, until it [leaves](Self::leave) or this is dropped. It keeps its peer.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shiome_bus::BusError> {
/// use shiome_bus::{Bus, Mesh};
///
/// let bus = Bus::new();
/// let (alice, bob) = (bus.peer("alice")?, bus.peer("bob")?);
/// let (here, there) = (Mesh::join(&alice, "lobby")?, Mesh::join(&bob, "lobby")?);
/// let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
/// let _listens = there.on("message", move |text, from| {
///     let _ = heard.send(format!("{from}: {}", text.as_str().unwrap_or_default()));
/// })?;
/// here.wait_for(bob.id()).await;
/// here.send_text("hello").await?;
/// assert_eq!(hears.recv().await.as_deref(), Some("alice: hello"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Mesh {
    room: Arc<Room>,
    keeper: AbortHandle,
}

impl Mesh {
    /// Joins a room, with `peer` as the member.
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`] when `room` is longer than [`MAX_ROOM_LEN`] or would be no name of an intent;
    /// [`BusError::Refused`] when the peer is in that room; [`BusError::Closed`]; [`BusError::NoRuntime`].
    pub fn join(peer: &Peer, room: &str) -> Result<Self, BusError> {
        if room.len() > MAX_ROOM_LEN {
            let fault = NameFault::TooLong(MAX_ROOM_LEN);
            return Err(InvalidName::new("room", room, fault).into());
        }
        let runtime = peer.bus().runtime()?;
        let room = Room::open(peer, room)?;
        let keeper = runtime.spawn(room::keep(
            Arc::downgrade(&room),
            peer.names_changed(),
            room.greets(),
        ));
        Ok(Self {
            room,
            keeper: keeper.abort_handle(),
        })
    }

    /// Name of the room.
    #[must_use]
    pub fn room(&self) -> &str {
        self.room.name()
    }

    /// The peer that is the member.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        self.room.peer()
    }

    /// All other members that are known, by name.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        self.room.members()
    }

    /// Tells a peer that this one is in the room, though no link told of it: where a relay has too many peers to say who is there, members
    /// meet in this way. It is one once it has answered, for as long as the link to it is up.
    ///
    /// # Errors
    ///
    /// As those of [`Peer::try_send`].
    pub fn greet<T>(&self, id: T) -> Result<(), BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        self.room.greet(&id.try_into()?)
    }

    /// Whether some that are in the room have no place for this peer, as they know [`MAX_MEMBERS`] others. What is said does not go to
    /// them, which the [`Report`] tells. They let it know when they have one; of those who wait for that, the first [`MAX_MEMBERS`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.room.is_full()
    }

    /// Waits until a peer is a member. Cancel-safe.
    pub async fn wait_for(&self, id: &PeerId) {
        self.room.wait_for(id).await;
    }

    /// Says an intent to all other members, waiting for those whose mailbox is full, up to the time that the bus allows. Tells for each
    /// member whether its mailbox or the link to it has it.
    ///
    /// Cancel-safe in part: members that come later in the order may not get it.
    ///
    /// # Errors
    ///
    /// [`BusError::TooManyHops`] in a handler of this room, when it was said in turn to what was said in turn, and so on
    /// [`MAX_TURNS`] times; [`BusError::Closed`].
    pub async fn send(&self, intent: Intent) -> Result<Report, BusError> {
        let mut report = self.room.try_send(&intent)?;
        self.room.send_rest(&mut report).await;
        Ok(report)
    }

    /// Says an intent to all other members that have room now.
    ///
    /// # Errors
    ///
    /// As those of [`send`](Self::send).
    pub fn try_send(&self, intent: &Intent) -> Result<Report, BusError> {
        self.room.try_send(intent)
    }

    /// Says a text, as the intent `message`.
    ///
    /// # Errors
    ///
    /// As those of [`send`](Self::send).
    pub async fn send_text(&self, text: impl Into<String>) -> Result<Report, BusError> {
        self.send(Intent::new(MESSAGE, text.into())?).await
    }

    /// Registers a handler for what members say under a name or pattern. It gets the payload and who said it, and runs where the
    /// [handlers](Peer#handlers) of the peer do.
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`].
    pub fn on<P, F>(&self, pattern: P, handler: F) -> Result<RoomSubscription, BusError>
    where
        P: TryInto<Pattern>,
        BusError: From<P::Error>,
        F: Fn(&Payload, &PeerId) + Send + Sync + 'static,
    {
        let handler = OnMessage::Sync(Box::new(handler));
        Ok(self.room.on(pattern.try_into()?, handler))
    }

    /// Registers a handler that is a future. The next delivery to the peer waits until it is done. What it says to a room, also after
    /// it has waited for something, is said in turn; what a task says that it spawns is not.
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`].
    pub fn on_async<P, F, T>(&self, pattern: P, handler: F) -> Result<RoomSubscription, BusError>
    where
        P: TryInto<Pattern>,
        BusError: From<P::Error>,
        F: Fn(Payload, PeerId) -> T + Send + Sync + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let handler = move |payload, from| Box::pin(handler(payload, from)) as BoxFuture<'_, _>;
        let handler = OnMessage::Async(Box::new(handler));
        Ok(self.room.on(pattern.try_into()?, handler))
    }

    /// Registers a handler for who joins. First, before this returns, it gets those who are there.
    pub fn on_join<F>(&self, handler: F) -> RoomSubscription
    where
        F: Fn(&Member) + Send + Sync + 'static,
    {
        self.room.on_join(Box::new(handler))
    }

    /// Registers a handler for who leaves, and why.
    pub fn on_leave<F>(&self, handler: F) -> RoomSubscription
    where
        F: Fn(&Member, LeaveReason) + Send + Sync + 'static,
    {
        self.room.on_leave(Box::new(handler))
    }

    /// Leaves the room. Dropping does the same.
    pub fn leave(self) {
        drop(self);
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        self.keeper.abort();
        self.room.leave();
    }
}

impl fmt::Display for Mesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mesh[{} in {}]", self.peer().id(), self.room())
    }
}
