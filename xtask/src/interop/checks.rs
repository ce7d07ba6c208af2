//! The checks, in the order in which they run.

mod actors;
mod calls;
mod casts;
mod faults;
mod groups;
mod links;
mod mesh;

pub(super) use faults::{LAST_WORDS, keeps_name, last_words};

use super::duo::{Duo, Lab, Verdict};
use crate::peers::way::Way;

pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) body: Body,
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
    check("join", Fresh(links::join)),
    check("node ids", Pair(actors::node_ids)),
    check("actors announced", EachWay(actors::announced)),
    check("actors come and go", EachWay(actors::come_and_go)),
    check("termination seen", EachWay(actors::termination)),
    check("groups before connection", EachWay(groups::before)),
    check("groups, default scope", EachWay(groups::default_scope)),
    check("groups, own scope", EachWay(groups::custom_scope)),
    check("groups, several members", EachWay(groups::several)),
    check("cast text", EachWay(casts::text)),
    check("cast prost", EachWay(casts::prost)),
    check("cast plain string", EachWay(casts::plain)),
    check("cast 1 MiB", EachWay(casts::big)),
    check("casts in order", EachWay(casts::order)),
    check("cast too long", Pair(casts::too_long)),
    check("cast unknown variant", EachWay(casts::unknown)),
    check("call, port last", EachWay(calls::port_last)),
    check("call, port first", EachWay(calls::port_first)),
    check("call struct variant", EachWay(calls::structured)),
    check("call prost", EachWay(calls::prost)),
    check("call values", EachWay(calls::values)),
    check("call without timeout", EachWay(calls::without_timeout)),
    check("calls at once", EachWay(calls::many)),
    check("call times out", EachWay(calls::timeout)),
    check("call, port discarded", EachWay(calls::discarded)),
    check("call unknown variant", EachWay(calls::unknown)),
    check("call dead actor", EachWay(calls::dead)),
    check("actor dies during call", EachWay(calls::dies_meanwhile)),
    check("reply after stop", EachWay(faults::reply_after_stop)),
    check("reply and stop", EachWay(faults::reply_and_stop)),
    check("name kept", EachWay(faults::name_kept)),
    check("we stop one reference", Fresh(faults::we_stop_reference)),
    check(
        "peer stops one reference",
        Fresh(faults::peer_stops_reference),
    ),
    check("20000 actors", Fresh(faults::flood)),
    check("wrong cookie", Fresh(links::wrong_cookie)),
    check("wrong cookie, peer's name", Fresh(links::impostor)),
    check("we disconnect, reconnect", Fresh(links::we_disconnect)),
    check(
        "peer disconnects, reconnect",
        Fresh(links::peer_disconnects),
    ),
    check("peer killed, back", Fresh(links::peer_killed)),
    check("ours killed, back", Fresh(links::ours_killed)),
    check("dialled again", Fresh(links::again)),
    check("dialled back", Fresh(links::back)),
    check("simultaneous, ours first", Fresh(links::ours_sorts_first)),
    check("simultaneous, ours last", Fresh(links::ours_sorts_last)),
    check("mesh ours-peer-ours", Fresh(mesh::ours_peer_ours)),
    check("mesh peer-ours-peer", Fresh(mesh::peer_ours_peer)),
    check("mesh ours-ours-peer", Fresh(mesh::ours_ours_peer)),
    check("mesh ours-peer-peer", Fresh(mesh::ours_peer_peer)),
];

const fn check(name: &'static str, body: Body) -> Check {
    Check { name, body }
}
