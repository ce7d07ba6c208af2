use hyper::StatusCode;
use shiome_inspect::{Guard, Inspect, MAX_CONNECTIONS, RefusalReason, Token};

use super::support::{Client, Server, get_with, node};

const TOKEN: &str = "a token of the tests, long";

#[tokio::test]
async fn without_the_token_nothing_is_told_and_it_is_counted() {
    let token = TOKEN.replace([' ', ','], "-");
    let a = node("guarded").await;
    let inspect = Inspect::new(a.inspect());
    let guard = Guard::new(inspect.refusals().clone()).token(Token::new(&token).unwrap());
    let router = guard.protect(inspect.router().merge(inspect.action_router()));
    let server = Server::start("tcp://127.0.0.1:0", router, inspect.refusals()).await;
    let mut client = server.client().await;
    let bearer = format!("Bearer {token}");
    for (headers, status, reason) in [
        (
            vec![("host", "localhost")],
            401,
            Some(RefusalReason::Unauthorized),
        ),
        (
            vec![("host", "localhost"), ("authorization", "Bearer wrong")],
            401,
            Some(RefusalReason::Unauthorized),
        ),
        (
            vec![("host", "evil.example"), ("authorization", &bearer)],
            403,
            Some(RefusalReason::ForeignHost),
        ),
        (
            vec![
                ("host", "localhost"),
                ("origin", "https://evil.example"),
                ("authorization", &bearer),
            ],
            403,
            Some(RefusalReason::ForeignOrigin),
        ),
        (
            vec![("host", "localhost"), ("authorization", &bearer)],
            200,
            None,
        ),
    ] {
        let before = reason.map(|reason| inspect.refusals().of(reason));
        for path in ["/v1/node", "/v1/feed?every=x", "/v1/call"] {
            let (got, body) = client.ask(get_with(path, &headers)).await;
            if status == 200 {
                assert_ne!(got, StatusCode::UNAUTHORIZED);
            } else {
                assert_eq!(got.as_u16(), status, "{headers:?}");
                assert!(!body.contains("guarded@"), "{body}");
            }
        }
        let after = reason.map(|reason| inspect.refusals().of(reason));
        assert_eq!(after, before.map(|before| before + 3), "{headers:?}");
    }
}

#[tokio::test]
async fn a_unix_socket_is_its_owners_alone_and_goes_with_the_server() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("admin.sock");
    let a = node("socket").await;
    let inspect = Inspect::new(a.inspect());
    let router = Guard::local(inspect.refusals().clone()).protect(inspect.router());
    let address = format!("unix:{}", path.display());
    let server = Server::start(&address, router, inspect.refusals()).await;
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut client = server.client().await;
    let (_, seen) = client.get("/v1/node").await;
    assert_eq!(seen["name"], a.name());
    let page = [("host", "localhost"), ("origin", "http://localhost")];
    let (status, _) = client.ask(get_with("/v1/node", &page)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    server.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_and_counted() {
    let a = node("crowded").await;
    let inspect = Inspect::new(a.inspect());
    let server = Server::of(&inspect).await;
    let mut clients = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let mut client = server.client().await;
        assert_eq!(client.get("/healthz").await.0, StatusCode::OK);
        clients.push(client);
    }
    let mut one_more = Client::open(&server.at).await.unwrap();
    let refused = one_more
        .send(get_with("/healthz", &[("host", "localhost")]))
        .await;
    assert!(refused.is_err());
    assert_eq!(inspect.refusals().of(RefusalReason::TooManyConnections), 1);
    // Those that are there are served on.
    assert_eq!(clients[0].get("/healthz").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused_and_counted() {
    let a = node("long-head").await;
    let inspect = Inspect::new(a.inspect());
    let server = Server::of(&inspect).await;
    let long = "x".repeat(64 * 1024);
    let headers = [("host", "localhost"), ("x-long", long.as_str())];
    let mut client = server.client().await;
    if let Ok(response) = client.send(get_with("/v1/node", &headers)).await {
        assert_eq!(
            response.status(),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        );
    }
    server.stop().await;
    assert_eq!(inspect.refusals().of(RefusalReason::TooLarge), 1);
}
