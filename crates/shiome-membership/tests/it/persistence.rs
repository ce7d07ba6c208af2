use std::{fs, net::UdpSocket};

use shiome_membership::{MembershipEvent, NodeId, StartError, StateError};

use crate::support::{Node, any_port, at, builder, cluster, eventually, own};

#[tokio::test]
async fn a_node_that_starts_again_is_the_same_and_newer() {
    let state = tempfile::tempdir().unwrap();
    let mut nodes = cluster(3, |index| match index {
        2 => at(any_port(own(3))).state_dir(state.path()),
        _ => builder(),
    })
    .await;
    let former = nodes.pop().unwrap();
    let (id, addr) = (former.id(), former.addr());
    let incarnation = former.membership.incarnation();
    former.membership.stop().await;

    let seed = nodes[0].addr();
    let mut again = Node::start(at(addr).state_dir(state.path()).seed(seed)).await;
    assert_eq!(again.id(), id);
    assert!(again.membership.incarnation() > incarnation);
    again.until_members(2).await;
    for node in &nodes {
        eventually(|| {
            let seen = node.membership.member(id).unwrap();
            seen.state.is_up() && seen.incarnation > incarnation
        })
        .await;
    }
}

#[tokio::test]
async fn a_node_that_starts_again_elsewhere_is_found_there() {
    let state = tempfile::tempdir().unwrap();
    let mut seed = Node::start(builder()).await;
    let start = || builder().state_dir(state.path()).seed(seed.addr());
    let former = Node::start(start()).await;
    let id = former.id();
    let again = start();
    seed.until_members(1).await;
    former.membership.stop().await;
    seed.until_members(0).await;
    let again = Node::start(again).await;
    seed.until(|event| match event {
        MembershipEvent::MemberUp(member) if member.addr == again.addr() => Some(()),
        _ => None,
    })
    .await;
    assert_eq!(seed.membership.members()[0].id, id);
}

/// A former incarnation is claimed to be dead; the node objects, and keeps what it became.
#[tokio::test]
async fn an_incarnation_that_was_taken_on_the_way_is_kept() {
    use shiome_gossip::{Packer, Update};

    let state = tempfile::tempdir().unwrap();
    let mut nodes = cluster(2, |index| match index {
        1 => builder().state_dir(state.path()),
        _ => at(any_port(own(4))),
    })
    .await;
    let (mut accused, accuser) = (nodes.pop().unwrap(), nodes.pop().unwrap());
    // As if the accuser said so: it says nothing more itself.
    accuser.membership.stop().await;
    let socket = UdpSocket::bind(accuser.addr()).unwrap();
    let mut buf = [0; 512];
    let mut ping = Packer::ping(&mut buf, 1, accuser.id()).unwrap();
    let dead = Update::Dead {
        node: accused.id(),
        incarnation: 40,
    };
    assert_eq!(ping.pack([dead]).items, 1);
    let len = ping.finish();
    socket.send_to(&buf[..len], accused.addr()).unwrap();

    let refuted = accused
        .until(|event| match event {
            MembershipEvent::Incarnation { incarnation } => Some(*incarnation),
            _ => None,
        })
        .await;
    assert!(refuted > 40);
    accused.membership.stop().await;
    let again = Node::start(builder().state_dir(state.path())).await;
    assert!(again.membership.incarnation() > refuted);
    assert_eq!(accused.stats().driver.state_failed, 0);
}

#[tokio::test]
async fn a_directory_serves_one_node() {
    let state = tempfile::tempdir().unwrap();
    let node = Node::start(builder().state_dir(state.path())).await;
    let error = builder().state_dir(state.path()).start().await.unwrap_err();
    assert!(
        matches!(error, StartError::State(StateError::InUse(_))),
        "{error}"
    );
    node.membership.leave().await;
    Node::start(builder().state_dir(state.path())).await;
}

#[tokio::test]
async fn a_corrupt_directory_is_not_started_from_and_not_touched() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("node");
    fs::write(&file, "shiome-membership 1\nid 00\n").unwrap();
    let addr = {
        let free = UdpSocket::bind(any_port(own(5))).unwrap();
        free.local_addr().unwrap()
    };
    let error = at(addr).state_dir(state.path()).start().await.unwrap_err();
    assert!(
        matches!(error, StartError::State(StateError::Corrupt { .. })),
        "{error}"
    );
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "shiome-membership 1\nid 00\n"
    );
    // Nothing runs, so the port is free.
    UdpSocket::bind(addr).unwrap();
}

#[tokio::test]
async fn a_directory_of_another_node_is_refused() {
    let state = tempfile::tempdir().unwrap();
    let [one, other] = [1, 2].map(|byte| NodeId::from([byte; 16]));
    let node = Node::start(builder().state_dir(state.path()).id(one)).await;
    assert_eq!((node.id(), node.membership.incarnation()), (one, 1));
    node.membership.stop().await;
    let error = builder()
        .state_dir(state.path())
        .id(other)
        .start()
        .await
        .unwrap_err();
    assert!(
        matches!(error, StartError::State(StateError::OtherNode { .. })),
        "{error}"
    );
}

/// On several threads, where what is aborted may outlive the one who waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_has_stopped_has_let_go_of_ports_and_directory() {
    let state = tempfile::tempdir().unwrap();
    let mut node = Node::start(at(any_port(own(6))).state_dir(state.path())).await;
    for round in 0..50 {
        let addr = node.addr();
        if round % 2 == 0 {
            node.membership.stop().await;
        } else {
            node.membership.leave().await;
        }
        node = Node::start(at(addr).state_dir(state.path())).await;
    }
    assert_eq!(node.membership.incarnation(), 51);
}
