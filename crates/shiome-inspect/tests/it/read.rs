use hyper::StatusCode;
use shiome_inspect::{FeedSnapshot, Inspect, RefusalReason};
use tokio::time::timeout;

use super::support::{PATIENCE, Server, node};

#[tokio::test]
async fn what_is_served_is_what_the_node_says_of_itself() {
    let (a, b) = (node("read-a").await, node("read-b").await);
    a.connect(b.local_addr()).await.unwrap();
    let inspect = Inspect::new(a.inspect());
    let server = Server::of(&inspect).await;
    let mut client = server.client().await;

    let (status, seen) = client.get("/v1/node").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(seen["name"], a.name());
    assert_eq!(seen["listening"][0], format!("tcp://{}", a.local_addr()));
    let (_, sessions) = client.get("/v1/sessions").await;
    assert_eq!(sessions[0]["peer"], b.name());
    assert_eq!(sessions[0]["tier"], "native");
    let lanes = sessions[0]["lanes"].as_array().unwrap();
    let names: Vec<_> = lanes.iter().map(|lane| &lane["name"]).collect();
    assert_eq!(names, ["control", "express", "bulk"]);
    let (_, peers) = client.get("/v1/peers").await;
    assert_eq!(
        (&peers[0]["name"], &peers[0]["reconnects"]),
        (&b.name().into(), &0.into())
    );
    assert_eq!(client.get("/v1/members").await.1, serde_json::json!([]));
    let (status, none) = client.get("/v1/gossip").await;
    assert_eq!(
        (status, &none["error"]),
        (StatusCode::NOT_FOUND, &"the node does not gossip".into())
    );

    let (_, snapshot) = client.get("/v1/snapshot").await;
    let snapshot: FeedSnapshot = serde_json::from_value(snapshot).unwrap();
    assert_eq!(snapshot.node.node.name, a.name());
    assert_eq!(snapshot.node.sessions.len(), 1);
    assert!(snapshot.ready);
    assert_eq!(inspect.refusals().of(RefusalReason::Malformed), 0);
}

#[tokio::test]
async fn lists_come_by_pages_and_wrong_questions_are_told_and_counted() {
    let a = node("pages").await;
    let inspect = Inspect::new(a.inspect());
    let server = Server::of(&inspect).await;
    let mut client = server.client().await;

    // Actors of other tests in this process come and go: both pages are to be of one moment.
    let pages = async {
        loop {
            let (_, first) = client.get("/v1/actors?limit=1").await;
            let next = first["next"].as_str().unwrap();
            let after = format!("/v1/actors?limit=1&after={next}");
            let (_, second) = client.get(&after).await;
            if first["total"] == second["total"] {
                return (first, second);
            }
        }
    };
    let (first, second) = timeout(PATIENCE, pages).await.unwrap();
    assert_eq!(first["items"].as_array().unwrap().len(), 1);
    assert_ne!(first["items"][0]["pid"], second["items"][0]["pid"]);
    assert_eq!(client.get("/v1/groups?search=nobody").await.1["total"], 0);

    for (path, status) in [
        ("/v1/actors?limit=many", StatusCode::BAD_REQUEST),
        ("/v1/actors?unknown=1", StatusCode::BAD_REQUEST),
        ("/v1/actors?after=x", StatusCode::BAD_REQUEST),
        ("/v1/actors?node_id=77", StatusCode::NOT_FOUND),
        ("/v1/events?after=-1", StatusCode::BAD_REQUEST),
    ] {
        let (got, body) = client.get(path).await;
        assert_eq!(got, status, "{path}");
        assert!(body["error"].is_string(), "{path}: {body}");
    }
    assert_eq!(inspect.refusals().of(RefusalReason::Malformed), 3);
    assert_eq!(client.get("/v1/nothing").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_node_that_drains_is_alive_and_not_ready_and_one_that_has_stopped_is_neither() {
    let a = node("health").await;
    let inspect = Inspect::new(a.inspect());
    let server = Server::of(&inspect).await;
    let mut client = server.client().await;
    let mut both = async || {
        let alive = client.get("/healthz").await.0;
        (alive, client.get("/readyz").await.0)
    };
    let (yes, no) = (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(both().await, (yes, yes));
    inspect.health().drain();
    assert_eq!(both().await, (yes, no));
    a.stop().await;
    assert_eq!(both().await, (no, no));
    server.stop().await;
}

#[cfg(feature = "bus")]
#[tokio::test]
async fn a_bus_is_shown_with_what_it_has_dropped() {
    use shiome_bus::{Bus, Intent};

    let a = node("with-bus").await;
    let bus = Bus::new();
    let alice = bus.peer("alice").unwrap();
    let lost = alice
        .send("nobody", Intent::json("hello", "x").unwrap())
        .await;
    assert!(lost.is_err());
    let inspect = Inspect::with_bus(a.inspect(), bus);
    let server = Server::of(&inspect).await;
    let (_, snapshot) = server.client().await.get("/v1/snapshot").await;
    let seen = &snapshot["bus"];
    assert_eq!(
        (&seen["peers"], &seen["names"][0]),
        (&1.into(), &"alice".into())
    );
    assert_eq!(seen["dead_letters"][0]["to"], "nobody");
    assert_eq!(seen["dead_letters"][0]["intent"], "hello");
    assert_eq!(
        seen["drops"][seen["dead_letters"][0]["reason"].as_str().unwrap()],
        1
    );
}
