use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use thiserror::Error;
use tokio::sync::Semaphore;

use super::{
    Connection, ConnectionEnd, MAX_KEPT_CONNECTIONS, Reconnect, connection::State, driver::Driver,
};
use crate::{connector::Connector, events::Broadcast, node::Dialer};

/// Kept connections that dial at a time. Each dial is a socket, a task and a handshake; the others wait their turn, for
/// no longer than dials take.
const MAX_DIALS: usize = 64;

/// An address is not kept connected to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeepError {
    /// It is no [`Address`](shiome_transport::Address), its port is 0, or nobody knows its scheme.
    #[error("`{0}` is no address to dial, such as host:port")]
    Address(String),
    /// There are [`MAX_KEPT_CONNECTIONS`] already.
    #[error("{MAX_KEPT_CONNECTIONS} addresses are kept connected to already")]
    TooMany,
    /// The node has been stopped.
    #[error("the node is stopped")]
    Stopped,
}

/// The addresses that a node keeps connected to.
#[derive(Debug)]
pub(crate) struct Connections {
    connector: Connector,
    events: Broadcast,
    dials: Arc<Semaphore>,
    /// `None` when the node is stopping.
    kept: Mutex<Option<HashMap<String, Connection>>>,
}

impl Connections {
    pub(crate) fn new(connector: Connector, events: Broadcast) -> Arc<Self> {
        Arc::new(Self {
            connector,
            events,
            dials: Arc::new(Semaphore::new(MAX_DIALS)),
            kept: Mutex::new(Some(HashMap::new())),
        })
    }

    pub(crate) fn dialer(&self) -> &Dialer {
        &self.connector.dialer
    }

    /// Keeps connected to an address from now on. One that is kept already goes on as it was told first.
    pub(crate) fn keep(
        self: &Arc<Self>,
        address: &str,
        reconnect: Reconnect,
    ) -> Result<Connection, KeepError> {
        check_address(&self.connector.dialer, address)?;
        let mut kept = self.lock();
        let kept = kept.as_mut().ok_or(KeepError::Stopped)?;
        if let Some(connection) = kept.get(address).filter(|kept| !kept.is_ended()) {
            return Ok(connection.clone());
        }
        if kept.len() >= MAX_KEPT_CONNECTIONS && !kept.contains_key(address) {
            return Err(KeepError::TooMany);
        }
        let connection = Connection::new(address);
        kept.insert(address.to_owned(), connection.clone());
        let driver = Driver::new(
            connection.clone(),
            reconnect,
            self.connector.clone(),
            self.events.clone(),
            Arc::clone(&self.dials),
        );
        let (connections, ended) = (Arc::clone(self), connection.clone());
        tokio::spawn(async move {
            // Also when the task is dropped or panics.
            let _forget = Forget { connections, ended };
            driver.run().await;
        });
        Ok(connection)
    }

    /// Those that there are, in no order.
    pub(crate) fn all(&self) -> Vec<Connection> {
        let kept = self.lock();
        kept.iter().flat_map(HashMap::values).cloned().collect()
    }

    /// Dials nobody any more.
    pub(crate) fn stop(&self) {
        let kept = self.lock().take();
        for connection in kept.into_iter().flatten() {
            connection.1.publish(State::Ended(ConnectionEnd::Stopped));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<String, Connection>>> {
        // A map of handles is whole after any panic.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a connection whose task has ended off the list.
struct Forget {
    connections: Arc<Connections>,
    ended: Connection,
}

impl Drop for Forget {
    fn drop(&mut self) {
        self.ended.publish(State::Ended(ConnectionEnd::Stopped));
        let mut kept = self.connections.lock();
        let address = self.ended.address();
        if let Some(kept) = kept.as_mut()
            && kept.get(address).is_some_and(|kept| kept.is(&self.ended))
        {
            kept.remove(address);
        }
    }
}

/// Accepts what can be dialled, if somebody is there.
pub(crate) fn check_address(dialer: &Dialer, address: &str) -> Result<(), KeepError> {
    match dialer.address_to_keep(address) {
        Some(_) => Ok(()),
        None => Err(KeepError::Address(address.to_owned())),
    }
}
