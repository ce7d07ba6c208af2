//! The machines of both ends, on virtual time.

use std::time::Duration;

use proptest::prelude::*;

use super::pair::{HEARTBEAT, MS, Pair, config, envelope};
use crate::{
    websocket::backoff::Reconnect,
    wire::{CloseReason, Encoding, Refused},
};

fn up_to(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

#[test]
fn envelopes_go_both_ways_in_order_and_are_acknowledged() {
    for encoding in [Encoding::Json, Encoding::Binary] {
        let mut pair = Pair::new(config());
        pair.server.encoding = encoding;
        pair.drive();
        pair.send(1..=1000);
        for number in 1..=500 {
            pair.server.session.push(&envelope(number)).unwrap();
        }
        pair.run(200 * MS);
        assert_eq!(pair.server.heard, up_to(1000));
        assert_eq!(pair.heard, up_to(500));
        assert_eq!(
            (pair.session.queued(), pair.server.session.queued()),
            (0, 0)
        );
    }
}

#[test]
fn a_silent_link_stays_up() {
    let mut pair = Pair::open();
    pair.run(HEARTBEAT * 100);
    assert_eq!(pair.told, ["up"]);
    assert!(pair.server.link.is_some());
}

#[test]
fn a_half_open_link_is_found_by_both_ends_within_two_intervals() {
    let mut pair = Pair::open();
    pair.run(HEARTBEAT / 2);
    (pair.up.dead, pair.down.dead) = (true, true);
    pair.reachable = false;
    pair.run(HEARTBEAT * 2);
    assert_eq!(pair.told, ["up", "down: unresponsive"]);
    assert_eq!(pair.server.over, Some(CloseReason::Unresponsive));
}

#[test]
fn a_link_that_is_deaf_in_one_direction_is_found_too() {
    let mut pair = Pair::open();
    pair.down.dead = true;
    pair.run(HEARTBEAT * 2);
    assert_eq!(pair.told[1], "down: unresponsive");
}

#[test]
fn a_broken_link_comes_back_and_nothing_is_lost_or_twice() {
    let mut pair = Pair::open();
    pair.send(1..=10);
    pair.run(MS);
    pair.up.dead = true;
    pair.down.dead = true;
    pair.send(11..=20);
    for number in 1..=5 {
        pair.server.session.push(&envelope(number)).unwrap();
    }
    pair.run(MS);
    assert_eq!(pair.server.heard, up_to(10));
    pair.cut();
    pair.send(21..=30);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.told, ["up", "down: lost", "up"]);
    assert_eq!(pair.server.hellos[1].received, Some(0));
    assert_eq!(
        pair.server.hellos[1].reclaim.as_ref().unwrap().reveal(),
        "reclaim"
    );
    assert_eq!(pair.server.heard, up_to(30));
    assert_eq!(pair.heard, up_to(5));
}

#[test]
fn a_server_that_has_forgotten_gets_all_that_it_did_not_acknowledge_again() {
    let mut pair = Pair::open();
    pair.send(1..=10);
    pair.run(200 * MS);
    pair.send(11..=20);
    pair.down.dead = true;
    pair.run(MS);
    assert_eq!(pair.server.heard, up_to(20));
    pair.server.remembers = false;
    pair.server.heard.clear();
    pair.cut();
    pair.run(Duration::from_secs(1));
    // They arrived, but that was not heard. By their ids the destination drops them.
    assert_eq!(pair.server.heard, (11..=20).collect::<Vec<_>>());
    assert_eq!(pair.session.queued(), 0);
}

#[test]
fn a_client_gives_up_and_tells_what_was_not_acknowledged() {
    let mut config = config();
    config.reconnect.give_up = Some(Duration::from_secs(60));
    let mut pair = Pair::new(config);
    pair.drive();
    pair.send(1..=3);
    pair.run(200 * MS);
    (pair.up.dead, pair.reachable) = (true, false);
    pair.send(4..=5);
    pair.run(MS);
    pair.cut();
    pair.run(Duration::from_secs(59));
    assert_eq!(pair.told, ["up", "down: lost"]);
    assert!(pair.dials > 5);
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.told, ["up", "down: lost", "ended: lost"]);
    assert_eq!(pair.unacknowledged, [4, 5]);
    let dials = pair.dials;
    pair.run(Duration::from_secs(600));
    assert_eq!(pair.dials, dials, "it stays given up");
}

#[test]
fn a_server_that_was_never_there_is_given_up_too() {
    let mut config = config();
    config.reconnect = Reconnect::never();
    let mut pair = Pair::new(config);
    pair.reachable = false;
    pair.run(Duration::from_secs(600));
    assert_eq!(
        (pair.dials, &pair.told[..]),
        (1, &["ended: lost".to_owned()][..])
    );
}

#[test]
fn a_refusal_is_the_end_unless_it_says_when_to_come_again() {
    for reason in [
        CloseReason::NameTaken,
        CloseReason::Unauthorized,
        CloseReason::UnsupportedVersion,
        CloseReason::Limit,
        CloseReason::Stale,
    ] {
        let mut pair = Pair::new(config());
        pair.server.refuses = Some(Refused::new(reason));
        pair.run(Duration::from_secs(600));
        assert_eq!(pair.told, [format!("ended: {}", reason.as_str())]);
        assert_eq!(pair.dials, 1);

        let mut pair = Pair::new(config());
        let retry_ms = Some(2000);
        let refused = Refused::new(reason);
        pair.server.refuses = Some(Refused {
            retry_ms,
            ..refused
        });
        pair.run(1999 * MS);
        assert_eq!(pair.dials, 1);
        pair.run(300 * MS);
        assert_eq!(pair.told, ["up"]);
    }
}

#[test]
fn a_name_that_is_still_taken_after_it_was_asked_about_is_taken() {
    let mut pair = Pair::new(config());
    let taken = Refused {
        retry_ms: Some(1000),
        ..Refused::new(CloseReason::NameTaken)
    };
    pair.server.refuses = Some(taken.clone());
    pair.run(500 * MS);
    pair.server.refuses = Some(taken);
    pair.run(Duration::from_secs(600));
    assert_eq!(pair.told, ["ended: name-taken"]);
    assert_eq!(pair.dials, 2);
}

#[test]
fn a_server_without_a_first_word_is_left() {
    let mut pair = Pair::new(config());
    pair.up.dead = true;
    let event = pair.client.poll_event();
    assert!(event.is_some());
    pair.client.handle_dialled(pair.now, &pair.session);
    assert!(
        pair.client
            .poll_message(pair.now, &mut pair.session)
            .is_some()
    );
    pair.run(Duration::from_secs(11));
    assert!(pair.dials >= 1, "dialled again");
}

#[test]
fn what_no_server_says_ends_the_link() {
    for text in [
        "{",
        r#"[{"type":"welcome","version":1,"id":"relay","incarnation":1,"reclaim":"r"}]"#,
        r#"[{"type":"ack","received":1}]"#,
        r#"[{"type":"envelope","id":"1.1","from":"bob","to":"alice","name":"n"},{"type":"ping"}]"#,
    ] {
        let mut pair = Pair::open();
        pair.say(text);
        assert_eq!(pair.told, ["up", "down: malformed"], "{text}");
        assert!(
            pair.heard.is_empty(),
            "nothing of a malformed message counts"
        );
    }
}

#[test]
fn what_is_said_before_welcome_ends_the_connection() {
    for text in [
        r#"[{"type":"ping","nonce":1}]"#,
        r#"[]"#,
        r#"[{"type":"welcome","version":1,"id":"relay","incarnation":1,"reclaim":"r"},{"type":"ping","nonce":1}]"#,
        r#"[{"type":"welcome","version":2,"id":"relay","incarnation":1,"reclaim":"r"}]"#,
        r#"[{"type":"welcome","version":1,"id":"alice","incarnation":1,"reclaim":"r"}]"#,
    ] {
        let mut pair = Pair::new(config());
        assert!(pair.client.poll_event().is_some());
        pair.client.handle_dialled(pair.now, &pair.session);
        let message = crate::wire::Message::Text(text.into());
        pair.client
            .handle_message(pair.now, &mut pair.session, &message);
        assert!(!pair.client.is_open(), "{text}");
    }
}

#[test]
fn binary_messages_are_not_taken_unless_agreed_on() {
    let mut pair = Pair::new(config());
    pair.server.encoding = Encoding::Json;
    pair.drive();
    let ping = crate::wire::Message::Binary(bytes::Bytes::from_static(&[0x03, 1, 1]));
    pair.client
        .handle_message(pair.now, &mut pair.session, &ping);
    pair.drive();
    assert_eq!(pair.told, ["up", "down: malformed"]);
}

#[test]
fn a_goodbye_is_the_end_and_going_away_is_not() {
    let mut pair = Pair::open();
    pair.say(r#"[{"type":"goodbye","reason":"closed"}]"#);
    assert_eq!(pair.told, ["up", "down: closed", "ended: closed"]);
    let mut pair = Pair::open();
    pair.say(r#"[{"type":"goodbye","reason":"going-away"}]"#);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.told, ["up", "down: going-away", "up"]);
}

#[test]
fn who_was_replaced_stays_away() {
    let mut pair = Pair::open();
    pair.say(r#"[{"type":"goodbye","reason":"replaced"}]"#);
    pair.run(Duration::from_secs(600));
    assert_eq!(pair.told, ["up", "down: replaced", "ended: replaced"]);
    assert_eq!(pair.dials, 1);
}

#[test]
fn who_closes_says_goodbye_last() {
    let mut pair = Pair::open();
    pair.send(1..=3);
    pair.run(200 * MS);
    pair.client.close(pair.now, &mut pair.session);
    pair.drive();
    assert_eq!(pair.server.heard, up_to(3));
    assert_eq!(pair.told, ["up", "down: closed", "ended: closed"]);
    assert!(pair.unacknowledged.is_empty());
    pair.run(Duration::from_secs(600));
    assert_eq!(pair.dials, 1);
}

#[test]
fn pings_faster_than_they_are_answered_are_answered_once() {
    let mut pair = Pair::open();
    let ping = |nonce: u64| format!(r#"{{"type":"ping","nonce":{nonce}}}"#);
    let pings: Vec<_> = (1..=1000).map(ping).collect();
    let text = format!("[{}]", pings.join(","));
    let message = crate::wire::Message::Text(text.into());
    pair.client
        .handle_message(pair.now, &mut pair.session, &message);
    let answer = pair
        .client
        .poll_message(pair.now, &mut pair.session)
        .unwrap();
    let frames = crate::wire::decode(&answer).unwrap();
    assert_eq!(frames, [crate::wire::Frame::Pong { nonce: 1000 }]);
    assert!(
        pair.client
            .poll_message(pair.now, &mut pair.session)
            .is_none()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever breaks when: each envelope arrives once, in order.
    #[test]
    fn envelopes_arrive_once_and_in_order_over_links_that_break(
        steps in proptest::collection::vec((0..5_u8, 1..50_u64), 1..60),
        binary: bool,
    ) {
        let mut pair = Pair::open();
        let (mut up, mut down) = (0, 0);
        for (what, amount) in steps {
            match what {
                0 => {
                    pair.send(up + 1..=up + amount);
                    up += amount;
                }
                1 => {
                    for number in down + 1..=down + amount {
                        pair.server.session.push(&envelope(number)).unwrap();
                    }
                    down += amount;
                }
                2 => pair.run(MS * amount as u32),
                3 => {
                    pair.up.dead = amount % 2 == 0;
                    pair.down.dead = amount % 3 == 0;
                    pair.run(MS);
                    pair.server.encoding = if binary && amount > 25 { Encoding::Json } else { Encoding::Binary };
                    pair.cut();
                }
                _ => pair.cut(),
            }
        }
        pair.run(Duration::from_secs(100));
        prop_assert_eq!(&pair.server.heard, &up_to(up));
        prop_assert_eq!(&pair.heard, &up_to(down));
    }
}
