//! An address that a TURN server lends us (RFC 8656).

use std::{
    collections::{HashSet, VecDeque},
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use str0m::Candidate;
use turn_client_proto::{
    api::{Transmit, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet},
    client::TurnClient,
    prelude::TurnClientApi,
    stun::types::{
        TransportType,
        message::{Message, MessageClass},
    },
    tcp::TurnClientTcp,
    types::{AddressFamily, TurnCredentials},
    udp::TurnClientUdp,
};

use super::{Clock, FIRST_RETRY, LAST_ANSWER, LONGEST_RETRY, Packet, REQUESTS, Routed};
use crate::Failure;

/// Addresses that may send to a lent one: as many as a peer may have candidates.
pub(super) const MAX_PERMITS: usize = 64;

/// Refusals that are believed.
const REFUSALS: u32 = 2;

/// What became of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Asked,
    Lent(SocketAddr),
    Failed,
    Closed,
}

/// One address, or the attempt to get it.
#[derive(Debug)]
pub(super) struct Lent {
    clock: Clock,
    local: SocketAddr,
    server: SocketAddr,
    client: TurnClient,
    state: State,
    /// Whether the server ever said anything.
    heard: bool,
    refusals: u32,
    permits: HashSet<IpAddr>,
    timeout: Option<Instant>,
}

impl Lent {
    pub(super) fn new(
        clock: Clock,
        (local, server): (SocketAddr, SocketAddr),
        is_stream: bool,
        (name, password): &(String, String),
    ) -> Self {
        let mut config = TurnConfig::new(TurnCredentials::new(name, password));
        config.set_request_retransmits(FIRST_RETRY, LONGEST_RETRY, REQUESTS, LAST_ANSWER);
        if server.is_ipv6() {
            config.set_address_family(AddressFamily::IPV6);
        }
        let client = if is_stream {
            // The address that it lends is one of UDP all the same.
            TurnClient::Tcp(TurnClientTcp::allocate(local, server, config))
        } else {
            TurnClient::Udp(TurnClientUdp::allocate(local, server, config))
        };
        Self {
            clock,
            local,
            server,
            client,
            state: State::Asked,
            heard: false,
            refusals: 0,
            permits: HashSet::new(),
            timeout: None,
        }
    }

    pub(super) fn is_between(&self, local: SocketAddr, server: SocketAddr) -> bool {
        (self.local, self.server) == (local, server)
    }

    pub(super) fn server(&self) -> SocketAddr {
        self.server
    }

    pub(super) fn is_settled(&self) -> bool {
        self.state != State::Asked
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self.state {
            State::Lent(address) => Some(address),
            _ => None,
        }
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        match self.state {
            State::Failed if self.heard => Some(Failure::TurnRefused(self.server)),
            State::Failed => Some(Failure::TurnUnreachable(self.server)),
            _ => None,
        }
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.timeout
    }

    /// A datagram came, or a message of the stream; an empty one is its end.
    pub(super) fn handle_datagram(&mut self, now: Instant, bytes: &[u8]) -> Routed {
        self.heard |= !bytes.is_empty();
        let now = self.clock.of(now);
        let transport = self.client.transport();
        let transmit = Transmit::new(bytes, transport, self.server, self.local);
        match self.client.recv(transmit, now) {
            TurnRecvRet::Ignored(_) => {
                self.refused(bytes);
                Routed::Theirs
            }
            TurnRecvRet::PeerData(data) => match self.state {
                State::Lent(local) => Routed::Relayed {
                    local,
                    source: data.peer,
                    bytes: data.data().to_vec(),
                },
                _ => Routed::Ours,
            },
            TurnRecvRet::Handled | TurnRecvRet::PeerIcmp { .. } => Routed::Ours,
        }
    }

    /// The client takes a refusal that is not signed for one that anybody may have made, and asks again. One is enough to be
    /// forged, and more are the server's.
    fn refused(&mut self, bytes: &[u8]) {
        let message = Message::from_bytes(bytes);
        if message.is_ok_and(|message| message.has_class(MessageClass::Error)) {
            self.refusals += 1;
        }
        if self.state == State::Asked && self.refusals >= REFUSALS {
            self.state = State::Failed;
        }
    }

    pub(super) fn permit(&mut self, now: Instant, peer: IpAddr) {
        if peer.is_ipv4() == self.server.is_ipv4() && self.permits.len() < MAX_PERMITS {
            self.permits.insert(peer);
            self.ask_permission(now, peer);
        }
    }

    fn ask_permission(&mut self, now: Instant, peer: IpAddr) {
        let now = self.clock.of(now);
        if matches!(self.state, State::Lent(_))
            && !self.client.have_permission(TransportType::Udp, peer)
        {
            // One that is being asked for is no loss.
            let _ = self.client.create_permission(TransportType::Udp, peer, now);
        }
    }

    pub(super) fn relay(&mut self, now: Instant, to: SocketAddr, bytes: &[u8]) -> Option<Packet> {
        let now = self.clock.of(now);
        // Without permission yet it is lost; checks are made again.
        let sent = self.client.send_to(TransportType::Udp, to, bytes, now);
        let transmit = sent.ok()??.build();
        Some(Packet {
            local: self.local,
            to: transmit.to,
            bytes: transmit.data,
        })
    }

    pub(super) fn close(&mut self, now: Instant) {
        if matches!(self.state, State::Lent(_)) {
            self.give_back(now);
        }
        self.state = State::Closed;
    }

    fn give_back(&mut self, now: Instant) {
        // It expires by itself otherwise.
        let _ = self.client.delete(self.clock.of(now));
    }

    pub(super) fn collect(
        &mut self,
        now: Instant,
        transmits: &mut VecDeque<Packet>,
        candidates: &mut VecDeque<Candidate>,
    ) {
        self.poll(now, candidates);
        let then = self.clock.of(now);
        while let Some(transmit) = self.client.poll_transmit(then) {
            transmits.push_back(Packet {
                local: self.local,
                to: transmit.to,
                bytes: transmit.data.to_vec(),
            });
        }
        // What was sent changes when it is to be looked at again.
        self.poll(now, candidates);
    }

    fn poll(&mut self, now: Instant, candidates: &mut VecDeque<Candidate>) {
        let polled = self.client.poll(self.clock.of(now));
        while let Some(event) = self.client.poll_event() {
            self.handle_event(now, &event, candidates);
        }
        self.timeout = match polled {
            TurnPollRet::WaitUntil(until) => Some(self.clock.at(until)),
            _ => {
                if self.state == State::Asked {
                    self.state = State::Failed;
                }
                None
            }
        };
    }

    fn handle_event(
        &mut self,
        now: Instant,
        event: &TurnEvent,
        candidates: &mut VecDeque<Candidate>,
    ) {
        match event {
            TurnEvent::AllocationCreated(_, address) if self.state == State::Asked => {
                self.state = State::Lent(*address);
                for peer in self.permits.clone() {
                    self.ask_permission(now, peer);
                }
                if let Ok(candidate) = Candidate::relayed(*address, *address, "udp") {
                    candidates.push_back(candidate);
                }
            }
            // It is not wanted any longer.
            TurnEvent::AllocationCreated(..) => self.give_back(now),
            TurnEvent::AllocationCreateFailed(_) if self.state == State::Asked => {
                self.state = State::Failed;
            }
            _ => {}
        }
    }
}
