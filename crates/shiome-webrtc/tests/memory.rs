//! Connections that are closed give back what they had: measured in a process that does nothing else.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use shiome_bus::{Bus, memory::MemoryLink};
use shiome_webrtc::{Rtc, RtcOptions};
use tokio::time::{Instant, sleep};

const SOON: Duration = Duration::from_secs(30);

/// Connections before it is looked at for the first time, and after.
const ROUNDS: [usize; 2] = [60, 300];

/// What a process may grow by without a leak, in bytes: an allocator keeps what it had. A connection takes about 200 KiB.
const GROWN: usize = 6 * 1024 * 1024;

/// Memory of this process in bytes, where the system tells.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

async fn wait(what: &str, so: impl Fn() -> bool) {
    let by = Instant::now() + SOON;
    while !so() {
        assert!(Instant::now() < by, "{what}");
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn closed_connections_give_back_their_memory() {
    let buses = [Bus::new(), Bus::new()];
    let peers = [buses[0].peer("a").unwrap(), buses[1].peer("b").unwrap()];
    MemoryLink::new().connect(&buses[0], &buses[1]).unwrap();
    peers[0].wait_for("b", SOON).await.unwrap();
    let rtc = peers.each_ref().map(|peer| {
        let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
        let options = RtcOptions::default().addresses([loopback]).admit(|_| true);
        Rtc::start(peer, options).unwrap()
    });
    let is_direct = |rtc: &Rtc| rtc.paths().iter().any(|(_, path)| path.is_direct());
    let mut before = None;
    for round in 0..ROUNDS[0] + ROUNDS[1] {
        if round == ROUNDS[0] {
            before = resident();
        }
        rtc[0].connect("b").unwrap();
        wait("direct", || rtc.iter().all(is_direct)).await;
        rtc[0].disconnect("b").unwrap();
        rtc[1].disconnect("a").unwrap();
        wait("closed", || !rtc.iter().any(is_direct)).await;
    }
    let (Some(before), Some(after)) = (before, resident()) else {
        return;
    };
    let grown = after.saturating_sub(before);
    assert!(grown < GROWN, "grown by {grown} bytes");
}
