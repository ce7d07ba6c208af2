use std::{collections::HashSet, net::Ipv6Addr, time::Instant};

use shiome_membership::{DownReason, MembershipEvent, NodeId, SlotRange, State};

use crate::support::{
    Node, V4, any_port, at, builder, cluster, eventually, own, patient, quick, talk,
};

fn ids(nodes: &[Node]) -> HashSet<NodeId> {
    nodes.iter().map(Node::id).collect()
}

#[tokio::test]
async fn five_nodes_join_through_one_seed() {
    for ip in [V4, Ipv6Addr::LOCALHOST.into()] {
        let mut nodes = cluster(5, |_| at(any_port(ip)).config(patient())).await;
        let all = ids(&nodes);
        for node in &mut nodes {
            let members = node.membership.members();
            let mut known: HashSet<_> = members.iter().map(|member| member.id).collect();
            assert!(known.insert(node.id()), "a node is no member to itself");
            assert_eq!(known, all);
            assert!(
                members
                    .iter()
                    .all(|member| member.speaks_compact && member.addr.ip() == ip)
            );
            assert_eq!(node.downs(), []);
        }
    }
}

#[tokio::test]
async fn both_ip_versions_are_one_cluster_through_nodes_that_speak_both() {
    let both = at(any_port(Ipv6Addr::UNSPECIFIED.into())).advertise(any_port(V4));
    let mut both = Node::start(both).await;
    let mut v4 = Node::start(builder().seed(both.addr())).await;
    both.until_members(1).await;
    v4.until_members(1).await;
    assert_eq!(v4.membership.members()[0].addr, both.addr());
    assert_eq!(both.membership.members()[0].addr, v4.addr());
}

#[tokio::test]
async fn a_node_that_stops_is_found_dead_by_all_others() {
    let mut nodes = cluster(5, |_| builder()).await;
    let gone = nodes.pop().unwrap();
    let (id, addr) = (gone.id(), gone.addr());
    gone.membership.stop().await;
    for node in &mut nodes {
        let reason = node
            .until(|event| match event {
                MembershipEvent::MemberDown {
                    id: down,
                    addr: was,
                    reason,
                } if *down == id => {
                    assert_eq!(*was, addr);
                    Some(*reason)
                }
                _ => None,
            })
            .await;
        assert_eq!(reason, DownReason::Failed);
        assert_eq!(node.membership.member(id).unwrap().state, State::Dead);
    }
    for node in &mut nodes {
        assert_eq!(node.downs(), [id]);
        assert_eq!(node.membership.members().len(), 3);
    }
}

#[tokio::test]
async fn a_node_that_is_dropped_stops() {
    let mut nodes = cluster(2, |_| at(any_port(own(1)))).await;
    let gone = nodes.pop().unwrap();
    let addr = gone.addr();
    drop(gone);
    nodes[0].until_members(0).await;
    assert!(Node::start(at(addr)).await.membership.members().is_empty());
}

#[tokio::test]
async fn a_node_that_leaves_says_goodbye() {
    let mut nodes = cluster(4, |_| at(any_port(own(2)))).await;
    let mut leaver = nodes.pop().unwrap();
    let id = leaver.id();
    tokio::join!(leaver.membership.leave(), leaver.membership.leave());
    while leaver.next().await.is_some() {}
    assert_eq!(leaver.heard.last(), Some(&MembershipEvent::Departed));
    for node in &mut nodes {
        let reason = node
            .until(|event| match event {
                MembershipEvent::MemberDown {
                    id: down, reason, ..
                } if *down == id => Some(*reason),
                _ => None,
            })
            .await;
        assert_eq!(reason, DownReason::Left);
        assert_eq!(node.downs(), [id]);
        let suspected = |event: &MembershipEvent| matches!(event, MembershipEvent::MemberSuspected(member) if member.id == id);
        assert!(!node.heard.iter().any(suspected));
    }
    // Its port is free again.
    Node::start(at(leaver.addr())).await;
}

#[tokio::test]
async fn roles_slots_and_votes_are_told_to_all() {
    let mut nodes = cluster(3, |_| builder()).await;
    let (primary, replica) = (nodes[0].id(), nodes[1].id());
    let slots = [
        SlotRange::new(0, 5460).unwrap(),
        SlotRange::new(9000, 9001).unwrap(),
    ];
    nodes[0].membership.set_role(true, None);
    nodes[0].membership.set_slots(&slots).unwrap();
    nodes[1].membership.set_role(false, Some(primary));
    eventually(|| {
        let seen = nodes[2].membership.member(primary).unwrap();
        seen.is_primary && seen.slots == slots
    })
    .await;
    eventually(|| nodes[2].membership.member(replica).unwrap().replicates == Some(primary)).await;

    nodes[1].membership.request_vote(7, 1234);
    let asked = nodes[0]
        .until(|event| match event {
            MembershipEvent::VoteRequest {
                candidate,
                epoch,
                offset,
            } => Some((*candidate, *epoch, *offset)),
            _ => None,
        })
        .await;
    assert_eq!(asked, (replica, 7, 1234));
    nodes[0].membership.grant_vote(replica, 7);
    let vote = nodes[1]
        .until(|event| match event {
            MembershipEvent::VoteGranted {
                from,
                candidate,
                epoch,
            } => Some((*from, *candidate, *epoch)),
            _ => None,
        })
        .await;
    assert_eq!(vote, (primary, replica, 7));
}

#[tokio::test]
async fn a_node_of_another_cluster_stays_out() {
    let mut nodes = cluster(2, |_| builder().config(patient())).await;
    let other = builder().config(patient()).cluster("others");
    let mut stranger = Node::start(other.seed(nodes[0].addr())).await;
    eventually(|| nodes[0].stats().engine.wrong_cluster >= 3).await;
    assert!(stranger.membership.members().is_empty());
    assert_eq!(stranger.downs(), []);
    for node in &mut nodes {
        assert_eq!(node.membership.members().len(), 1);
        assert_eq!(node.membership.member(stranger.id()), None);
        assert_eq!(node.downs(), []);
    }
}

/// Its thread does not run for longer than a probe may take, again and again, while the other is well.
#[test]
fn a_process_that_stands_still_does_not_think_others_dead() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let (here, there) = (runtime(), runtime());
    let mut seed = there.block_on(Node::start(builder().config(patient())));
    let (addr, id) = (seed.addr(), seed.id());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let other = std::thread::spawn(move || {
        there.block_on(async {
            stopped.await.unwrap();
            seed.membership.members().len() + seed.downs().len()
        })
    });
    let mut node = here.block_on(async {
        let mut node = Node::start(builder().config(patient()).seed(addr)).await;
        node.until_members(1).await;
        node
    });
    for _ in 0..5 {
        // Keeps the thread to itself, so that the node does not run.
        let since = Instant::now();
        while since.elapsed() < 4 * quick().probe_period {
            std::hint::spin_loop();
        }
        let stalls = node.stats().engine.stalls;
        here.block_on(talk(std::slice::from_ref(&node)));
        assert!(node.stats().engine.stalls > stalls);
    }
    assert_eq!(node.downs(), []);
    assert_eq!(node.membership.members()[0].id, id);
    stop.send(()).unwrap();
    assert_eq!(other.join().unwrap(), 1);
}
