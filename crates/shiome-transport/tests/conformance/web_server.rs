//! WebSockets that a web server of somebody else upgrades.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use shiome_transport::{
    Accepted, Address, Bind, BoxFuture, Link, Listener, Scheme, Security, TransportError,
    websocket::{self, Endpoint, Origins},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

/// Listens with a hyper server; it is dialled at an address of `ws`.
pub(crate) fn scheme() -> Scheme {
    Scheme::new(Security::Plain).with_bind(Web)
}

struct Web;

impl Bind for Web {
    fn listen<'a>(
        &'a self,
        _: &'a Address,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, TransportError>> {
        Box::pin(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let local = format!("ws://{}/cluster", listener.local_addr().unwrap());
            let local = local.parse().unwrap();
            let listener: Box<dyn Listener> = Box::new(WebListener { listener, local });
            Ok(listener)
        })
    }
}

struct WebListener {
    listener: TcpListener,
    local: Address,
}

impl Listener for WebListener {
    fn local(&self) -> &Address {
        &self.local
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Accepted, TransportError>> {
        Box::pin(async {
            let (stream, peer) = self.listener.accept().await.unwrap();
            Ok(Accepted::new(peer.into(), serve(stream)))
        })
    }
}

/// Serves one connection until it is a link.
async fn serve(stream: TcpStream) -> Result<Link, TransportError> {
    let (links, link) = oneshot::channel();
    let links = Arc::new(Mutex::new(Some(links)));
    let service = service_fn(move |request| {
        let links = links.lock().unwrap().take();
        async { Ok::<_, hyper::Error>(answer(request, links)) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::spawn(connection.with_upgrades());
    link.await
        .map_err(|_| TransportError::Other("not upgraded".into()))
}

fn answer(
    mut request: Request<Incoming>,
    links: Option<oneshot::Sender<Link>>,
) -> Response<Empty<Bytes>> {
    let endpoint = Endpoint::new(Origins::none()).at("/cluster");
    match endpoint.answer(&request) {
        Ok(response) => {
            tokio::spawn(async move {
                let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
                let io = TokioIo::new(upgraded);
                let link = websocket::upgraded(io, "client", "server", Security::Plain);
                drop(links.unwrap().send(link));
            });
            response.map(|()| Empty::new())
        }
        Err(error) => error.response().map(|()| Empty::new()),
    }
}
