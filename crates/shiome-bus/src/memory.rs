//! A link inside the process, on which faults are made: for tests and simulations. Its time is that of tokio, so that a test which
//! pauses the clock has latency without waiting for it.

mod conditions;
mod end;
mod pump;

use std::sync::Arc;

pub use self::conditions::Conditions;
use self::end::{End, Wires};
use crate::{Bus, BusError, LinkId, LinkOptions, PeerId, Remote};

/// A memory link that is to be: what its ends are, and what befalls what it carries.
#[derive(Debug, Clone)]
pub struct MemoryLink {
    conditions: Conditions,
    /// What each end says it is.
    ends: [Remote; 2],
    options: [LinkOptions; 2],
}

impl Default for MemoryLink {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryLink {
    /// A link without faults between two buses, each of which lets the other speak for all its peers.
    #[must_use]
    pub fn new() -> Self {
        let gateway = |name| Remote::gateway(PeerId::new(name).expect("it is a name"));
        Self {
            conditions: Conditions::default(),
            ends: [gateway("first"), gateway("second")],
            options: Default::default(),
        }
    }

    /// What befalls what it carries.
    #[must_use]
    pub fn conditions(self, conditions: Conditions) -> Self {
        Self { conditions, ..self }
    }

    /// Whom each end has proven to be.
    #[must_use]
    pub fn ends(self, first: Remote, second: Remote) -> Self {
        Self {
            ends: [first, second],
            ..self
        }
    }

    /// How each bus uses it.
    #[must_use]
    pub fn options(self, first: LinkOptions, second: LinkOptions) -> Self {
        Self {
            options: [first, second],
            ..self
        }
    }

    /// Joins two buses. The link ends when one of them does, whatever becomes of what is returned.
    ///
    /// # Errors
    ///
    /// [`BusError::NoRuntime`] outside of a runtime.
    pub fn connect(self, first: &Bus, second: &Bus) -> Result<Connected, BusError> {
        let wires = Arc::new(Wires::new(
            self.conditions,
            self.ends,
            [first.is_relay(), second.is_relay()],
        ));
        let end = |side| Arc::new(End::new(&wires, side));
        let ids = [
            first.attach(end(0), self.options[0].clone())?,
            second.attach(end(1), self.options[1].clone())?,
        ];
        Ok(Connected { wires, ids })
    }
}

/// A memory link that is there; faults are made here.
#[derive(Debug, Clone)]
pub struct Connected {
    wires: Arc<Wires>,
    ids: [LinkId; 2],
}

impl Connected {
    /// What the first and the second bus call it.
    #[must_use]
    pub fn ids(&self) -> [LinkId; 2] {
        self.ids
    }

    /// Nothing moves until it is [healed](Self::heal), and nobody is told.
    pub fn partition(&self) {
        self.wires.set_partitioned(true);
    }

    /// Ends a partition: what waited moves on.
    pub fn heal(&self) {
        self.wires.set_partitioned(false);
    }

    /// Breaks the link: what is on it is lost, and both ends know.
    pub fn cut(&self) {
        self.wires.cut();
    }

    /// Makes a link that was cut anew.
    pub fn mend(&self) {
        self.wires.mend();
    }
}
