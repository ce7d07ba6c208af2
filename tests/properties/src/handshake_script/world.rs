use std::time::{Duration, Instant};

use bytes::Bytes;
use shiome_handshake::OutstandingChallenges;
use shiome_wire::{
    Frame,
    meta::{NetworkMessage, network_message::Message},
};

use super::{
    end::{End, Question},
    knowledge::Knowledge,
};
use crate::script::Script;

/// Connections at a time.
const MAX_ENDS: usize = 6;

const NODES: usize = 2;

/// How the nodes are set up, by a byte of the script.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting(u8);

impl Setting {
    /// The nodes announce that they are native, and demand it of others.
    pub(super) const NATIVE: u8 = 1;
    /// They do not demand it.
    pub(super) const LENIENT: u8 = 2;
    /// There are two of them.
    pub(super) const PEERS: u8 = 4;
    /// Each connection is in a channel of its own, which ends at the attacker.
    pub(super) const BOUND: u8 = 8;
    /// They use the other digest.
    pub(super) const MD5: u8 = 16;

    pub(super) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    pub(super) fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// Whether the attacker has honest nodes that it can let talk to each other.
    pub(super) fn has_honest_peers(self) -> bool {
        self.has(Self::PEERS) && !(self.is_proven() && self.has(Self::BOUND))
    }

    /// Whether no node is satisfied without a proof.
    pub(super) fn is_proven(self) -> bool {
        self.has(Self::NATIVE) && !self.has(Self::LENIENT)
    }
}

/// What a step of the script does, by its first byte.
pub(super) struct Op;

impl Op {
    pub(super) const OPEN_CLIENT: u8 = 0;
    pub(super) const OPEN_SERVER: u8 = 1;
    pub(super) const PASS: u8 = 2;
    pub(super) const ANSWER: u8 = 3;
    pub(super) const FORGE: u8 = 4;
    const CHANGE: u8 = 5;
    const INVENT: u8 = 6;
    const WAIT: u8 = 7;
    const SPEAK_UNASKED: u8 = 8;
    const CLOSE: u8 = 9;
    pub(super) const PASS_LAST: u8 = 10;
    const COUNT: usize = 11;
}

/// The nodes' connections, and what the attacker knows.
#[derive(Debug)]
pub(super) struct World {
    pub(super) setting: Setting,
    pub(super) ends: Vec<End>,
    now: Instant,
    challenges: [OutstandingChallenges; NODES],
    knowledge: Knowledge,
}

impl World {
    pub(super) fn new(setting: Setting) -> Self {
        Self {
            setting,
            ends: Vec::new(),
            now: Instant::now(),
            challenges: Default::default(),
            knowledge: Knowledge::new(),
        }
    }

    pub(super) fn step(&mut self, script: &mut Script<'_>) {
        match script.below(Op::COUNT) as u8 {
            op @ (Op::OPEN_CLIENT | Op::OPEN_SERVER) => {
                let node = script.below(NODES);
                self.open(node, op == Op::OPEN_CLIENT);
            }
            Op::WAIT => {
                self.now += Duration::from_millis(script.byte().into()) * 10;
                for end in 0..self.ends.len() {
                    self.ends[end].tell_time(self.now);
                    self.settle(end);
                }
            }
            _ if self.ends.is_empty() => {}
            op => {
                let end = script.below(self.ends.len());
                self.act(op, end, script);
                self.settle(end);
            }
        }
    }

    fn act(&mut self, op: u8, end: usize, script: &mut Script<'_>) {
        match op {
            Op::PASS => {
                let message = self.knowledge.message(script);
                self.deliver(end, message);
            }
            Op::FORGE => {
                let message = self.knowledge.forge(script);
                self.deliver(end, Some(message));
            }
            Op::CHANGE => {
                let message = self.knowledge.changed(script);
                self.deliver(end, message);
            }
            Op::INVENT => {
                let frame = Frame::from(Bytes::copy_from_slice(script.bytes()));
                self.deliver(end, frame.decode().ok());
            }
            Op::ANSWER => {
                if let Some(question) = self.ends[end].question() {
                    self.ends[end].answer(question, script.byte().into());
                }
            }
            Op::SPEAK_UNASKED => {
                let question = script.one_of(&[Question::Admit, Question::Alive]);
                self.ends[end].answer(question, script.byte().into());
            }
            Op::PASS_LAST => {
                let by = script.below(self.ends.len());
                self.deliver(end, self.knowledge.last_of(by));
            }
            Op::CLOSE => self.ends[end].is_closed = true,
            _ => {}
        }
    }

    /// The second node has nothing to do when the attacker has found only the first.
    fn open(&mut self, node: usize, is_client: bool) {
        if self.ends.len() == MAX_ENDS || (node > 0 && !self.setting.has(Setting::PEERS)) {
            return;
        }
        let number = self.ends.len() as u8;
        let end = End::open(self.now, self.setting, node, number, is_client);
        self.challenges[node].insert(end.challenge);
        self.ends.push(end);
        self.settle(usize::from(number));
    }

    /// As the owner of the handshakes does.
    fn deliver(&mut self, end: usize, message: Option<NetworkMessage>) {
        let Some(message) = message else {
            return;
        };
        let end = &mut self.ends[end];
        if let Some(Message::Auth(auth)) = &message.message
            && self.challenges[end.node].is_reflected(auth)
        {
            end.is_closed = true;
        }
        end.receive(self.now, message);
    }

    /// What an end says reaches the attacker, and nobody else.
    fn settle(&mut self, end: usize) {
        let by = end;
        let end = &mut self.ends[by];
        for message in end.drain() {
            self.knowledge.learn(by, message);
        }
        if end.is_over() {
            self.challenges[end.node].remove(end.challenge);
        }
    }

    pub(super) fn let_all_time_pass(&mut self) {
        for end in &mut self.ends {
            if let Some(deadline) = end.handshake.poll_timeout() {
                assert!(end.handshake.handle_timeout(deadline).is_err());
                end.drain();
            }
        }
    }
}
