//! A node under test, and the peer that speaks the wire by hand.

use std::time::Duration;

use prost_types::Timestamp;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use shiome_handshake::{Cookie, DigestScheme};
use shiome_ractor::{
    NodeServer, NodeServerMessage, RactorClusterMessage,
    node::{NodeConnectionMode, NodeServerSessionInformation},
};
use shiome_transport::{BoxWrite, FrameReader, Link, Security};
use shiome_wire::{
    MAX_FRAME_LEN,
    auth::{self, NameMessage, authentication_message, server_status::Status},
    control::{self, control_message},
    encode,
    meta::NetworkMessage,
    node::{self, node_message},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, duplex},
    sync::mpsc,
    time::timeout,
};

mod native;
pub(crate) mod tls;

pub(crate) const COOKIE: &str = "the cookie of the tests";

/// How long anything may take, on the virtual clock.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node on loopback, without TCP peers.
pub(crate) async fn node(name: &str) -> ActorRef<NodeServerMessage> {
    spawn(node_server(name)).await
}

pub(crate) async fn node_in_mode(
    name: &str,
    mode: NodeConnectionMode,
) -> ActorRef<NodeServerMessage> {
    spawn(node_server_in_mode(name, mode)).await
}

pub(crate) fn node_server(name: &str) -> NodeServer {
    node_server_in_mode(name, NodeConnectionMode::Isolated)
}

fn node_server_in_mode(name: &str, mode: NodeConnectionMode) -> NodeServer {
    let (name, host) = (name.to_owned(), "node".to_owned());
    NodeServer::new(0, COOKIE.to_owned(), name, host, None, Some(mode))
        .with_listen_addr([127, 0, 0, 1].into())
}

pub(crate) async fn spawn(server: NodeServer) -> ActorRef<NodeServerMessage> {
    Actor::spawn(None, server, ()).await.unwrap().0
}

pub(crate) async fn sessions(
    server: &ActorRef<NodeServerMessage>,
) -> Vec<NodeServerSessionInformation> {
    let reply = server
        .call(NodeServerMessage::GetSessions, None)
        .await
        .unwrap();
    reply.unwrap().into_values().collect()
}

/// Remote members of a group in the default scope, once there are exactly `count`.
pub(crate) async fn remote_members(group: &str, count: usize) -> Vec<ActorCell> {
    let group = group.to_owned();
    eventually(|| {
        let mut members = pg::get_members(&group);
        members.retain(|member| !member.get_id().is_local());
        members.sort_by_key(ActorCell::get_id);
        (members.len() == count).then_some(members)
    })
    .await
}

/// Waits on the virtual clock until `found` finds something.
pub(crate) async fn eventually<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = found() {
                return found;
            }
            tokio::time::advance(Duration::from_millis(1)).await;
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, looking).await.expect("it happens")
}

/// Waits on the virtual clock until `holds` does.
pub(crate) async fn eventually_async<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    let looking = async {
        while !holds().await {
            tokio::time::advance(Duration::from_millis(1)).await;
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, looking).await.expect("it happens");
}

/// The other end of a link, played by the test.
pub(crate) struct RawPeer {
    reader: FrameReader,
    writer: BoxWrite,
}

impl RawPeer {
    /// Opens a link to the node, which sees it as accepted.
    pub(crate) fn dial(server: &ActorRef<NodeServerMessage>) -> Self {
        Self::open(server, true)
    }

    /// Opens a link to the node, which sees it as dialled.
    pub(crate) fn dialled_by(server: &ActorRef<NodeServerMessage>) -> Self {
        Self::open(server, false)
    }

    fn open(server: &ActorRef<NodeServerMessage>, is_server: bool) -> Self {
        let (here, there) = duplex(64 * 1024);
        let stream = Box::new(Link::from_stream(
            there,
            "raw peer",
            "node",
            Security::Plain,
        ));
        server
            .cast(NodeServerMessage::ConnectionOpenedExternal { stream, is_server })
            .unwrap();
        Self::over(here)
    }

    /// At one end of a stream, the node being at the other.
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            reader: FrameReader::new(Box::new(reader), MAX_FRAME_LEN),
            writer: Box::new(writer),
        }
    }

    /// Opens a link and joins as `name@raw`, up to where both sides are synchronised.
    pub(crate) async fn join(server: &ActorRef<NodeServerMessage>, name: &str) -> Self {
        let mut peer = Self::dial(server);
        peer.authenticate(name).await;
        peer.synchronise().await;
        peer
    }

    /// Says that it has nothing to tell; what the node has told when it says the same.
    pub(crate) async fn synchronise(&mut self) -> Vec<control_message::Msg> {
        self.send(control::Ready {}).await;
        let mut told = Vec::new();
        loop {
            match self.expect(NetworkMessage::into_control).await {
                control_message::Msg::Ready(_) => return told,
                message => told.push(message),
            }
        }
    }

    pub(crate) async fn authenticate(&mut self, name: &str) {
        self.authenticate_as(name_of(name)).await;
    }

    pub(crate) async fn authenticate_as(&mut self, name: NameMessage) {
        assert_eq!(self.authenticate_with(name).await, Status::Ok);
    }

    /// Introduces itself and proves the cookie; the status that it got.
    pub(crate) async fn authenticate_with(&mut self, name: NameMessage) -> Status {
        self.send(authentication_message::Msg::Name(name)).await;
        let status = self.status().await;
        let challenge = self.challenge().await;
        self.send(auth::ChallengeReply {
            challenge: challenge.wrapping_add(1),
            digest: digest(COOKIE, challenge),
        })
        .await;
        let expected = digest(COOKIE, challenge.wrapping_add(1));
        let ack = self
            .expect(|message| match message.into_auth()? {
                authentication_message::Msg::ServerAck(ack) => Some(ack.digest),
                _ => None,
            })
            .await;
        assert_eq!(ack, expected);
        status
    }

    pub(crate) async fn send_name(&mut self, name: &str) {
        let name = authentication_message::Msg::Name(name_of(name));
        self.send(name).await;
    }

    /// Lets a node that has dialled go on, and asks it for its proof.
    pub(crate) async fn send_challenge(&mut self, name: &str) {
        self.send(auth::ServerStatus {
            status: Status::Ok.into(),
        })
        .await;
        let name = name_of(name);
        self.send(auth::Challenge {
            name: name.name,
            flags: name.flags,
            challenge: 1,
            connection_string: name.connection_string,
        })
        .await;
    }

    pub(crate) async fn status(&mut self) -> Status {
        self.expect(|message| match message.into_auth()? {
            authentication_message::Msg::ServerStatus(status) => Some(status.status()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn challenge(&mut self) -> u32 {
        self.expect(|message| match message.into_auth()? {
            authentication_message::Msg::ServerChallenge(challenge) => Some(challenge.challenge),
            _ => None,
        })
        .await
    }

    pub(crate) async fn send(&mut self, message: impl Into<NetworkMessage>) {
        let mut buf = Default::default();
        encode(&message.into(), u64::MAX, &mut buf).unwrap();
        self.send_bytes(&buf).await;
    }

    /// Sends bytes as they are. A node that has closed the link does not mind.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.writer.write_all(bytes).await;
    }

    pub(crate) async fn announce(&mut self, actors: impl IntoIterator<Item = (u64, &str)>) {
        let actors = actors.into_iter().map(actor).collect();
        self.send(control::Spawn { actors }).await;
    }

    pub(crate) async fn join_group(&mut self, group: &str, pids: impl IntoIterator<Item = u64>) {
        self.send(control::PgJoin {
            group: group.to_owned(),
            actors: pids.into_iter().map(|pid| actor((pid, ""))).collect(),
            scope: pg::DEFAULT_SCOPE.to_owned(),
        })
        .await;
    }

    /// The next message that the node sends; `None` when it has closed the link.
    pub(crate) async fn receive(&mut self) -> Option<NetworkMessage> {
        let frame = timeout(PATIENCE, self.reader.next()).await;
        let frame = frame.expect("the node says or does something");
        frame.ok().flatten().map(|frame| frame.decode().unwrap())
    }

    /// What `pick` finds, skipping messages in which it finds nothing.
    pub(crate) async fn expect<T>(&mut self, pick: impl Fn(NetworkMessage) -> Option<T>) -> T {
        loop {
            let message = self.receive().await.expect("the link stays open");
            if let Some(found) = pick(message) {
                return found;
            }
        }
    }

    /// Reads to the end of the link; the messages on the way.
    pub(crate) async fn until_closed(&mut self) -> Vec<NetworkMessage> {
        let mut messages = Vec::new();
        while let Some(message) = self.receive().await {
            messages.push(message);
        }
        messages
    }

    /// Proves that the session is alive and has taken in all that was sent before.
    pub(crate) async fn ping(&mut self, seconds: i64) {
        let timestamp = Some(timestamp(seconds, 0));
        self.send(control::Ping { timestamp }).await;
        self.expect(|message| match message.into_control()? {
            control_message::Msg::Pong(pong) if pong.timestamp == timestamp => Some(()),
            _ => None,
        })
        .await;
    }

    /// Shows that the peer lives, for as long as the link does.
    pub(crate) async fn answer_pings(&mut self) -> std::convert::Infallible {
        loop {
            let ping = self
                .expect(|message| match message.into_control()? {
                    control_message::Msg::Ping(ping) => Some(ping),
                    _ => None,
                })
                .await;
            let timestamp = ping.timestamp;
            self.send(control::Pong { timestamp }).await;
        }
    }

    pub(crate) async fn expect_call(&mut self) -> node::Call {
        self.expect(|message| match message.into_node()? {
            node_message::Msg::Call(call) => Some(call),
            _ => None,
        })
        .await
    }

    pub(crate) async fn expect_cast(&mut self) -> node::Cast {
        self.expect(|message| match message.into_node()? {
            node_message::Msg::Cast(cast) => Some(cast),
            _ => None,
        })
        .await
    }
}

pub(crate) fn timestamp(seconds: i64, nanos: i32) -> Timestamp {
    Timestamp { seconds, nanos }
}

pub(crate) fn digest(cookie: &str, challenge: u32) -> bytes::Bytes {
    let digest = DigestScheme::Sha256.digest(&Cookie::new(cookie), challenge);
    bytes::Bytes::copy_from_slice(digest.as_ref())
}

pub(crate) fn name_of(name: &str) -> NameMessage {
    NameMessage {
        name: format!("{name}@raw"),
        flags: Some(auth::NodeFlags {
            version: 1,
            ..Default::default()
        }),
        connection_string: format!("{name}.raw:1"),
        connection_id: 7,
    }
}

fn actor((pid, name): (u64, &str)) -> control::Actor {
    control::Actor {
        pid,
        name: (!name.is_empty()).then(|| name.to_owned()),
    }
}

/// Messages of [`Probe`], the local actor that the peer addresses.
#[derive(RactorClusterMessage)]
pub(crate) enum ProbeMessage {
    Note(String),
    Fail(String),
    #[rpc]
    Echo(String, RpcReplyPort<String>),
    #[rpc]
    EchoAndStop(String, RpcReplyPort<String>),
    #[rpc]
    Drop(RpcReplyPort<String>),
}

/// Answers calls, and passes on what it is told.
pub(crate) struct Probe(pub(crate) mpsc::UnboundedSender<String>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Probe {
    type Msg = ProbeMessage;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _myself: ActorRef<ProbeMessage>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<ProbeMessage>,
        message: ProbeMessage,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ProbeMessage::Note(text) => self.0.send(text)?,
            ProbeMessage::Fail(text) => return Err(text.into()),
            ProbeMessage::Echo(text, port) => port.send(text)?,
            ProbeMessage::EchoAndStop(text, port) => {
                port.send(text)?;
                myself.stop(None);
            }
            ProbeMessage::Drop(port) => drop(port),
        }
        Ok(())
    }
}

/// A local probe, and what it hears.
pub(crate) async fn probe(
    name: Option<&str>,
) -> (ActorRef<ProbeMessage>, mpsc::UnboundedReceiver<String>) {
    let (heard, hears) = mpsc::unbounded_channel();
    let name = name.map(str::to_owned);
    let (probe, _) = Actor::spawn(name, Probe(heard), ()).await.unwrap();
    (probe, hears)
}

/// Encoded arguments, as the derive macros lay them out.
pub(crate) fn arguments(fields: &[&[u8]]) -> bytes::Bytes {
    let mut what = Vec::new();
    for field in fields {
        what.extend_from_slice(&(field.len() as u64).to_be_bytes());
        what.extend_from_slice(field);
    }
    what.into()
}

impl RawPeer {
    /// The challenge that follows an OK.
    pub(crate) async fn challenge_after_status(&mut self) -> u32 {
        assert_eq!(self.status().await, Status::Ok);
        self.challenge().await
    }
}
