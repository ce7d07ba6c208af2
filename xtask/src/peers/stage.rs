//! Where nodes are started, and how two get to know each other.

use std::{sync::PoisonError, time::Duration};

use super::{
    authority::Authority,
    node::{Node, Panics},
    programs::{Kind, Programs},
    way::Way,
};

/// Time for a check together, unless it asks for more.
pub(crate) const CHECK_TIME: Duration = Duration::from_secs(120);

/// Number of actors of each node after [`populate`] that peers hear of: two that record what they get, one of them named,
/// and one that takes bare strings. There is one more, called hermit, that no peer may hear of.
pub(crate) const ANNOUNCED: usize = 3;

/// Starts nodes and takes down their panics.
pub(crate) struct Stage<'a> {
    programs: &'a Programs,
    panics: Panics,
    /// Whose certificates all nodes show and believe.
    authority: Option<Authority>,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(programs: &'a Programs) -> Self {
        Self {
            programs,
            panics: Panics::default(),
            authority: None,
        }
    }

    /// The same, where all nodes speak TLS.
    ///
    /// # Errors
    ///
    /// What to tell when there cannot be certificates.
    pub(crate) fn over_tls(&self) -> Result<Self, String> {
        Ok(Self {
            programs: self.programs,
            panics: Panics::clone(&self.panics),
            authority: Some(Authority::make(self.programs)?),
        })
    }

    /// What a node of this name is started with, so that its links are protected as all are.
    ///
    /// # Errors
    ///
    /// What to tell when there is no certificate for it.
    pub(crate) fn credentials(&self, name: &str) -> Result<Vec<String>, String> {
        let authority = self.authority.as_ref();
        authority.map_or(Ok(Vec::new()), |authority| authority.options(name))
    }

    /// Starts a node.
    ///
    /// # Errors
    ///
    /// What to tell when it does not start.
    pub(crate) fn node(&self, kind: Kind, name: &str, options: &[&str]) -> Result<Node, String> {
        let credentials = self.credentials(name)?;
        let options: Vec<_> = strs(&credentials).chain(options.iter().copied()).collect();
        self.bare_node(kind, name, &options)
    }

    /// Starts a node with these options and no others.
    ///
    /// # Errors
    ///
    /// What to tell when it does not start.
    pub(crate) fn bare_node(
        &self,
        kind: Kind,
        name: &str,
        options: &[&str],
    ) -> Result<Node, String> {
        let mut node = Node::start(self.programs, &self.panics, kind, name, options)?;
        node.allow(CHECK_TIME);
        Ok(node)
    }

    /// Starts a node in place of one that was killed.
    ///
    /// # Errors
    ///
    /// What to tell when it does not start.
    pub(crate) fn again(
        &self,
        kind: Kind,
        name: &str,
        options: &[&str],
        port: u16,
    ) -> Result<Node, String> {
        let credentials = self.credentials(name)?;
        let options: Vec<_> = strs(&credentials).chain(options.iter().copied()).collect();
        let mut node = Node::start_at(self.programs, &self.panics, kind, name, &options, port)?;
        node.allow(CHECK_TIME);
        Ok(node)
    }

    /// Two nodes with actors, connected and ready.
    ///
    /// # Errors
    ///
    /// What to tell when they do not get there.
    pub(crate) fn pair(&self, subject: Kind, other: Kind) -> Result<Pair, String> {
        let mut pair = Pair {
            subject: self.node(subject, "subject", &[])?,
            other: self.node(other, "other", &[])?,
        };
        populate(&mut pair.subject)?;
        populate(&mut pair.other)?;
        let address = pair.other.address();
        pair.subject.ask(&format!("connect {address}"))?;
        await_ready(&mut pair.subject, &mut pair.other)?;
        Ok(pair)
    }

    /// The panics of our nodes since the last look.
    pub(crate) fn panics(&self) -> Vec<String> {
        let mut panics = self.panics.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut panics)
    }
}

/// The node that is looked at, and the one that it is connected with.
pub(crate) struct Pair {
    pub(crate) subject: Node,
    pub(crate) other: Node,
}

impl Pair {
    /// From the subject to the other.
    pub(crate) fn out(&mut self) -> Way<'_> {
        Way {
            from_ours: !self.subject.kind.is_published(),
            from: &mut self.subject,
            to: &mut self.other,
        }
    }

    /// Gives the commands from now on so much time together.
    pub(crate) fn allow(&mut self, time: Duration) {
        self.subject.allow(time);
        self.other.allow(time);
    }
}

pub(crate) fn strs(strings: &[String]) -> impl Iterator<Item = &str> {
    strings.iter().map(String::as_str)
}

/// The name of the named actor that peers hear of.
pub(crate) fn early_name(node: &Node) -> String {
    format!("early-{}", node.name.split('@').next().unwrap_or_default())
}

/// Gives a node its actors.
///
/// # Errors
///
/// What to tell when it does not get them.
pub(crate) fn populate(node: &mut Node) -> Result<(), String> {
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

/// Waits until the session is there on both sides and each knows the other's groups.
///
/// # Errors
///
/// What to tell when it does not come.
pub(crate) fn await_ready(one: &mut Node, other: &mut Node) -> Result<(), String> {
    one.ask(&format!("wait-session {} 30000", other.name))?;
    other.ask(&format!("wait-session {} 30000", one.name))?;
    for node in [one, other] {
        for group in ["- early", "wide early", "- inbox", "- plain"] {
            node.ask(&format!("wait-members {group} 1 30000"))?;
        }
    }
    Ok(())
}
