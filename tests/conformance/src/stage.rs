//! Where programs run.

use std::{future::Future, pin::Pin};

use shiome_bus::{Bus, BusOptions, DropReason, Envelope, Peer, PeerOptions};
use tokio::runtime::Runtime;

use crate::{
    cluster::ClusterStage,
    memory::{MemoryStage, OneBus},
    webrtc::WebRtcStage,
    websocket::{DirectStage, RelayStage},
};

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A path between peers.
pub(crate) trait Stage: Sync {
    fn name(&self) -> &'static str;

    /// What its programs run in.
    fn runtime(&self) -> Runtime;

    /// A world without peers.
    fn open(&self, options: BusOptions) -> Box<dyn World>;
}

/// Peers that reach each other over the path of a stage.
pub(crate) trait World: Send + Sync {
    /// A peer that all others of this world reach, and that reaches them.
    fn peer_with<'a>(&'a self, name: &'a str, options: PeerOptions) -> BoxFuture<'a, Peer>;

    /// All buses that there are.
    fn buses(&self) -> Vec<Bus>;

    /// Envelopes that were dropped for that reason by what is no bus, as a relay.
    fn dropped_between(&self, _: DropReason) -> u64 {
        0
    }

    /// Breaks all links and says whether there were any.
    fn cut(&self) -> bool;

    /// Puts an envelope on the link from the peer of that name to that of `to`, whatever it says. `false` when the path leaves no way to
    /// do so.
    fn inject<'a>(&'a self, end: &'a str, to: &'a Peer, envelope: Envelope) -> BoxFuture<'a, bool>;
}

impl dyn World + '_ {
    pub(crate) async fn peer(&self, name: &str) -> Peer {
        self.peer_with(name, PeerOptions::default()).await
    }

    /// Envelopes that were dropped for that reason, wherever.
    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        let buses = self.buses();
        let on_buses: u64 = buses.iter().map(|bus| bus.dropped(reason)).sum();
        on_buses + self.dropped_between(reason)
    }
}

/// All paths.
pub(crate) const STAGES: [&dyn Stage; 7] = [
    &OneBus,
    &MemoryStage,
    &RelayStage::JSON,
    &RelayStage::BINARY,
    &DirectStage,
    &ClusterStage,
    &WebRtcStage,
];

/// Runs a program in a world of a stage.
pub(crate) fn run<F>(stage: &dyn Stage, options: BusOptions, program: F)
where
    F: for<'a> FnOnce(&'a dyn World) -> BoxFuture<'a, ()>,
{
    stage.runtime().block_on(async {
        let world = stage.open(options);
        program(&*world).await;
    });
}
