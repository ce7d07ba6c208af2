use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ractor::{Actor, ActorCell, concurrency::Duration as RactorDuration};
use shiome_handshake::{
    Admission, Announce, Config, Cookie, Entropy, Handshake, HandshakeError, Peer, Side,
};
use shiome_session::GoodbyeReason;
use shiome_transport::{
    AuthenticateError, BoxWrite, FrameReader, Gate, Link, LinkEnd, ReadError, authenticate, drive,
    tls::NodeNameError,
};
use shiome_wire::{
    MAX_UNAUTHENTICATED_FRAME_LEN,
    auth::{AuthenticationMessage, NameMessage},
};
use tokio::time::{Instant, timeout};
use tracing::{Instrument, debug, error, info, warn};

use super::{Ending, Shared, exports::Exporter, inbound::Inbound};
use crate::{
    NodeEvent,
    connector::other_session,
    native,
    node::{
        NodeServerMessage, Opened, SessionCheckReply,
        registry::{Phase, TooManySessions},
        strangers::Stranger,
    },
    outcome::{Chain, ConnectError, HandshakeFailure, Outcome},
    remote::NodeDown,
    trace,
};

/// Time to resolve the connection string of a peer, where the node must know all addresses that lead there.
const RESOLVE_TIMEOUT: Duration = Duration::from_millis(500);

/// Time for the node server's verdict on a peer, for a session that was made by hand.
const CHECK_TIMEOUT: RactorDuration = RactorDuration::from_millis(500);

/// The task of one connection, from its first byte to its last.
pub(super) struct Task {
    pub(super) shared: Arc<Shared>,
    pub(super) opened: Opened,
    pub(super) side: Side,
    pub(super) cookie: Cookie,
    pub(super) announce: Option<Announce>,
    pub(super) require_native: bool,
    pub(super) max_frame_len: u64,
}

/// Why a connection has ended.
enum End {
    /// There is a session with that node already.
    Connected,
    /// Another session with that node stays.
    ElectionLost,
    /// There are too many sessions.
    Full,
    Unauthenticated(AuthenticateError),
    Ended(LinkEnd),
}

impl End {
    fn ending(&self) -> Ending {
        Ending {
            why: self.stop_reason(),
            down: self.down(),
            // The link is closed already.
            goodbye: GoodbyeReason::Closed,
            flush: false,
        }
    }

    /// The reason for whoever watches the peer.
    fn down(&self) -> NodeDown {
        match self {
            Self::Connected | Self::ElectionLost => NodeDown::Replaced,
            Self::Full => NodeDown::Closed,
            Self::Unauthenticated(error) => NodeDown::Protocol(Chain(error).to_string()),
            Self::Ended(end) => link_down(end),
        }
    }

    /// The reason that the session's actor stops with, as in the installed base.
    fn stop_reason(&self) -> &'static str {
        match self {
            Self::Connected => "duplicate_connection",
            Self::ElectionLost => "session_election_lost",
            Self::Full => "too_many_sessions",
            Self::Unauthenticated(AuthenticateError::Handshake(HandshakeError::SelfConnection)) => {
                "self_connection"
            }
            Self::Unauthenticated(AuthenticateError::Closed)
            | Self::Ended(LinkEnd::ClosedByPeer | LinkEnd::Closed | LinkEnd::Goodbye { .. }) => {
                "tcp_session_closed"
            }
            Self::Unauthenticated(AuthenticateError::Read(
                ReadError::Frame(_) | ReadError::Decode(_),
            ))
            | Self::Ended(LinkEnd::Read(ReadError::Frame(_) | ReadError::Decode(_))) => {
                "frame_read_error"
            }
            Self::Unauthenticated(AuthenticateError::Read(_) | AuthenticateError::Write(_))
            | Self::Ended(LinkEnd::Read(_) | LinkEnd::Write(_)) => "tcp_session_err",
            Self::Unauthenticated(_) => "auth_fail",
            Self::Ended(_) => "protocol_violation",
        }
    }
}

impl Task {
    /// Runs the connection, then stops the session's actor.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let label = std::mem::take(&mut self.opened.link.peer);
        let mut outcome = std::mem::replace(&mut self.opened.outcome, Outcome::none());
        // Strangers, of whom there may be many, are told of by who admits them.
        let is_quiet = self.opened.stranger.is_some();
        let end = match self.establish(&label).await {
            Ok((reader, writer)) => {
                let waiting = std::mem::replace(&mut outcome, Outcome::none());
                End::Ended(serve(&shared, reader, writer, waiting).await)
            }
            Err(end) => end,
        };
        report(&end, &label, is_quiet);
        if matches!(end, End::ElectionLost) {
            shared.registry.share_addresses(shared.myself.get_id());
        }
        outcome.settle(Err(end_of_dial(&end, &shared)));
        shared.end(end.ending());
    }

    /// Brings the connection to where its session begins.
    async fn establish(self, label: &str) -> Result<(FrameReader, BoxWrite), End> {
        let (shared, side) = (&self.shared, self.side);
        let id = shared.myself.get_id();
        if side == Side::Client && !shared.registry.await_turn(id).await {
            return Err(End::Connected);
        }
        let Link {
            reader,
            writer,
            security,
            channel_binding,
            ..
        } = self.opened.link;
        let (reader, mut writer) = shared.meter.over(reader, writer);
        debug!(peer = label, ?security, ?side, "handshake begins");
        let mut reader = FrameReader::new(reader, MAX_UNAUTHENTICATED_FRAME_LEN);
        let promised = (self.announce.as_ref()).map_or(0, |announce| announce.max_frame_len);
        let config = Config {
            native: self.announce,
            require_native: self.require_native,
            channel_binding,
            ..Config::new(shared.local.clone(), self.cookie)
        };
        let span = trace::handshake(side == Side::Server, label);
        let shaken = shake_hands(shared, side, config, &mut reader, &mut writer);
        let peer = shaken.instrument(span.clone()).await;
        match &peer {
            Ok(peer) if side == Side::Client => span.record("server.address", &*peer.name.name),
            Ok(peer) => span.record("client.address", &*peer.name.name),
            Err(error) => {
                trace::failed(&span, "not_authenticated", &Chain(error));
                &span
            }
        };
        drop(span);
        let peer = match (peer, self.opened.stranger) {
            (Ok(peer), stranger) => {
                stranger.into_iter().for_each(Stranger::authenticated);
                peer
            }
            (Err(error), stranger) => {
                if let Some(stranger) = stranger {
                    stranger.not_authenticated(&error);
                }
                return Err(End::Unauthenticated(error));
            }
        };
        let max_frame_len = match &peer.native {
            Some(_) => promised.max(self.max_frame_len),
            None => self.max_frame_len,
        };
        elect(shared, peer).await?;
        if !shared.registry.await_rivals(id, &shared.local.name).await {
            return Err(End::ElectionLost);
        }
        reader.set_max_frame_len(max_frame_len);
        Ok((reader, writer))
    }
}

async fn shake_hands(
    shared: &Shared,
    side: Side,
    config: Config,
    reader: &mut FrameReader,
    writer: &mut BoxWrite,
) -> Result<Peer, AuthenticateError> {
    let entropy = Entropy {
        challenge: rand::random(),
        connection_id: native::connection_id(rand::random()),
        nonce: rand::random(),
    };
    let _challenge = OutstandingChallenge::issue(shared, entropy.challenge);
    let now = Instant::now().into_std();
    let handshake = match side {
        Side::Client => Handshake::client(now, config, entropy),
        Side::Server => Handshake::server(now, config, entropy),
    };
    authenticate(reader, writer, handshake, shared).await
}

/// Enters the authenticated peer, and closes the sessions that lose against each other; maybe this one.
async fn elect(shared: &Arc<Shared>, peer: Peer) -> Result<(), End> {
    let (id, registry) = (shared.myself.get_id(), &shared.registry);
    let addresses = addresses_of(&peer).await;
    let name = peer.name.name.clone();
    registry.update(id, |record| {
        record.add_addresses(addresses);
        record.introduce(peer.name);
    });
    let incarnation = (peer.native.as_ref()).map_or(0, |native| native.hello.incarnation);
    let elected = registry.authenticate(id, &shared.local.name, |runs| {
        runs.link_up(&name, incarnation, Arc::downgrade(shared))
    });
    let (losers, run) = elected.map_err(|TooManySessions| End::Full)?;
    for (loser, down) in losers {
        loser.end(Ending::lost_election(down));
    }
    shared.enter_run(run.ok_or(End::ElectionLost)?);
    if let Some(record) = registry.get(id) {
        let _ = shared.info.set(record.information().into());
    }
    if let Some(native) = &peer.native {
        let terms = native::terms(native);
        shared.peer.apply(|session, _| session.negotiated(terms));
    }
    shared.authenticated.store(true, Ordering::Relaxed);
    shared.tell_before_down(NodeEvent::Authenticated);
    let _ = shared
        .server
        .cast(NodeServerMessage::ConnectionAuthenticated(id));
    Ok(())
}

/// Where a peer without nonce can be dialled: there must be no second connection to it, whatever address it goes by.
async fn addresses_of(peer: &Peer) -> Vec<SocketAddr> {
    if peer.side == Side::Client || peer.name.connection_id != 0 {
        return Vec::new();
    }
    let lookup = tokio::net::lookup_host(&peer.name.connection_string);
    match timeout(RESOLVE_TIMEOUT, lookup).await {
        Ok(Ok(addresses)) => addresses.collect(),
        _ => Vec::new(),
    }
}

/// Runs the session.
async fn serve(
    shared: &Arc<Shared>,
    mut reader: FrameReader,
    writer: BoxWrite,
    outcome: Outcome,
) -> LinkEnd {
    let exporter = match Actor::spawn(None, Exporter, Arc::clone(shared)).await {
        Ok((exporter, _)) => exporter,
        Err(error) => {
            error!(%error, "session did not begin");
            return LinkEnd::Closed;
        }
    };
    let stopped = StopOnDrop(exporter.get_cell());
    let mut inbound = Inbound::new(Arc::clone(shared), exporter.get_cell(), outcome);
    let end = drive(&mut reader, writer, &shared.peer, &mut inbound).await;
    drop(stopped);
    end
}

/// Stops an actor also when the task that holds it is aborted.
struct StopOnDrop(ActorCell);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop(None);
    }
}

fn link_down(end: &LinkEnd) -> NodeDown {
    match end {
        LinkEnd::Closed => NodeDown::Closed,
        LinkEnd::ClosedByPeer => NodeDown::ClosedByPeer,
        LinkEnd::Goodbye { reason, detail } => match reason {
            GoodbyeReason::Shutdown => NodeDown::Stopped,
            GoodbyeReason::Duplicate => NodeDown::Replaced,
            GoodbyeReason::Protocol => NodeDown::Protocol(format!("the peer says: {detail}")),
            GoodbyeReason::Unresponsive => NodeDown::Lost("the peer heard nothing".to_owned()),
            _ => NodeDown::ClosedByPeer,
        },
        LinkEnd::Unresponsive { .. } => NodeDown::Unresponsive,
        LinkEnd::Read(ReadError::Io(_)) | LinkEnd::Write(_) => {
            NodeDown::Lost(Chain(end).to_string())
        }
        _ => NodeDown::Protocol(Chain(end).to_string()),
    }
}

fn report(end: &End, peer: &str, is_quiet: bool) {
    match end {
        End::Unauthenticated(_) if is_quiet => {}
        End::Connected => info!(peer, "already connected, dial dropped"),
        End::ElectionLost => info!(peer, "another connection stays"),
        End::Full => warn!(peer, "not connected: as many sessions as there may be"),
        End::Unauthenticated(error) => warn!(peer, error = %Chain(error), "not authenticated"),
        End::Ended(LinkEnd::ClosedByPeer | LinkEnd::Closed | LinkEnd::Goodbye { .. }) => {
            info!(peer, reason = %end.down(), "link closed");
        }
        End::Ended(error) => warn!(peer, error = %Chain(error), "link ended"),
    }
}

fn end_of_dial(end: &End, shared: &Shared) -> ConnectError {
    let (id, registry) = (shared.myself.get_id(), &shared.registry);
    match end {
        End::Connected | End::ElectionLost => {
            ConnectError::Duplicate(other_session(registry, id).map(Box::new))
        }
        End::Full => ConnectError::TooManySessions,
        End::Unauthenticated(AuthenticateError::NodeName { name, error }) => {
            let (name, error) = (name.clone(), *error);
            ConnectError::NodeName { name, error }
        }
        End::Unauthenticated(error) => {
            let named = (registry.get(id)).is_some_and(|record| record.phase == Phase::Named);
            let reason = Chain(error).to_string();
            ConnectError::Handshake(HandshakeFailure::new(error, reason, named))
        }
        End::Ended(error) => ConnectError::Lost(Chain(error).to_string()),
    }
}

/// Keeps a challenge on the node's list while its handshake lasts.
struct OutstandingChallenge<'a> {
    shared: &'a Shared,
    challenge: u32,
}

impl<'a> OutstandingChallenge<'a> {
    fn issue(shared: &'a Shared, challenge: u32) -> Self {
        shared.registry.issue_challenge(challenge);
        Self { shared, challenge }
    }
}

impl Drop for OutstandingChallenge<'_> {
    fn drop(&mut self) {
        self.shared.registry.retire_challenge(self.challenge);
    }
}

impl Gate for Shared {
    async fn admit(&self, peer: &NameMessage) -> Admission {
        let id = self.myself.get_id();
        let admission = self.registry.admit(id, &self.local.name, peer).await;
        if self.registered {
            return admission;
        }
        self.ask_server(peer).await
    }

    fn verify_name(&self, peer: &NameMessage) -> Result<(), NodeNameError> {
        match &self.identity {
            Some(identity) => identity.verify_node_name(&peer.name),
            None => Ok(()),
        }
    }

    async fn named(&self, peer: &NameMessage) {
        self.registry.update(self.myself.get_id(), |record| {
            record.introduce(peer.clone());
            record.phase = Phase::Named;
        });
    }

    fn is_reflected(&self, message: &AuthenticationMessage) -> bool {
        self.registry.is_reflected(message)
    }

    /// The acceptor knows of another connection. If this node does not, that one is dead here.
    async fn replace(&self) -> bool {
        true
    }
}

impl Shared {
    /// The verdict of a node server that does not hold this session in its registry.
    async fn ask_server(&self, peer: &NameMessage) -> Admission {
        let _ = self.server.cast(NodeServerMessage::UpdateSession {
            actor_id: self.myself.get_id(),
            name: peer.clone(),
        });
        let ask = |reply| NodeServerMessage::CheckSession {
            peer_name: peer.clone(),
            reply,
        };
        match self.server.call(ask, Some(CHECK_TIMEOUT)).await {
            Ok(ractor::rpc::CallResult::Success(reply)) => SessionCheckReply::into(reply),
            _ => Admission::NotAllowed,
        }
    }
}
