use hyper::StatusCode;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use serde_json::json;
use shiome_inspect::{Inspect, MAX_REQUEST_LEN, RefusalReason};
use shiome_ractor::RactorClusterMessage;

use super::support::{Client, Server, node};

#[derive(RactorClusterMessage)]
enum Count {
    Add(u64),
    #[rpc]
    Total(RpcReplyPort<u64>),
}

struct Counter;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Counter {
    type Msg = Count;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Count>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Count>,
        message: Count,
        total: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Count::Add(n) => *total += n,
            Count::Total(reply) => reply.send(*total)?,
        }
        Ok(())
    }
}

async fn acting(inspect: &Inspect) -> Server {
    let router = inspect.router().merge(inspect.action_router());
    Server::start("tcp://127.0.0.1:0", router, inspect.refusals()).await
}

#[tokio::test]
async fn an_actor_of_another_node_is_cast_to_and_called() {
    let (a, b) = (node("act-a").await, node("act-b").await);
    let (counter, _) = Actor::spawn(Some("act-counter".into()), Counter, ())
        .await
        .unwrap();
    a.connect(b.local_addr()).await.unwrap();
    let inspect = Inspect::new(a.inspect());
    let server = acting(&inspect).await;
    let mut client = server.client().await;
    let seven = format!("{:016x}{:016x}", 8, 7);
    let cast = json!({
        "node": b.name(), "actor": "act-counter", "variant": "Add", "arguments_hex": seven, "cast": true,
    });
    assert_eq!(
        client.post("/v1/call", &cast).await,
        (StatusCode::OK, json!({"reply_hex": null}))
    );
    let by_pid = counter.get_id().pid().to_string();
    let call = json!({"node": b.name(), "actor": by_pid, "variant": "Total"});
    let (status, reply) = client.post("/v1/call", &call).await;
    assert_eq!(
        (status, &reply["reply_hex"]),
        (StatusCode::OK, &format!("{:016x}", 7).into())
    );
    let (status, took) = client.post("/v1/ping", &json!({"node": b.name()})).await;
    assert_eq!(status, StatusCode::OK);
    assert!(took["round_trip_us"].as_u64().unwrap() < 5_000_000);
}

#[tokio::test]
async fn what_cannot_be_done_is_told() {
    let a = node("act-none").await;
    let inspect = Inspect::new(a.inspect());
    let server = acting(&inspect).await;
    let mut client = server.client().await;
    for (path, body, status) in [
        (
            "/v1/ping",
            json!({"node": "nobody@h"}),
            StatusCode::NOT_FOUND,
        ),
        (
            "/v1/call",
            json!({"node": a.name(), "actor": "nobody", "variant": "X"}),
            StatusCode::NOT_FOUND,
        ),
        (
            "/v1/call",
            json!({"node": a.name(), "actor": "x", "variant": "X", "arguments_hex": "0"}),
            StatusCode::BAD_REQUEST,
        ),
        (
            "/v1/call",
            json!({"node": a.name()}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "/v1/ping",
            json!({"node": "x", "more": 1}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ] {
        let (got, told) = client.post(path, &body).await;
        assert_eq!(got, status, "{body}");
        assert!(told["error"].is_string(), "{body}: {told}");
    }
    assert_eq!(inspect.refusals().of(RefusalReason::Malformed), 3);
}

#[tokio::test]
async fn a_request_that_is_too_long_is_refused_and_counted() {
    let a = node("act-long").await;
    let inspect = Inspect::new(a.inspect());
    let server = acting(&inspect).await;
    let body = json!({"node": a.name(), "actor": "x", "variant": "y".repeat(MAX_REQUEST_LEN)});
    let (status, told) = server.client().await.post("/v1/call", &body).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{told}");
    assert_eq!(inspect.refusals().of(RefusalReason::TooLarge), 1);
}

#[tokio::test]
async fn what_only_reads_does_not_act() {
    let a = node("act-not").await;
    let inspect = Inspect::new(a.inspect());
    let server = Server::of(&inspect).await;
    let request = hyper::Request::post("/v1/call")
        .header("host", "localhost")
        .body("{}".into())
        .unwrap();
    let mut client = Client::open(&server.at).await.unwrap();
    assert_eq!(client.ask(request).await.0, StatusCode::NOT_FOUND);
}
