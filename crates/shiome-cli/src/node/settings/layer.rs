//! Settings of several origins, one over the other.

use std::path::Path;

use super::{Admission, Bus, Gossip, Operation, Sessions, Settings, Tls};

/// What can be laid over what comes after it.
trait Layer {
    /// This where it is set, otherwise `below`.
    fn or(self, below: Self) -> Self;
}

impl<T> Layer for Option<T> {
    fn or(self, below: Self) -> Self {
        self.or(below)
    }
}

/// A list is given as a whole.
impl<T> Layer for Vec<T> {
    fn or(self, below: Self) -> Self {
        if self.is_empty() { below } else { self }
    }
}

macro_rules! layers {
    ($($name:ident { $($field:ident),* $(,)? })*) => {$(
        impl Layer for $name {
            fn or(self, below: Self) -> Self {
                Self { $($field: Layer::or(self.$field, below.$field)),* }
            }
        }
    )*};
}

layers! {
    Settings {
        name, listen, listen_at, advertise, connect, max_dials, cookie_file, isolated, sessions, tls, gossip,
        operation, bus, admission,
    }
    Bus { listen, token_file, origin }
    Sessions { require_native, legacy_only, liveness, max_outbox }
    Tls { cert, key, ca, watch }
    Gossip { seed, on, offset, advertise, state, cluster, period }
    Operation { admin, admin_token_file, http, dashboard, dashboard_token_file, otlp, drain }
    Admission {
        max_unauthenticated, max_unauthenticated_per_source, max_free_failures, first_penalty, longest_penalty, memory,
        max_remembered,
    }
}

impl Settings {
    /// These settings where they are set, otherwise those `below`.
    pub(in crate::node) fn over(self, below: Self) -> Self {
        self.or(below)
    }

    /// Lets paths that are relative start at `dir`.
    pub(in crate::node) fn starting_at(mut self, dir: &Path) -> Self {
        let Tls { cert, key, ca, .. } = &mut self.tls;
        let Operation {
            admin_token_file,
            dashboard_token_file,
            ..
        } = &mut self.operation;
        let paths = [
            &mut self.cookie_file,
            &mut self.bus.token_file,
            &mut self.gossip.state,
            cert,
            key,
            ca,
            admin_token_file,
            dashboard_token_file,
        ];
        for path in paths.into_iter().flatten() {
            *path = dir.join(&path);
        }
        self
    }
}
