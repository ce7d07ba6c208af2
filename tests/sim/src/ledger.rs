//! Who believes what of whom, and whether it is right.

mod bits;
#[cfg(test)]
mod tests;

use crate::time::Time;
use bits::Matrix;

/// Counts what the engines tell and holds it against what is.
#[derive(Debug)]
pub struct Ledger {
    /// By observer and subject: believes it to be up.
    up: Matrix,
    /// By observer and subject: knows of the end of a subject that is gone.
    buried: Matrix,
    nodes: Vec<Node>,
    running: u64,
    /// Beliefs of running observers in running subjects, and in subjects that are not.
    right: u64,
    wrong: u64,
    /// What was told.
    pub counts: Counts,
    /// What no engine should tell.
    pub faults: Faults,
    watched: Vec<Sighting>,
    /// By observer and size of the cluster: has seen it.
    sizes: Option<Matrix>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    is_running: bool,
    is_anomalous: bool,
    is_watched: bool,
    /// It is gone, and the last running node that believed in it has told so.
    is_removed: bool,
    knows: u32,
    known_by: u32,
    /// Of this life, and the highest of those before.
    incarnation: u64,
    past_incarnation: u64,
}

/// How often something was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Members said to be up.
    pub ups: u64,
    /// Members said to be down.
    pub downs: u64,
    /// Members suspected.
    pub suspicions: u64,
    /// Of `downs`, those about nodes that run and are not anomalous: FP of the Lifeguard paper.
    pub false_positives: u64,
    /// Of `false_positives`, those that were also told by a node that is not anomalous: FP-.
    pub healthy_false_positives: u64,
}

/// What no engine should ever tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// A node said to be up by one that knew of its end in its last incarnation, though it had not started again.
    pub resurrections: u64,
    /// A node said to be up after the last that believed in it had known of its end, though it had not started again.
    /// Who could not hear of the end may say so for a good reason.
    pub ghosts: u64,
    /// Up told of a member that was up, or down of one that was not.
    pub repetitions: u64,
    /// A node's own incarnation went back within one life.
    pub lost_incarnations: u64,
}

/// A change in what one node believes of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// When it was told.
    pub at: Time,
    /// Who told it.
    pub observer: u32,
    /// Of whom.
    pub subject: u32,
    /// What.
    pub what: Belief,
}

/// What one node believes of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// It is there.
    Up,
    /// It did not answer.
    Suspect,
    /// It is gone.
    Down,
}

impl Ledger {
    pub(crate) fn new(nodes: u32) -> Self {
        Self {
            up: Matrix::new(nodes),
            buried: Matrix::new(nodes),
            nodes: vec![Node::default(); nodes as usize],
            running: 0,
            right: 0,
            wrong: 0,
            counts: Counts::default(),
            faults: Faults::default(),
            watched: Vec::new(),
            sizes: None,
        }
    }

    /// Whether each running node believes in all running ones and in no other.
    pub fn is_complete(&self) -> bool {
        self.right == self.running * self.running.saturating_sub(1) && self.wrong == 0
    }

    /// The share of the beliefs that there should be.
    pub fn completeness(&self) -> f64 {
        let pairs = self.running * self.running.saturating_sub(1);
        self.right as f64 / pairs.max(1) as f64
    }

    /// From now on counts the different sizes of the cluster that each node sees.
    pub fn count_sizes(&mut self) {
        self.sizes = Some(Matrix::new(self.nodes.len() as u32));
    }

    /// How many different sizes of the cluster a node has seen, since they are counted.
    pub fn sizes_seen(&self, observer: u32) -> u32 {
        let seen = self.sizes.as_ref().map(|sizes| sizes.row(observer).count());
        seen.unwrap_or(0) as u32
    }

    /// A call of a node's engine is over.
    #[inline]
    pub(crate) fn settle(&mut self, observer: u32) {
        if let Some(sizes) = &mut self.sizes {
            sizes.set(observer, self.nodes[observer as usize].knows, true);
        }
    }

    /// How many running nodes believe that `subject` is up.
    pub fn known_by(&self, subject: u32) -> u32 {
        self.nodes[subject as usize].known_by
    }

    /// How many members `observer` believes to be up.
    pub fn knows(&self, observer: u32) -> u32 {
        self.nodes[observer as usize].knows
    }

    /// Whether `observer` believes that `subject` is up.
    pub fn believes(&self, observer: u32, subject: u32) -> bool {
        self.up.get(observer, subject)
    }

    /// How many nodes run.
    pub fn running(&self) -> u32 {
        self.running as u32
    }

    /// Whether a node runs.
    pub fn is_running(&self, node: u32) -> bool {
        self.nodes[node as usize].is_running
    }

    /// Marks a node as one of which strange things may be told, and which may tell strange things.
    pub fn set_anomalous(&mut self, node: u32, is_anomalous: bool) {
        self.nodes[node as usize].is_anomalous = is_anomalous;
    }

    /// From now on keeps all that is told of `subject`.
    pub fn watch(&mut self, subject: u32) {
        self.nodes[subject as usize].is_watched = true;
    }

    /// What was told of the watched.
    pub fn sightings(&self) -> &[Sighting] {
        &self.watched
    }

    /// Members that `observer` believes to be up, in order.
    pub fn view(&self, observer: u32) -> impl Iterator<Item = u32> {
        self.up.row(observer)
    }

    pub(crate) fn started(&mut self, node: u32) {
        for observer in 0..self.nodes.len() as u32 {
            self.buried.set(observer, node, false);
        }
        let state = &mut self.nodes[node as usize];
        debug_assert!(!state.is_running, "a running node cannot start");
        state.is_running = true;
        state.is_removed = false;
        state.past_incarnation = state.past_incarnation.max(state.incarnation);
        state.incarnation = 0;
        self.right += u64::from(state.known_by);
        self.wrong -= u64::from(state.known_by);
        self.running += 1;
    }

    pub(crate) fn stopped(&mut self, node: u32) {
        self.gone(node);
        let believed = Vec::from_iter(self.up.row(node));
        for subject in believed {
            self.up.set(node, subject, false);
            self.nodes[subject as usize].known_by -= 1;
            match self.nodes[subject as usize].is_running {
                true => self.right -= 1,
                false => self.wrong -= 1,
            }
        }
        self.nodes[node as usize].knows = 0;
        self.buried.clear_row(node);
    }

    /// The node may still speak, but is no member any more: it is leaving, or has stopped.
    pub(crate) fn gone(&mut self, node: u32) {
        let state = &mut self.nodes[node as usize];
        if state.is_running {
            state.is_running = false;
            self.running -= 1;
            self.right -= u64::from(state.known_by);
            self.wrong += u64::from(state.known_by);
        }
    }

    /// Observer tells that a member is gone, in the incarnation in which it knew it.
    pub(crate) fn told_end(&mut self, now: Time, observer: u32, subject: u32, incarnation: u64) {
        self.told(now, observer, subject, Belief::Down);
        let state = &self.nodes[subject as usize];
        // It may yet hear that the member had objected before its end.
        if observer != subject && !state.is_running && incarnation < state.incarnation {
            self.buried.set(observer, subject, false);
        }
    }

    #[inline]
    pub(crate) fn told(&mut self, now: Time, observer: u32, subject: u32, what: Belief) {
        if observer == subject {
            return;
        }
        if self.nodes[subject as usize].is_watched {
            self.watched.push(Sighting {
                at: now,
                observer,
                subject,
                what,
            });
        }
        match what {
            Belief::Suspect => self.counts.suspicions += 1,
            Belief::Up => self.told_up(observer, subject),
            Belief::Down => self.told_down(observer, subject),
        }
    }

    fn told_up(&mut self, observer: u32, subject: u32) {
        self.counts.ups += 1;
        if self.up.set(observer, subject, true) {
            self.faults.repetitions += 1;
            return;
        }
        let state = &mut self.nodes[subject as usize];
        state.known_by += 1;
        if state.is_running {
            self.right += 1;
        } else {
            self.wrong += 1;
            self.faults.ghosts += u64::from(state.is_removed);
            self.faults.resurrections += u64::from(self.buried.get(observer, subject));
        }
        self.nodes[observer as usize].knows += 1;
    }

    fn told_down(&mut self, observer: u32, subject: u32) {
        self.counts.downs += 1;
        let observed = &mut self.nodes[observer as usize];
        let is_healthy = !observed.is_anomalous;
        let was_up = self.up.set(observer, subject, false);
        if was_up {
            observed.knows -= 1;
        } else {
            self.faults.repetitions += 1;
        }
        let state = &mut self.nodes[subject as usize];
        state.known_by -= u32::from(was_up);
        if state.is_running {
            self.right -= u64::from(was_up);
            if !state.is_anomalous {
                self.counts.false_positives += 1;
                self.counts.healthy_false_positives += u64::from(is_healthy);
            }
        } else {
            self.wrong -= u64::from(was_up);
            self.buried.set(observer, subject, true);
            state.is_removed |= state.known_by == 0;
        }
    }

    /// Checks that a node's own incarnation does not go back.
    #[inline]
    pub(crate) fn incarnation(&mut self, node: u32, incarnation: u64) {
        let state = &mut self.nodes[node as usize];
        self.faults.lost_incarnations += u64::from(incarnation < state.incarnation);
        state.incarnation = incarnation;
    }

    /// The highest incarnation of the node's earlier lives.
    pub(crate) fn past_incarnation(&self, node: u32) -> Option<u64> {
        let past = self.nodes[node as usize].past_incarnation;
        (past > 0).then_some(past)
    }

    /// How far a node that runs is above the incarnations of its earlier lives; negative when it is below.
    pub fn incarnations_above_past(&self, node: u32) -> i64 {
        let state = &self.nodes[node as usize];
        state.incarnation.cast_signed() - state.past_incarnation.cast_signed()
    }
}
