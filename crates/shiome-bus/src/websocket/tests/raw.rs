//! Clients that are written by hand, to say what ours do not.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, duplex},
    time::timeout,
};
use tokio_websockets::{ClientBuilder, Message as WsMessage, WebSocketStream};

use crate::{
    PeerId,
    websocket::{ServerOptions, WebSocketServer, outbox::QueueLimits},
    wire::{CloseReason, Frame, Message, decode},
};

/// Long enough for all that is not waited for.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) fn id(text: &str) -> PeerId {
    PeerId::new(text).unwrap()
}

pub(super) fn relay(options: ServerOptions) -> Arc<WebSocketServer> {
    Arc::new(WebSocketServer::relay(&id("relay"), options).unwrap())
}

/// A relay whose queues are short.
pub(super) fn short_queues() -> ServerOptions {
    ServerOptions::anyone().queue(QueueLimits::new(8, 1 << 20))
}

/// A WebSocket of which the other end is a server.
pub(super) struct Raw<S = DuplexStream> {
    socket: WebSocketStream<S>,
    /// What came and was not asked for yet.
    frames: std::collections::VecDeque<Frame>,
}

impl Raw {
    /// A connection within the process.
    pub(super) fn new(server: &Arc<WebSocketServer>) -> Self {
        Self::with_room(server, 1 << 20)
    }

    /// A connection of which the system takes so many bytes ahead.
    pub(super) fn with_room(server: &Arc<WebSocketServer>, room: usize) -> Self {
        let (near, far) = duplex(room);
        let server = Arc::clone(server);
        tokio::spawn(async move { server.serve(far).await });
        Self::over(near)
    }

    /// Comes in under this name.
    pub(super) async fn enter(server: &Arc<WebSocketServer>, name: &str) -> Self {
        let mut raw = Self::new(server);
        raw.say(&hello(name, 1, "")).await;
        raw.welcome().await;
        raw
    }
}

/// A hello as JSON, with more members.
pub(super) fn hello(name: &str, incarnation: u64, more: &str) -> String {
    format!(r#"[{{"type":"hello","version":1,"id":"{name}","incarnation":{incarnation}{more}}}]"#)
}

/// An envelope that is waited for.
pub(super) fn envelope(seq: u64, from: &str, to: &str, more: &str) -> String {
    format!(
        r#"[{{"type":"envelope","id":"1.{seq}","from":"{from}","to":"{to}","name":"n","level":"received"{more}}}]"#
    )
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(super) fn over(io: S) -> Self {
        Self {
            socket: ClientBuilder::new().take_over(io),
            frames: std::collections::VecDeque::new(),
        }
    }

    pub(super) async fn say(&mut self, text: &str) {
        let message = WsMessage::text(text.to_owned());
        self.socket.send(message).await.unwrap();
    }

    pub(super) async fn say_bytes(&mut self, bytes: &'static [u8]) {
        self.socket.send(WsMessage::binary(bytes)).await.unwrap();
    }

    /// The next frame, or why there is none.
    pub(super) async fn next(&mut self) -> Result<Frame, CloseReason> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Ok(frame);
            }
            let message = timeout(PATIENCE, self.socket.next()).await;
            let Some(Ok(message)) = message.expect("something comes") else {
                return Err(CloseReason::Lost(1006));
            };
            if let Some((code, _)) = message.as_close() {
                return Err(CloseReason::of_code(code.into()));
            }
            let text = message.is_text();
            let bytes: bytes::Bytes = message.into_payload().into();
            let message = match text {
                true => Message::Text(bytes),
                false => Message::Binary(bytes),
            };
            self.frames.extend(decode(&message).unwrap());
        }
    }

    /// The next frame that is neither an acknowledgement nor of presence.
    pub(super) async fn hear(&mut self) -> Result<Frame, CloseReason> {
        loop {
            match self.next().await? {
                Frame::Ack { .. } | Frame::Presence(_) => {}
                frame => return Ok(frame),
            }
        }
    }

    /// The close code, and the frames before it.
    pub(super) async fn ends(&mut self) -> (CloseReason, Vec<Frame>) {
        let mut frames = Vec::new();
        loop {
            match self.hear().await {
                Ok(frame) => frames.push(frame),
                Err(reason) => return (reason, frames),
            }
        }
    }

    /// What the server says to who comes in: the secret with which to come back, and the welcome.
    pub(super) async fn welcome(&mut self) -> Box<crate::wire::Welcome> {
        match self.hear().await {
            Ok(Frame::Welcome(welcome)) => welcome,
            other => panic!("{other:?}"),
        }
    }

    /// What became of a message that was waited for: its number and the error.
    pub(super) async fn nack(&mut self) -> (u64, String) {
        match self.hear().await {
            Ok(Frame::Envelope(envelope)) => {
                assert_eq!(envelope.intent.name().as_str(), "sys.nack");
                let told = envelope.intent.payload().value();
                let error = told["error"].as_str().unwrap().to_owned();
                (envelope.reply_to.unwrap().seq, error)
            }
            other => panic!("{other:?}"),
        }
    }

    /// The number of the next envelope.
    pub(super) async fn envelope(&mut self) -> u64 {
        match self.hear().await {
            Ok(Frame::Envelope(envelope)) => envelope.id.seq,
            other => panic!("{other:?}"),
        }
    }
}
