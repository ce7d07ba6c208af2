//! What happens at a node, as plain data.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::now_ms;
use crate::{Events, NodeEvent, Unsent};

/// Something that has happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct EventView {
    /// When this node noticed, in milliseconds since 1970.
    pub at_ms: u64,
    /// One of [`EVENT_KINDS`].
    pub kind: String,
    /// Full name of the node that it is about, if that is known.
    pub node: Option<String>,
    /// Where that node is: its socket address, or the address that is dialled.
    pub address: Option<String>,
    /// Number of the connection, of what happens to a session.
    pub node_id: Option<u64>,
    /// Id in gossip, of what happens to a member.
    pub member: Option<String>,
    /// Why, or how many, in words.
    pub detail: Option<String>,
}

/// What [`EventView::kind`] can be: `authenticated`, `ready`, `down`, `unsent` and `members_left_out` of sessions;
/// `member_up`, `member_suspected`, `member_recovered` and `member_down` of members; `conflict` when somebody else uses this node's id in
/// gossip; `reconnecting` and `gave_up` of addresses that are kept; `missed` when the listener was too slow.
pub const EVENT_KINDS: [&str; 13] = [
    "authenticated",
    "ready",
    "down",
    "unsent",
    "members_left_out",
    "member_up",
    "member_suspected",
    "member_recovered",
    "member_down",
    "conflict",
    "reconnecting",
    "gave_up",
    "missed",
];

impl EventView {
    fn new(kind: &'static str) -> Self {
        debug_assert!(EVENT_KINDS.contains(&kind));
        Self {
            at_ms: now_ms(),
            kind: kind.to_owned(),
            ..Self::default()
        }
    }

    /// `None` for what proves nothing yet, and for the ends of sessions, which `down` tells with the reason.
    fn of(event: &NodeEvent) -> Option<Self> {
        Some(match event {
            NodeEvent::Opened(_) | NodeEvent::Disconnected(_) => return None,
            NodeEvent::Authenticated(session) => Self::new("authenticated").session(session),
            NodeEvent::Ready(session) => Self::new("ready").session(session),
            NodeEvent::NodeDown { session, reason } => {
                Self::new("down").session(session).because(reason)
            }
            NodeEvent::Unsent { session, unsent } => Self::new("unsent")
                .session(session)
                .because(&Count(*unsent)),
            NodeEvent::MembersLeftOut { session, count } => Self::new("members_left_out")
                .session(session)
                .because(count),
            #[cfg(feature = "membership")]
            NodeEvent::MemberUp(member) => Self::new("member_up").about(member),
            #[cfg(feature = "membership")]
            NodeEvent::MemberDown { member, reason } => {
                let why = match reason {
                    crate::membership::DownReason::Failed => "failed",
                    crate::membership::DownReason::Left => "left",
                    crate::membership::DownReason::Replaced => "replaced",
                    _ => "gone",
                };
                Self::new("member_down").about(member).because(&why)
            }
            NodeEvent::Reconnecting {
                address,
                attempt,
                error,
                ..
            } => Self {
                address: Some(address.clone()),
                ..Self::new("reconnecting").because(&format_args!("dial {attempt}: {error}"))
            },
            NodeEvent::GaveUp {
                address,
                attempts,
                error,
            } => Self {
                address: Some(address.clone()),
                ..Self::new("gave_up").because(&format_args!("{attempts} dials: {error}"))
            },
            NodeEvent::Missed(count) => Self::new("missed").because(count),
        })
    }

    fn session(self, session: &crate::SessionInfo) -> Self {
        Self {
            node: Some(session.name.clone()),
            address: Some(session.peer_addr.clone()),
            node_id: Some(session.node_id),
            ..self
        }
    }

    fn because(self, why: &impl std::fmt::Display) -> Self {
        Self {
            detail: Some(why.to_string()),
            ..self
        }
    }

    #[cfg(feature = "membership")]
    fn about(self, member: &crate::Member) -> Self {
        Self {
            node: member.name.clone(),
            address: Some(member.address.to_string()),
            member: Some(member.id.to_string()),
            ..self
        }
    }
}

/// How many messages were not sent, in words.
struct Count(Unsent);

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Unsent {
            casts,
            calls,
            replies,
            bytes,
        } = self.0;
        write!(
            f,
            "{casts} casts, {calls} calls, {replies} replies, {bytes} bytes"
        )
    }
}

/// Stream of what happens from now on. It ends when the node does, and all its sessions have.
///
/// A listener that lets more than 1024 wait misses the oldest, and is told so.
#[derive(Debug)]
pub struct EventViews {
    pub(super) node: Events,
    #[cfg(feature = "membership")]
    pub(super) gossip: Option<gossip::Suspicions>,
}

impl EventViews {
    /// The next; `None` when the node has stopped. Cancel-safe.
    pub async fn next(&mut self) -> Option<EventView> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for EventViews {
    type Item = EventView;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<EventView>> {
        #[cfg(feature = "membership")]
        if let Some(gossip) = &mut self.gossip {
            match Pin::new(gossip).poll_next(cx) {
                Poll::Ready(Some(event)) => return Poll::Ready(Some(event)),
                Poll::Ready(None) => self.gossip = None,
                Poll::Pending => {}
            }
        }
        loop {
            let event = std::task::ready!(Pin::new(&mut self.node).poll_next(cx));
            match event.map(|event| EventView::of(&event)) {
                Some(None) => {}
                Some(event) => return Poll::Ready(event),
                None => return Poll::Ready(None),
            }
        }
    }
}

#[cfg(feature = "membership")]
pub(super) mod gossip {
    //! What gossip tells that is no event of the node's.

    use std::{
        pin::Pin,
        sync::{Arc, Mutex},
        task::{Context, Poll, ready},
    };

    use futures_core::Stream;

    use super::EventView;
    use crate::{
        Member,
        gossip::{Roster, node_address, roster},
        membership::{Events, MemberInfo, MembershipEvent},
    };

    #[derive(Debug)]
    pub(in crate::inspect) struct Suspicions {
        pub(in crate::inspect) events: Events,
        pub(in crate::inspect) roster: Arc<Mutex<Roster>>,
        pub(in crate::inspect) offset: i32,
    }

    impl Suspicions {
        fn view(&self, event: MembershipEvent) -> Option<EventView> {
            Some(match event {
                MembershipEvent::MemberSuspected(info) => {
                    EventView::new("member_suspected").about(&self.member(info))
                }
                MembershipEvent::MemberRecovered(info) => {
                    EventView::new("member_recovered").about(&self.member(info))
                }
                MembershipEvent::Conflict { addr } => EventView {
                    address: Some(addr.to_string()),
                    ..EventView::new("conflict")
                },
                _ => return None,
            })
        }

        fn member(&self, info: MemberInfo) -> Member {
            Member {
                id: info.id,
                address: node_address(info.addr, self.offset),
                name: roster(&self.roster).name(info.id),
                state: info.state,
            }
        }
    }

    impl Stream for Suspicions {
        type Item = EventView;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<EventView>> {
            loop {
                let event = ready!(Pin::new(&mut self.events).poll_next(cx));
                let Some(event) = event else {
                    return Poll::Ready(None);
                };
                if let Some(view) = self.view(event) {
                    return Poll::Ready(Some(view));
                }
            }
        }
    }
}
