//! The checks, in the order in which they run.

mod actors;
mod calls;
mod casts;
mod faults;
mod groups;
mod links;
mod mesh;
mod tls;

pub(super) use faults::{LAST_WORDS, keeps_name, last_words};

use super::{
    duo::{Duo, Lab, Verdict},
    security::{self, Security},
};
use crate::peers::way::Way;

pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) body: Body,
    /// The links over which it runs.
    pub(super) over: &'static [Security],
}

/// What a check needs.
pub(super) enum Body {
    /// The pair of connected nodes that is used by one check after the other.
    Pair(fn(&mut Duo) -> Verdict),
    /// The same, once as sender and once as receiver.
    EachWay(fn(&mut Way<'_>) -> Verdict),
    /// Processes of its own.
    Fresh(fn(&Lab<'_>) -> Verdict),
}

use Body::{EachWay, Fresh, Pair};

pub(super) const CHECKS: &[Check] = &[
    check("join", Fresh(links::join)).over(Security::ALL),
    check("node ids", Pair(actors::node_ids)).over(security::PLAIN_AND_TLS),
    check("actors announced", EachWay(actors::announced)).over(security::PLAIN_AND_TLS),
    check("actors come and go", EachWay(actors::come_and_go)).over(security::PLAIN_AND_TLS),
    check("termination seen", EachWay(actors::termination)).over(security::PLAIN_AND_TLS),
    check("groups before connection", EachWay(groups::before)).over(Security::ALL),
    check("groups, default scope", EachWay(groups::default_scope)).over(Security::ALL),
    check("groups, own scope", EachWay(groups::custom_scope)).over(security::PLAIN_AND_TLS),
    check("groups, several members", EachWay(groups::several)),
    check("cast text", EachWay(casts::text)).over(Security::ALL),
    check("cast prost", EachWay(casts::prost)).over(security::PLAIN_AND_TLS),
    check("cast plain string", EachWay(casts::plain)),
    check("metadata", EachWay(casts::metadata)),
    check("cast 1 MiB", EachWay(casts::big)).over(Security::ALL),
    check("casts in order", EachWay(casts::order)).over(Security::ALL),
    check("cast too long", Pair(casts::too_long)).over(security::PLAIN_AND_TLS),
    check("cast unknown variant", EachWay(casts::unknown)),
    check("call, port last", EachWay(calls::port_last)).over(Security::ALL),
    check("call, port first", EachWay(calls::port_first)),
    check("call struct variant", EachWay(calls::structured)),
    check("call prost", EachWay(calls::prost)),
    check("call values", EachWay(calls::values)),
    check("call without timeout", EachWay(calls::without_timeout)),
    check("calls at once", EachWay(calls::many)).over(Security::ALL),
    check("call times out", EachWay(calls::timeout)).over(security::PLAIN_AND_TLS),
    check("call, port discarded", EachWay(calls::discarded)),
    check("call unknown variant", EachWay(calls::unknown)).over(security::PLAIN_AND_TLS),
    check("call dead actor", EachWay(calls::dead)),
    check("actor dies during call", EachWay(calls::dies_meanwhile)).over(security::PLAIN_AND_TLS),
    check("reply after stop", EachWay(faults::reply_after_stop)),
    check("reply and stop", EachWay(faults::reply_and_stop)).over(security::PLAIN_AND_TLS),
    check("name kept", EachWay(faults::name_kept)),
    check("we stop one reference", Fresh(faults::we_stop_reference)),
    check(
        "peer stops one reference",
        Fresh(faults::peer_stops_reference),
    ),
    check("20000 actors", Fresh(faults::flood)),
    check("wrong cookie", Fresh(links::wrong_cookie)).over(security::PLAIN_AND_TLS),
    check("wrong cookie, peer's name", Fresh(links::impostor)).over(security::PLAIN_AND_TLS),
    check("we disconnect, reconnect", Fresh(links::we_disconnect)).over(security::PLAIN_AND_TLS),
    check(
        "peer disconnects, reconnect",
        Fresh(links::peer_disconnects),
    )
    .over(security::PLAIN_AND_TLS),
    check("peer killed, back", Fresh(links::peer_killed)).over(Security::ALL),
    check("ours killed, back", Fresh(links::ours_killed)).over(Security::ALL),
    check("dialled again", Fresh(links::again)).over(security::PLAIN_AND_TLS),
    check("dialled back", Fresh(links::back)).over(security::PLAIN_AND_TLS),
    check("simultaneous, ours first", Fresh(links::ours_sorts_first)).over(security::PLAIN_AND_TLS),
    check("simultaneous, ours last", Fresh(links::ours_sorts_last)).over(security::PLAIN_AND_TLS),
    check("mesh ours-peer-ours", Fresh(mesh::ours_peer_ours)),
    check("mesh peer-ours-peer", Fresh(mesh::peer_ours_peer)),
    check("mesh ours-ours-peer", Fresh(mesh::ours_ours_peer)),
    check("mesh ours-peer-peer", Fresh(mesh::ours_peer_peer)),
    check("mesh ours-peer-ours, no plain dial", Fresh(tls::mesh)).over(security::TLS),
    check("plain dial at a TLS port", Fresh(tls::plain_dial)).over(security::TLS),
    check("TLS dial at a plain port", Fresh(tls::dial_at_plain)).over(security::TLS),
    check("unknown authority", Fresh(tls::unknown_authority)).over(security::TLS),
    check("no certificate", Fresh(tls::no_certificate)).over(security::MUTUAL),
    check("certificate of another node", Fresh(tls::other_name)).over(security::BUILDER),
];

const fn check(name: &'static str, body: Body) -> Check {
    Check {
        name,
        body,
        over: &[Security::Plain],
    }
}

impl Check {
    const fn over(self, over: &'static [Security]) -> Self {
        Self { over, ..self }
    }
}
