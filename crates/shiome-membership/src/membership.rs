use std::{net::SocketAddr, sync::Arc, time::Duration};

use shiome_gossip::{NodeId, SlotRange};
use shiome_swim::SlotsError;
use tokio::{sync::watch, task::AbortHandle, time::timeout};

use crate::{
    builder::Builder,
    discovery::MAX_SEEDS,
    driver::Control,
    error::TooManySeeds,
    events::Events,
    member::MemberInfo,
    security::{Keyring, MigrationError},
    seed::Seed,
    shared::Shared,
    stats::Stats,
};

/// Time for the driver to end, beyond what the engine takes to leave.
const LEAVE_GRACE: Duration = Duration::from_secs(1);

/// A running node of a gossip cluster, and what it knows of the others.
///
/// Dropping it stops the node at once, without a word to the others, who find it dead after a while. A node that is
/// about to end says so with [`leave`](Self::leave).
#[derive(Debug)]
pub struct Membership {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: NodeId,
    pub(crate) addr: SocketAddr,
    pub(crate) local_addr: SocketAddr,
    pub(crate) seeds: watch::Sender<Vec<Seed>>,
    pub(crate) control: Control,
    pub(crate) driver: AbortHandle,
    pub(crate) leave_timeout: Duration,
}

impl Membership {
    /// A node that listens at `bind`, on UDP, and on TCP for reliable pings. Port 0 takes any free port; `[::]` is both
    /// IP versions.
    pub fn builder(bind: SocketAddr) -> Builder {
        Builder::new(bind)
    }

    /// The node's id.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Name of the cluster; its id, in 16 hex digits, if the program gave no name.
    pub fn cluster(&self) -> &str {
        &self.shared.cluster
    }

    /// The address that is bound.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The address at which the others are told to reach this node.
    pub fn advertised_addr(&self) -> SocketAddr {
        self.addr
    }

    /// The node's incarnation. It grows when the node has to object to what others say of it.
    pub fn incarnation(&self) -> u64 {
        self.shared.engine().incarnation()
    }

    /// The members that are up, without this node, in no order. Suspects are among them.
    pub fn members(&self) -> Vec<MemberInfo> {
        self.shared.engine().members().map(Into::into).collect()
    }

    /// What is known of a member; of one that is gone too, for some time.
    pub fn member(&self, id: NodeId) -> Option<MemberInfo> {
        self.shared.engine().member(&id).map(Into::into)
    }

    /// What happens from now on. The first call gives what happened since the start, too.
    ///
    /// A listener that lets more than 1024 events wait misses the oldest, and is
    /// [told](crate::MembershipEvent::Missed).
    pub fn events(&self) -> Events {
        self.shared.events.subscribe()
    }

    /// What the node has done and dropped.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Tells all whether this node is a primary, and whose replica it is.
    pub fn set_role(&self, is_primary: bool, replicates: Option<NodeId>) {
        self.shared
            .apply(|engine, now| engine.set_role(now, is_primary, replicates));
    }

    /// Tells all which slots this node owns, in place of those it told before.
    ///
    /// # Errors
    ///
    /// [`SlotsError`] when there are more ranges than can be told. Nothing is changed.
    pub fn set_slots(&self, slots: &[SlotRange]) -> Result<(), SlotsError> {
        self.shared
            .apply(|engine, now| engine.set_slots(now, slots))
    }

    /// Asks the primaries for their votes in an epoch. They come as
    /// [`VoteGranted`](crate::MembershipEvent::VoteGranted).
    pub fn request_vote(&self, epoch: u64, offset: u64) {
        self.shared
            .apply(|engine, now| engine.request_vote(now, epoch, offset));
    }

    /// Tells all that this node votes for the candidate in an epoch.
    pub fn grant_vote(&self, candidate: NodeId, epoch: u64) {
        self.shared
            .apply(|engine, now| engine.grant_vote(now, candidate, epoch));
    }

    /// Asks other seeds from now on.
    ///
    /// # Errors
    ///
    /// [`TooManySeeds`]: above 64.
    pub fn set_seeds(&self, seeds: impl IntoIterator<Item = Seed>) -> Result<(), TooManySeeds> {
        let seeds = at_most(seeds)?;
        self.seeds.send_replace(seeds);
        Ok(())
    }

    /// Asks these seeds, too.
    ///
    /// # Errors
    ///
    /// [`TooManySeeds`]: above 64 with those there are.
    pub fn add_seeds(&self, seeds: impl IntoIterator<Item = Seed>) -> Result<(), TooManySeeds> {
        let more = at_most(seeds)?;
        let mut result = Ok(());
        self.seeds.send_if_modified(|seeds| {
            let new: Vec<_> = more
                .into_iter()
                .filter(|seed| !seeds.contains(seed))
                .collect();
            if seeds.len() + new.len() > MAX_SEEDS {
                result = Err(TooManySeeds);
                return false;
            }
            seeds.extend(new);
            true
        });
        result
    }

    /// The keys, to add, use and remove while the node runs; `None` if gossip is not encrypted.
    pub fn keyring(&self) -> Option<&Keyring> {
        self.shared.protection.keyring()
    }

    /// Takes a step of the migration to encryption, or back: see [`Encryption`](crate::Encryption).
    ///
    /// # Errors
    ///
    /// [`MigrationError`]; the node goes on as before.
    pub fn set_migration(
        &self,
        accept_plaintext: bool,
        send_encrypted: bool,
    ) -> Result<(), MigrationError> {
        self.shared
            .protection
            .set_migration(accept_plaintext, send_encrypted)
    }

    /// Tells the others that this node leaves, and stops it. The port and the state directory are free when it returns,
    /// which is after [`Config::leave_timeout`](shiome_swim::Config::leave_timeout) and a second at the latest.
    ///
    /// Cancel-safe: the node goes on leaving. Calling it again waits for the same.
    pub async fn leave(&self) {
        self.shared.apply(|engine, now| engine.leave(now));
        // A process that stood still finds the first time over before the driver had any; in the second it runs.
        for patience in [self.leave_timeout, LEAVE_GRACE] {
            if timeout(patience, self.ended()).await.is_ok() {
                return;
            }
        }
        self.driver.abort();
        self.ended().await;
    }

    /// Stops the node without a word to the others, as a crash does. The port and the state directory are free when it
    /// returns. Cancel-safe: the node stops all the same.
    pub async fn stop(&self) {
        self.control.stop.notify_one();
        self.ended().await;
    }

    async fn ended(&self) {
        // Nothing is ever sent, so it changes by being closed.
        let _ = self.control.ended.clone().changed().await;
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn at_most(seeds: impl IntoIterator<Item = Seed>) -> Result<Vec<Seed>, TooManySeeds> {
    let seeds: Vec<_> = seeds.into_iter().take(MAX_SEEDS + 1).collect();
    if seeds.len() > MAX_SEEDS {
        return Err(TooManySeeds);
    }
    Ok(seeds)
}
