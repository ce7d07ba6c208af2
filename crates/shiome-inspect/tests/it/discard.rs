//! Bodies that are announced and refused, over memory links on the paused clock.

use axum::{Router, routing::get};
use shiome_inspect::{DISCARD_TIMEOUT, MAX_CONNECTIONS, RefusalReason, Refusals, serve};
use shiome_transport::{Address, Link, Links, Policy, memory::Network};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Duration, Instant, timeout},
};

const TOO_LONG: &str = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2000000\r\n\r\n";

const ASK: &str = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// Says that, and nothing after it.
async fn say(links: &Links, at: &Address, text: &str) -> Link {
    let mut link = links.dial(at).await.unwrap();
    link.writer.write_all(text.as_bytes()).await.unwrap();
    link.writer.flush().await.unwrap();
    link
}

/// All that comes up to the end of the connection.
async fn hear(link: &mut Link) -> String {
    let mut heard = Vec::new();
    let _ = link.reader.read_to_end(&mut heard).await;
    String::from_utf8(heard).unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_announces_too_much_and_falls_silent_holds_no_place() {
    let network = Network::default();
    let links = Links::new(Policy::Any).with_scheme("mem", network.scheme("server"));
    let listener = links.listen(&"mem:server".parse().unwrap()).await.unwrap();
    let at = listener.local().clone();
    let router = Router::new().route("/", get(|| async { "here" }));
    let refusals = Refusals::default();
    let server = tokio::spawn(serve(
        listener,
        router,
        refusals.clone(),
        std::future::pending(),
    ));
    let began = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        silent.push(say(&links, &at, TOO_LONG).await);
    }
    for link in &mut silent {
        let heard = hear(link).await;
        assert!(heard.starts_with("HTTP/1.1 413 "), "{heard}");
    }
    let took = began.elapsed();
    assert!(took >= DISCARD_TIMEOUT, "{took:?}");
    assert!(took < DISCARD_TIMEOUT + Duration::from_secs(1), "{took:?}");
    let too_long = refusals.of(RefusalReason::TooLarge);
    assert_eq!(too_long, MAX_CONNECTIONS as u64);
    assert_eq!(refusals.of(RefusalReason::TooManyConnections), 0);
    let mut next = say(&links, &at, ASK).await;
    let heard = timeout(DISCARD_TIMEOUT, hear(&mut next)).await.unwrap();
    assert!(heard.starts_with("HTTP/1.1 200 "), "{heard}");
    server.abort();
}
