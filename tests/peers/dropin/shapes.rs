//! Types and traits that user code may lean on: compiling is the check.

use std::fmt::Debug;

use ractor::{Actor, BytesConvertable as RactorsConvertable};
use ractor_cluster::node::client::ClientConnectErr as ClientConnectErrByPath;
use ractor_cluster::node::node_session::{NodeSession as NodeSessionByPath, NodeSessionState};
use ractor_cluster::node::{
    NodeConnectionMode, NodeServerSessionInformation, NodeServerState, SessionCheckReply,
};
use ractor_cluster::{
    BoxRead, BoxWrite, BytesConvertable, ClientConnectErr, ClusterBidiStream,
    IncomingEncryptionMode, NetworkStream, NodeEventSubscription, NodeServer, NodeServerMessage,
    NodeSession, NodeSessionMessage,
};
// Modules that must exist, also without an item that can be used.
#[allow(unused_imports)]
use ractor_cluster::{macros as _, node::auth as _};

use crate::actors::Reading;

pub fn check() {
    bounds();
    subscription(Box::new(Quiet));
    let _ = (
        mode,
        check_reply,
        connect_error,
        encryption,
        stream,
        server_message,
        session_message,
        session,
    );
}

fn bounds() {
    fn server<A: Actor<Msg = NodeServerMessage, State = NodeServerState, Arguments = ()>>() {}
    fn session<
        A: Actor<Msg = NodeSessionMessage, State = NodeSessionState, Arguments = NetworkStream>,
    >() {
    }
    fn sendable<T: Send + 'static>() {}
    fn shareable<T: Send + Sync + 'static>() {}
    fn shown<T: Debug>() {}
    fn cloned<T: Clone + Debug>() {}
    fn same_trait<T: RactorsConvertable>() {}
    fn same_trait_by_root<T: BytesConvertable>() {
        same_trait::<T>();
    }
    server::<NodeServer>();
    session::<NodeSession>();
    session::<NodeSessionByPath>();
    sendable::<NodeServerMessage>();
    sendable::<NodeSessionMessage>();
    sendable::<NetworkStream>();
    sendable::<Box<dyn NodeEventSubscription>>();
    sendable::<Box<dyn ClusterBidiStream>>();
    sendable::<BoxRead>();
    sendable::<BoxWrite>();
    shareable::<NodeServer>();
    shareable::<NodeSession>();
    shareable::<IncomingEncryptionMode>();
    shown::<NodeServer>();
    shown::<NodeSession>();
    shown::<NetworkStream>();
    shown::<NodeSessionMessage>();
    shown::<ClientConnectErrByPath>();
    cloned::<NodeServerSessionInformation>();
    cloned::<NodeConnectionMode>();
    cloned::<IncomingEncryptionMode>();
    same_trait_by_root::<Reading>();
}

/// The event that a session is ready may be left out.
struct Quiet;

impl NodeEventSubscription for Quiet {
    fn node_session_opened(&self, _session: NodeServerSessionInformation) {}
    fn node_session_disconnected(&self, _session: NodeServerSessionInformation) {}
    fn node_session_authenticated(&self, _session: NodeServerSessionInformation) {}
}

fn subscription(subscription: Box<dyn NodeEventSubscription>) -> NodeServerMessage {
    NodeServerMessage::SubscribeToEvents {
        id: "quiet".into(),
        subscription,
    }
}

// The following name every variant and field, as user code without a wildcard does.

fn mode(mode: NodeConnectionMode) -> &'static str {
    match mode {
        NodeConnectionMode::Transitive => "transitive",
        NodeConnectionMode::Isolated => "isolated",
    }
}

fn check_reply(reply: SessionCheckReply) -> u8 {
    match reply {
        SessionCheckReply::NoOtherConnection => 0,
        SessionCheckReply::OtherConnectionContinues => 1,
        SessionCheckReply::ThisConnectionContinues => 2,
        SessionCheckReply::DuplicateConnection => 3,
    }
}

fn connect_error(error: ClientConnectErr) -> String {
    match error {
        ClientConnectErr::Socket(error) | ClientConnectErr::Encryption(error) => error.to_string(),
        ClientConnectErr::Messaging(error) => error.to_string(),
    }
}

fn encryption(mode: IncomingEncryptionMode) -> bool {
    match mode {
        IncomingEncryptionMode::Raw => false,
        IncomingEncryptionMode::Tls(acceptor) => {
            let _: tokio_rustls::TlsAcceptor = acceptor;
            true
        }
    }
}

fn stream(stream: NetworkStream) -> Option<std::net::SocketAddr> {
    match stream {
        NetworkStream::Raw {
            peer_addr,
            local_addr: _,
            stream: _,
        } => Some(peer_addr),
        NetworkStream::TlsServer {
            peer_addr,
            local_addr: _,
            stream: _,
        } => Some(peer_addr),
        NetworkStream::TlsClient {
            peer_addr,
            local_addr: _,
            stream: _,
        } => Some(peer_addr),
        NetworkStream::External {
            peer_label: _,
            local_label: _,
            reader: _,
            writer: _,
        } => None,
    }
}

fn server_message(message: NodeServerMessage) -> bool {
    match message {
        NodeServerMessage::ConnectionOpened {
            stream: _,
            is_server,
        } => is_server,
        NodeServerMessage::ConnectionOpenedExternal {
            stream: _,
            is_server,
        } => is_server,
        NodeServerMessage::ConnectionAuthenticated(id) | NodeServerMessage::ConnectionReady(id) => {
            id.is_local()
        }
        NodeServerMessage::CheckSession {
            peer_name: _,
            reply,
        } => reply.is_closed(),
        NodeServerMessage::UpdateSession { actor_id, name: _ } => actor_id.is_local(),
        NodeServerMessage::GetSessions(reply) => reply.is_closed(),
        NodeServerMessage::SubscribeToEvents {
            id,
            subscription: _,
        } => id.is_empty(),
        NodeServerMessage::UnsubscribeToEvents(id) => id.is_empty(),
        NodeServerMessage::PortChanged { port } => port == 0,
    }
}

fn session_message(message: NodeSessionMessage) -> bool {
    match message {
        NodeSessionMessage::MessageReceived(message) => message.message.is_some(),
        NodeSessionMessage::SendMessage(message) => message.msg.is_some(),
        NodeSessionMessage::GetAuthenticationState(reply) => reply.is_closed(),
        NodeSessionMessage::GetReadyState(reply) => reply.is_closed(),
    }
}

fn session(session: NodeServerSessionInformation) -> NodeServerSessionInformation {
    let NodeServerSessionInformation {
        actor,
        peer_name,
        is_server,
        node_id,
        peer_addr,
    } = session;
    NodeServerSessionInformation {
        actor,
        peer_name,
        is_server,
        node_id,
        peer_addr,
    }
}
