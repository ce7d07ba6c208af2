//! One name, one peer, across nodes.

use shiome_bus::{ErrorKind, LeaveReason, Mesh};
use shiome_transport::memory::Network;

use super::support::{SOON, id, inbox, intent, kind, linked, until};

#[tokio::test(start_paused = true)]
async fn a_name_that_another_node_has_told_is_taken_until_it_is_free() {
    let network = Network::default();
    let (a, b) = (
        linked(&network, "taken-a").await,
        linked(&network, "taken-b").await,
    );
    let (alice, bob) = (a.peer("alice"), b.peer("bob"));
    a.dial(&b).await;
    alice.wait_for(bob.id(), SOON).await.unwrap();
    assert_eq!(kind(a.bus.peer("bob")), ErrorKind::NameTaken);
    drop(bob);
    until(|| a.bus.peer("bob").is_ok()).await;
}

#[tokio::test(start_paused = true)]
async fn of_two_peers_of_one_name_each_node_keeps_its_own_and_a_third_has_the_later() {
    let network = Network::default();
    let (a, b, c) = (
        linked(&network, "twice-a").await,
        linked(&network, "twice-b").await,
        linked(&network, "twice-c").await,
    );
    let (first, second) = (a.peer("bob"), b.peer("bob"));
    let carol = c.peer("carol");
    let (mut of_first, mut of_second) = (inbox(&first), inbox(&second));
    let (alice, dave) = (a.peer("alice"), b.peer("dave"));
    a.dial(&b).await;
    alice.wait_for(dave.id(), SOON).await.unwrap();
    dave.wait_for(alice.id(), SOON).await.unwrap();
    alice.send("bob", intent("to.first")).await.unwrap();
    dave.send("bob", intent("to.second")).await.unwrap();
    assert_eq!(of_first.recv().await.unwrap().name(), "to.first");
    assert_eq!(of_second.recv().await.unwrap().name(), "to.second");
    until(|| !a.links.taken().is_empty() && !b.links.taken().is_empty()).await;
    assert_eq!(a.links.taken(), [(b.node.name().to_owned(), id("bob"))]);
    assert_eq!(b.links.taken(), [(a.node.name().to_owned(), id("bob"))]);

    // The third hears of the later one first, or last.
    c.dial(&b).await;
    c.dial(&a).await;
    carol.wait_for(alice.id(), SOON).await.unwrap();
    carol.send("bob", intent("from.carol")).await.unwrap();
    assert_eq!(of_second.recv().await.unwrap().name(), "from.carol");
    until(|| a.links.taken().len() == 2).await;

    // When the later ends, the earlier is known everywhere.
    drop(second);
    until(|| carol.reachable("bob") && dave.reachable("bob")).await;
    carol.send("bob", intent("to.first")).await.unwrap();
    dave.send("bob", intent("to.first")).await.unwrap();
    for _ in 0..2 {
        assert_eq!(of_first.recv().await.unwrap().name(), "to.first");
    }
    assert!(of_second.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_moves_to_another_node_is_found_there() {
    let network = Network::default();
    let (a, b, c) = (
        linked(&network, "move-a").await,
        linked(&network, "move-b").await,
        linked(&network, "move-c").await,
    );
    let alice = a.peer("alice");
    let bob = b.peer("bob");
    a.dial(&b).await;
    a.dial(&c).await;
    alice.wait_for(bob.id(), SOON).await.unwrap();
    let asked = tokio::spawn({
        let alice = alice.clone();
        async move { alice.request("bob", intent("x")).await }
    });
    let mut heard = inbox(&bob);
    heard.recv().await.unwrap();
    // Where there is no session with his old node, nobody minds.
    let again = c.peer("bob");
    let mut heard_again = inbox(&again);
    until(|| {
        let sent = alice.try_send("bob", intent("where"));
        sent.is_ok() && heard_again.try_recv().is_ok()
    })
    .await;
    drop(bob);
    assert!(asked.await.unwrap().is_err());
    alice.send("bob", intent("still")).await.unwrap();
    while heard_again.recv().await.unwrap().name() != "still" {}
}

#[tokio::test(start_paused = true)]
async fn rooms_go_over_nodes_and_know_when_one_is_lost() {
    let network = Network::default();
    let (a, b) = (
        linked(&network, "room-a").await,
        linked(&network, "room-b").await,
    );
    let (alice, bob) = (a.peer("alice"), b.peer("bob"));
    let session = a.dial(&b).await;
    let (here, there) = (
        Mesh::join(&alice, "lobby").unwrap(),
        Mesh::join(&bob, "lobby").unwrap(),
    );
    here.wait_for(bob.id()).await;
    there.wait_for(alice.id()).await;
    let (put, mut gone) = tokio::sync::mpsc::unbounded_channel();
    here.on_leave(move |member, why| drop(put.send((member.id.clone(), why))))
        .detach();
    assert_eq!(here.send_text("hello").await.unwrap().accepted(), 1);
    session.disconnect();
    assert_eq!(gone.recv().await.unwrap(), (id("bob"), LeaveReason::Gone));
    a.dial(&b).await;
    here.wait_for(bob.id()).await;
}

#[tokio::test(start_paused = true)]
async fn thousands_of_peers_are_told_and_forgotten() {
    const COUNT: usize = 3000;
    let network = Network::default();
    let (a, b) = (
        linked(&network, "many-a").await,
        linked(&network, "many-b").await,
    );
    let alice = a.peer("alice");
    let names = || (0..COUNT).map(|number| format!("peer-{number}"));
    let all: Vec<_> = names().map(|name| b.peer(&name)).collect();
    let session = a.dial(&b).await;
    until(|| alice.peers().len() == COUNT).await;
    session.disconnect();
    until(|| alice.peers().is_empty()).await;
    // While nobody told of it, one went and one came.
    let mut all = all.into_iter();
    drop(all.next());
    let new = b.peer("new");
    a.dial(&b).await;
    until(|| alice.reachable("new") && !alice.reachable("peer-0")).await;
    assert_eq!(alice.peers().len(), COUNT);
    drop((all, new));
    until(|| alice.peers().is_empty()).await;
}
