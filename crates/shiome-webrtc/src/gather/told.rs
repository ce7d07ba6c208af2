//! Our address as a STUN server sees it (RFC 8489).

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use str0m::Candidate;
use turn_client_proto::stun::{
    agent::{StunAgent, StunAgentPollRet},
    types::{
        TransportType,
        attribute::XorMappedAddress,
        message::{BINDING, Message, MessageClass, MessageWriteVec},
        prelude::MessageWrite,
    },
};

use super::{Clock, FIRST_RETRY, LAST_ANSWER, LONGEST_RETRY, Packet, REQUESTS, Routed};

/// One question to one server from one address.
#[derive(Debug)]
pub(super) struct Told {
    clock: Clock,
    local: SocketAddr,
    server: SocketAddr,
    agent: StunAgent,
    asked: bool,
    done: bool,
    found: Option<SocketAddr>,
    timeout: Option<Instant>,
}

impl Told {
    pub(super) fn new(clock: Clock, local: SocketAddr, server: SocketAddr) -> Self {
        let agent = StunAgent::builder(TransportType::Udp, local).remote_addr(server);
        let agent = agent.request_retransmits(FIRST_RETRY, LONGEST_RETRY, REQUESTS, LAST_ANSWER);
        Self {
            clock,
            local,
            server,
            agent: agent.build(),
            asked: false,
            done: false,
            found: None,
            timeout: None,
        }
    }

    pub(super) fn is_between(&self, local: SocketAddr, server: SocketAddr) -> bool {
        (self.local, self.server) == (local, server)
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.timeout
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, bytes: &[u8]) -> Routed {
        let Ok(message) = Message::from_bytes(bytes) else {
            return Routed::Theirs;
        };
        let now = self.clock.of(now);
        let ours = self
            .agent
            .handle_stun_message_with_time(&message, self.server, now);
        if !ours || message.has_class(MessageClass::Request) {
            return Routed::Theirs;
        }
        if message.has_class(MessageClass::Success)
            && let Ok(mapped) = message.attribute::<XorMappedAddress>()
        {
            self.found = Some(mapped.addr(message.transaction_id()));
        }
        self.done = true;
        Routed::Ours
    }

    pub(super) fn collect(
        &mut self,
        now: Instant,
        transmits: &mut VecDeque<Packet>,
        candidates: &mut VecDeque<Candidate>,
    ) {
        if let Some(found) = self.found.take()
            && let Ok(candidate) = Candidate::server_reflexive(found, self.local, "udp")
        {
            candidates.push_back(candidate);
        }
        if self.done {
            return;
        }
        let then = self.clock.of(now);
        if !self.asked {
            self.asked = true;
            let request = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
            if let Ok(transmit) = self.agent.send_request(request, self.server, then) {
                transmits.push_back(Packet {
                    local: self.local,
                    to: transmit.to,
                    bytes: transmit.data.to_vec(),
                });
            }
        }
        match self.agent.poll(then) {
            StunAgentPollRet::WaitUntil(until) => self.timeout = Some(self.clock.at(until)),
            _ => self.done = true,
        }
        while let Some(transmit) = self.agent.poll_transmit(then) {
            transmits.push_back(Packet {
                local: self.local,
                to: transmit.to,
                bytes: transmit.data.to_vec(),
            });
        }
    }
}
