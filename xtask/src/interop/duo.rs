//! Two nodes that meet, and what a check sees of them.

use std::{fmt, sync::PoisonError, time::Duration};

use super::{
    node::{Node, Panics},
    programs::{Kind, Programs},
    way::Way,
};

/// What a check found: an optional note, or what is not right.
pub(super) type Verdict = Result<Option<String>, String>;

/// Time for a check together, unless it asks for more.
pub(super) const CHECK_TIME: Duration = Duration::from_secs(20);

/// Who of the two dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialler {
    Ours,
    Peer,
}

impl fmt::Display for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ours => "ours dials",
            Self::Peer => "peer dials",
        })
    }
}

/// Where nodes are started.
pub(super) struct Lab<'a> {
    programs: &'a Programs,
    panics: Panics,
    /// What the other node is built from.
    pub(super) peer: Kind,
    pub(super) dialler: Dialler,
    pub(super) rounds: usize,
}

impl<'a> Lab<'a> {
    pub(super) fn new(programs: &'a Programs, peer: Kind, dialler: Dialler, rounds: usize) -> Self {
        Self {
            programs,
            panics: Panics::default(),
            peer,
            dialler,
            rounds,
        }
    }

    /// Starts a node.
    ///
    /// # Errors
    ///
    /// What to tell when it does not start.
    pub(super) fn node(&self, kind: Kind, name: &str, options: &[&str]) -> Result<Node, String> {
        let mut node = Node::start(self.programs, &self.panics, kind, name, options)?;
        node.allow(CHECK_TIME);
        Ok(node)
    }

    /// Starts a node in place of one that was killed.
    ///
    /// # Errors
    ///
    /// What to tell when it does not start.
    pub(super) fn again(&self, kind: Kind, name: &str, port: u16) -> Result<Node, String> {
        let mut node = Node::start_at(self.programs, &self.panics, kind, name, &[], port)?;
        node.allow(CHECK_TIME);
        Ok(node)
    }

    /// Two nodes with actors, connected and ready.
    ///
    /// # Errors
    ///
    /// What to tell when they do not get there.
    pub(super) fn duo(&self) -> Result<Duo, String> {
        let mut duo = self.strangers("ours", "peer")?;
        duo.connect()?;
        Ok(duo)
    }

    /// Two nodes of these names that have not met.
    ///
    /// # Errors
    ///
    /// What to tell when one does not start.
    pub(super) fn strangers(&self, ours: &str, peer: &str) -> Result<Duo, String> {
        let mut duo = Duo {
            ours: self.node(Kind::Shiome, ours, &[])?,
            peer: self.node(self.peer, peer, &[])?,
            dialler: self.dialler,
        };
        populate(&mut duo.ours)?;
        populate(&mut duo.peer)?;
        Ok(duo)
    }

    /// The panics of our nodes since the last look.
    pub(super) fn panics(&self) -> Vec<String> {
        let mut panics = self.panics.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut panics)
    }
}

/// Number of actors of each node of a [`Duo`] that peers hear of: two that record what they get, one of them named, and
/// one that takes bare strings. There is one more, called hermit, that no peer may hear of.
pub(super) const ANNOUNCED: usize = 3;

/// The name of the named one.
pub(super) fn early_name(node: &Node) -> String {
    format!("early-{}", node.name.split('@').next().unwrap_or_default())
}

pub(super) fn populate(node: &mut Node) -> Result<(), String> {
    let early = early_name(node);
    node.ask(&format!("spawn {early}"))?;
    node.ask(&format!("join - early {early}"))?;
    node.ask(&format!("join wide early {early}"))?;
    let inbox = node.ask("spawn -")?;
    node.ask(&format!("join - inbox {inbox}"))?;
    let plain = node.ask("spawn-plain -")?;
    node.ask(&format!("join - plain {plain}"))?;
    node.ask("local-named hermit")?;
    Ok(())
}

/// One node of ours and its peer.
pub(super) struct Duo {
    pub(super) ours: Node,
    pub(super) peer: Node,
    dialler: Dialler,
}

impl Duo {
    /// Begins the next check: nothing is left of the one before but the connection and what it asked for.
    ///
    /// # Errors
    ///
    /// What to tell when a node does not answer.
    pub(super) fn begin(&mut self) -> Result<(), String> {
        for node in [&mut self.ours, &mut self.peer] {
            node.allow(CHECK_TIME);
            node.ask("clear")?;
            node.forget_events();
        }
        Ok(())
    }

    /// Connects the two and waits until each knows the other's groups.
    ///
    /// # Errors
    ///
    /// What to tell when they do not.
    pub(super) fn connect(&mut self) -> Result<(), String> {
        let (ours, peer) = (self.ours.address(), self.peer.address());
        match self.dialler {
            Dialler::Ours => self.ours.ask(&format!("connect {peer}"))?,
            Dialler::Peer => self.peer.ask(&format!("connect {ours}"))?,
        };
        self.await_ready()
    }

    /// Waits until the session is there on both sides.
    ///
    /// # Errors
    ///
    /// What to tell when it does not come.
    pub(super) fn await_ready(&mut self) -> Result<(), String> {
        let (ours, peer) = (self.ours.name.clone(), self.peer.name.clone());
        self.ours.ask(&format!("wait-session {peer} 5000"))?;
        self.peer.ask(&format!("wait-session {ours} 5000"))?;
        for node in [&mut self.ours, &mut self.peer] {
            for group in ["- early", "wide early", "- inbox", "- plain"] {
                node.ask(&format!("wait-members {group} 1 5000"))?;
            }
        }
        Ok(())
    }

    /// Whether the two can talk, both ways.
    ///
    /// # Errors
    ///
    /// What to tell when they cannot.
    pub(super) fn talk(&mut self) -> Result<(), String> {
        self.way(true).talk()?;
        self.way(false).talk()
    }

    pub(super) fn dialled_by_ours(&self) -> bool {
        self.dialler == Dialler::Ours
    }

    /// Our node as the sender, or the peer.
    pub(super) fn way(&mut self, from_ours: bool) -> Way<'_> {
        let (ours, peer) = (&mut self.ours, &mut self.peer);
        let (from, to) = if from_ours {
            (ours, peer)
        } else {
            (peer, ours)
        };
        Way {
            from,
            to,
            from_ours,
        }
    }
}
