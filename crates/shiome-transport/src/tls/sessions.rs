//! TLS sessions that can be resumed: a bounded number, and none from before the credentials were replaced.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::rustls::{
    NamedGroup,
    client::{
        ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue,
        Tls13ClientSessionValue,
    },
    pki_types::ServerName,
    server::{ServerSessionMemoryCache, StoresServerSessions},
};

use super::credentials::Credentials;

/// Sessions that an acceptor remembers. Each may hold a peer's certificates: some KiB. The oldest are forgotten.
pub const MAX_ACCEPTED_SESSIONS: usize = 1024;

/// Nodes to which a dialler remembers sessions, at most eight each.
pub const MAX_DIALLED_SESSIONS: usize = 256;

/// Tickets that `rustls` keeps of each server, which its own count of sessions includes.
const TICKETS_PER_SERVER: usize = 8;

/// A store that is replaced as a whole with the credentials.
#[derive(Debug)]
pub(super) struct Sessions<S> {
    credentials: Arc<Credentials>,
    empty: fn() -> Arc<S>,
    current: Mutex<(u64, Arc<S>)>,
}

impl Sessions<ServerSessionMemoryCache> {
    pub(super) fn accepted(credentials: Arc<Credentials>) -> Self {
        Self::new(credentials, || {
            ServerSessionMemoryCache::new(MAX_ACCEPTED_SESSIONS)
        })
    }
}

impl Sessions<ClientSessionMemoryCache> {
    pub(super) fn dialled(credentials: Arc<Credentials>) -> Self {
        Self::new(credentials, || {
            let sessions = MAX_DIALLED_SESSIONS * TICKETS_PER_SERVER;
            Arc::new(ClientSessionMemoryCache::new(sessions))
        })
    }
}

impl<S> Sessions<S> {
    fn new(credentials: Arc<Credentials>, empty: fn() -> Arc<S>) -> Self {
        let current = Mutex::new((credentials.current().generation, empty()));
        Self {
            credentials,
            empty,
            current,
        }
    }

    fn store(&self) -> Arc<S> {
        let generation = self.credentials.current().generation;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // A thread may have been overtaken by a later replacement.
        if current.0 < generation {
            *current = (generation, (self.empty)());
        }
        Arc::clone(&current.1)
    }
}

impl StoresServerSessions for Sessions<ServerSessionMemoryCache> {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.store().put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.store().get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.store().take(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl ClientSessionStore for Sessions<ClientSessionMemoryCache> {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.store().set_kx_hint(server, group);
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        self.store().kx_hint(server)
    }

    fn set_tls12_session(&self, server: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.store().set_tls12_session(server, value);
    }

    fn tls12_session(&self, server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.store().tls12_session(server)
    }

    fn remove_tls12_session(&self, server: &ServerName<'static>) {
        self.store().remove_tls12_session(server);
    }

    fn insert_tls13_ticket(&self, server: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.store().insert_tls13_ticket(server, value);
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.store().take_tls13_ticket(server)
    }
}
