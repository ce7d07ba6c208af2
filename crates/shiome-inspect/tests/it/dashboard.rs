use axum::http::{Method, Request};
use http_body_util::Full;
use shiome_inspect::{Guard, Inspect, MAX_REQUEST_LEN, RefusalReason, Token};

use super::support::{Client, Server, get, get_with, node};

const TOKEN: &str = "a-token-of-the-tests";

async fn serve(inspect: &Inspect, token: Option<&str>) -> Server {
    let mut guard = Guard::new(inspect.refusals().clone());
    if let Some(token) = token {
        guard = guard.token(Token::new(token).unwrap());
    }
    let router = inspect.dashboard(guard);
    Server::start("tcp://127.0.0.1:0", router, inspect.refusals()).await
}

async fn status_of_ping(client: &mut Client, headers: &[(&str, &str)]) -> u16 {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri("/v1/ping")
        .header("host", "localhost")
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Full::from(r#"{"node": "nobody@nowhere"}"#);
    let (status, _) = client.ask(request.body(body).unwrap()).await;
    status.as_u16()
}

#[tokio::test]
async fn the_page_loads_nothing_and_runs_its_own_script_alone() {
    let a = node("shown").await;
    let inspect = Inspect::new(a.inspect());
    let server = serve(&inspect, None).await;
    let mut client = server.client().await;
    let response = client.send(get("/")).await.unwrap();
    let headers = response.headers().clone();
    drop(response);
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"));
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(headers["x-content-type-options"], "nosniff");

    let (status, page) = server.client().await.ask(get("/")).await;
    assert_eq!(status, 200);
    assert!(page.contains("data-acts=\"false\""));
    for outside in ["src=", "http-equiv", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    let links = page.matches("href=").count();
    // To itself, and to an icon that is empty.
    assert_eq!((links, page.matches("href=\"data:,\"").count()), (2, 1));
    assert!(page.contains("href=\"#main\""));
}

#[tokio::test]
async fn without_a_token_the_dashboard_reads_and_nothing_acts() {
    let a = node("readonly").await;
    let inspect = Inspect::new(a.inspect());
    let server = serve(&inspect, None).await;
    let mut client = server.client().await;
    let (status, told) = client.get("/v1/node").await;
    assert_eq!((status.as_u16(), &told["name"]), (200, &a.name().into()));
    assert_eq!(status_of_ping(&mut client, &[]).await, 404);
    for (headers, reason) in [
        (
            [("host", "evil.example")].to_vec(),
            RefusalReason::ForeignHost,
        ),
        (
            vec![("host", "localhost"), ("origin", "http://evil.example")],
            RefusalReason::ForeignOrigin,
        ),
    ] {
        for path in ["/", "/v1/snapshot", "/v1/feed"] {
            let (status, body) = client.ask(get_with(path, &headers)).await;
            assert_eq!(status, 403, "{path}");
            assert!(!body.contains("readonly@"), "{body}");
        }
        assert_eq!(inspect.refusals().of(reason), 3);
    }
}

#[tokio::test]
async fn with_a_token_the_dashboard_acts_for_those_who_have_it() {
    let a = node("acting").await;
    let inspect = Inspect::new(a.inspect());
    let server = serve(&inspect, Some(TOKEN)).await;
    let mut client = server.client().await;
    let (status, page) = client.ask(get("/")).await;
    assert_eq!(status, 200, "reading needs no token");
    assert!(page.contains("data-acts=\"true\"") && !page.contains(TOKEN));
    let bearer = format!("Bearer {TOKEN}");
    let evil = ("origin", "http://evil.example");
    for (headers, status) in [
        (vec![], 401),
        (vec![("authorization", "Bearer wrong")], 401),
        (vec![("cookie", &*bearer)], 401),
        (vec![("authorization", &*bearer), evil], 403),
        // Let in: the node that it asks for is not there.
        (vec![("authorization", &*bearer)], 404),
    ] {
        let got = status_of_ping(&mut client, &headers).await;
        assert_eq!(got, status, "{headers:?}");
    }
    assert_eq!(inspect.refusals().of(RefusalReason::Unauthorized), 3);
}

#[tokio::test]
async fn what_the_dashboard_has_no_route_for_is_refused_and_counted() {
    let a = node("unrouted").await;
    let inspect = Inspect::new(a.inspect());
    let server = serve(&inspect, None).await;
    let long = Request::post("/v1/ping")
        .header("host", "localhost")
        .body(Full::from(vec![b'x'; MAX_REQUEST_LEN + 1]))
        .unwrap();
    let mut client = server.client().await;
    assert_eq!(client.ask(long).await.0, 413);
    assert_eq!(inspect.refusals().of(RefusalReason::TooLarge), 1);

    let mut client = server.client().await;
    assert_eq!(client.ask(get("/v1/none")).await.0, 404);
    assert_eq!(status_of_ping(&mut client, &[]).await, 404);
    let posted = Request::post("/v1/node")
        .header("host", "localhost")
        .body(Full::default())
        .unwrap();
    assert_eq!(client.ask(posted).await.0, 405);
    assert_eq!(inspect.refusals().of(RefusalReason::Malformed), 3);
    // What is not there for the moment is no mistake of whoever asks.
    assert_eq!(client.ask(get("/v1/gossip")).await.0, 404);
    assert_eq!(client.ask(get("/v1/actors?node_id=7")).await.0, 404);
    assert_eq!(inspect.refusals().of(RefusalReason::Malformed), 3);
}
