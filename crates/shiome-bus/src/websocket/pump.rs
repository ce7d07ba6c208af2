//! Moves messages between a WebSocket and the machine at this end of it.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Sleep, sleep_until, timeout},
};
use tokio_websockets::{CloseCode, Config, Error, Limits, Message as WsMessage, WebSocketStream};

use crate::wire::{CloseReason, Message};

/// Bytes that are taken before the connection has taken those before them.
const WRITE_AHEAD: usize = 64 * 1024;

/// How long the other end is listened to after a close, so that what was said last is not lost to a reset.
const LINGER: Duration = Duration::from_secs(1);

/// The machine at this end of a connection, and its owner.
pub(crate) trait End {
    /// A message has come.
    fn handle_message(&mut self, now: Instant, message: &Message);

    fn handle_timeout(&mut self, now: Instant);

    /// The next message to be sent. When there is none now, `waker` is told once there may be one.
    fn poll_message(&mut self, now: Instant, waker: &Waker) -> Option<Message>;

    /// Goes on with what came; ready when there is nothing left of it.
    fn poll_deliver(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Whether so much of what came is left that nothing more is to be read.
    fn is_full(&self) -> bool;

    /// When [`handle_timeout`](Self::handle_timeout) or [`poll_message`](Self::poll_message) is due.
    fn timeout(&self) -> Option<Instant>;

    /// Nothing is read, as this end [is full](Self::is_full), or about to end; and the time has come.
    fn handle_deaf(&mut self, now: Instant);

    /// How long the other end may leave unread what it is sent.
    fn patience(&self) -> Duration;

    /// Why the connection is to be closed, once it is. It is when all that came is delivered.
    fn is_over(&self) -> Option<CloseReason>;
}

/// Settings of a WebSocket that takes messages of so many bytes.
pub(crate) fn settings(max_message: usize) -> (Config, Limits) {
    let config = Config::default()
        .flush_threshold(WRITE_AHEAD)
        .frame_size(usize::MAX);
    (config, Limits::default().max_payload_len(Some(max_message)))
}

/// Now, on the clock of the timers.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The connection of an end, until it is over.
pub(crate) struct Pump<S> {
    socket: WebSocketStream<S>,
    sleep: Pin<Box<Sleep>>,
    /// Since when the connection takes nothing.
    blocked: Option<Instant>,
    /// How the connection came to its end, should some that came before be left to be delivered.
    lost: Option<CloseReason>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pump<S> {
    pub(crate) fn new(socket: WebSocketStream<S>) -> Self {
        Self {
            socket,
            sleep: Box::pin(sleep_until(tokio::time::Instant::now())),
            blocked: None,
            lost: None,
        }
    }

    pub(crate) fn socket(&mut self) -> &mut WebSocketStream<S> {
        &mut self.socket
    }

    /// Runs until one of the two ends is through with it, and says why.
    pub(crate) async fn run(&mut self, end: &mut impl End) -> CloseReason {
        poll_fn(|cx| self.poll(cx, end)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, end: &mut impl End) -> Poll<CloseReason> {
        loop {
            let now = now();
            if self.lost.is_none()
                && let Err(reason) = self.poll_write(cx, now, end)
            {
                self.lost = Some(reason);
            }
            let delivered = end.poll_deliver(cx).is_ready();
            let over = end.is_over().or(self.lost);
            match over {
                Some(reason) if delivered => return Poll::Ready(reason),
                // What came is still delivered; there is nobody to talk to.
                Some(_) if self.lost.is_some() => return Poll::Pending,
                _ => {}
            }
            let deaf = over.is_some() || end.is_full();
            if !deaf {
                match self.poll_read(cx) {
                    Poll::Ready(Ok(message)) => {
                        end.handle_message(now, &message);
                        continue;
                    }
                    Poll::Ready(Err(reason)) => {
                        self.lost = Some(reason);
                        continue;
                    }
                    Poll::Pending => {}
                }
            }
            if self.poll_timeout(cx, end).is_pending() {
                return Poll::Pending;
            }
            if self
                .blocked
                .is_some_and(|since| since + end.patience() <= now)
            {
                return Poll::Ready(CloseReason::Overload);
            }
            match deaf {
                true => end.handle_deaf(now),
                false => end.handle_timeout(now),
            }
        }
    }

    /// Writes what there is, as far as the connection takes it.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        end: &mut impl End,
    ) -> Result<(), CloseReason> {
        while let Poll::Ready(ready) = Pin::new(&mut self.socket).poll_ready(cx) {
            ready.map_err(|error| reason_of(&error))?;
            let Some(message) = end.poll_message(now, cx.waker()) else {
                break;
            };
            let sent = Pin::new(&mut self.socket).start_send(outgoing(message));
            sent.map_err(|error| reason_of(&error))?;
        }
        match Pin::new(&mut self.socket).poll_flush(cx) {
            Poll::Ready(flushed) => {
                self.blocked = None;
                flushed.map_err(|error| reason_of(&error))
            }
            Poll::Pending => {
                self.blocked.get_or_insert(now);
                Ok(())
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, CloseReason>> {
        loop {
            match Pin::new(&mut self.socket).poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => {
                    if let Some(message) = incoming(message).transpose() {
                        return Poll::Ready(message);
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(reason_of(&error))),
                Poll::Ready(None) => return Poll::Ready(Err(CloseReason::Lost(1006))),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Ready when the end's time has come, or this one's own.
    fn poll_timeout(&mut self, cx: &mut Context<'_>, end: &impl End) -> Poll<()> {
        let patience = self.blocked.map(|since| since + end.patience());
        let Some(due) = patience.into_iter().chain(end.timeout()).min() else {
            return Poll::Pending;
        };
        let due = tokio::time::Instant::from_std(due);
        // The timer may go off too early, which costs less than moving it with each message.
        if self.sleep.is_elapsed() || due < self.sleep.deadline() {
            self.sleep.as_mut().reset(due);
        }
        match self.sleep.as_mut().poll(cx) {
            Poll::Ready(()) if due <= tokio::time::Instant::now() => Poll::Ready(()),
            Poll::Ready(()) => {
                self.sleep.as_mut().reset(due);
                self.sleep.as_mut().poll(cx)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Sends `last`, closes the WebSocket for this reason, and waits a moment for the other end to have heard it.
    pub(crate) async fn close(mut self, last: Option<Message>, reason: CloseReason) {
        let close = async {
            // Where the WebSocket was closed already, for something that is none, that is what there is to say.
            if let Some(last) = last {
                let _ = self.send(outgoing(last)).await;
            }
            let close = WsMessage::close(close_code(reason), "");
            let _ = self.send(close).await;
            let flushed = poll_fn(|cx| Pin::new(&mut self.socket).poll_flush(cx)).await;
            while flushed.is_ok() && self.skip_message().await {}
        };
        // Who does not hear it is lost without it.
        let _ = timeout(LINGER, close).await;
    }

    /// Waits for a message, and drops it. Whether there was one.
    async fn skip_message(&mut self) -> bool {
        let message = poll_fn(|cx| Pin::new(&mut self.socket).poll_next(cx)).await;
        matches!(message, Some(Ok(_)))
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, message: WsMessage) -> Result<(), Error> {
        poll_fn(|cx| Pin::new(&mut self.socket).poll_ready(cx)).await?;
        Pin::new(&mut self.socket).start_send(message)?;
        poll_fn(|cx| Pin::new(&mut self.socket).poll_flush(cx)).await
    }

    /// The next message.
    pub(crate) async fn receive(&mut self) -> Result<Message, CloseReason> {
        poll_fn(|cx| self.poll_read(cx)).await
    }
}

fn close_code(reason: CloseReason) -> Option<CloseCode> {
    let code = CloseCode::try_from(reason.code()).ok();
    code.filter(|code| !code.is_reserved())
}

pub(crate) fn outgoing(message: Message) -> WsMessage {
    match message {
        Message::Text(text) => WsMessage::text(text),
        Message::Binary(bytes) => WsMessage::binary(bytes),
    }
}

/// A message of frames. `None` for pings and pongs of WebSocket itself.
fn incoming(message: WsMessage) -> Result<Option<Message>, CloseReason> {
    if let Some((code, _)) = message.as_close() {
        return Err(CloseReason::of_code(code.into()));
    }
    let (text, binary) = (message.is_text(), message.is_binary());
    let bytes: Bytes = message.into_payload().into();
    Ok(match (text, binary) {
        (true, _) => Some(Message::Text(bytes)),
        (_, true) => Some(Message::Binary(bytes)),
        _ => None,
    })
}

fn reason_of(error: &Error) -> CloseReason {
    match error {
        Error::PayloadTooLong { .. } => CloseReason::TooLong,
        Error::Protocol(_) => CloseReason::Protocol,
        _ => CloseReason::Lost(1006),
    }
}
