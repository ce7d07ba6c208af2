//! B20: one program, and what its peers see and are told, over every path.

use std::time::Duration;

use serde_json::json;
use shiome_bus::{BusError, Intent, Level, Peer, Priority, SendOptions, Verdict};

use crate::{
    inbox::{Log, line},
    stage::{STAGES, World},
    table::options,
};

const SOON: Duration = Duration::from_secs(5);

/// What an outcome says that does not depend on time and path.
fn told<T>(result: Result<T, BusError>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("{}: {error}", error.kind().as_str()),
    }
}

fn at(level: Level) -> SendOptions {
    SendOptions::default().level(level)
}

/// What each of the peers saw, in its order.
async fn scenario(world: &dyn World) -> Vec<String> {
    let (a, b, c) = (
        world.peer("a").await,
        world.peer("b").await,
        world.peer("c").await,
    );
    let logs = [Log::new(), Log::new(), Log::new()];
    let [log_a, log_b, log_c] = &logs;
    listen(&b, log_b);
    listen(&c, log_c);
    talk(&a, log_a).await;
    ask(&a, log_a).await;
    let changed = a.intercept_outbound(|envelope| match envelope.intent.name().as_str() {
        "loud" => Verdict::Replace(Intent::new("quiet", "hush").expect("it is a name")),
        "secret" => Verdict::Refuse("not that".into()),
        _ => Verdict::Pass,
    });
    for name in ["loud", "secret", "plain"] {
        let intent = Intent::new(name, ()).unwrap();
        let sent = a.send_with("b", intent, at(Level::Handled)).await;
        log_a.write(format!("{name}: {}", told(sent)));
    }
    assert!(changed.unwrap().cancel());
    let refused = b.intercept_inbound(|_| Verdict::Refuse("no visitors".into()));
    let sent = a.send_with("b", Intent::new("plain", ()).unwrap(), at(Level::Handled));
    log_a.write(format!("plain: {}", told(sent.await)));
    assert!(refused.unwrap().cancel());
    for (peer, log) in [(&b, log_b), (&c, log_c), (&a, log_a)] {
        log.write(format!("close: {}", told(peer.close(SOON).await)));
        let sent = peer.send("a", Intent::new("late", ()).unwrap()).await;
        log.write(format!("late: {}", told(sent)));
    }
    logs.iter().flat_map(Log::lines).collect()
}

fn listen(peer: &Peer, log: &Log) {
    let written = log.clone();
    let all = peer.on_any(move |delivery| {
        let envelope = delivery.envelope();
        written.write(format!(
            "{} to {} {:?} hops {}",
            line(delivery),
            envelope.to,
            envelope.level,
            envelope.hops
        ));
    });
    all.unwrap().detach();
    let once = log.clone();
    let first = peer.once("chat.*", move |_| once.write("the first chat"));
    first.unwrap().detach();
    let echo = peer.on("echo", |delivery| {
        delivery.try_respond(delivery.payload().clone()).map(drop)
    });
    echo.unwrap().detach();
    let pass = peer.on_async("pass", |delivery| async move {
        let (to, peer): (String, _) = (delivery.parse()?, delivery.peer()?);
        if peer.id().as_str() == to {
            return Ok(());
        }
        // Handled, so that who hears of it next cannot be before it.
        let intent = delivery.intent().clone();
        let sent = peer.send_with(&to, intent, at(Level::Handled)).await;
        sent.map(drop)
    });
    pass.unwrap().detach();
    peer.on("fail", |_| Err::<(), _>("on purpose"))
        .unwrap()
        .detach();
    let typed = peer.on_typed("point", |(x, y): (i32, i32), delivery| {
        delivery.try_respond(x + y).map(drop)
    });
    typed.unwrap().detach();
}

async fn talk(a: &Peer, log: &Log) {
    for number in 0..50 {
        let priority = match number % 5 {
            0 => Priority::Bulk,
            _ => Priority::Normal,
        };
        let options = at(Level::Handled).priority(priority);
        let intent = Intent::new("chat.message", json!({ "n": number, "text": "潮目" })).unwrap();
        let to = ["b", "c", "nobody"][number % 3];
        let sent = a.send_with(to, intent, options).await;
        log.write(format!("{number}: {}", told(sent)));
    }
    let passed = Intent::new("pass", "c").unwrap();
    let sent = a.send_with("b", passed, at(Level::Handled)).await;
    log.write(format!("pass: {}", told(sent)));
    let sent = a.send_text("c", "chat:hello", "12:30 http://x").await;
    log.write(format!("text: {}", told(sent)));
    for len in [100, 100_000] {
        let large = Intent::new("large", "x".repeat(len)).unwrap();
        let sent = a.send_with("b", large, at(Level::Handled)).await;
        log.write(format!("{len}: {}", told(sent)));
    }
}

async fn ask(a: &Peer, log: &Log) {
    for payload in [json!(null), json!([1, { "x": false }]), json!("潮")] {
        let asked = Intent::new("echo", payload).unwrap();
        let answer = a.request("b", asked).await;
        log.write(answer.map_or_else(|error| told::<()>(Err(error)), |d| line(&d)));
    }
    for (to, name, payload) in [
        ("b", "point", json!([3, 4])),
        ("b", "point", json!("no point")),
        ("c", "fail", json!(1)),
        ("nobody", "echo", json!(1)),
    ] {
        let answer = a.request(to, Intent::new(name, payload).unwrap()).await;
        log.write(answer.map_or_else(|error| told::<()>(Err(error)), |d| line(&d)));
    }
    log.write(format!("ping: {}", told(a.ping("c", SOON).await)));
    log.write(format!("ping: {}", told(a.ping("nobody", SOON).await)));
}

#[test]
fn a_program_sees_the_same_over_every_path() {
    let mut traces = Vec::new();
    for stage in STAGES {
        let trace = stage.runtime().block_on(async {
            let world = stage.open(options());
            scenario(&*world).await
        });
        traces.push((stage.name(), trace));
    }
    let (_, first) = &traces[0];
    assert!(first.len() > 100, "{first:#?}");
    for (name, trace) in &traces {
        println!("{name}: {} lines", trace.len());
        for (number, (wanted, line)) in first.iter().zip(trace).enumerate() {
            assert_eq!(wanted, line, "line {number} over {name}");
        }
        assert_eq!(trace.len(), first.len(), "over {name}");
    }
}
