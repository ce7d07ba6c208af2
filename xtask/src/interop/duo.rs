//! Two nodes that meet, and what a check sees of them.

use std::fmt;

use super::security::Security;
use crate::peers::{
    node::Node,
    programs::{Kind, Programs},
    stage::{self, CHECK_TIME, Stage, populate},
    way::Way,
};

/// What a check found: an optional note, or what is not right.
pub(super) type Verdict = Result<Option<String>, String>;

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
    stage: Stage<'a>,
    /// What the other node is built from.
    pub(super) peer: Kind,
    pub(super) dialler: Dialler,
    pub(super) security: Security,
    pub(super) rounds: usize,
}

impl<'a> Lab<'a> {
    /// # Errors
    ///
    /// What to tell when links cannot be protected so.
    pub(super) fn new(
        programs: &'a Programs,
        security: Security,
        peer: Kind,
        dialler: Dialler,
        rounds: usize,
    ) -> Result<Self, String> {
        let stage = Stage::new(programs);
        Ok(Self {
            stage: if security.is_plain() {
                stage
            } else {
                stage.over_tls()?
            },
            peer,
            dialler,
            security,
            rounds,
        })
    }

    /// Starts a node whose links are protected so.
    ///
    /// # Errors
    ///
    /// What to tell when it does not start.
    pub(super) fn node(&self, kind: Kind, name: &str, options: &[&str]) -> Result<Node, String> {
        let options: Vec<_> = [self.security.options(kind), options].concat();
        self.stage.node(kind, name, &options)
    }

    /// Starts a node with these options and no others.
    ///
    /// # Errors
    ///
    /// What to tell when it does not start.
    pub(super) fn bare_node(
        &self,
        kind: Kind,
        name: &str,
        options: &[&str],
    ) -> Result<Node, String> {
        self.stage.bare_node(kind, name, options)
    }

    /// What a node of this name is started with to show a certificate, and to believe those of the others.
    ///
    /// # Errors
    ///
    /// What to tell when there is none.
    pub(super) fn credentials(&self, name: &str) -> Result<Vec<String>, String> {
        self.stage.credentials(name)
    }

    /// Another one, with an authority that nobody here knows.
    ///
    /// # Errors
    ///
    /// What to tell when there is none.
    pub(super) fn foreign(&self) -> Result<Stage<'a>, String> {
        self.stage.over_tls()
    }

    /// Starts a node in place of one that was killed.
    ///
    /// # Errors
    ///
    /// What to tell when it does not start.
    pub(super) fn again(&self, kind: Kind, name: &str, port: u16) -> Result<Node, String> {
        self.stage
            .again(kind, name, self.security.options(kind), port)
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

    pub(super) fn is_dialled_by_ours(&self) -> bool {
        self.dialler == Dialler::Ours
    }

    /// What the node is built from that dials, and that listens.
    pub(super) fn dials_and_listens(&self) -> (Kind, Kind) {
        match self.dialler {
            Dialler::Ours => (Kind::Shiome, self.peer),
            Dialler::Peer => (self.peer, Kind::Shiome),
        }
    }

    /// The panics of our nodes since the last look.
    pub(super) fn panics(&self) -> Vec<String> {
        self.stage.panics()
    }
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
        stage::await_ready(&mut self.ours, &mut self.peer)
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
