//! Real sockets of both families.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::{net::IpAddr, time::Duration};

use shiome_bus::{Bus, Intent, memory::MemoryLink};
use shiome_webrtc::{Failure, Path, Rtc, RtcOptions};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);

/// What comes of two peers at these addresses of this machine.
async fn meet(first: &[&str], second: &[&str]) -> Path {
    let buses = [Bus::new(), Bus::new()];
    let (a, b) = (buses[0].peer("a").unwrap(), buses[1].peer("b").unwrap());
    MemoryLink::new().connect(&buses[0], &buses[1]).unwrap();
    a.wait_for("b", SOON).await.unwrap();
    b.wait_for("a", SOON).await.unwrap();
    b.on("echo", |asked| asked.try_respond("there").map(drop))
        .unwrap()
        .detach();
    let options = |addresses: &[&str]| {
        let addresses: Vec<IpAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        RtcOptions::default().addresses(addresses).admit(|_| true)
    };
    let rtc = Rtc::start(&a, options(first)).unwrap();
    let _other = Rtc::start(&b, options(second)).unwrap();
    let mut events = rtc.events();
    rtc.connect("b").unwrap();
    let decided = async {
        loop {
            let path = events.next().await.unwrap().path;
            if !matches!(path, Path::Connecting) {
                return path;
            }
        }
    };
    let path = timeout(SOON, decided).await.unwrap();
    if path.is_direct() {
        let answer = a.request("b", Intent::new("echo", ()).unwrap()).await;
        assert_eq!(answer.unwrap().via().to_string(), "webrtc");
    }
    path
}

fn has_v6() -> bool {
    std::net::UdpSocket::bind("[::1]:0").is_ok()
}

#[tokio::test]
async fn addresses_of_either_family_carry() {
    if !has_v6() {
        return;
    }
    for [first, second] in [
        [&["::1"][..], &["::1"][..]],
        [&["127.0.0.1", "::1"], &["::1"]],
        [&["127.0.0.1", "::1"], &["::1", "127.0.0.1"]],
        [&["127.0.0.1", "127.0.0.2"], &["127.0.0.3"]],
    ] {
        let path = meet(first, second).await;
        assert!(path.is_direct(), "{first:?} {second:?}: {path:?}");
    }
}

#[tokio::test]
async fn addresses_of_different_families_do_not_meet_and_the_reason_is_told() {
    if !has_v6() {
        return;
    }
    let path = meet(&["127.0.0.1"], &["::1"]).await;
    assert!(
        matches!(
            path,
            Path::Relayed(Failure::ChecksFailed | Failure::NoCandidates)
        ),
        "{path:?}"
    );
}
