//! A server with limits.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use shiome_transport::{Accepted, Listener, TransportError};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_stream::StreamExt as _;
use tracing::{debug, warn};

use crate::{
    actions::MAX_REQUEST_LEN,
    api::Failure,
    refusals::{RefusalReason, Refusals},
};

/// Connections at a time. Each holds a buffer of some ten KiB; operators and collectors are few.
pub const MAX_CONNECTIONS: usize = 128;

/// Time from the first byte of a connection, or the end of an answer, to the end of the head of the next request.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest head of a request, in bytes, and most that is read ahead.
const MAX_HEAD_LEN: usize = 16 * 1024;

/// Time for requests that are under way when the server is to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Time in which some of a body that is refused is taken. Who is slower may not hear why, and who is silent holds no place.
pub const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause after a failed accept. The usual cause, too many open files, does not go away faster.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Serves a router to whoever the listener lets in, until `shutdown` resolves; then no connection is accepted any more, and
/// requests under way have two seconds.
///
/// The listener is one of [`shiome_transport`]: of TCP, of TLS, or of a Unix socket, which asks the system whose process
/// connects. Connections beyond [`MAX_CONNECTIONS`], and those of users that may not connect, are closed and counted. So are
/// requests with a body that is longer than [`MAX_REQUEST_LEN`], and those that the router has no route for.
///
/// Cancel-safe: dropped, it closes all connections.
pub async fn serve(
    mut listener: Box<dyn Listener>,
    router: Router,
    refusals: Refusals,
    shutdown: impl Future<Output = ()>,
) {
    let router = router.layer(from_fn_with_state(refusals.clone(), check));
    let (stop, stopping) = watch::channel(());
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok(accepted) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    refusals.count(RefusalReason::TooManyConnections);
                    continue;
                };
                let (router, refusals) = (router.clone(), refusals.clone());
                let stopping = stopping.clone();
                connections.spawn(async move {
                    connection(accepted, router, &refusals, stopping).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!(address = %listener.local(), %error, "accept failed, trying again");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(listener);
    drop(stop);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(DRAIN_TIMEOUT, drained).await;
}

/// Serves the requests of one connection, one after the other, until its end or that of the server.
async fn connection(
    accepted: Accepted,
    router: Router,
    refusals: &Refusals,
    mut stopping: watch::Receiver<()>,
) {
    let link = match accepted.establish().await {
        Ok(link) => link,
        Err(error) => {
            if let TransportError::NotAllowed { uid } = &error {
                warn!(uid, "process of another user refused");
                refusals.count(RefusalReason::Stranger);
            }
            return debug!(%error, "no connection");
        }
    };
    let stream = TokioIo::new(tokio::io::join(link.reader, link.writer));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_LEN)
        .serve_connection(stream, TowerToHyperService::new(router));
    let mut served = std::pin::pin!(served);
    let end = tokio::select! {
        end = &mut served => end,
        _ = stopping.changed() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = end {
        count(&error, refusals);
        debug!(%error, "connection ended");
    }
}

/// Refuses what announces too long a body, whoever asks and for what, and counts what is no request.
async fn check(State(refusals): State<Refusals>, request: Request, next: Next) -> Response {
    if announced_len(&request) > MAX_REQUEST_LEN as u64 {
        refusals.count(RefusalReason::TooLarge);
        // The answer is the same either way.
        let _ = timeout(DISCARD_TIMEOUT, discard(request)).await;
        let told = format!("longer than {MAX_REQUEST_LEN} bytes");
        return Failure::new(StatusCode::PAYLOAD_TOO_LARGE, told).into_response();
    }
    let has_route = request.extensions().get::<MatchedPath>().is_some();
    let response = next.run(request).await;
    match response.status() {
        StatusCode::NOT_FOUND if !has_route => refusals.count(RefusalReason::Malformed),
        StatusCode::METHOD_NOT_ALLOWED => refusals.count(RefusalReason::Malformed),
        _ => {}
    }
    response
}

/// Length of the body, as the head of the request tells it. Without it, a body is read in pieces, up to a limit.
fn announced_len(request: &Request) -> u64 {
    let len = request.headers().get(header::CONTENT_LENGTH);
    let len = len.and_then(|len| len.to_str().ok()?.parse().ok());
    len.unwrap_or(0)
}

/// Takes some of a body: who is still sending when the connection is closed does not hear why.
async fn discard(request: Request) {
    let mut body = request.into_body().into_data_stream();
    let mut left = 2 * MAX_REQUEST_LEN;
    while let Some(Ok(part)) = body.next().await {
        match left.checked_sub(part.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn count(error: &hyper::Error, refusals: &Refusals) {
    if error.is_parse_too_large() {
        refusals.count(RefusalReason::TooLarge);
    } else if error.is_parse() {
        refusals.count(RefusalReason::Malformed);
    }
}
