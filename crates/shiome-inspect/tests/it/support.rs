//! A node with its server, and a client that says exactly what the test wants.

use std::time::Duration;

use axum::Router;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use shiome_inspect::{Inspect, Refusals, serve};
use shiome_ractor::Node;
use shiome_transport::{Address, Links, Policy};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn node(name: &str) -> Node {
    let address = format!("{name}@127.0.0.1:0");
    let node = Node::builder(address).cookie("the cookie of the tests");
    node.start().await.unwrap()
}

/// A server, until it is dropped.
pub(crate) struct Server {
    pub(crate) at: Address,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves the router at that address, which is one of TCP or of a Unix socket.
    pub(crate) async fn start(address: &str, router: Router, refusals: &Refusals) -> Self {
        let links = links();
        let listener = links.listen(&address.parse().unwrap()).await.unwrap();
        let at = listener.local().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(serve(listener, router, refusals.clone(), stopped));
        Self { at, stop, task }
    }

    pub(crate) async fn of(inspect: &Inspect) -> Self {
        let router = inspect.router().merge(inspect.health_router());
        Self::start("tcp://127.0.0.1:0", router, inspect.refusals()).await
    }

    pub(crate) async fn client(&self) -> Client {
        Client::open(&self.at).await.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

fn links() -> Links {
    Links::new(Policy::Any)
}

pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    pub(crate) async fn open(at: &Address) -> Result<Self, hyper::Error> {
        let link = links().dial(at).await.unwrap();
        let stream = TokioIo::new(tokio::io::join(link.reader, link.writer));
        let (sender, connection) = handshake(stream).await?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        let sent = async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        timeout(PATIENCE, sent).await.unwrap()
    }

    /// The status and the body of an answer.
    pub(crate) async fn ask(&mut self, request: Request<Full<Bytes>>) -> (StatusCode, String) {
        let response = self.send(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    pub(crate) async fn get(&mut self, path: &str) -> (StatusCode, Value) {
        let (status, body) = self.ask(get(path)).await;
        let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
        (status, body)
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::from(body.to_string()))
            .unwrap();
        let (status, body) = self.ask(request).await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

pub(crate) fn get(path: &str) -> Request<Full<Bytes>> {
    get_with(path, &[("host", "localhost")])
}

pub(crate) fn get_with(path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}
