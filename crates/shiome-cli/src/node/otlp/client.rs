//! Requests to a collector.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, Response, Uri,
    client::conn::http1::handshake,
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::{net::TcpStream, runtime::Handle, time::timeout};
use tracing::{info, warn};

/// Time for one request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of an answer. It says how much was refused, and why.
const MAX_ANSWER_LEN: usize = 64 * 1024;

const DEFAULT_PORT: u16 = 80;

/// Opens a connection for each request: one every few seconds.
///
/// Those who send spans run on a thread of their own, so what needs a runtime is a task of this one.
pub(super) struct Client {
    runtime: Handle,
    fails: AtomicBool,
}

impl Client {
    pub(super) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            fails: AtomicBool::default(),
        }
    }

    /// Logs when it begins to fail, and when it works again.
    fn tell(&self, result: &Result<Response<Bytes>, HttpError>) {
        let problem = match result {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(response.status().to_string()),
            Err(error) => Some(error.to_string()),
        };
        let failed = self.fails.swap(problem.is_some(), Ordering::Relaxed);
        match problem {
            Some(error) if !failed => warn!(error, "spans are not sent"),
            None if failed => info!("spans are sent again"),
            _ => {}
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl HttpClient for Client {
    // The trait is written with a macro of the crate `async-trait`, and this is what that makes of it.
    fn send_bytes<'client, 'async_trait>(
        &'client self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'async_trait>>
    where
        'client: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let sending = async { timeout(TIMEOUT, send(request)).await };
            let result = match self.runtime.spawn(sending).await {
                Ok(Ok(result)) => result,
                Ok(Err(late)) => Err(late.into()),
                Err(gone) => Err(gone.into()),
            };
            self.tell(&result);
            result
        })
    }
}

async fn send(mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let uri = std::mem::take(request.uri_mut());
    let authority = uri.authority().ok_or("no host in the URL")?;
    let host = authority.host().trim_matches(['[', ']']);
    let port = authority.port_u16().unwrap_or(DEFAULT_PORT);
    let stream = TcpStream::connect((host, port)).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let host = HeaderValue::from_str(authority.as_str())?;
    request.headers_mut().insert(HOST, host);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse::<Uri>()?;
    let response = sender.send_request(request.map(Full::new)).await?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_ANSWER_LEN).collect().await?;
    connection.abort();
    Ok(Response::from_parts(head, body.to_bytes()))
}
