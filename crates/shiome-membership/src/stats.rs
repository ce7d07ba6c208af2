use std::sync::atomic::{AtomicU64, Ordering};

use crate::security::Reject;

/// What a node has done and dropped since it started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Members that are up, without this node.
    pub members: usize,
    /// Those of them that are suspected.
    pub suspects: usize,
    /// News that has to be told on.
    pub backlog: usize,
    /// How little the node trusts itself: 0 when it is well (Lifeguard §IV-A).
    pub local_health: u8,
    /// What the engine counts.
    pub engine: shiome_swim::Stats,
    /// What is counted between the engine and the network.
    pub driver: DriverStats,
}

/// A count that many tasks add to.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn increment(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Declares what is counted: the counters, their snapshot, and their names for the metrics.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What is counted between the engine and the network, since the node started.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct DriverStats {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// [`DriverStats`] as it grows.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> DriverStats {
                DriverStats {
                    $($name: self.$name.value(),)*
                }
            }
        }

        #[cfg(feature = "metrics")]
        impl DriverStats {
            /// Names and values, in the order of declaration.
            pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((concat!("shiome_membership_", stringify!($name), "_total"), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Datagrams that the socket took.
    sent,
    /// Bytes in them, protection included.
    sent_bytes,
    /// Datagrams that came in.
    received,
    /// Bytes in them.
    received_bytes,
    /// Datagrams that waited because the socket's buffer was full. They were sent later.
    send_waits,
    /// Datagrams that were not sent because they were too long for the path or the host.
    send_too_long,
    /// Datagrams that were not sent because there was no way to their address.
    send_unreachable,
    /// Datagrams that were not sent for any other reason.
    send_failed,
    /// Errors that the network reported about datagrams sent before, such as that nobody listens there.
    network_errors,
    /// Other errors when receiving.
    receive_failed,
    /// Datagrams dropped because they are too short for their protection.
    rejected_truncated,
    /// Datagrams dropped because they are longer than any may be.
    rejected_oversized,
    /// Datagrams dropped because they are in the clear.
    rejected_plaintext,
    /// Datagrams dropped because they are encrypted, and this node has no keys.
    rejected_encrypted,
    /// Datagrams dropped because they are encrypted in another version.
    rejected_unknown_version,
    /// Encrypted datagrams dropped because they are of another cluster. Those in the clear are in `engine.wrong_cluster`.
    rejected_wrong_cluster,
    /// Datagrams dropped because they are encrypted with a key that is not in the keyring.
    rejected_unknown_key,
    /// Datagrams dropped because they do not prove knowledge of the key or password, or were corrupted on the way.
    rejected_forged,
    /// Datagrams dropped because they were heard before, or came too late to know.
    rejected_replayed,
    /// Datagrams dropped because their sender has started again since.
    rejected_old_epoch,
    /// Datagrams dropped because their sender was not heard of before, and its clock or a recording is wrong.
    rejected_not_fresh,
    /// Datagrams dropped because this node sent them itself, in this run or a former one.
    rejected_reflected,
    /// Pings over TCP that were begun.
    reliable_pings,
    /// Those of them that were not answered.
    reliable_pings_failed,
    /// Those that were not begun because as many as may be were on their way.
    reliable_pings_dropped,
    /// Pings over TCP of others that this node answered.
    reliable_pings_answered,
    /// Connections that did not ask properly or in time.
    reliable_pings_refused,
    /// Names of seeds that could not be resolved.
    resolve_failed,
    /// New incarnations that could not be written into the state directory.
    state_failed,
}

impl Counters {
    /// Counts a datagram that was dropped. Returns how many were before for the same reason.
    pub(crate) fn rejected(&self, reject: Reject) -> u64 {
        let counter = match reject {
            Reject::Truncated => &self.rejected_truncated,
            Reject::Oversized => &self.rejected_oversized,
            Reject::Plaintext => &self.rejected_plaintext,
            Reject::Encrypted => &self.rejected_encrypted,
            Reject::UnknownVersion => &self.rejected_unknown_version,
            Reject::WrongCluster => &self.rejected_wrong_cluster,
            Reject::UnknownKey => &self.rejected_unknown_key,
            Reject::Forged => &self.rejected_forged,
            Reject::Replayed => &self.rejected_replayed,
            Reject::OldEpoch => &self.rejected_old_epoch,
            Reject::Reflected => &self.rejected_reflected,
            Reject::NotFresh => &self.rejected_not_fresh,
        };
        counter.0.fetch_add(1, Ordering::Relaxed)
    }
}
