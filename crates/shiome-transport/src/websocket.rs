//! WebSocket links, `ws://host:port/path` and `wss://host:port/path`: for where only HTTP gets through.
//!
//! A link is the same stream of bytes as over TCP. What is written at a time becomes one binary message of up to
//! [`MAX_MESSAGE_LEN`] bytes, and where messages begin and end says nothing. The subprotocol [`SUBPROTOCOL`] adds one
//! thing, as WebSocket has no end of one direction: after an empty binary message no more bytes come that way. When both
//! directions have ended the connection is closed with 1000.
//!
//! Pings are answered. A text message is answered with close code 1003, one that is too long with 1009, what is no
//! WebSocket with 1002; the reader fails with a [`WebSocketError`] within its [`io::Error`](std::io::Error). Of a peer's
//! close the codes 1000 and 1001 are the end of its bytes, and all others an error that [tells them](CloseReason).
//!
//! # Within a web server
//!
//! [`Endpoint::answer`] and [`upgraded`] are for servers that have a web page, too. With hyper, axum and their like:
//!
//! ```ignore
//! async fn cluster(mut request: Request<Incoming>) -> Response<Empty<Bytes>> {
//!     match endpoint.answer(&request) {
//!         Ok(response) => {
//!             tokio::spawn(async move {
//!                 let io = TokioIo::new(hyper::upgrade::on(&mut request).await?);
//!                 let link = websocket::upgraded(io, peer, local, Security::Plain);
//!                 // …
//!             });
//!             response.map(|()| Empty::new())
//!         }
//!         Err(error) => error.response().map(|()| Empty::new()),
//!     }
//! }
//! ```

use std::io::Cursor;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, join};
use tokio_websockets::{ClientBuilder, Config, Limits, ServerBuilder};

pub(crate) use self::scheme::Web;
pub use self::{
    close::CloseReason,
    endpoint::{Endpoint, Origins, UpgradeError},
    stream::WebSocketError,
};
use self::{head::Head, stream::ByteStream};
use crate::link::{Link, Security};

mod close;
mod endpoint;
mod head;
mod scheme;
mod stream;
#[cfg(test)]
mod tests;

/// Subprotocol that both ends name when the connection is opened.
pub const SUBPROTOCOL: &str = "shiome.1";

/// Bytes of a message, in both directions. A peer that sends a longer one is closed.
pub const MAX_MESSAGE_LEN: usize = 256 * 1024;

/// Bytes of an HTTP request or response with which a connection is opened.
pub const MAX_HEAD_LEN: usize = 8 * 1024;

/// Opens a WebSocket on an open connection, where the server calls itself `authority`, `host:port`. The link is protected
/// as the connection is. Not cancel-safe: dropped earlier, the connection is of no use.
///
/// # Errors
///
/// [`UpgradeError`]; the connection is of no use any more.
pub async fn connect(link: Link, authority: &str, path: &str) -> Result<Link, UpgradeError> {
    let link = request_upgrade(link, authority, path, SUBPROTOCOL).await?;
    Ok(open(link, Side::Client))
}

/// Opens a WebSocket of another subprotocol, and leaves its frames to the caller. Otherwise like [`connect`].
///
/// # Errors
///
/// [`UpgradeError`]; the connection is of no use any more.
pub async fn request_upgrade(
    link: Link,
    authority: &str,
    path: &str,
    subprotocol: &str,
) -> Result<Link, UpgradeError> {
    let mut link = link;
    let key = endpoint::key();
    let request = head::request(authority, path, subprotocol, &key);
    link.writer.write_all(request.as_bytes()).await?;
    link.writer.flush().await?;
    let head = Head::read(&mut link.reader).await?;
    endpoint::check_response(&head.response()?, subprotocol, &key)?;
    Ok(unread(link, head.rest))
}

/// Accepts a WebSocket on an accepted connection; who may not come is told so in HTTP. The link is protected as the
/// connection is. Has no deadline of its own. Not cancel-safe: dropped earlier, the connection is of no use.
///
/// # Errors
///
/// [`UpgradeError`]; the connection is of no use any more.
pub async fn accept(link: Link, endpoint: &Endpoint) -> Result<Link, UpgradeError> {
    Ok(open(answer_upgrade(link, endpoint).await?, Side::Server))
}

/// Accepts a WebSocket of the subprotocol that `endpoint` [speaks](Endpoint::speaking), and leaves its frames to the caller.
/// Otherwise like [`accept`].
///
/// # Errors
///
/// [`UpgradeError`]; the connection is of no use any more.
pub async fn answer_upgrade(link: Link, endpoint: &Endpoint) -> Result<Link, UpgradeError> {
    let mut link = link;
    let head = Head::read(&mut link.reader).await;
    let answer = head.and_then(|head| Ok((endpoint.answer(&head.request()?)?, head.rest)));
    match answer {
        Ok((response, rest)) => {
            link.writer.write_all(&head::response(&response)).await?;
            link.writer.flush().await?;
            Ok(unread(link, rest))
        }
        Err(UpgradeError::Lost(error)) => Err(error.into()),
        Err(error) => {
            link.writer
                .write_all(&head::response(&error.response()))
                .await?;
            link.writer.shutdown().await?;
            Err(error)
        }
    }
}

/// A link over a connection that a web server has upgraded, after it sent what [`Endpoint::answer`] said, with the labels
/// of its ends and how it is protected.
pub fn upgraded(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: impl Into<String>,
    local: impl Into<String>,
    security: Security,
) -> Link {
    let stream = ByteStream::new(|io| server().serve(io), io);
    Link::from_stream(stream, peer, local, security)
}

#[derive(Clone, Copy)]
enum Side {
    Client,
    Server,
}

/// The link, of which `read` was read already.
fn unread(link: Link, read: Bytes) -> Link {
    if read.is_empty() {
        return link;
    }
    Link {
        reader: Box::new(Cursor::new(read).chain(link.reader)),
        ..link
    }
}

/// The WebSocket on `link`.
fn open(link: Link, side: Side) -> Link {
    let io = join(link.reader, link.writer);
    let stream = match side {
        Side::Client => ByteStream::new(|io| client().take_over(io), io),
        Side::Server => ByteStream::new(|io| server().serve(io), io),
    };
    Link {
        channel_binding: link.channel_binding,
        identity: link.identity,
        ..Link::from_stream(stream, link.peer, link.local, link.security)
    }
}

fn client() -> ClientBuilder<'static> {
    ClientBuilder::new().config(config()).limits(limits())
}

fn server() -> ServerBuilder {
    ServerBuilder::new().config(config()).limits(limits())
}

/// One message waits to be written, and no more.
fn config() -> Config {
    Config::default()
        .frame_size(MAX_MESSAGE_LEN)
        .flush_threshold(1)
}

fn limits() -> Limits {
    Limits::default().max_payload_len(Some(MAX_MESSAGE_LEN))
}
