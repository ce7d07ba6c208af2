//! The task of a client's link.

use std::{future::poll_fn, sync::Arc, task::Poll};

use tokio::{
    io::{AsyncRead, AsyncWrite, join},
    time::{sleep_until, timeout},
};
use tokio_websockets::ClientBuilder;
use tracing::debug;

use super::{end::ClientEnd, shared::Shared};
use crate::{
    Incarnation,
    websocket::{
        attached::Attached,
        dialer::{Client, ClientConfig, ClientEvent, OPENING_TIMEOUT},
        pump::{End, Pump, now, settings},
    },
    wire::{CloseReason, Encoding},
};

/// Runs until the link is closed, not let in, or gives up.
pub(super) async fn run(shared: Arc<Shared>, attached: Arc<Attached>) {
    let mut reason = CloseReason::Closed;
    while let Some(incarnation) = shared.wanted().await {
        let client = Client::new(now(), config(&shared, incarnation), rand::random());
        let mut end = ClientEnd::new(
            Arc::clone(&shared),
            Arc::clone(&attached),
            incarnation,
            client,
        );
        connect(&shared, &mut end).await;
        if let Some(ended) = end.ended()
            && !end.was_left()
        {
            reason = ended;
            break;
        }
    }
    shared.change(|state| state.stop = true);
    shared.room.notify_waiters();
    attached.close(reason);
}

fn config(shared: &Shared, incarnation: Incarnation) -> ClientConfig {
    let options = &shared.options;
    ClientConfig {
        id: shared.id.clone(),
        incarnation,
        token: options.token.clone(),
        reclaim: shared.state().reclaim.clone(),
        encodings: match options.binary {
            true => vec![Encoding::Binary, Encoding::Json],
            false => vec![Encoding::Json],
        },
        max_message: options.max_message as u64,
        heartbeat_ms: options.heartbeat.as_millis() as u64,
        reconnect: options.reconnect,
    }
}

/// Has connections for one run of the peer, one after the other.
async fn connect(shared: &Shared, end: &mut ClientEnd) {
    loop {
        match end.poll_event() {
            Some(ClientEvent::Dial) => dial(shared, end).await,
            Some(_) => {}
            None if end.client.has_ended() => return,
            None => wait(shared, end).await,
        }
    }
}

/// Waits for the time of the next attempt, or for the link no longer to be wanted.
async fn wait(shared: &Shared, end: &mut ClientEnd) {
    let until = end.client.timeout(&shared.state().session, true);
    let until = until.unwrap_or_else(now);
    tokio::select! {
        () = sleep_until(until.into()) => {
            end.with(|client, session, now| client.handle_timeout(now, session));
        }
        () = unwanted(shared, end.incarnation) => end.leave(),
    }
}

/// Waits until the link is no longer to be there for this run of its peer.
async fn unwanted(shared: &Shared, incarnation: Incarnation) {
    poll_fn(|cx| {
        let mut state = shared.state();
        if !state.wants(&shared.id, incarnation) {
            return Poll::Ready(());
        }
        state.bell.wait(cx.waker());
        Poll::Pending
    })
    .await;
}

async fn dial(shared: &Shared, end: &mut ClientEnd) {
    let dialled = timeout(OPENING_TIMEOUT, shared.target.dial(&shared.links));
    let dialled = tokio::select! {
        dialled = dialled => dialled,
        () = unwanted(shared, end.incarnation) => return end.leave(),
    };
    match dialled {
        Ok(Ok(stream)) => {
            end.with(|client, session, now| client.handle_dialled(now, session));
            converse(shared, end, join(stream.reader, stream.writer)).await;
        }
        Ok(Err(error)) => {
            debug!(%error, target = ?shared.target, "not dialled");
            end.closed(CloseReason::Lost(1006));
        }
        Err(_) => end.closed(CloseReason::Unresponsive),
    }
}

/// Has one connection, until it is over.
async fn converse<S>(shared: &Shared, end: &mut ClientEnd, io: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (config, limits) = settings(shared.options.max_message);
    let socket = ClientBuilder::new()
        .config(config)
        .limits(limits)
        .take_over(io);
    let mut pump = Pump::new(socket);
    let reason = pump.run(end).await;
    take_rest(shared, end).await;
    end.closed(reason);
    let last = end.last_message();
    pump.close(last, reason, shared.left_to_close()).await;
}

/// Hands over what came before the connection was over, as long as the link is wanted.
async fn take_rest(shared: &Shared, end: &mut ClientEnd) {
    let unwanted = unwanted(shared, end.incarnation);
    tokio::select! {
        biased;
        () = unwanted => {}
        () = poll_fn(|cx| end.poll_deliver(cx)) => {}
    }
}
