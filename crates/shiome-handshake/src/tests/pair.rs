//! Both ends in one thread, on virtual time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use shiome_wire::meta::NetworkMessage;

use super::{config, entropy};
use crate::{Admission, Config, Event, Handshake, HandshakeError, Peer, Side};

pub(super) const NONCE: u64 = 77;
const LATENCY: Duration = Duration::from_millis(10);

/// A client, a server, and what is on its way between them.
pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) client: Handshake,
    pub(super) server: Handshake,
    pub(super) to_client: VecDeque<NetworkMessage>,
    pub(super) to_server: VecDeque<NetworkMessage>,
    /// What the server's owner decides.
    pub(super) admission: Admission,
    /// What the client's owner decides.
    pub(super) go_on: bool,
    pub(super) client_events: Vec<Event>,
    pub(super) server_events: Vec<Event>,
    /// The first.
    pub(super) error: Option<(Side, HandshakeError)>,
}

impl Pair {
    pub(super) fn new() -> Self {
        Self::of(config("client"), config("server"))
    }

    pub(super) fn of(client: Config, server: Config) -> Self {
        let now = Instant::now();
        let client = Handshake::client(now, client, entropy(1, NONCE));
        let server = Handshake::server(now, server, entropy(2, 0));
        Self::between(now, client, server)
    }

    pub(super) fn between(now: Instant, client: Handshake, server: Handshake) -> Self {
        Self {
            now,
            client,
            server,
            to_client: VecDeque::new(),
            to_server: VecDeque::new(),
            admission: Admission::Ok,
            go_on: true,
            client_events: Vec::new(),
            server_events: Vec::new(),
            error: None,
        }
    }

    /// Lets both owners act, then everything on its way arrives. False when nothing was.
    pub(super) fn step(&mut self) -> bool {
        self.act();
        if self.to_client.is_empty() && self.to_server.is_empty() {
            return false;
        }
        self.now += LATENCY;
        let arriving = [&mut self.to_server, &mut self.to_client].map(std::mem::take);
        let [to_server, to_client] = arriving;
        for message in to_server {
            if let Err(error) = self.server.handle_message(self.now, message) {
                self.error.get_or_insert((Side::Server, error));
            }
            self.act();
        }
        for message in to_client {
            if let Err(error) = self.client.handle_message(self.now, message) {
                self.error.get_or_insert((Side::Client, error));
            }
            self.act();
        }
        true
    }

    pub(super) fn act(&mut self) {
        while let Some(event) = self.server.poll_event() {
            if let Event::NameReceived(_) = &event {
                self.server.admit(self.admission).unwrap();
            }
            self.server_events.push(event);
        }
        while let Some(event) = self.client.poll_event() {
            if event == Event::PeerAlive {
                self.client.answer_alive(self.go_on).unwrap();
            }
            self.client_events.push(event);
        }
        self.to_server
            .extend(std::iter::from_fn(|| self.client.poll_transmit()));
        self.to_client
            .extend(std::iter::from_fn(|| self.server.poll_transmit()));
    }

    /// Until an error, or until nothing moves.
    pub(super) fn drive(&mut self) {
        while self.error.is_none() && self.step() {}
    }

    pub(super) fn authenticated(&self) -> [bool; 2] {
        let ends = [&self.client_events, &self.server_events];
        let done = |events: &Vec<Event>| matches!(events.last(), Some(Event::Authenticated(_)));
        let seen = ends.map(done);
        let said = [&self.client, &self.server].map(Handshake::is_authenticated);
        assert_eq!(seen, said);
        seen
    }

    /// The other end of each end that authenticated, client first.
    pub(super) fn peers(&self) -> [Option<&Peer>; 2] {
        [&self.client_events, &self.server_events].map(|events| match events.last() {
            Some(Event::Authenticated(peer)) => Some(peer),
            _ => None,
        })
    }
}
