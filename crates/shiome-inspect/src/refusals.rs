use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// Why a request or a connection was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RefusalReason {
            $($(#[$doc])* $name,)*
        }

        impl RefusalReason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// A word for it, as in metrics.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

reasons! {
    /// A Unix socket was opened by another user's process.
    Stranger = "stranger",
    /// There were as many connections as may be.
    TooManyConnections = "too_many_connections",
    /// The token was missing or wrong.
    Unauthorized = "unauthorized",
    /// A web page of elsewhere made the request.
    ForeignOrigin = "foreign_origin",
    /// The request is for a host that this server does not go by.
    ForeignHost = "foreign_host",
    /// The request was too long.
    TooLarge = "too_large",
    /// There were as many feeds as may be.
    TooManyFeeds = "too_many_feeds",
    /// The request was not one: its path, method, query or body.
    Malformed = "malformed",
}

/// Counts what was refused. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<[AtomicU64; RefusalReason::ALL.len()]>);

impl Refusals {
    pub(crate) fn count(&self, reason: RefusalReason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many were refused for that reason.
    pub fn of(&self, reason: RefusalReason) -> u64 {
        self.0[reason as usize].load(Ordering::Relaxed)
    }

    /// All counts, by the words of their reasons.
    pub fn all(&self) -> BTreeMap<String, u64> {
        let reasons = RefusalReason::ALL.iter();
        reasons
            .map(|reason| (reason.as_str().to_owned(), self.of(*reason)))
            .collect()
    }
}
