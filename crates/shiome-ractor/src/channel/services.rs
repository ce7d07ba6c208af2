use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shiome_session::{ChannelConfig, ChannelError, MAX_CHANNEL_NAME_LEN, MAX_CHANNELS};
use tokio::sync::Notify;

use super::Pipe;

/// The channels of one node.
#[derive(Debug, Default)]
pub(crate) struct Services {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    services: Vec<Arc<Service>>,
    /// The node has stopped.
    closed: bool,
}

/// A channel, and the peers with which it is open that the program has not come to.
#[derive(Debug)]
pub(crate) struct Service {
    name: String,
    pub(crate) config: ChannelConfig,
    pending: Mutex<Pending>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    /// One a session at most: what is down is taken out.
    pipes: VecDeque<Arc<Pipe>>,
    closed: bool,
}

impl Services {
    pub(super) fn add(
        &self,
        name: &str,
        config: ChannelConfig,
    ) -> Result<Arc<Service>, ChannelError> {
        if name.is_empty() || name.len() > MAX_CHANNEL_NAME_LEN {
            return Err(ChannelError::InvalidName);
        }
        let mut state = self.lock();
        if state.closed {
            return Err(ChannelError::Closed);
        }
        if state.services.iter().any(|service| service.name == name) {
            return Err(ChannelError::NameInUse);
        }
        if state.services.len() == MAX_CHANNELS {
            let limit = MAX_CHANNELS;
            return Err(ChannelError::TooMany { limit });
        }
        let service = Arc::new(Service {
            name: name.to_owned(),
            config,
            pending: Mutex::default(),
            arrived: Notify::new(),
        });
        state.services.push(Arc::clone(&service));
        Ok(service)
    }

    pub(super) fn remove(&self, service: &Arc<Service>) {
        self.lock()
            .services
            .retain(|other| !Arc::ptr_eq(other, service));
        service.close();
    }

    pub(crate) fn all(&self) -> Vec<Arc<Service>> {
        self.lock().services.clone()
    }

    /// The node has stopped: who waits for peers is told.
    pub(crate) fn close(&self) {
        let services = {
            let mut state = self.lock();
            state.closed = true;
            std::mem::take(&mut state.services)
        };
        services.iter().for_each(|service| service.close());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The list is whole after any panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// It is open with a peer.
    pub(crate) fn push(&self, pipe: Arc<Pipe>) {
        {
            let mut pending = self.lock();
            if pending.closed {
                return;
            }
            pending.pipes.push_back(pipe);
        }
        self.arrived.notify_one();
    }

    /// It is so no longer.
    pub(crate) fn forget(&self, pipe: &Arc<Pipe>) {
        self.lock().pipes.retain(|other| !Arc::ptr_eq(other, pipe));
    }

    pub(super) async fn next(&self) -> Option<Arc<Pipe>> {
        loop {
            let (next, closed) = {
                let mut pending = self.lock();
                (pending.pipes.pop_front(), pending.closed)
            };
            match next {
                Some(pipe) => return Some(pipe),
                None if closed => return None,
                None => self.arrived.notified().await,
            }
        }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        // The queue is whole after any panic.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
