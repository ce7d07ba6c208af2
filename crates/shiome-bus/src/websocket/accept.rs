//! The server's end of a connection.

use std::{future::poll_fn, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{sleep, timeout},
};
use tokio_websockets::ServerBuilder;
use tracing::debug;

use self::end::ServerEnd;
use super::{
    hub::Hub,
    member::Member,
    opening::Opening,
    pump::{Pump, outgoing, settings},
};
use crate::wire::{Batch, CloseReason, Encoding, Frame, Hello, Message, Refused, decode};

mod end;

/// Time for a client to say hello, and for the verifier to judge it.
pub(crate) const OPENING_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of the message with the hello: the longest token, and what is around it.
const MAX_HELLO_LEN: usize = 8 * 1024;

/// Serves a WebSocket that is open until it is over, and the grace after that. It is `opening` until it was let in.
pub(crate) async fn serve<S>(hub: Arc<Hub>, io: S, opening: Opening)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some((member, connection)) = connection(&hub, io, opening).await else {
        return;
    };
    // The memory of the connection is not kept for the grace.
    sleep(hub.options.grace).await;
    let gone = {
        let state = member.state();
        state.connection == connection && !state.ended
    };
    if gone {
        hub.remove(&member, CloseReason::Unresponsive);
    }
}

/// Serves a connection until it is over. The client and the number of the connection, if it may come back.
async fn connection<S>(hub: &Arc<Hub>, io: S, opening: Opening) -> Option<(Arc<Member>, u64)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (config, limits) = settings(MAX_HELLO_LEN);
    let socket = ServerBuilder::new().config(config).limits(limits).serve(io);
    let mut pump = Pump::new(socket);
    // Boxed, so that it takes no memory once the link is open.
    let opened = tokio::select! {
        opened = Box::pin(timeout(OPENING_TIMEOUT, open(hub, &mut pump, &opening))) => opened,
        // Without a word: what is left of it would be as many as before.
        () = opening.sent_away() => {
            hub.counters.turned_away();
            return None;
        }
    };
    let (mut end, welcome) = match opened.unwrap_or(Err(Refused::new(CloseReason::Malformed))) {
        Ok(opened) => opened,
        Err(refused) => {
            hub.counters.turned_away();
            let reason = refused.reason;
            debug!(%reason, detail = refused.detail, "turned away");
            let last = Some(text(Frame::Refused(refused)));
            tokio::select! {
                () = Box::pin(pump.close(last, reason, Duration::MAX)) => {}
                () = opening.sent_away() => {}
            }
            return None;
        }
    };
    drop(opening);
    let limit = hub.options.max_message;
    *pump.socket().limits_mut() = settings(limit).1;
    let reason = match Box::pin(pump.send(outgoing(welcome))).await {
        Ok(()) => pump.run(&mut end).await,
        Err(_) => CloseReason::Lost(1006),
    };
    end.unlink();
    poll_fn(|cx| end.poll_rest(cx)).await;
    let last = end.over(reason);
    let left = end.left(reason);
    let (member, connection) = (Arc::clone(&end.member), end.connection);
    drop(end);
    if left {
        hub.remove(&member, reason);
    }
    Box::pin(pump.close(last, reason, Duration::MAX)).await;
    (!left).then_some((member, connection))
}

/// Waits for the hello and judges it.
async fn open<S>(
    hub: &Arc<Hub>,
    pump: &mut Pump<S>,
    opening: &Opening,
) -> Result<(ServerEnd, Message), Refused>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let message = pump.receive().await.map_err(Refused::new)?;
    let hello = hello(&message)?;
    opening.has_spoken();
    let token = hello.token.as_ref().map(|token| token.reveal());
    let verdict = hub.options.verifier.verify(&hello.id, token).await;
    let admitted = hub.admit(&hello, verdict)?;
    hub.counters.admitted();
    ServerEnd::new(hub, &hello, admitted)
}

fn hello(message: &Message) -> Result<Hello, Refused> {
    let malformed = |detail: String| Refused {
        detail,
        ..Refused::new(CloseReason::Malformed)
    };
    let frames = match message {
        Message::Text(_) => decode(message).map_err(|error| malformed(error.to_string()))?,
        Message::Binary(_) => Vec::new(),
    };
    match <[Frame; 1]>::try_from(frames) {
        Ok([Frame::Hello(hello)]) => Ok(*hello),
        _ => Err(malformed("no hello".to_owned())),
    }
}

fn text(frame: Frame) -> Message {
    let mut batch = Batch::new(Encoding::Json);
    batch.push(&frame);
    batch.finish()
}
