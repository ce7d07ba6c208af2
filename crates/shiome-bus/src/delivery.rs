//! An envelope that arrived, as handlers see it.

use std::{fmt, sync::Arc};

use serde::de::DeserializeOwned;

use crate::{
    BusError, Envelope, Intent, Name, Payload, Peer, PeerId, Receipt, Via, mailbox::Item,
    node::Node,
};

/// An envelope that arrived, how it came, and a way to answer it. A clone shares the payload.
#[derive(Clone)]
pub struct Delivery {
    pub(crate) item: Item,
    pub(crate) node: Arc<Node>,
}

impl Delivery {
    /// The envelope.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.item.envelope
    }

    /// Who sent it.
    #[must_use]
    pub fn from(&self) -> &PeerId {
        &self.item.envelope.from
    }

    /// What was said.
    #[must_use]
    pub fn intent(&self) -> &Intent {
        &self.item.envelope.intent
    }

    /// Name of what was said.
    #[must_use]
    pub fn name(&self) -> &Name {
        self.intent().name()
    }

    /// Payload of what was said.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        self.intent().payload()
    }

    /// The payload as a value of `T`.
    ///
    /// # Errors
    ///
    /// [`BusError::Serialization`] when it is not one.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, BusError> {
        self.payload().parse()
    }

    /// Which path it took.
    #[must_use]
    pub fn via(&self) -> Via {
        self.item.path.via()
    }

    /// The peer that got it. A handler that keeps its own peer instead keeps that alive until it is closed.
    ///
    /// # Errors
    ///
    /// [`BusError::Closed`] when it is closed, or its last handle was dropped.
    pub fn peer(&self) -> Result<Peer, BusError> {
        Peer::of(&self.node)
    }

    /// Answers, under the name of what was asked, as [`Peer::respond`].
    ///
    /// # Errors
    ///
    /// As those of [`Peer::respond`].
    pub async fn respond(&self, payload: impl Into<Payload>) -> Result<Receipt, BusError> {
        let intent = Intent::of(self.name().clone(), payload.into());
        self.node.respond(self, intent).await
    }

    /// Answers, under the name of what was asked, as [`Peer::try_respond`].
    ///
    /// # Errors
    ///
    /// As those of [`Peer::try_respond`].
    pub fn try_respond(&self, payload: impl Into<Payload>) -> Result<Receipt, BusError> {
        let intent = Intent::of(self.name().clone(), payload.into());
        self.node.try_respond(self, intent)
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Delivery");
        out.field("envelope", &self.item.envelope);
        out.field("via", &self.via());
        out.finish()
    }
}
