//! One connection with somebody on it who does not know the cookie.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use prost::Message as _;
use shiome_wire::auth::{NodeFlags, authentication_message::Msg};
use shiome_wire::meta::{NetworkMessage, network_message::Message};
use shiome_wire::native::{Hello, Proof};

use crate::tests::native::as_proof;
use crate::tests::{entropy, native};
use crate::{Admission, Config, Event, Handshake, Native, Side};

/// What has been seen on an earlier connection of the same two nodes.
#[derive(Clone)]
pub(super) struct Recording {
    /// By whom it was said: client, server.
    pub(super) hellos: [Bytes; 2],
    pub(super) proofs: [Bytes; 2],
}

/// What the attacker does to the message that arrives next at one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Deliver,
    Drop,
    /// Lets the one behind it go first.
    Delay,
    /// Takes the announcement out of a Name or Challenge.
    Strip,
    /// Takes capabilities away, as a downgrade would.
    Weaken,
    /// Replaces the announcement by that of the earlier connection.
    ReplayHello,
    /// Changes what else a Name, Challenge or status says.
    Alter,
    /// Replaces a proof by the one that the same end gave on the earlier connection.
    ReplayProof,
    /// Sends an end its own proof.
    ReflectProof,
    /// Replaces a proof by zeroes.
    ForgeProof,
}

pub(super) const ACTS: [Act; 10] = [
    Act::Deliver,
    Act::Drop,
    Act::Delay,
    Act::Strip,
    Act::Weaken,
    Act::ReplayHello,
    Act::Alter,
    Act::ReplayProof,
    Act::ReflectProof,
    Act::ForgeProof,
];

/// An end and what arrives at it.
#[derive(Clone)]
pub(super) struct At {
    pub(super) end: Handshake,
    arriving: VecDeque<NetworkMessage>,
    /// The proof that this end has sent.
    pub(super) proved: Option<Bytes>,
    /// `Some(None)`: authenticated as one that announced nothing.
    pub(super) authenticated: Option<Option<Native>>,
    failed: bool,
}

/// The client, the server, and what has been done in between.
#[derive(Clone)]
pub(super) struct Line {
    now: Instant,
    pub(super) ends: [At; 2],
    pub(super) acts: Vec<(Side, Act)>,
}

impl Line {
    pub(super) fn new(client: Config, server: Config) -> Self {
        Self::drawing([1, 2], client, server)
    }

    fn drawing(challenges: [u32; 2], client: Config, server: Config) -> Self {
        let now = Instant::now();
        let [client, server] = [
            Handshake::client(now, client, entropy(challenges[0], 9)),
            Handshake::server(now, server, entropy(challenges[1], 0)),
        ]
        .map(|end| At {
            end,
            arriving: VecDeque::new(),
            proved: None,
            authenticated: None,
            failed: false,
        });
        let mut line = Self {
            now,
            ends: [client, server],
            acts: Vec::new(),
        };
        line.pump(0);
        line
    }

    /// An earlier connection of two nodes of shiome of the same names, which nobody has disturbed.
    pub(super) fn record() -> Recording {
        let mut line = Self::drawing([11, 12], native("client"), native("server"));
        let mut hellos = [Bytes::new(), Bytes::new()];
        while let Some(to) = (0..2).find(|&to| !line.ends[to].arriving.is_empty()) {
            if let Some(flags) = flags(&mut line.ends[to].arriving[0]) {
                hellos[1 - to] = flags.hello.clone();
            }
            line.deliver(to);
        }
        let proofs = line.ends.map(|at| at.proved.unwrap());
        Recording { hellos, proofs }
    }

    /// Does `act` to the next message to `side`; `None` when that cannot be done to it.
    pub(super) fn after(&self, side: Side, act: Act, recording: &Recording) -> Option<Self> {
        let to = index(side);
        let mut line = self.clone();
        let own = line.ends[to].proved.clone();
        let arriving = &mut line.ends[to].arriving;
        let message = arriving.front_mut()?;
        match act {
            Act::Deliver => {}
            Act::Drop => drop(arriving.pop_front()),
            Act::Delay => {
                (arriving.len() > 1).then_some(())?;
                arriving.swap(0, 1);
            }
            Act::Strip => set_hello(message, Bytes::new())?,
            Act::Weaken => {
                let weaker = weakened(message)?;
                set_hello(message, weaker)?;
            }
            Act::ReplayHello => set_hello(message, recording.hellos[1 - to].clone())?,
            Act::Alter => alter(message)?,
            Act::ReplayProof => set_proof(message, recording.proofs[1 - to].clone())?,
            Act::ReflectProof => set_proof(message, own?)?,
            Act::ForgeProof => set_proof(message, vec![0; 32].into())?,
        }
        if act != Act::Drop {
            line.deliver(to);
        }
        line.acts.push((side, act));
        Some(line)
    }

    pub(super) fn has(&self, acts: &[Act]) -> bool {
        self.acts.iter().any(|(_, act)| acts.contains(act))
    }

    /// Whether `act` was done to what arrived at `side`, and so came from the other.
    pub(super) fn did(&self, act: Act, side: Side) -> bool {
        self.acts.contains(&(side, act))
    }

    fn deliver(&mut self, to: usize) {
        let at = &mut self.ends[to];
        let message = at.arriving.pop_front().unwrap();
        // An end that has failed has closed the connection.
        if !at.failed {
            at.failed = at.end.handle_message(self.now, message).is_err();
            self.pump(to);
        }
    }

    fn pump(&mut self, from: usize) {
        let mut sent = Vec::new();
        let at = &mut self.ends[from];
        while let Some(event) = at.end.poll_event() {
            match event {
                Event::NameReceived(_) => at.end.admit(Admission::Ok).unwrap(),
                Event::Authenticated(peer) => at.authenticated = Some(peer.native),
                _ => {}
            }
        }
        while let Some(message) = at.end.poll_transmit() {
            if let Some(proof) = as_proof(&message) {
                at.proved = Some(proof.mac.clone());
            }
            sent.push(message);
        }
        self.ends[1 - from].arriving.extend(sent);
    }
}

pub(super) fn index(side: Side) -> usize {
    match side {
        Side::Client => 0,
        Side::Server => 1,
    }
}

fn flags(message: &mut NetworkMessage) -> Option<&mut NodeFlags> {
    let Some(Message::Auth(auth)) = &mut message.message else {
        return None;
    };
    match &mut auth.msg {
        Some(Msg::Name(name)) => name.flags.as_mut(),
        Some(Msg::ServerChallenge(challenge)) => challenge.flags.as_mut(),
        _ => None,
    }
}

/// Only if that changes anything.
fn set_hello(message: &mut NetworkMessage, hello: Bytes) -> Option<()> {
    let flags = flags(message)?;
    (flags.hello != hello).then(|| flags.hello = hello)
}

fn weakened(message: &mut NetworkMessage) -> Option<Bytes> {
    let hello = Hello::decode(flags(message)?.hello.clone()).unwrap();
    // Nothing was announced, or it has been taken out.
    (hello.version != 0).then_some(())?;
    let weaker = Hello {
        capabilities: 0,
        ..hello
    };
    Some(weaker.encode_to_vec().into())
}

fn alter(message: &mut NetworkMessage) -> Option<()> {
    let Some(Message::Auth(auth)) = &mut message.message else {
        return None;
    };
    match auth.msg.as_mut()? {
        Msg::Name(name) => name.connection_id ^= 1,
        Msg::ServerStatus(status) => status.status ^= 1,
        Msg::ServerChallenge(challenge) => challenge.connection_string.push('0'),
        _ => return None,
    }
    Some(())
}

fn set_proof(message: &mut NetworkMessage, mac: Bytes) -> Option<()> {
    as_proof(message)?;
    *message = Proof { mac }.into();
    Some(())
}
