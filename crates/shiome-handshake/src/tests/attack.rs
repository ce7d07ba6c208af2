//! Everything that somebody on the connection, without the cookie, can do to it.
//!
//! [`explore`] visits every line that any choice of [`Act`]s, one for each message that arrives, can lead to.

mod line;

use std::cell::Cell;

use self::line::{ACTS, Act, Line, Recording, index};
use super::{config, native};
use crate::{Config, Cookie, Side};

/// Acts that change what the ends know of each other's announcements, or of the connection.
const CHANGES: [Act; 4] = [Act::Strip, Act::Weaken, Act::ReplayHello, Act::Alter];

const SIDES: [Side; 2] = [Side::Client, Side::Server];

/// Calls `always` with every line; returns how many there are.
fn explore(client: &Config, server: &Config, always: impl Fn(&Line)) -> usize {
    let recording = Line::record();
    let mut left = vec![Line::new(client.clone(), server.clone())];
    let mut seen = 0;
    while let Some(line) = left.pop() {
        seen += 1;
        always(&line);
        left.extend(successors(&line, &recording));
    }
    seen
}

fn successors(line: &Line, recording: &Recording) -> Vec<Line> {
    SIDES
        .iter()
        .flat_map(|&side| ACTS.map(|act| line.after(side, act, recording)))
        .flatten()
        .collect()
}

fn is_native(line: &Line, side: Side) -> bool {
    matches!(line.ends[index(side)].authenticated, Some(Some(_)))
}

fn is_legacy(line: &Line, side: Side) -> bool {
    matches!(line.ends[index(side)].authenticated, Some(None))
}

fn required(name: &str) -> Config {
    Config {
        require_native: true,
        ..native(name)
    }
}

#[test]
fn no_end_is_ever_native_after_anything_was_changed_replayed_reflected_or_forged() {
    let natives = Cell::new(0);
    let seen = explore(&native("client"), &native("server"), |line| {
        for side in SIDES {
            if !is_native(line, side) {
                continue;
            }
            assert!(!line.has(&CHANGES), "{:?}", line.acts);
            for act in [Act::ReplayProof, Act::ReflectProof, Act::ForgeProof] {
                assert!(!line.did(act, side), "{:?}", line.acts);
            }
            natives.set(natives.get() + 1);
        }
    });
    assert!(natives.get() > 2, "also while the other end is attacked");
    assert!(seen > 1000, "{seen}");
}

#[test]
fn what_a_native_end_believes_is_what_the_other_has_announced() {
    let own = native("client").native.unwrap();
    explore(&native("client"), &native("server"), |line| {
        for at in &line.ends {
            if let Some(Some(native)) = &at.authenticated {
                assert_eq!(native.capabilities, own.capabilities);
                assert_eq!(native.hello.incarnation, own.incarnation);
            }
        }
    });
}

#[test]
fn no_end_takes_its_peer_for_legacy_unless_the_hello_was_stripped_on_its_way() {
    let stripped = Cell::new(0);
    explore(&native("client"), &native("server"), |line| {
        for side in SIDES {
            if is_legacy(line, side) {
                assert!(line.did(Act::Strip, side), "{:?}", line.acts);
                stripped.set(stripped.get() + 1);
            }
        }
    });
    assert!(stripped.get() > 0, "a server does not know better at first");
}

#[test]
fn a_legacy_end_never_meets_a_native_one() {
    explore(&native("client"), &native("server"), |line| {
        for side in SIDES {
            let one_sided = is_legacy(line, side) && is_native(line, side.other());
            assert!(!one_sided, "{:?}", line.acts);
        }
    });
}

#[test]
fn one_stripped_hello_never_authenticates_both_ends() {
    explore(&native("client"), &native("server"), |line| {
        let both = line.ends.iter().all(|at| at.authenticated.is_some());
        let stripped = SIDES.map(|side| line.did(Act::Strip, side));
        if both && !line.has(&CHANGES) {
            assert!(SIDES.iter().all(|&side| is_native(line, side)));
        }
        assert!(!both || stripped[0] == stripped[1], "{:?}", line.acts);
    });
}

/// The sessions turn these proofs into an end of the link.
#[test]
fn two_stripped_hellos_never_keep_either_end_from_sending_its_proof() {
    let seen = Cell::new(0);
    explore(&native("client"), &native("server"), |line| {
        for (side, at) in SIDES.iter().zip(&line.ends) {
            if at.authenticated.is_some() {
                assert!(at.proved.is_some(), "{side:?}: {:?}", line.acts);
            }
        }
        let both = SIDES.iter().all(|&side| is_legacy(line, side));
        seen.set(seen.get() + usize::from(both));
    });
    assert!(seen.get() > 0);
}

#[test]
fn a_stripped_hello_never_gets_past_ends_that_require_native() {
    explore(&required("client"), &required("server"), |line| {
        for side in SIDES {
            assert!(!is_legacy(line, side), "{:?}", line.acts);
        }
    });
    // One end that requires it is enough for that end.
    explore(&required("client"), &native("server"), |line| {
        assert!(!is_legacy(line, Side::Client), "{:?}", line.acts);
    });
    explore(&native("client"), &required("server"), |line| {
        assert!(!is_legacy(line, Side::Server), "{:?}", line.acts);
    });
}

#[test]
fn a_hello_replayed_to_a_node_that_announces_none_never_makes_anything_native() {
    let authenticated = Cell::new(0);
    for (client, server) in [
        (native("client"), config("server")),
        (config("client"), native("server")),
    ] {
        explore(&client, &server, |line| {
            for side in SIDES {
                assert!(!is_native(line, side), "{:?}", line.acts);
            }
            let both = SIDES.iter().all(|&side| is_legacy(line, side));
            authenticated.set(authenticated.get() + usize::from(both));
        });
    }
    assert!(authenticated.get() > 0);
}

#[test]
fn a_wrong_cookie_never_authenticates_anybody_whatever_is_done() {
    let guess = Config {
        cookie: Cookie::new("a guess"),
        ..native("client")
    };
    explore(&guess, &native("server"), |line| {
        assert!(line.ends.iter().all(|at| at.authenticated.is_none()));
        assert!(line.ends[1].proved.is_none(), "nothing to guess with");
    });
}

/// A relay ends TLS on either side: the two channels are not the same.
#[test]
fn a_tls_relay_never_authenticates_native_ends_and_neither_of_those_that_require_it() {
    let on = |config: Config, channel| Config {
        channel_binding: Some([channel; 32]),
        ..config
    };
    explore(&on(native("client"), 1), &on(native("server"), 2), |line| {
        for side in SIDES {
            assert!(!is_native(line, side), "{:?}", line.acts);
            assert!(!is_legacy(line, side) || line.did(Act::Strip, side));
        }
    });
    explore(
        &on(required("client"), 1),
        &on(required("server"), 2),
        |line| assert!(line.ends.iter().all(|at| at.authenticated.is_none())),
    );
}
