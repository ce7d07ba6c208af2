//! The time that a handshake has.

use std::time::Duration;

use super::config;
use super::pair::Pair;
use crate::{Config, DEFAULT_TIMEOUT, Fault, HandshakeError, Side};

#[test]
fn the_deadline_covers_the_whole_handshake() {
    for steps in 0..4 {
        let mut pair = Pair::new();
        let deadline = pair.now + DEFAULT_TIMEOUT;
        for _ in 0..steps {
            pair.step();
        }
        pair.act();
        for end in [&mut pair.client, &mut pair.server] {
            if end.is_authenticated() {
                assert_eq!(end.poll_timeout(), None);
                end.handle_timeout(deadline).unwrap();
                assert!(end.is_authenticated());
                continue;
            }
            assert_eq!(end.poll_timeout(), Some(deadline), "however far it got");
            let early = deadline - Duration::from_nanos(1);
            end.handle_timeout(early).unwrap();
            let error = end.handle_timeout(deadline).unwrap_err();
            assert_eq!(error, HandshakeError::Deadline);
            assert_eq!(error.fault(), Fault::Deadline);
            assert!(end.is_finished() && !end.is_authenticated() && !end.is_refused());
            assert_eq!(end.poll_timeout(), None);
            assert_eq!(end.poll_transmit(), None);
            end.handle_timeout(deadline).unwrap();
        }
    }
}

#[test]
fn the_right_message_comes_too_late_at_the_deadline() {
    let mut pair = Pair::new();
    for _ in 0..3 {
        pair.step();
    }
    pair.act();
    pair.now += DEFAULT_TIMEOUT;
    pair.drive();
    assert_eq!(pair.error, Some((Side::Client, HandshakeError::Deadline)));
    assert!(!pair.client.is_authenticated());
}

#[test]
fn a_timeout_beyond_the_clock_is_none() {
    let forever = Config {
        timeout: Duration::MAX,
        ..config("client")
    };
    let pair = Pair::of(forever, config("server"));
    assert_eq!(pair.client.poll_timeout(), None);
}
