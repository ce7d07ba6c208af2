use http_body_util::BodyExt as _;
use hyper::{StatusCode, body::Incoming};
use serde_json::Value;
use shiome_inspect::{Inspect, MAX_FEEDS, RefusalReason};

use super::support::{Server, get, get_with, node};

/// The messages of a stream of Server-Sent Events.
struct Messages {
    body: Incoming,
    text: String,
}

struct Message {
    name: String,
    id: Option<u64>,
    data: Value,
}

impl Messages {
    async fn open(server: &Server, headers: &[(&str, &str)]) -> Self {
        let mut client = server.client().await;
        let response = client.send(get_with("/v1/feed", headers)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        // The connection outlives the client that asked on it.
        Self {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The next; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let message = parse(message);
                self.text = rest.to_owned();
                return Some(message);
            }
            let frame = self.body.frame().await?.unwrap();
            let data = frame.into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    async fn next_of(&mut self, name: &str) -> Message {
        loop {
            let message = self.next().await.expect("the feed goes on");
            if message.name == name {
                return message;
            }
        }
    }
}

fn parse(text: &str) -> Message {
    let field = |name: &str| {
        let lines = text.lines();
        let mut of_name = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        of_name.next().map(str::to_owned)
    };
    Message {
        name: field("event").unwrap_or_default(),
        id: field("id").map(|id| id.parse().unwrap()),
        data: field("data").map_or(Value::Null, |data| serde_json::from_str(&data).unwrap()),
    }
}

#[tokio::test]
async fn a_feed_tells_what_was_then_what_is_and_goes_on_where_it_was_left() {
    let (a, b) = (node("feed-a").await, node("feed-b").await);
    let inspect = Inspect::new(a.inspect());
    let server = Server::of(&inspect).await;
    let session = a.connect(b.local_addr()).await.unwrap();
    let host = ("host", "localhost");

    let mut feed = Messages::open(&server, &[host]).await;
    let first = feed.next_of("event").await;
    assert_eq!(first.data["kind"], "authenticated");
    assert_eq!((&first.data["node"], first.id), (&b.name().into(), Some(1)));
    let ready = feed.next_of("event").await;
    assert_eq!((&ready.data["kind"], ready.id), (&"ready".into(), Some(2)));
    let snapshot = feed.next_of("snapshot").await;
    assert_eq!(snapshot.data["sessions"][0]["peer"], b.name());
    assert_eq!(snapshot.id, None);

    session.disconnect();
    let down = feed.next_of("event").await;
    assert_eq!((&down.data["kind"], down.id), (&"down".into(), Some(3)));
    drop(feed);
    let mut again = Messages::open(&server, &[host, ("last-event-id", "2")]).await;
    let missed = again.next().await.unwrap();
    assert_eq!((&missed.data["kind"], missed.id), (&"down".into(), Some(3)));

    let (_, events) = server.client().await.get("/v1/events?after=1").await;
    let numbers: Vec<_> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["number"])
        .collect();
    assert_eq!(numbers, [2, 3]);

    a.stop().await;
    while again.next().await.is_some() {}
    server.stop().await;
}

#[tokio::test]
async fn there_are_no_more_feeds_than_may_be() {
    let a = node("feeds").await;
    let inspect = Inspect::new(a.inspect());
    let server = Server::of(&inspect).await;
    let host = [("host", "localhost")];
    let mut feeds = Vec::new();
    for _ in 0..MAX_FEEDS {
        feeds.push(Messages::open(&server, &host).await);
    }
    let (status, _) = server.client().await.ask(get("/v1/feed")).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(inspect.refusals().of(RefusalReason::TooManyFeeds), 1);
}
