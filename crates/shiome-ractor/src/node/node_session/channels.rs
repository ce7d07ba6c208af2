//! Channels of this session.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use shiome_session::{ChannelError, ChannelId};
use tracing::debug;

use super::Shared;
use crate::channel::{Pipe, Service};

/// Channels that this side has opened with the peer.
#[derive(Debug, Default)]
pub(super) struct Channels(Mutex<HashMap<ChannelId, Opened>>);

#[derive(Debug)]
struct Opened {
    service: Arc<Service>,
    /// While the peer has opened it, too.
    pipe: Option<Arc<Pipe>>,
}

impl Channels {
    fn lock(&self) -> MutexGuard<'_, HashMap<ChannelId, Opened>> {
        // The map is whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Opens the channels of the node that are not open, once both nodes have told each other their actors.
    pub(crate) fn open_channels(&self) {
        let mut opened = self.channels.lock();
        for service in self.registry.services.all() {
            if opened.values().any(|of| Arc::ptr_eq(&of.service, &service)) {
                continue;
            }
            let open = self.peer.apply(|session, _| match session.is_ready() {
                true => session.open_channel(service.name(), service.config),
                false => Err(ChannelError::NotOpen),
            });
            match open {
                Ok(id) => drop(opened.insert(
                    id,
                    Opened {
                        service,
                        pipe: None,
                    },
                )),
                Err(error) => debug!(name = service.name(), %error, "channel not opened"),
            }
        }
    }

    /// The program has closed a channel of the node.
    pub(crate) fn close_channel_of(&self, service: &Arc<Service>) {
        let closed: Vec<_> = self
            .channels
            .lock()
            .extract_if(|_, opened| Arc::ptr_eq(&opened.service, service))
            .collect();
        for (id, opened) in closed {
            self.peer.apply(|session, _| session.close_channel(id));
            if let Some(pipe) = opened.pipe {
                pipe.end();
            }
        }
    }

    /// The peer has opened a channel, too.
    pub(super) fn channel_up(&self, id: ChannelId, max_message_len: u64) {
        let Some(session) = self.info.get() else {
            return;
        };
        let peer = Arc::clone(&self.peer);
        let pipe = Arc::new(Pipe::new(id, peer, session.clone(), max_message_len));
        let service = {
            let mut opened = self.channels.lock();
            let Some(opened) = opened.get_mut(&id) else {
                return;
            };
            opened.pipe = Some(Arc::clone(&pipe));
            Arc::clone(&opened.service)
        };
        service.push(pipe);
    }

    /// The peer has closed a channel.
    pub(super) fn channel_down(&self, id: ChannelId) {
        let down = self.channels.lock().get_mut(&id).and_then(|opened| {
            let pipe = opened.pipe.take()?;
            Some((Arc::clone(&opened.service), pipe))
        });
        if let Some((service, pipe)) = down {
            service.forget(&pipe);
            pipe.end();
        }
    }

    pub(super) fn channel_message(&self, id: ChannelId, message: Bytes, cost: u64) {
        if let Some(pipe) = self.pipe(id) {
            pipe.push(message, cost);
        }
    }

    pub(super) fn channel_room(&self, id: ChannelId) {
        if let Some(pipe) = self.pipe(id) {
            pipe.has_room();
        }
    }

    fn pipe(&self, id: ChannelId) -> Option<Arc<Pipe>> {
        self.channels.lock().get(&id)?.pipe.clone()
    }

    /// The session has ended, and its channels with it.
    pub(super) fn end_channels(&self) {
        let ended = std::mem::take(&mut *self.channels.lock());
        for opened in ended.into_values() {
            if let Some(pipe) = opened.pipe {
                opened.service.forget(&pipe);
                pipe.end();
            }
        }
    }
}
