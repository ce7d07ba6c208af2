//! `shiome node` with gossip.

use std::path::Path;

use rustix::process::Signal;

use super::{
    node::{address, cookie, ends_cleanly, lines_with, start},
    support::{Running, own_address},
};

/// Starts a node that gossips, and that notices by gossip alone who does not respond. The node, and where it listens.
fn gossip(name: &str, cookie: &Path, more: &[&str]) -> (Running, String) {
    let (label, _) = name.rsplit_once(':').unwrap();
    let node = start(
        name,
        cookie,
        &[&["--gossip", "--liveness", "60"], more].concat(),
    );
    let at = address(&node, label);
    (node, at)
}

#[test]
fn nodes_find_each_other_through_a_seed_and_notice_who_is_gone() {
    let secret = cookie("the secret of find");
    let (a, a_at) = gossip("a@127.0.0.1:0", secret.path(), &[]);
    let seed = ["--seed", a_at.as_str()];
    let (b, b_at) = gossip("b@127.0.0.1:0", secret.path(), &seed);
    let (mut c, c_at) = gossip(&format!("c@{}", own_address()), secret.path(), &seed);
    for (node, others) in [
        (&a, [("b", &b_at), ("c", &c_at)]),
        (&b, [("a", &a_at), ("c", &c_at)]),
        (&c, [("a", &a_at), ("b", &b_at)]),
    ] {
        let [(x, x_at), (y, y_at)] = others;
        let expected = [
            format!("up {x_at}"),
            format!("up {y_at}"),
            format!("ready {x}@127.0.0.1 "),
            format!("ready {y}@127.0.0.1 "),
        ];
        let others = lines_with(node, &expected.each_ref().map(String::as_str));
        assert!(others.is_empty(), "{others:?}");
    }

    c.signal(Signal::KILL);
    assert_eq!(c.exit().code(), None);
    let failed = format!("down {c_at} failed");
    for node in [&a, &b] {
        lines_with(node, &["lost c@127.0.0.1", &failed]);
    }

    // It comes back under its name and address, and is another member.
    let (c, _) = gossip(&format!("c@{c_at}"), secret.path(), &seed);
    let up = format!("up {c_at}");
    for node in [&a, &b] {
        lines_with(node, &[&up, "ready c@127.0.0.1 "]);
    }

    // A goodbye is no failure.
    ends_cleanly(c, Signal::TERM);
    let left = format!("down {c_at} left");
    for node in [&a, &b] {
        let others = lines_with(node, &["lost c@127.0.0.1: ", &left]);
        assert!(
            !others.iter().any(|line| line.contains("failed")),
            "{others:?}"
        );
    }
    ends_cleanly(b, Signal::TERM);
    ends_cleanly(a, Signal::TERM);
}

#[test]
fn a_frozen_node_loses_its_sessions_and_gets_them_back() {
    let secret = cookie("the secret of freeze");
    let (a, a_at) = gossip("a@127.0.0.1:0", secret.path(), &[]);
    let seed = ["--seed", a_at.as_str()];
    let (b, _) = gossip("b@127.0.0.1:0", secret.path(), &seed);
    let (c, c_at) = gossip("c@127.0.0.1:0", secret.path(), &seed);
    let (up, failed) = (format!("up {c_at}"), format!("down {c_at} failed"));
    for node in [&a, &b] {
        lines_with(node, &[&up, "ready c@127.0.0.1 "]);
    }
    for _ in 0..2 {
        c.signal(Signal::STOP);
        for node in [&a, &b] {
            // Its connections are open still: gossip alone tells that it is gone.
            let before = lines_with(node, &[&failed]);
            assert!(
                !before.iter().any(|line| line.starts_with("lost")),
                "{before:?}"
            );
            let gone = "lost c@127.0.0.1: gossip says that it has failed";
            assert_eq!(node.line(), gone);
        }
        c.signal(Signal::CONT);
        for node in [&a, &b] {
            lines_with(node, &[&up, "ready c@127.0.0.1 "]);
        }
    }
    for node in [c, b, a] {
        ends_cleanly(node, Signal::TERM);
    }
}

#[test]
fn gossip_with_another_cookie_is_not_heard() {
    let (one, other) = (cookie("first-secret"), cookie("second-secret"));
    let (a, a_at) = gossip("a@127.0.0.1:0", one.path(), &[]);
    let seed = ["--seed", a_at.as_str()];
    let (stranger, _) = gossip("stranger@127.0.0.1:0", other.path(), &seed);
    // Who knows the cookie and came later is in, so the stranger has had its chance.
    let (b, b_at) = gossip("b@127.0.0.1:0", one.path(), &seed);
    let others = lines_with(&a, &[&format!("up {b_at}"), "ready b@127.0.0.1 "]);
    assert!(others.is_empty(), "{others:?}");
    ends_cleanly(b, Signal::TERM);
    lines_with(&a, &[&format!("down {b_at} left")]);
    assert!(stranger.stdout.try_recv().is_err());
    ends_cleanly(stranger, Signal::TERM);
    ends_cleanly(a, Signal::TERM);
}

#[test]
fn seeds_may_come_later_and_all_may_have_the_same() {
    let secret = cookie("the secret of later");
    let [a_at, b_at] = [(); 2].map(|()| own_address());
    let seeds = ["--seed", &a_at, "--seed", &b_at];
    let (b, _) = gossip(&format!("b@{b_at}"), secret.path(), &seeds);
    let (a, _) = gossip(&format!("a@{a_at}"), secret.path(), &seeds);
    lines_with(&b, &[&format!("up {a_at}"), "ready a@127.0.0.1 "]);
    lines_with(&a, &[&format!("up {b_at}"), "ready b@127.0.0.1 "]);
    ends_cleanly(a, Signal::TERM);
    ends_cleanly(b, Signal::TERM);
}
