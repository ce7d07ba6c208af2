use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use prost::Message as _;
use shiome_wire::{
    Capabilities,
    meta::{NetworkMessage, network_message},
    native::Fragment,
    node::{NodeMessage, node_message},
};

use super::{
    Express, Flow, Leaving, Queued,
    flow::{Cost, cost_of_cast},
};
use crate::{
    config::{FRAGMENT_THRESHOLD, MAX_FRAGMENTED},
    terms::Terms,
};

/// What a fragment takes besides its data, in bytes, at most: the headers of three messages, three numbers.
const FRAGMENT_OVERHEAD: usize = 64;

/// Empty queues that are kept for their memory.
const MAX_SPARE: usize = 16;

/// Places that a kept queue may have.
const MAX_SPARE_CAPACITY: usize = 64;

/// Whose messages keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// To this actor of the peer.
    To(u64),
    /// Long replies of this local actor.
    From(u64),
}

/// The bulk lane: a queue for each actor, and one message or fragment of each in turn.
///
/// At the head of a queue is always bulk: what is not goes on to the express lane. A long message at the head waits
/// until the peer has room to put it together, first come, first served; the other queues do not wait for it.
#[derive(Debug)]
pub(super) struct Bulk {
    pub(super) flow: Flow,
    /// Bytes of messages under way in fragments that the peer holds; `None`: it takes no fragments.
    max_reassembly_len: Option<u64>,
    queues: HashMap<Key, Queue>,
    /// Queues whose head may go, in turn.
    ring: VecDeque<Key>,
    /// Queues whose head is too long to begin now.
    waiting: VecDeque<Key>,
    /// Messages under way in fragments, and their length.
    started: usize,
    started_len: u64,
    last_id: u64,
    spare: Vec<VecDeque<Queued>>,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Queued>,
    /// The head is under way in fragments.
    started: Option<Started>,
}

#[derive(Debug)]
struct Started {
    id: u64,
    /// The encoded message, once its first fragment has left.
    body: Bytes,
    offset: usize,
}

impl Bulk {
    pub(super) fn new() -> Self {
        Self {
            flow: Flow::pongs(),
            max_reassembly_len: None,
            queues: HashMap::new(),
            ring: VecDeque::new(),
            waiting: VecDeque::new(),
            started: 0,
            started_len: 0,
            last_id: 0,
            spare: Vec::new(),
        }
    }

    pub(super) fn negotiated(&mut self, terms: &Terms) {
        if terms.capabilities.contains(Capabilities::CREDIT) {
            self.flow = Flow::credit(terms.window);
        }
        if terms.capabilities.contains(Capabilities::FRAGMENTS) {
            self.max_reassembly_len = Some(terms.max_reassembly_len);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    pub(super) fn has(&self, key: Key) -> bool {
        self.queues.contains_key(&key)
    }

    pub(super) fn clear(&mut self) {
        self.queues = HashMap::new();
        self.ring = VecDeque::new();
        self.waiting = VecDeque::new();
        self.spare = Vec::new();
        (self.started, self.started_len) = (0, 0);
    }

    pub(super) fn push(&mut self, key: Key, queued: Queued, express: &mut Express) {
        let spare = &mut self.spare;
        let queue = self.queues.entry(key).or_insert_with(|| Queue {
            items: spare.pop().unwrap_or_default(),
            started: None,
        });
        queue.items.push_back(queued);
        if queue.items.len() == 1 {
            self.place(key, express);
        }
    }

    /// The next message or fragment, if the peer takes it. What may go in the express lane after it goes there.
    pub(super) fn pop(&mut self, express: &mut Express) -> Option<Leaving> {
        let key = *self.ring.front()?;
        let queue = self
            .queues
            .get_mut(&key)
            .expect("a queue in the ring is not empty");
        let head = queue
            .items
            .front_mut()
            .expect("a queue in the ring is not empty");
        let Some(started) = &mut queue.started else {
            if !self.flow.admit(cost_of(&head.message, head.len)) {
                return None;
            }
            let whole = queue.items.pop_front()?;
            self.ring.pop_front();
            self.place(key, express);
            return Some(whole.into());
        };
        let left = head.len - started.offset;
        let data_len = left.min(FRAGMENT_THRESHOLD - FRAGMENT_OVERHEAD);
        if !self.flow.admit(Cost::of_fragment(data_len)) {
            return None;
        }
        let leaving = started.cut(head, data_len);
        self.ring.pop_front();
        if leaving.whole.is_some() {
            self.started -= 1;
            self.started_len -= head.len as u64;
            queue.started = None;
            queue.items.pop_front();
            self.place(key, express);
            self.admit_waiting();
        } else {
            self.ring.push_back(key);
        }
        Some(leaving)
    }

    /// Puts a queue with a new head where it belongs.
    fn place(&mut self, key: Key, express: &mut Express) {
        let Some(queue) = self.queues.get_mut(&key) else {
            return;
        };
        while queue.items.front().is_some_and(|head| !head.is_bulk()) {
            if let Some(head) = queue.items.pop_front() {
                express.push_back(head);
            }
        }
        match queue.items.front() {
            None => self.remove(key),
            Some(head) if head.len > FRAGMENT_THRESHOLD && self.max_reassembly_len.is_some() => {
                self.waiting.push_back(key);
                self.admit_waiting();
            }
            Some(_) => self.ring.push_back(key),
        }
    }

    fn remove(&mut self, key: Key) {
        let Some(queue) = self.queues.remove(&key) else {
            return;
        };
        if self.spare.len() < MAX_SPARE && queue.items.capacity() <= MAX_SPARE_CAPACITY {
            self.spare.push(queue.items);
        }
    }

    /// Starts long messages while the peer has room for them.
    fn admit_waiting(&mut self) {
        let room = self.max_reassembly_len.unwrap_or(0);
        while let Some(key) = self.waiting.front()
            && let Some(queue) = self.queues.get_mut(key)
            && let Some(head) = queue.items.front()
            && self.started < MAX_FRAGMENTED
            && self.started_len + head.len as u64 <= room
        {
            self.last_id += 1;
            self.started += 1;
            self.started_len += head.len as u64;
            queue.started = Some(Started {
                id: self.last_id,
                body: Bytes::new(),
                offset: 0,
            });
            self.ring.extend(self.waiting.pop_front());
        }
    }

    /// Recounts, and returns what waits, with the bytes of each that have left.
    #[cfg(test)]
    pub(super) fn check_invariants(&self) -> Vec<(&Queued, usize)> {
        let mut items = Vec::new();
        let (mut started, mut started_len) = (0, 0);
        for (key, queue) in &self.queues {
            let head = queue.items.front().expect("an empty queue");
            assert!(head.is_bulk());
            let places = |list: &VecDeque<Key>| list.iter().filter(|k| *k == key).count();
            assert_eq!(places(&self.ring) + places(&self.waiting), 1);
            assert!(queue.items.iter().all(|item| item.key() == Some(*key)));
            let mut left = 0;
            if let Some(at) = &queue.started {
                assert_eq!(places(&self.ring), 1);
                assert!(at.offset < head.len);
                started += 1;
                started_len += head.len as u64;
                left = at.offset;
            }
            let gone = std::iter::once(left).chain(std::iter::repeat(0));
            items.extend(queue.items.iter().zip(gone));
        }
        assert_eq!(self.ring.len() + self.waiting.len(), self.queues.len());
        assert_eq!((self.started, self.started_len), (started, started_len));
        assert!(started <= MAX_FRAGMENTED);
        let room = self.max_reassembly_len.unwrap_or(0);
        assert!(started_len <= room);
        items
    }
}

impl Started {
    fn cut(&mut self, head: &mut Queued, data_len: usize) -> Leaving {
        let total = head.len;
        if self.offset == 0 {
            self.body = std::mem::take(&mut head.message).encode_to_vec().into();
        }
        let data = self.body.slice(self.offset..self.offset + data_len);
        let fragment = Fragment {
            id: self.id,
            offset: self.offset as u64,
            total: if self.offset == 0 { total as u64 } else { 0 },
            data,
        };
        self.offset += data_len;
        Leaving {
            message: fragment.into(),
            whole: (self.offset == total).then_some(head.class),
            len: data_len,
        }
    }
}

/// What a whole message takes. Of credit only casts take any.
fn cost_of(message: &NetworkMessage, len: usize) -> Cost {
    let credit = match &message.message {
        Some(network_message::Message::Node(NodeMessage {
            msg: Some(node_message::Msg::Cast(cast)),
        })) => cost_of_cast(cast),
        _ => 0,
    };
    Cost {
        credit,
        len: len as u64,
    }
}
