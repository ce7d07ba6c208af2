//! What every path does: B1 to B20 of the contract, by name.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use shiome_bus::{
    BusError, ErrorKind, Intent, Level, Outcome, Peer, Priority, Route, SendOptions, Verdict, Via,
};
use tokio::sync::Notify;

use crate::{
    inbox::{Log, inbox, line},
    table::each,
};

const SOON: Duration = Duration::from_secs(30);

fn text(name: &str, text: &str) -> Intent {
    Intent::new(name, text).unwrap()
}

fn at(level: Level) -> SendOptions {
    SendOptions::default().level(level)
}

fn kind<T: std::fmt::Debug>(result: Result<T, BusError>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// A closed door in a handler: deliveries wait until it is opened.
#[derive(Clone, Default)]
struct Door(Arc<(Notify, Notify)>);

impl Door {
    /// Stands in the door until it is opened.
    async fn pass(&self) {
        self.0.0.notify_one();
        self.0.1.notified().await;
    }

    /// Waits until somebody stands there.
    async fn reached(&self) {
        self.0.0.notified().await;
    }

    fn open(&self) {
        self.0.1.notify_one();
    }
}

each! {
    /// B1.
    async fn payloads_arrive_as_they_were(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = inbox(&b);
        let values = [
            json!("text"), json!(""), json!(0), json!(-1.5), json!(u64::MAX), json!(1e-300), json!(true), json!(false), json!(null),
            json!({}), json!([]), json!([1, [2, [3]], null]), json!({ "a": { "b": { "c": [1, "潮\n\"目\""] } } }),
        ];
        for value in &values {
            a.send("b", Intent::new("x", value.clone()).unwrap()).await.unwrap();
        }
        let lines = log.wait(values.len()).await;
        for (line, value) in lines.iter().zip(&values) {
            let arrived: Value = serde_json::from_str(line.strip_prefix("a x ").unwrap()).unwrap();
            assert_eq!(arrived, *value);
        }
    }

    /// B2.
    async fn peers_say_who_they_are_and_how_they_are_joined(world) {
        let ids = ["a-1", "b_2", "c.3", "4"];
        for id in ids {
            let peer = world.peer(id).await;
            assert_eq!(peer.id().as_str(), id);
            assert!(peer.to_string().starts_with(&format!("Peer[{id}:bus")));
            for kind in peer.link_kinds() {
                assert!(peer.to_string().contains(kind.as_str()));
            }
        }
    }

    /// B3.
    async fn peers_know_who_is_reachable(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        assert!(a.reachable("b") && b.reachable("a") && a.reachable("a"));
        assert!(!a.reachable("nobody") && !a.reachable("not a name"));
        assert_eq!(a.peers(), [b.id().clone()]);
        assert_eq!(b.peers(), [a.id().clone()]);
    }

    /// B4.
    async fn a_chain_of_peers_passes_on_what_each_says(world) {
        let (a, b, c) = (world.peer("a").await, world.peer("b").await, world.peer("c").await);
        let (log_a, log_c) = (inbox(&a), inbox(&c));
        b.on_async("ask", |delivery| async move {
            let b = delivery.peer()?;
            b.send(delivery.from(), Intent::new("answer", delivery.payload().clone())?).await?;
            b.send("c", Intent::new("passed", delivery.from().as_str())?).await?;
            Ok::<_, BusError>(())
        }).unwrap().detach();
        a.send("b", text("ask", "x")).await.unwrap();
        assert_eq!(log_a.wait(1).await, [r#"b answer "x""#]);
        assert_eq!(log_c.wait(1).await, [r#"b passed "a""#]);
    }

    /// B5.
    async fn an_unknown_peer_is_an_error_and_life_goes_on(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = inbox(&b);
        let sent = a.send_with("nobody", text("x", "lost"), at(Level::Received)).await;
        assert_eq!(kind(sent), ErrorKind::NodeNotFound);
        a.send("b", text("x", "there")).await.unwrap();
        assert_eq!(log.wait(1).await, [r#"a x "there""#]);
    }

    /// B6.
    async fn a_payload_of_another_type_is_an_error(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = Log::new();
        let written = log.clone();
        b.on_typed("number", move |number: u32, _| written.write(number.to_string())).unwrap().detach();
        let sent = a.send_with("b", text("number", "seven"), at(Level::Handled)).await;
        assert_eq!(kind(sent), ErrorKind::Serialization);
        a.send_with("b", Intent::new("number", 7).unwrap(), at(Level::Handled)).await.unwrap();
        assert_eq!(log.lines(), ["7"]);
        assert_eq!(b.stats().handler_errors, 1);
    }

    /// B7.
    async fn handlers_of_one_name_run_in_the_order_of_registration(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = Log::new();
        for (handler, pattern) in ["x.y", ">", "x.y", "x.*", "x.y"].into_iter().enumerate() {
            let written = log.clone();
            b.on(pattern, move |_| written.write(handler.to_string())).unwrap().detach();
        }
        a.send_with("b", text("x.y", ""), at(Level::Handled)).await.unwrap();
        assert_eq!(log.lines(), ["0", "1", "2", "3", "4"]);
    }

    /// B8.
    async fn handlers_get_what_they_asked_for_and_nothing_else(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = Log::new();
        for pattern in ["x.y", "x.z", "x.*", "w.>"] {
            let written = log.clone();
            b.on(pattern, move |d| written.write(format!("{pattern}: {}", d.name()))).unwrap().detach();
        }
        a.send_with("b", text("x.y", ""), at(Level::Handled)).await.unwrap();
        a.send_with("b", text("w.x.y", ""), at(Level::Handled)).await.unwrap();
        assert_eq!(log.lines(), ["x.y: x.y", "x.*: x.y", "w.>: w.x.y"]);
    }

    /// B9.
    async fn what_is_off_stays_off(world) {
        let (a, b, c) = (world.peer("a").await, world.peer("b").await, world.peer("c").await);
        let (log_b, log_c) = (Log::new(), inbox(&c));
        for handler in 0..2 {
            let written = log_b.clone();
            b.on("x", move |_| written.write(handler.to_string())).unwrap().detach();
        }
        let written = log_b.clone();
        let kept = b.on("last", move |_| written.write("last")).unwrap();
        assert_eq!((b.off("x"), b.off("x"), b.off("never")), (2, 0, 0));
        let sent = a.send_with("b", text("x", ""), at(Level::Handled)).await;
        assert_eq!(kind(sent), ErrorKind::NoHandler);
        a.send("c", text("x", "")).await.unwrap();
        a.send("b", text("last", "")).await.unwrap();
        assert_eq!(log_b.until("last").await, ["last"]);
        assert_eq!(log_c.wait(1).await.len(), 1);
        assert!(kept.is_active() && kept.cancel());
        let sent = a.send_with("b", text("last", ""), at(Level::Handled)).await;
        assert_eq!(kind(sent), ErrorKind::NoHandler);
    }

    /// B10.
    async fn once_is_once_and_leaves_the_others(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = Log::new();
        let (once, always) = (log.clone(), log.clone());
        let ended = b.once("x", move |_| once.write("once")).unwrap();
        let lasting = b.on("x", move |_| always.write("always")).unwrap();
        for _ in 0..3 {
            a.send_with("b", text("x", ""), at(Level::Handled)).await.unwrap();
        }
        assert_eq!(log.lines(), ["once", "always", "always", "always"]);
        assert!(!ended.is_active() && lasting.is_active());
        assert_eq!(b.off("x"), 1);
        let sent = a.send_with("b", text("x", ""), at(Level::Handled)).await;
        assert_eq!(kind(sent), ErrorKind::NoHandler);
    }

    /// B11.
    async fn a_peer_may_send_to_itself(world) {
        let a = world.peer("a").await;
        let log = inbox(&a);
        let receipt = a.send("a", text("x", "me")).await.unwrap();
        assert_eq!(receipt.via, Via::Bus);
        assert_eq!(log.wait(1).await, [r#"a x "me""#]);
    }

    /// B12 and B13.
    async fn names_have_limits(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = inbox(&b);
        let long = "x".repeat(98);
        for name in ["", "a..b", "sys.mine", &"x".repeat(256)] {
            assert_eq!(kind(Intent::new(name, ())), ErrorKind::InvalidName);
            assert_eq!(kind(a.send_text("b", name, "").await), ErrorKind::InvalidName);
        }
        a.send("b", text(&long, "")).await.unwrap();
        assert_eq!(log.wait(1).await, [format!("a {long} \"\"")]);
    }

    /// B14.
    async fn ten_thousand_arrive_in_order(world) {
        const COUNT: usize = 10_000;
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = inbox(&b);
        for number in 0..COUNT {
            a.send("b", Intent::new("x", number).unwrap()).await.unwrap();
        }
        let lines = log.wait(COUNT).await;
        assert!(lines.iter().enumerate().all(|(number, line)| *line == format!("a x {number}")));
        assert_eq!(lines.len(), COUNT);
    }

    /// B15.
    async fn handlers_may_answer_each_other_for_long(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = Log::new();
        for peer in [&a, &b] {
            let written = log.clone();
            peer.on_async("ball", move |delivery| {
                let log = written.clone();
                async move {
                    let count: u32 = delivery.parse()?;
                    match count {
                        100 => log.write("over"),
                        _ => {
                            let next = Intent::new("ball", count + 1)?;
                            delivery.peer()?.send(delivery.from(), next).await?;
                        }
                    }
                    Ok::<_, BusError>(())
                }
            }).unwrap().detach();
        }
        // What a path needs to be opened counts, too.
        let calls = || a.stats().handler_calls + b.stats().handler_calls;
        let before = calls();
        a.send("b", Intent::new("ball", 0).unwrap()).await.unwrap();
        assert_eq!(log.wait(1).await, ["over"]);
        assert_eq!(calls() - before, 101);
    }

    /// B16.
    async fn interceptors_see_change_and_refuse(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let (log, history) = (inbox(&b), Log::new());
        let written = history.clone();
        let seen = a.intercept_outbound(move |envelope| {
            written.write(format!("{} {}", envelope.to, envelope.intent.name()));
            match envelope.intent.name().as_str() {
                "secret" => Verdict::Refuse("secret".into()),
                "loud" => Verdict::Replace(text("quiet", "hush")),
                _ => Verdict::Pass,
            }
        }).unwrap();
        let inward = b.intercept_inbound(|envelope| match envelope.intent.name().as_str() {
            "spam" => Verdict::Refuse("spam".into()),
            _ => Verdict::Pass,
        }).unwrap();
        a.send("b", text("plain", "")).await.unwrap();
        a.send("b", text("loud", "")).await.unwrap();
        assert_eq!(kind(a.send("b", text("secret", "")).await), ErrorKind::Refused);
        let spam = a.send_with("b", text("spam", ""), at(Level::Handled)).await;
        assert_eq!(kind(spam), ErrorKind::Refused);
        assert_eq!(history.lines(), ["b plain", "b loud", "b secret", "b spam"]);
        assert!(seen.cancel() && inward.cancel());
        a.send("b", text("spam", "")).await.unwrap();
        assert_eq!(log.wait(3).await, [r#"a plain """#, r#"a quiet "hush""#, r#"a spam """#]);
        assert_eq!(history.lines().len(), 4);
    }

    /// B17.
    async fn pings_are_answered_or_not(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        a.ping("b", SOON).await.unwrap();
        a.ping("a", SOON).await.unwrap();
        assert_eq!(kind(a.ping("nobody", SOON).await), ErrorKind::NodeNotFound);
        let door = Door::default();
        let stands = door.clone();
        b.on_async("stop", move |_| {
            let door = stands.clone();
            async move { door.pass().await }
        }).unwrap().detach();
        a.send("b", text("stop", "")).await.unwrap();
        door.reached().await;
        assert_eq!(kind(a.ping("b", Duration::from_millis(300)).await), ErrorKind::Timeout);
        door.open();
        a.ping("b", SOON).await.unwrap();
    }

    /// B17: an answer is of the one who was asked, and to what was asked.
    async fn nobody_answers_for_another(world) {
        let (a, b, c) = (world.peer("a").await, world.peer("b").await, world.peer("c").await);
        b.on("ask", |_| ()).unwrap().detach();
        c.on("ask", |delivery| delivery.try_respond("c").map(drop)).unwrap().detach();
        let silent = at(Level::Answered).timeout(Duration::from_millis(300));
        let (asked, answered) = tokio::join!(
            a.request_with("b", text("ask", ""), silent),
            a.request("c", text("ask", "")),
        );
        assert_eq!(kind(asked), ErrorKind::Timeout);
        let answer = answered.unwrap();
        assert_eq!((answer.from().as_str(), answer.payload().as_str()), ("c", Some("c")));
        assert_eq!(a.stats().waiting, 0);
    }

    /// B18.
    async fn a_dropped_peer_is_gone_and_a_clone_is_the_same_peer(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = inbox(&b);
        let clone = b.clone();
        drop(b);
        a.send_with("b", text("x", ""), at(Level::Received)).await.unwrap();
        log.wait(1).await;
        drop(clone);
        gone(&a, "b").await;
        let sent = a.send_with("b", text("x", ""), at(Level::Received)).await;
        assert_eq!(kind(sent), ErrorKind::NodeNotFound);
    }

    /// B18.
    async fn a_peer_that_comes_back_is_another(world) {
        let (a, old) = (world.peer("a").await, world.peer("b").await);
        let life = old.incarnation();
        drop(old);
        gone(&a, "b").await;
        let new = world.peer("b").await;
        assert!(new.incarnation() > life);
        let log = inbox(&new);
        a.send("b", text("x", "new")).await.unwrap();
        assert_eq!(log.wait(1).await, [r#"a x "new""#]);
    }

    /// B19.
    async fn handlers_may_change_during_a_delivery(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = Log::new();
        let (first, second) = (log.clone(), log.clone());
        b.on("x", move |delivery| {
            first.write("first");
            let (peer, later) = (delivery.peer()?, first.clone());
            peer.off("x");
            peer.on("x", move |_| later.write("new"))?.detach();
            Ok::<_, BusError>(())
        }).unwrap().detach();
        b.on("x", move |_| second.write("second")).unwrap().detach();
        for _ in 0..2 {
            a.send_with("b", text("x", ""), at(Level::Handled)).await.unwrap();
        }
        // A delivery goes to those that there were when it began.
        assert_eq!(log.lines(), ["first", "second", "new"]);
    }

    /// A handler may send to its own peer.
    async fn a_handler_may_send_to_its_own_peer(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = inbox(&b);
        b.on_async("x", |delivery| async move {
            let peer = delivery.peer()?;
            peer.send(peer.id(), text("y", "mine")).await.map(drop)
        }).unwrap().detach();
        a.send("b", text("x", "")).await.unwrap();
        assert_eq!(log.wait(2).await, [r#"a x """#, r#"b y "mine""#]);
    }

    async fn a_handler_may_close_its_own_peer(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = inbox(&b);
        b.on_async("stop", |delivery| async move { delivery.peer()?.close(SOON).await }).unwrap().detach();
        a.send("b", text("stop", "")).await.unwrap();
        log.wait(1).await;
        gone(&a, "b").await;
        assert!(b.is_closed());
        b.close(SOON).await.unwrap();
    }

    async fn levels_say_how_far_it_came(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let door = Door::default();
        let stands = door.clone();
        b.on_async("x", move |_| {
            let door = stands.clone();
            async move { door.pass().await }
        }).unwrap().detach();
        // The mailbox has it, and the handler has not.
        a.send_with("b", text("x", ""), at(Level::Received)).await.unwrap();
        door.reached().await;
        a.send_with("b", text("x", ""), at(Level::Received)).await.unwrap();
        door.open();
        door.reached().await;
        let short = at(Level::Handled).timeout(Duration::from_millis(100));
        assert_eq!(kind(a.send_with("b", text("x", ""), short).await), ErrorKind::Timeout);
        door.open();
        door.reached().await;
        door.open();
        let handled = a.send_with("b", text("x", ""), at(Level::Handled));
        let opened = async {
            door.reached().await;
            door.open();
        };
        let (handled, ()) = tokio::join!(handled, opened);
        handled.unwrap();
        assert_eq!(a.stats().waiting, 0);
    }

    async fn requests_are_answered_by_any_handler_at_any_time(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        b.on("now", |delivery| delivery.try_respond("now").map(drop)).unwrap().detach();
        b.on("later", |delivery| {
            let delivery = delivery.clone();
            tokio::spawn(async move { delivery.respond(json!({ "late": true })).await });
        }).unwrap().detach();
        let now = a.request("b", text("now", "?")).await.unwrap();
        assert_eq!((now.name().as_str(), now.payload().as_str()), ("now", Some("now")));
        let later = a.request("b", text("later", "?")).await.unwrap();
        assert_eq!(*later.payload().value(), json!({ "late": true }));
        assert_eq!(kind(a.request("b", text("other", "?")).await), ErrorKind::NoHandler);
        assert_eq!(a.stats().waiting, 0);
    }

    async fn who_stops_waiting_leaves_nothing_behind(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let door = Door::default();
        let stands = door.clone();
        b.on_async("x", move |delivery| {
            let door = stands.clone();
            async move {
                door.pass().await;
                delivery.respond("late").await.map(drop)
            }
        }).unwrap().detach();
        let asked = tokio::spawn({
            let a = a.clone();
            async move { a.request("b", text("x", "")).await }
        });
        door.reached().await;
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled());
        assert_eq!(a.stats().waiting, 0);
        door.open();
        // The late answer is nobody's, and harms nothing.
        a.ping("b", SOON).await.unwrap();
        assert!(a.dropped_late(world).await);
    }

    async fn lanes_are_kept_apart(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let (log, door) = (Log::new(), Door::default());
        let (written, stands) = (log.clone(), door.clone());
        b.on_any_async(move |delivery| {
            let (log, door) = (written.clone(), stands.clone());
            async move {
                log.write(line(&delivery));
                if delivery.name() == "stop" {
                    door.pass().await;
                }
            }
        }).unwrap().detach();
        a.send("b", text("stop", "")).await.unwrap();
        door.reached().await;
        for (number, priority) in [(0, Priority::Bulk), (1, Priority::Normal), (2, Priority::Bulk), (3, Priority::Normal)] {
            let options = at(Level::Received).priority(priority);
            a.send_with("b", Intent::new("x", number).unwrap(), options).await.unwrap();
        }
        door.open();
        assert_eq!(log.wait(5).await[1..], ["a x 1", "a x 3", "a x 0", "a x 2"]);
    }

    async fn the_path_can_be_told_and_is_told(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = Log::new();
        let written = log.clone();
        b.on("x", move |delivery| written.write(delivery.via().to_string())).unwrap().detach();
        let receipt = a.send("b", text("x", "")).await.unwrap();
        let (fits, fails) = match receipt.via {
            Via::Bus => (Route::LocalOnly, Route::RemoteOnly),
            _ => (Route::RemoteOnly, Route::LocalOnly),
        };
        let route = |route| at(Level::Handled).route(route);
        a.send_with("b", text("x", ""), route(fits)).await.unwrap();
        assert_eq!(kind(a.send_with("b", text("x", ""), route(fails)).await), ErrorKind::NodeNotFound);
        assert_eq!(log.lines(), [receipt.via.to_string(), receipt.via.to_string()]);
    }

    async fn what_was_accepted_is_handled_before_a_peer_closes(world) {
        const COUNT: usize = 100;
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = Log::new();
        let written = log.clone();
        b.on_async("x", move |delivery| {
            let log = written.clone();
            async move {
                tokio::task::yield_now().await;
                log.write(line(&delivery));
            }
        }).unwrap().detach();
        for number in 0..COUNT {
            a.send_with("b", Intent::new("x", number).unwrap(), at(Level::Received)).await.unwrap();
        }
        b.close(SOON).await.unwrap();
        assert_eq!(log.lines().len(), COUNT);
        assert_eq!(b.stats().queued.total(), 0);
        gone(&a, "b").await;
    }

    async fn concurrent_handlers_keep_the_order_of_each_sender(world) {
        const COUNT: usize = 200;
        let options = shiome_bus::PeerOptions::default().concurrency(4);
        let b = world.peer_with("b", options).await;
        let log = Log::new();
        let (busy, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (written, counted, seen) = (log.clone(), busy.clone(), most.clone());
        b.on_async("x", move |delivery| {
            let (log, busy, most) = (written.clone(), counted.clone(), seen.clone());
            async move {
                most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                log.write(line(&delivery));
                busy.fetch_sub(1, Ordering::SeqCst);
            }
        }).unwrap().detach();
        let names = ["a1", "a2", "a3", "a4"];
        let mut senders = Vec::new();
        for name in names {
            senders.push(world.peer(name).await);
        }
        for number in 0..COUNT {
            for sender in &senders {
                sender.send("b", Intent::new("x", number).unwrap()).await.unwrap();
            }
        }
        let lines = log.wait(COUNT * names.len()).await;
        for name in names {
            let of = lines.iter().filter(|line| line.starts_with(name));
            let wanted = (0..COUNT).map(|number| format!("{name} x {number}"));
            assert!(of.cloned().eq(wanted), "{name}");
        }
        assert!(most.load(Ordering::SeqCst) > 1, "one at a time");
    }

    async fn one_handler_at_a_time(world) {
        let (a, b, c) = (world.peer("a").await, world.peer("b").await, world.peer("c").await);
        let (busy, twice, log) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)), Log::new());
        let (held, seen, written) = (busy.clone(), twice.clone(), log.clone());
        b.on_any_async(move |_| {
            let (busy, twice, log) = (held.clone(), seen.clone(), written.clone());
            async move {
                if busy.swap(true, Ordering::SeqCst) {
                    twice.store(true, Ordering::SeqCst);
                }
                tokio::task::yield_now().await;
                busy.store(false, Ordering::SeqCst);
                log.write("done");
            }
        }).unwrap().detach();
        for _ in 0..100 {
            a.send("b", text("x", "")).await.unwrap();
            c.send("b", text("x", "")).await.unwrap();
        }
        log.wait(200).await;
        assert!(!twice.load(Ordering::SeqCst));
    }

    async fn an_intent_that_is_only_reflected_dies_out(world) {
        let names = ["a", "b", "c", "d", "e"];
        let mut peers = Vec::new();
        for name in names {
            peers.push(world.peer(name).await);
        }
        for (place, peer) in peers.iter().enumerate() {
            let next = names[(place + 1) % names.len()];
            peer.on_async("x", move |delivery| async move {
                delivery.peer()?.send(next, delivery.intent().clone()).await.map(drop)
            }).unwrap().detach();
        }
        let handled = || peers.iter().map(|peer| peer.stats().handler_calls).sum::<u64>();
        let errors = || peers.iter().map(|peer| peer.stats().handler_errors).sum::<u64>();
        let before = handled();
        peers[0].send("b", text("x", "")).await.unwrap();
        // The last may send it on no more.
        while errors() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!((handled() - before, errors()), (9, 1));
        assert_eq!(world.dropped(shiome_bus::DropReason::TooManyHops), 1);
    }
}

/// Waits until a peer is reachable no longer.
async fn gone(from: &Peer, id: &str) {
    let until = async {
        while from.reachable(id) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, until).await.unwrap();
}

trait Late {
    /// Waits for an answer that came too late to be dropped.
    async fn dropped_late(&self, world: &dyn crate::stage::World) -> bool;
}

impl Late for Peer {
    async fn dropped_late(&self, world: &dyn crate::stage::World) -> bool {
        let dropped = async {
            while world.dropped(shiome_bus::DropReason::LateReply) == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, dropped).await.is_ok()
    }
}

/// Handlers may return what can be read as an outcome.
#[test]
fn outcomes_are_nothing_or_results() {
    assert!(().into_result().is_ok());
    assert!(Err::<(), _>("no").into_result().is_err());
}
