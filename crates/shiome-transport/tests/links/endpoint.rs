//! One end of a link, with an owner that echoes calls and notes what happens.

use std::sync::Arc;

use shiome_handshake::{Admission, Config, Entropy, Handshake, Local, Peer as Proven, Side};
use shiome_session::{CallEnd, Event, SendError, Session, Terms};
use shiome_transport::{
    AuthenticateError, EventSink, FrameReader, Gate, Link, LinkEnd, Peer, authenticate, drive,
};
use shiome_wire::{
    Capabilities, MAX_FRAME_LEN,
    auth::{AuthenticationMessage, NameMessage},
    control::Actor,
    node,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// Pid of the one actor that every endpoint has.
pub(crate) const PID: u64 = 1;

/// A cast that the owner never gets over.
pub(crate) const FREEZE: &str = "freeze";

pub(crate) type Caller = oneshot::Sender<Result<bytes::Bytes, CallEnd>>;

/// What an endpoint's owner heard.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Ready,
    Cast(bytes::Bytes),
    /// Casts that were not sent.
    Unsent(usize),
}

/// A running end of a link.
pub(crate) struct Endpoint {
    pub(crate) peer: Arc<Peer<Caller>>,
    pub(crate) heard: mpsc::UnboundedReceiver<Heard>,
    pub(crate) end: JoinHandle<LinkEnd>,
    pub(crate) proven: Proven,
}

pub(crate) struct Open;

impl Gate for Open {
    async fn admit(&self, _: &NameMessage) -> Admission {
        Admission::Ok
    }

    async fn named(&self, _: &NameMessage) {}

    fn is_reflected(&self, _: &AuthenticationMessage) -> bool {
        false
    }

    async fn replace(&self) -> bool {
        true
    }
}

/// A node that announces nothing.
pub(crate) fn config(name: &str, cookie: &str) -> Config {
    let local = Local {
        name: format!("{name}@test"),
        connection_string: format!("{name}.test:1"),
    };
    Config::new(local, cookie.into())
}

pub(crate) fn handshake(config: Config, side: Side) -> Handshake {
    let letter = config.local.name.as_bytes()[0];
    let entropy = Entropy {
        challenge: letter.into(),
        connection_id: 1,
        nonce: [letter; 32],
    };
    let now = tokio::time::Instant::now().into_std();
    match side {
        Side::Client => Handshake::client(now, config, entropy),
        Side::Server => Handshake::server(now, config, entropy),
    }
}

struct Owner {
    peer: Arc<Peer<Caller>>,
    heard: mpsc::UnboundedSender<Heard>,
}

impl EventSink<Caller> for Owner {
    async fn handle(&mut self, event: Event<Caller>) {
        match event {
            Event::Cast(cast) if cast.what == FREEZE => std::future::pending().await,
            Event::Cast(cast) => drop(self.heard.send(Heard::Cast(cast.what))),
            Event::Call(call) => {
                let (to, tag, what) = (call.to, call.tag, call.what);
                let replied = self
                    .peer
                    .apply(|session, now| session.reply(now, to, tag, what));
                replied.unwrap();
            }
            Event::Reply { call, what } => drop(call.send(Ok(what))),
            Event::CallEnded { call, why } => drop(call.send(Err(why))),
            Event::Unsent { casts, .. } => drop(self.heard.send(Heard::Unsent(casts))),
            Event::Ready => drop(self.heard.send(Heard::Ready)),
            _ => {}
        }
    }
}

impl Endpoint {
    /// Shakes hands and starts the session of a legacy peer.
    pub(crate) async fn start(
        name: &str,
        cookie: &str,
        side: Side,
        link: Link,
    ) -> Result<Self, AuthenticateError> {
        let limits = shiome_session::Config::default();
        Self::start_with(name, cookie, side, link, limits, None).await
    }

    /// Shakes hands and starts the session, of a native peer if there is something that both can do.
    pub(crate) async fn start_with(
        name: &str,
        cookie: &str,
        side: Side,
        link: Link,
        limits: shiome_session::Config,
        native: Option<Capabilities>,
    ) -> Result<Self, AuthenticateError> {
        let handshake = handshake(config(name, cookie), side);
        let now = tokio::time::Instant::now().into_std();
        let mut reader = FrameReader::new(link.reader, MAX_FRAME_LEN);
        let mut writer = link.writer;
        let proven = authenticate(&mut reader, &mut writer, handshake, &Open).await?;
        reader.set_max_frame_len(MAX_FRAME_LEN);

        let terms = native.map(|capabilities| terms(&limits, capabilities));
        let mut session = Session::new(now, limits, 1);
        if let Some(terms) = terms {
            session.negotiated(terms);
        }
        let peer = Arc::new(Peer::new(session));
        peer.apply(|session, now| {
            session.start(now, None);
            session.announce([Actor {
                pid: PID,
                name: None,
            }]);
            session.synced();
        });
        let (hears, heard) = mpsc::unbounded_channel();
        let mut owner = Owner {
            peer: Arc::clone(&peer),
            heard: hears,
        };
        let driven = Arc::clone(&peer);
        let end =
            tokio::spawn(async move { drive(&mut reader, writer, &driven, &mut owner).await });
        Ok(Self {
            peer,
            heard,
            end,
            proven,
        })
    }

    /// Two ends of a link between legacy nodes, ready.
    pub(crate) async fn pair(links: (Link, Link)) -> (Self, Self) {
        Self::pair_with(links, shiome_session::Config::default(), [None; 2]).await
    }

    /// Two ends of a link between native nodes, ready.
    pub(crate) async fn native_pair(links: (Link, Link)) -> (Self, Self) {
        let all = [Some(Capabilities::ALL); 2];
        Self::pair_with(links, shiome_session::Config::default(), all).await
    }

    pub(crate) async fn pair_with(
        (here, there): (Link, Link),
        limits: shiome_session::Config,
        [of_a, of_b]: [Option<Capabilities>; 2],
    ) -> (Self, Self) {
        let (a, b) = tokio::join!(
            Self::start_with("a", "cookie", Side::Client, here, limits.clone(), of_a),
            Self::start_with("b", "cookie", Side::Server, there, limits, of_b),
        );
        let (mut a, mut b) = (a.unwrap(), b.unwrap());
        assert_eq!(a.heard.recv().await, Some(Heard::Ready));
        assert_eq!(b.heard.recv().await, Some(Heard::Ready));
        (a, b)
    }

    pub(crate) fn cast(&self, what: impl Into<bytes::Bytes>) {
        self.try_cast(what).unwrap();
    }

    pub(crate) fn try_cast(&self, what: impl Into<bytes::Bytes>) -> Result<(), SendError> {
        let cast = node::Cast {
            to: PID,
            what: what.into(),
            ..node::Cast::default()
        };
        self.peer.apply(|session, _| session.cast(cast))
    }

    pub(crate) fn call(
        &self,
        what: impl Into<bytes::Bytes>,
    ) -> oneshot::Receiver<Result<bytes::Bytes, CallEnd>> {
        let (caller, reply) = oneshot::channel();
        let call = node::Call {
            to: PID,
            what: what.into(),
            ..node::Call::default()
        };
        let called = |session: &mut Session<Caller>, now| session.call(now, call, None, caller);
        self.peer.apply(called).unwrap();
        reply
    }
}

fn terms(limits: &shiome_session::Config, capabilities: Capabilities) -> Terms {
    Terms {
        version: 1,
        capabilities,
        incarnation: 1,
        max_frame_len: MAX_FRAME_LEN,
        max_message_len: limits.max_message_len,
        max_reassembly_len: limits.max_reassembly_len,
        window: limits.window,
    }
}
