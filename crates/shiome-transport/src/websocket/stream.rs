//! A WebSocket as a stream of bytes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream;
use futures_sink::Sink;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_websockets::{CloseCode, Error, Message, WebSocketStream};

use super::{MAX_MESSAGE_LEN, close::CloseReason};

/// Answers to pings that may wait for a peer that does not read them. Each is kept, of up to 125 bytes and a header.
const MAX_WAITING_PONGS: usize = 64;

/// Why a WebSocket can no longer be read: within an [`io::Error`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// The peer closed it, and not in good order.
    #[error("closed by the peer: {reason} {detail}")]
    Closed {
        /// Why.
        reason: CloseReason,
        /// Why, in words.
        detail: String,
    },
    /// The peer sent a text message. It was told with [`CloseReason::Unsupported`].
    #[error("text message")]
    Text,
    /// The peer sent a message of more than [`MAX_MESSAGE_LEN`] bytes. It was told with [`CloseReason::TooLong`].
    #[error("message of more than {MAX_MESSAGE_LEN} bytes")]
    TooLong,
    /// The peer sends pings and does not read the answers. It was not told, as it would not read that either.
    #[error("too many pings")]
    Pings,
    /// What the peer sent is no WebSocket. It was told with [`CloseReason::Protocol`], or with 1007 when it was text that is
    /// not UTF-8.
    #[error("not a WebSocket: {what}")]
    Protocol {
        /// What is wrong.
        what: String,
    },
}

impl WebSocketError {
    /// The one within `error`, if it comes from a WebSocket.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<WebSocketError> for io::Error {
    fn from(error: WebSocketError) -> Self {
        let kind = match error {
            WebSocketError::Closed { .. } => io::ErrorKind::ConnectionAborted,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// How far this end has come with saying that no more bytes come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Open,
    Ending,
    Ended,
}

pub(super) struct ByteStream<S> {
    socket: WebSocketStream<Watched<S>>,
    /// Rest of the message that is being read.
    unread: Bytes,
    /// No more bytes come.
    read_ended: bool,
    writing: Writing,
    waiting_pongs: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> ByteStream<S> {
    pub(super) fn new(open: impl FnOnce(Watched<S>) -> WebSocketStream<Watched<S>>, io: S) -> Self {
        let io = Watched { io, blocked: false };
        Self {
            socket: open(io),
            unread: Bytes::new(),
            read_ended: false,
            writing: Writing::Open,
            waiting_pongs: 0,
        }
    }

    fn socket(&mut self) -> Pin<&mut WebSocketStream<Watched<S>>> {
        Pin::new(&mut self.socket)
    }

    /// Takes in the next message.
    fn receive(&mut self, cx: &mut Context<'_>, message: Message) -> io::Result<()> {
        if message.is_binary() {
            self.unread = message.into_payload().into();
            if self.unread.is_empty() {
                self.read_ended = true;
                if self.writing == Writing::Ended {
                    self.close(cx, CloseCode::NORMAL_CLOSURE, "");
                }
            }
        } else if message.is_text() {
            self.close(cx, CloseCode::UNSUPPORTED_DATA, "binary messages only");
            return Err(WebSocketError::Text.into());
        } else if message.is_ping() {
            return self.count_pong();
        } else if let Some((code, detail)) = message.as_close() {
            return self.closed(cx, u16::from(code).into(), detail);
        }
        Ok(())
    }

    /// The answer is queued already, and is written before the next message is read if the connection takes anything.
    fn count_pong(&mut self) -> io::Result<()> {
        self.waiting_pongs = match self.is_blocked() {
            true => self.waiting_pongs + 1,
            false => 0,
        };
        if self.waiting_pongs > MAX_WAITING_PONGS {
            return Err(WebSocketError::Pings.into());
        }
        Ok(())
    }

    fn is_blocked(&self) -> bool {
        self.socket.get_ref().blocked
    }

    fn closed(
        &mut self,
        cx: &mut Context<'_>,
        reason: CloseReason,
        detail: &str,
    ) -> io::Result<()> {
        self.read_ended = true;
        // The answer is queued; nothing else can be written after it.
        let _ = self.socket().poll_flush(cx);
        if reason.is_orderly() {
            return Ok(());
        }
        let detail = detail.to_owned();
        Err(WebSocketError::Closed { reason, detail }.into())
    }

    /// Says why, if it can be said at once. Nothing can be written afterwards.
    fn close(&mut self, cx: &mut Context<'_>, code: CloseCode, detail: &str) {
        let close = Message::close(Some(code), detail);
        if self.socket().start_send(close).is_ok() {
            let _ = self.socket().poll_flush(cx);
        }
    }

    fn failed(&mut self, cx: &mut Context<'_>, error: Error) -> io::Error {
        self.read_ended = true;
        // Parts that are too long together; of all else the close with the code is queued.
        if let Error::PayloadTooLong { .. } = error {
            self.close(cx, CloseCode::MESSAGE_TOO_BIG, "");
        }
        let _ = self.socket().poll_flush(cx);
        io_error(error)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ByteStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() && !self.read_ended {
            match ready!(self.socket().poll_next(cx)) {
                Some(Ok(message)) => {
                    let received = self.receive(cx, message);
                    self.read_ended |= received.is_err();
                    received?;
                    if self.unread.is_empty() && self.waiting_pongs > 0 && self.is_blocked() {
                        // It may be that only this task has had its turn.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Some(Err(error)) => return Poll::Ready(Err(self.failed(cx, error))),
                None => {
                    self.read_ended = true;
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
            }
        }
        let len = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread[..len]);
        self.unread.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ByteStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.writing != Writing::Open {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        // An empty message would be the end.
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.socket().poll_ready(cx)).map_err(io_error)?;
        let len = buf.len().min(MAX_MESSAGE_LEN);
        let message = Message::binary(BytesMut::from(&buf[..len]));
        self.socket().start_send(message).map_err(io_error)?;
        // On its way without a flush, as over TCP.
        if let Poll::Ready(Err(error)) = self.socket().poll_flush(cx) {
            return Poll::Ready(Err(io_error(error)));
        }
        Poll::Ready(Ok(len))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_flush(cx).map_err(io_error)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.writing {
                Writing::Open => {
                    ready!(self.socket().poll_ready(cx)).map_err(io_error)?;
                    let end = Message::binary(Bytes::new());
                    self.writing = match self.socket().start_send(end) {
                        Ok(()) => Writing::Ending,
                        // Closed already.
                        Err(_) => Writing::Ended,
                    };
                }
                Writing::Ending => {
                    ready!(self.socket().poll_flush(cx)).map_err(io_error)?;
                    self.writing = Writing::Ended;
                    if self.read_ended {
                        self.close(cx, CloseCode::NORMAL_CLOSURE, "");
                    }
                }
                Writing::Ended => return self.socket().poll_flush(cx).map_err(io_error),
            }
        }
    }
}

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        Error::PayloadTooLong { .. } => WebSocketError::TooLong.into(),
        error => {
            let what = error.to_string();
            WebSocketError::Protocol { what }.into()
        }
    }
}

/// Knows whether the connection takes what is written.
pub(super) struct Watched<S> {
    io: S,
    blocked: bool,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.blocked = polled.is_pending();
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.blocked = polled.is_pending();
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.blocked = polled.is_pending();
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
