//! Messages between the programs of two nodes, beside their actors.

use std::sync::Arc;

use bytes::Bytes;
use shiome_session::{ChannelConfig, ChannelError};

use crate::{events::SessionInfo, node::Registry};

mod pipe;
mod services;

pub(crate) use pipe::Pipe;
pub(crate) use services::{Service, Services};

/// What this program says to those of other nodes under one name: it is open with every peer whose program has a channel of that
/// name, too, and gives a [`ChannelLink`] for each. From [`Node::channel`](crate::Node::channel).
///
/// Legacy peers, and those that have no such channel, never hear of it. Dropping it closes all its links.
#[derive(Debug)]
pub struct Channel {
    service: Arc<Service>,
    registry: Arc<Registry>,
}

impl Channel {
    /// Opens it with all peers, those that are there and those that come.
    pub(crate) fn open(
        registry: &Arc<Registry>,
        name: &str,
        config: ChannelConfig,
    ) -> Result<Self, ChannelError> {
        let service = registry.services.add(name, config)?;
        for record in registry.authenticated() {
            if let Some(shared) = record.shared.upgrade() {
                shared.open_channels();
            }
        }
        Ok(Self {
            service,
            registry: Arc::clone(registry),
        })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        self.service.name()
    }

    /// The next peer with which it is open; `None` when the node has stopped. A peer that comes back, or opens its channel again,
    /// comes again. Cancel-safe.
    pub async fn accept(&mut self) -> Option<ChannelLink> {
        self.service.next().await.map(|pipe| ChannelLink { pipe })
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.registry.services.remove(&self.service);
        for record in self.registry.established() {
            if let Some(shared) = record.shared.upgrade() {
                shared.close_channel_of(&self.service);
            }
        }
    }
}

/// A [`Channel`] with one peer: whole messages both ways, in order, until the session ends or one of the two closes it.
///
/// Both nodes have proven the cookie. What one end does not take waits at the other, so a program that reads slowly slows down
/// who writes to it, and nobody else. Dropping it closes it, for as long as the session lasts.
#[derive(Debug)]
pub struct ChannelLink {
    pipe: Arc<Pipe>,
}

impl ChannelLink {
    /// The session that it goes over.
    pub fn peer(&self) -> &SessionInfo {
        self.pipe.session()
    }

    /// Longest message that the peer takes, in bytes.
    pub fn max_message_len(&self) -> u64 {
        self.pipe.max_message_len()
    }

    /// The next message; `None` when it has ended, and all that came before has been taken. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Bytes> {
        self.pipe.recv().await
    }

    /// Sends to the peer; there can be many.
    pub fn sender(&self) -> ChannelSender {
        ChannelSender {
            pipe: Arc::clone(&self.pipe),
        }
    }

    /// As [`ChannelSender::send`].
    ///
    /// # Errors
    ///
    /// Those of that.
    pub async fn send(&self, message: Bytes) -> Result<(), ChannelError> {
        self.pipe.send(message).await
    }
}

impl Drop for ChannelLink {
    fn drop(&mut self) {
        self.pipe.close();
    }
}

/// Sends on a [`ChannelLink`], which it does not keep open.
#[derive(Debug, Clone)]
pub struct ChannelSender {
    pipe: Arc<Pipe>,
}

impl ChannelSender {
    /// Sends a message as soon as there is room for it in the queue of this side. Cancel-safe: dropped earlier, nothing was sent.
    ///
    /// # Errors
    ///
    /// [`ChannelError::TooLong`], and [`ChannelError::NotOpen`] or [`ChannelError::Closed`] when the link has ended. What was sent
    /// before may be lost then.
    pub async fn send(&self, message: Bytes) -> Result<(), ChannelError> {
        self.pipe.send(message).await
    }

    /// Sends a message if there is room for it.
    ///
    /// # Errors
    ///
    /// As those of [`send`](Self::send), and [`ChannelError::Full`].
    pub fn try_send(&self, message: Bytes) -> Result<(), ChannelError> {
        self.pipe.try_send(message)
    }
}
