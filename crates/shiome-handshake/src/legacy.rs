//! Connections with peers that put no nonce on them: `ractor_cluster` 0.15.12 and 0.16.0.
//!
//! Such a node elects nothing. Its acceptor looks, at each Name and before any proof, at its first session with the
//! same peer name, and for one of the two orders of names it stops that session and refuses the new one: both are
//! lost. For the other order it keeps both. Of the sessions that it dialled itself it learns the name from our
//! challenge. So the rules here keep two facts from meeting at that node: a Name of ours, and a session in which it
//! knows us.
//!
//! * As acceptor, [`admit_nonceless`]: no challenge while a Name of ours may be on its way to the same node.
//! * As initiator, [`may_dial`]: no Name while a challenge of ours may be on its way to the same node, nor after.
//!
//! Both wait at most [`MAX_HOLD`], so that nobody keeps a node out, or one of ours from dialling, by being slow.
//!
//! What remains: a node dialled under an address other than the one it announces is not recognized, and a node that
//! takes longer than [`MAX_HOLD`], or has not yet noticed that a session ended, may still see both facts. Then both
//! connections are lost, and dialling again is the cure.

use std::time::Duration;

use shiome_wire::auth::NameMessage;

use crate::event::{Admission, Side};

/// Limit on how long a status or a dial is held back.
///
/// A node that runs answers a Name within a round trip. Published initiators have no deadline of their own; this keeps
/// the wait below what a person notices and below the handshake's own deadline.
pub const MAX_HOLD: Duration = Duration::from_millis(500);

/// A connection that this node dials, until it is authenticated or has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DialState<'a> {
    /// The Name has not been sent. Nobody knows of the dial.
    Connecting {
        /// Address that is dialled.
        target: &'a str,
    },
    /// The Name has been sent, the challenge has not arrived. Who is there is not known.
    NameSent {
        /// Address that is dialled.
        target: &'a str,
    },
    /// The challenge has arrived: the peer's check for duplicates is behind us.
    Named {
        /// Address that is dialled.
        target: &'a str,
        /// Who the peer claims to be.
        peer: &'a NameMessage,
    },
}

/// A session in which the peer knows us, or may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionState<'a> {
    /// Accepted here, challenge sent, not authenticated.
    Challenged {
        /// Who the peer claims to be.
        peer: &'a NameMessage,
    },
    /// Authenticated.
    Authenticated {
        /// Who the peer is.
        peer: &'a NameMessage,
        /// Our side.
        side: Side,
    },
}

/// Outcome of [`admit_nonceless`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the status is sent or it is not")]
pub enum NoncelessAdmission {
    /// Send no status yet. Ask again when a dial or session changes, and when [`MAX_HOLD`] has passed.
    Hold,
    /// Send this status.
    Admit(Admission),
}

/// Outcome of [`may_dial`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "one dials, waits or does not dial")]
pub enum DialVerdict {
    /// Send the Name.
    Go,
    /// Send no Name yet. Ask again when a session changes, and when [`MAX_HOLD`] has passed.
    Hold,
    /// There is a session with the node at that address, or a dial on its way: drop this one.
    Connected,
}

/// The verdict on an initiator without nonce, `held` after its Name arrived.
///
/// 1. A session with a node of that name is authenticated: NOT_OK. The peer may have been restarted and that session
///    be dead without our knowing: the owner leaves out sessions that do not answer a probe.
/// 2. A Name of ours waits for its challenge, wherever it went: hold. When time is up, NOT_OK if it went to the
///    address that the newcomer announces, because it will find that node without a session; it counts no more if it
///    went elsewhere.
/// 3. A dial of ours has reached a node of that name: hold until it is authenticated (then rule 1) or has failed. When
///    time is up it counts no more: its check at the peer is over, so [`elect`](crate::elect) can decide.
/// 4. Else OK.
///
/// Accepted connections that are not authenticated count for nothing: anybody can claim a name.
pub fn admit_nonceless<'a>(
    newcomer: &NameMessage,
    held: Duration,
    own_dials: impl IntoIterator<Item = DialState<'a>>,
    sessions: impl IntoIterator<Item = SessionState<'a>>,
) -> NoncelessAdmission {
    let connected = sessions.into_iter().any(|session| {
        matches!(session, SessionState::Authenticated { peer, .. } if peer.name == newcomer.name)
    });
    if connected {
        return NoncelessAdmission::Admit(Admission::NotOk);
    }
    let patient = held < MAX_HOLD;
    for dial in own_dials {
        match dial {
            DialState::Connecting { .. } => {}
            DialState::NameSent { .. } if patient => return NoncelessAdmission::Hold,
            DialState::NameSent { target } if target == newcomer.connection_string => {
                return NoncelessAdmission::Admit(Admission::NotOk);
            }
            DialState::NameSent { .. } => {}
            DialState::Named { peer, .. } if peer.name == newcomer.name && patient => {
                return NoncelessAdmission::Hold;
            }
            DialState::Named { .. } => {}
        }
    }
    NoncelessAdmission::Admit(Admission::Ok)
}

/// Whether a connection to `target` that is established, but on which nothing has been sent, may send its Name, `held`
/// after it was established.
///
/// 1. A session is authenticated, or a Name has been sent, at that address: the connection is not needed.
/// 2. A challenge of ours waits for the reply of a nonce-less initiator, from wherever: hold until it is authenticated
///    or has failed, or time is up.
/// 3. Else go.
///
/// Verdict and Name belong together: nothing may be challenged in between.
pub fn may_dial<'a>(
    target: &str,
    held: Duration,
    other_dials: impl IntoIterator<Item = DialState<'a>>,
    sessions: impl IntoIterator<Item = SessionState<'a>>,
) -> DialVerdict {
    let mut verdict = DialVerdict::Go;
    for session in sessions {
        match session {
            SessionState::Authenticated { peer, .. } if peer.connection_string == target => {
                return DialVerdict::Connected;
            }
            SessionState::Challenged { peer } if peer.connection_id == 0 && held < MAX_HOLD => {
                verdict = DialVerdict::Hold;
            }
            _ => {}
        }
    }
    let dialled = other_dials.into_iter().any(|dial| match dial {
        DialState::Connecting { .. } => false,
        DialState::NameSent { target: other } | DialState::Named { target: other, .. } => {
            other == target
        }
    });
    if dialled {
        return DialVerdict::Connected;
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;
    const ALMOST: Duration = MAX_HOLD.saturating_sub(Duration::from_nanos(1));
    const NOT_OK: NoncelessAdmission = NoncelessAdmission::Admit(Admission::NotOk);
    const OK: NoncelessAdmission = NoncelessAdmission::Admit(Admission::Ok);

    fn peer(name: &str, connection_id: u64) -> NameMessage {
        NameMessage {
            name: name.into(),
            flags: None,
            connection_string: format!("{name}:1"),
            connection_id,
        }
    }

    #[test]
    fn a_status_waits_for_dials_that_may_lead_to_the_newcomer() {
        let [newcomer, stranger] = [peer("a", 0), peer("b", 7)];
        let same = peer("a", 7);
        let target = "a:1";
        let named = |peer| DialState::Named { target, peer };
        let cases = [
            (DialState::Connecting { target }, [OK, OK]),
            (
                DialState::NameSent { target },
                [NoncelessAdmission::Hold, NOT_OK],
            ),
            (
                DialState::NameSent { target: "b:1" },
                [NoncelessAdmission::Hold, OK],
            ),
            (named(&same), [NoncelessAdmission::Hold, OK]),
            (named(&stranger), [OK, OK]),
        ];
        for (dial, [before, after]) in cases {
            for (held, expected) in [(NOW, before), (ALMOST, before), (MAX_HOLD, after)] {
                let verdict = admit_nonceless(&newcomer, held, [dial], []);
                assert_eq!(verdict, expected, "{dial:?} {held:?}");
            }
        }
        assert_eq!(admit_nonceless(&newcomer, NOW, [], []), OK);
    }

    #[test]
    fn a_dial_elsewhere_does_not_hide_the_one_to_the_newcomer() {
        let dials = ["b:1", "a:1"].map(|target| DialState::NameSent { target });
        let verdict = admit_nonceless(&peer("a", 0), MAX_HOLD, dials, []);
        assert_eq!(verdict, NOT_OK);
    }

    #[test]
    fn only_authenticated_sessions_keep_a_newcomer_out() {
        let [same, stranger] = [peer("a", 0), peer("b", 0)];
        let admit = |session| admit_nonceless(&peer("a", 0), NOW, [], [session]);
        for side in [Side::Client, Side::Server] {
            let up = |peer| SessionState::Authenticated { peer, side };
            assert_eq!(admit(up(&same)), NOT_OK);
            assert_eq!(admit(up(&stranger)), OK);
        }
        assert_eq!(admit(SessionState::Challenged { peer: &same }), OK);
    }

    #[test]
    fn a_dial_waits_for_challenges_to_nonceless_peers() {
        let [nonceless, other] = [peer("a", 0), peer("a", 7)];
        let dial = |held, peer| may_dial("b:1", held, [], [SessionState::Challenged { peer }]);
        assert_eq!(dial(NOW, &nonceless), DialVerdict::Hold);
        assert_eq!(dial(ALMOST, &nonceless), DialVerdict::Hold);
        assert_eq!(dial(MAX_HOLD, &nonceless), DialVerdict::Go);
        assert_eq!(dial(NOW, &other), DialVerdict::Go);
    }

    #[test]
    fn a_dial_is_not_needed_where_there_is_one_or_a_session() {
        let peer = peer("a", 7);
        let side = Side::Server;
        let to = |target| {
            let session = SessionState::Authenticated { peer: &peer, side };
            may_dial(target, MAX_HOLD, [], [session])
        };
        assert_eq!(to("a:1"), DialVerdict::Connected);
        assert_eq!(to("b:1"), DialVerdict::Go);

        let target = "a:1";
        let dial = |other| may_dial(target, NOW, [other], []);
        assert_eq!(dial(DialState::NameSent { target }), DialVerdict::Connected);
        let named = DialState::Named {
            target,
            peer: &peer,
        };
        assert_eq!(dial(named), DialVerdict::Connected);
        assert_eq!(dial(DialState::Connecting { target }), DialVerdict::Go);
        let elsewhere = DialState::NameSent { target: "b:1" };
        assert_eq!(dial(elsewhere), DialVerdict::Go);
    }
}
