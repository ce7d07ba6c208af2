//! Peers that do not keep to the protocol: each loses its own connection at most.

use std::{collections::BTreeSet, time::Duration};

use ractor::pg;
use shiome_ractor::{Node, NodeEvent};
use shiome_wire::{
    LENGTH_PREFIX_LEN, auth,
    auth::server_status::Status,
    control::{self, control_message::Msg},
    meta::NetworkMessage,
    node,
};

use super::support::{
    COOKIE, RawPeer, digest, eventually_async, name_of, node, node_server, remote_members,
    sessions, spawn, timestamp,
};

/// A session that must not notice anything.
async fn bystander(
    server: &ractor::ActorRef<shiome_ractor::NodeServerMessage>,
    name: &str,
) -> RawPeer {
    let mut bystander = RawPeer::join(server, &format!("{name}-bystander")).await;
    bystander
        .join_group(&format!("{name}-bystander"), [1])
        .await;
    remote_members(&format!("{name}-bystander"), 1).await;
    bystander
}

async fn unharmed(mut bystander: RawPeer, name: &str) {
    bystander.ping(77).await;
    remote_members(&format!("{name}-bystander"), 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_huge_announced_length_closes_the_connection_alone() {
    let server = node("e16").await;
    let bystander = bystander(&server, "e16").await;
    for authenticated in [false, true] {
        let mut peer = RawPeer::dial(&server);
        if authenticated {
            peer.authenticate("e16peer").await;
        }
        peer.send_bytes(&(1u64 << 40).to_be_bytes()).await;
        peer.until_closed().await;
    }
    unharmed(bystander, "e16").await;
}

#[tokio::test(start_paused = true)]
async fn pings_are_echoed_bit_for_bit_and_odd_pongs_ignored() {
    let server = node("e17").await;
    let mut peer = RawPeer::join(&server, "e17peer").await;
    let odd = [
        None,
        Some(timestamp(-5, -999)),
        Some(timestamp(i64::MAX, i32::MAX)),
        Some(timestamp(i64::MIN, i32::MIN)),
        Some(timestamp(4_000_000_000, 5)),
    ];
    for timestamp in odd {
        peer.send(control::Pong { timestamp }).await;
        peer.send(control::Ping { timestamp }).await;
        let echoed = peer
            .expect(|message| match message.into_control()? {
                Msg::Pong(pong) => Some(pong.timestamp),
                _ => None,
            })
            .await;
        assert_eq!(echoed, timestamp);
    }
    peer.ping(1).await;
}

#[tokio::test(start_paused = true)]
async fn the_node_pings_with_the_age_of_the_session() {
    let server = node("pings").await;
    let mut peer = RawPeer::join(&server, "pingspeer").await;
    let mut last = None;
    for _ in 0..3 {
        let ping = peer
            .expect(|message| match message.into_control()? {
                Msg::Ping(ping) => ping.timestamp,
                _ => None,
            })
            .await;
        assert!(last.is_none_or(|last| last <= ping.seconds));
        assert!(ping.seconds < 60, "not a wall clock");
        last = Some(ping.seconds);
        peer.send(control::Pong {
            timestamp: Some(ping),
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn many_announced_actors_get_few_shims_until_they_are_used() {
    let server = node("e18").await;
    let mut peer = RawPeer::join(&server, "e18peer").await;
    for chunk in 0..20u64 {
        peer.announce((0..10_000).map(|n| (chunk * 10_000 + n, "")))
            .await;
    }
    peer.ping(1).await;
    let session = sessions(&server).await.remove(0);
    assert_eq!(
        session.actor.get_children().len(),
        64,
        "not one shim an actor"
    );
    // They can all be used: a shim is made when one joins a group.
    peer.join_group("e18", [199_999]).await;
    let last = remote_members("e18", 1).await.remove(0);
    assert_eq!(last.get_id().pid(), 199_999);
}

#[tokio::test(start_paused = true)]
async fn a_million_announced_actors_end_the_session_and_no_other() {
    let server = node("million").await;
    let bystander = bystander(&server, "million").await;
    let mut peer = RawPeer::join(&server, "millionpeer").await;
    for chunk in 0..100u64 {
        peer.announce((0..10_000).map(|n| (chunk * 10_000 + n, "")))
            .await;
    }
    peer.until_closed().await;
    unharmed(bystander, "million").await;
    eventually_async(|| async { sessions(&server).await.len() == 1 }).await;
}

#[tokio::test(start_paused = true)]
async fn a_million_actors_in_one_message_are_not_even_decoded() {
    let server = node("onemessage").await;
    let mut peer = RawPeer::join(&server, "onemessagepeer").await;
    peer.announce((0..1_000_000).map(|n| (n, ""))).await;
    peer.until_closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_group_joins_is_left_out_and_told_and_the_session_lives() {
    let builder = Node::builder("joins@127.0.0.1:0").cookie(COOKIE);
    let node = builder.max_grouped_actors(100).start().await.unwrap();
    let mut events = node.events();
    let server = node.server().clone();
    let bystander = bystander(&server, "joins").await;
    let mut peer = RawPeer::join(&server, "joinspeer").await;
    peer.join_group("joins", 0..1000).await;
    peer.join_group("joins2", 50..150).await;
    peer.ping(1).await;
    let members = remote_members("joins", 100).await;
    let pids: BTreeSet<_> = members.iter().map(|member| member.get_id().pid()).collect();
    assert!(pids.into_iter().eq(0..100), "who came first");
    remote_members("joins2", 50).await;
    let told = loop {
        match events.next().await {
            Some(NodeEvent::MembersLeftOut { session, count }) => break (session.name, count),
            Some(_) => {}
            None => panic!("the node has ended"),
        }
    };
    assert_eq!(told, (name_of("joinspeer").name, 900));
    // Who ends makes room.
    peer.send(control::Terminate { ids: vec![7] }).await;
    peer.join_group("joins", [555]).await;
    peer.ping(2).await;
    eventually_async(|| async {
        let members = remote_members("joins", 100).await;
        members.iter().any(|member| member.get_id().pid() == 555)
    })
    .await;
    unharmed(bystander, "joins").await;
    node.stop().await;
}

/// The stand-in of an actor stays when the actor leaves its groups: somebody may hold it.
#[tokio::test(start_paused = true)]
async fn who_joins_and_leaves_groups_all_the_time_gets_no_more_stand_ins() {
    let mut limits = shiome_session::Config::default();
    limits.max_grouped_actors = 2000;
    let server = spawn(node_server("leaves").with_session_config(limits)).await;
    let mut peer = RawPeer::join(&server, "leavespeer").await;
    let actor = |pid| control::Actor { pid, name: None };
    let began = tokio::time::Instant::now();
    for pids in [0..1000, 1000..2000, 2000..3000, 3000..4000] {
        peer.join_group("leaves", pids.clone()).await;
        peer.send(control::PgLeave {
            group: "leaves".to_owned(),
            actors: pids.map(actor).collect(),
            scope: pg::DEFAULT_SCOPE.to_owned(),
        })
        .await;
    }
    peer.ping(1).await;
    assert!(began.elapsed() < Duration::from_secs(1), "at once");
    let session = sessions(&server).await.remove(0);
    assert_eq!(session.actor.get_children().len(), 2000);
    remote_members("leaves", 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_in_time() {
    let server = node("e19").await;
    let mut accepted = RawPeer::dial(&server);
    let began = tokio::time::Instant::now();
    assert!(accepted.until_closed().await.is_empty());
    assert!(began.elapsed() <= Duration::from_secs(6));

    let mut dialled = RawPeer::dialled_by(&server);
    let began = tokio::time::Instant::now();
    assert_eq!(
        dialled.until_closed().await.len(),
        1,
        "its name, and no more"
    );
    assert!(began.elapsed() <= Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn large_frames_are_refused_before_authentication() {
    let server = node("e19b").await;
    let mut peer = RawPeer::dial(&server);
    let len = 15 * 1024 * 1024u64;
    peer.send_bytes(&len.to_be_bytes()).await;
    assert!(peer.until_closed().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn too_many_unauthenticated_connections_are_turned_away() {
    let server = node("flood").await;
    let mut silent: Vec<_> = (0..256).map(|_| RawPeer::dial(&server)).collect();
    let mut turned_away = RawPeer::dial(&server);
    let began = tokio::time::Instant::now();
    assert!(turned_away.until_closed().await.is_empty());
    assert!(began.elapsed() < Duration::from_secs(1), "at once");
    for peer in &mut silent {
        peer.until_closed().await;
    }
    RawPeer::join(&server, "floodpeer").await.ping(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_cookie_is_refused_without_a_word() {
    let server = node("cookie").await;
    let mut peer = RawPeer::dial(&server);
    peer.send_name("cookiepeer").await;
    assert_eq!(peer.status().await, Status::Ok);
    let challenge = peer.challenge().await;
    peer.send(auth::ChallengeReply {
        challenge: 1,
        digest: digest("another cookie", challenge),
    })
    .await;
    assert!(peer.until_closed().await.is_empty());
    assert!(sessions(&server).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_challenge_cannot_be_reflected_over_a_second_connection() {
    let server = node("reflect").await;
    // The node dials the attacker and is asked its own question, which it has put to him elsewhere.
    let mut accepted = RawPeer::dial(&server);
    accepted.send_name("reflectpeer").await;
    let question = accepted.challenge_after_status().await;
    let mut dialled = RawPeer::dialled_by(&server);
    dialled.receive().await.expect("the node's name");
    dialled
        .send(auth::ServerStatus {
            status: Status::Ok.into(),
        })
        .await;
    let name = name_of("reflectpeer");
    dialled
        .send(auth::Challenge {
            name: name.name,
            flags: name.flags,
            challenge: question,
            connection_string: name.connection_string,
        })
        .await;
    assert!(
        dialled.until_closed().await.is_empty(),
        "no answer to be passed on"
    );
}

#[tokio::test(start_paused = true)]
async fn messages_before_authentication_have_no_effect() {
    let server = node("early").await;
    let mut peer = RawPeer::dial(&server);
    peer.join_group("early", [1]).await;
    peer.send(control::Ping {
        timestamp: Some(timestamp(1, 0)),
    })
    .await;
    peer.send(node::Cast::default()).await;
    peer.authenticate("earlypeer").await;
    peer.ping(2).await;
    assert!(pg::get_members(&"early".to_owned()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_handshake_out_of_order_closes_the_connection() {
    let server = node("outoforder").await;
    let wrong: [NetworkMessage; 4] = [
        auth::ChallengeReply::default().into(),
        auth::ClientStatus { status: true }.into(),
        auth::ServerStatus::default().into(),
        auth::AuthenticationMessage { msg: None }.into(),
    ];
    for message in wrong {
        let mut peer = RawPeer::dial(&server);
        let kind = message.kind();
        peer.send(message).await;
        assert!(peer.until_closed().await.is_empty(), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_closes_the_connection_in_every_state() {
    let server = node("garbage").await;
    let bystander = bystander(&server, "garbage").await;
    let mut garbage = vec![0xff; 64];
    garbage.splice(0..0, 64u64.to_be_bytes());
    for state in ["silent", "named", "authenticated"] {
        let mut peer = RawPeer::dial(&server);
        match state {
            "named" => peer.send_name("garbagepeer").await,
            "authenticated" => peer.authenticate("garbagepeer").await,
            _ => {}
        }
        peer.send_bytes(&garbage).await;
        peer.until_closed().await;
    }
    unharmed(bystander, "garbage").await;
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_and_members_are_skipped() {
    let server = node("unknown").await;
    let mut peer = RawPeer::join(&server, "unknownpeer").await;
    let bodies: [&[u8]; 5] = [
        b"",
        &[0xa2, 0x06, 0x00],             // NetworkMessage: member 100
        &[0x12, 0x03, 0xa2, 0x06, 0x00], // NodeMessage: member 100
        &[0x1a, 0x03, 0xa2, 0x06, 0x00], // ControlMessage: member 100
        &[0x0a, 0x00],                   // empty auth message after authentication
    ];
    for body in bodies {
        let mut frame = (body.len() as u64).to_be_bytes().to_vec();
        assert_eq!(frame.len(), LENGTH_PREFIX_LEN);
        frame.extend_from_slice(body);
        peer.send_bytes(&frame).await;
    }
    peer.send(auth::ChallengeAck::default()).await;
    peer.ping(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_inside_a_frame_ends_the_session_alone() {
    let server = node("truncated").await;
    let bystander = bystander(&server, "truncated").await;
    let mut peer = RawPeer::join(&server, "truncatedpeer").await;
    peer.send_bytes(&[0, 0, 0, 0, 0, 0, 0, 9, 1]).await;
    drop(peer);
    unharmed(bystander, "truncated").await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_falls_silent_loses_its_session() {
    let server = node("fallsilent").await;
    let mut peer = RawPeer::join(&server, "fallsilentpeer").await;
    let began = tokio::time::Instant::now();
    peer.until_closed().await;
    let lasted = began.elapsed();
    let limit = shiome_transport::session::LIVENESS_TIMEOUT;
    assert!(lasted <= limit && lasted >= limit / 2, "{lasted:?}");
    eventually_async(|| async { sessions(&server).await.is_empty() }).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_makes_the_node_talk_and_does_not_listen_loses_its_session() {
    let server = node("deaf").await;
    let bystander = bystander(&server, "deaf").await;
    let mut peer = RawPeer::join(&server, "deafpeer").await;
    let mut pings = bytes::BytesMut::new();
    let ping = control::Ping {
        timestamp: Some(timestamp(-1, -1)),
    };
    while pings.len() < 1024 * 1024 {
        shiome_wire::encode(&ping.into(), u64::MAX, &mut pings).unwrap();
    }
    let before = sessions(&server).await.len();
    for _ in 0..18 {
        peer.send_bytes(&pings).await;
    }
    eventually_async(|| async { sessions(&server).await.len() < before }).await;
    unharmed(bystander, "deaf").await;
}
