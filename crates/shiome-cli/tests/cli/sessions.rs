//! How `shiome node` speaks to others.

use rustix::process::Signal;

use super::{
    node::{address, cookie, ends_cleanly, lines_with, start},
    support::{error_of, own_address, shiome},
};

#[test]
fn a_node_that_wants_its_like_refuses_others() {
    let secret = cookie("the secret of native");
    let strict = start("strict@127.0.0.1:0", secret.path(), &["--require-native"]);
    let strict_at = address(&strict, "strict@127.0.0.1");
    let to_strict = ["--connect", &strict_at, "--max-dials", "1"];
    let legacy = ["--legacy-only"];
    let old = start(
        "old@127.0.0.1:0",
        secret.path(),
        &[&legacy[..], &to_strict].concat(),
    );
    let old_at = address(&old, "old@127.0.0.1");
    let gave_up = format!("gave up {strict_at} after 1 dials: ");
    assert!(old.line().starts_with(&gave_up));

    // Who speaks both is in with both.
    let mut new = start(
        "new@127.0.0.1:0",
        secret.path(),
        &["--isolated", "--connect", &strict_at, "--connect", &old_at],
    );
    address(&new, "new@127.0.0.1");
    let others = lines_with(
        &new,
        &["ready strict@127.0.0.1 at ", "ready old@127.0.0.1 at "],
    );
    assert!(others.is_empty(), "{others:?}");
    for node in [&old, &strict] {
        assert!(node.line().starts_with("ready new@127.0.0.1 at "));
    }
    // And stays in, until it goes.
    new.signal(Signal::TERM);
    assert_eq!(new.exit().code(), Some(0));
    assert_eq!(new.stdout.iter().collect::<Vec<_>>(), ["stopped"]);
    assert_eq!(strict.line(), "lost new@127.0.0.1: it has stopped");
    assert_eq!(old.line(), "lost new@127.0.0.1: it has closed the link");
    for node in [old, strict] {
        ends_cleanly(node, Signal::TERM);
    }
}

#[test]
fn a_frozen_node_is_lost_and_dialled_again_without_gossip() {
    let secret = cookie("the secret of liveness");
    let b = start("b@127.0.0.1:0", secret.path(), &[]);
    let b_at = address(&b, "b@127.0.0.1");
    let a = start(
        "a@127.0.0.1:0",
        secret.path(),
        &["--connect", &b_at, "--liveness", "1"],
    );
    address(&a, "a@127.0.0.1");
    assert_eq!(a.line(), format!("ready b@127.0.0.1 at {b_at}"));
    b.signal(Signal::STOP);
    assert_eq!(a.line(), "lost b@127.0.0.1: it does not respond");
    let line = a.line();
    assert!(
        line.starts_with(&format!("reconnecting {b_at} in ")),
        "{line}"
    );
    b.signal(Signal::CONT);
    let ready = format!("ready b@127.0.0.1 at {b_at}");
    let others = lines_with(&a, &[&ready]);
    assert!(
        others.iter().all(|line| line.starts_with("reconnecting ")),
        "{others:?}"
    );
    ends_cleanly(a, Signal::TERM);
    ends_cleanly(b, Signal::TERM);
}

#[test]
fn a_node_that_is_not_there_is_given_up_when_asked_to() {
    let secret = cookie("the secret of patience");
    let target = own_address();
    let node = start(
        "a@127.0.0.1:0",
        secret.path(),
        &["--connect", &target, "--max-dials", "2"],
    );
    address(&node, "a@127.0.0.1");
    let line = node.line();
    assert!(
        line.starts_with(&format!("reconnecting {target} in ")),
        "{line}"
    );
    let line = node.line();
    assert!(
        line.starts_with(&format!("gave up {target} after 2 dials: ")),
        "{line}"
    );
    ends_cleanly(node, Signal::TERM);
}

#[test]
fn all_nodes_can_have_the_same_list() {
    let secret = cookie("the secret of lists");
    let [a_at, b_at] = [(); 2].map(|()| own_address());
    let list = ["--connect", &a_at, "--connect", &b_at];
    let a = start(&format!("a@{a_at}"), secret.path(), &list);
    let b = start(&format!("b@{b_at}"), secret.path(), &list);
    for (node, other, own) in [(&a, "ready b@", &a_at), (&b, "ready a@", &b_at)] {
        let others = lines_with(node, &[other]);
        assert!(
            others
                .iter()
                .all(|line| !line.contains(&format!("reconnecting {own}"))),
            "{others:?}"
        );
    }
    ends_cleanly(b, Signal::TERM);
    ends_cleanly(a, Signal::TERM);
}

#[test]
fn what_cannot_be_is_refused() {
    let secret = cookie("a secret");
    let path = secret.path().to_str().unwrap();
    for (wrong, named) in [
        (&["--require-native", "--legacy-only"][..], "`legacy-only`"),
        (&["--liveness", "0"], "--liveness"),
        (&["--max-outbox", "0"], "--max-outbox"),
        (&["--max-outbox", "4096"], "--max-outbox"),
        (&["--max-dials", "0"], "--max-dials"),
    ] {
        let node = ["node", "--name", "a@127.0.0.1:0", "--cookie-file", path];
        let error = error_of(&mut shiome(&[&node[..], wrong].concat()), 2);
        assert!(error.contains(named), "{error}");
    }
}
