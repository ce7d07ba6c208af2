//! Two peers with a link between their buses, one of which listens.

use std::{net::Ipv4Addr, time::Duration};

use shiome_bus::{
    Bus, Peer,
    memory::{Connected, MemoryLink},
};
use shiome_transport::{Link, Links, Listener, Policy, Scheme, Security};
use shiome_webrtc::{RtcLinks, RtcOptions};

/// A scheme, as the suite sees it.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) links: Links,
    pub(crate) security: Security,
}

impl Case {
    pub(crate) async fn listen(&self) -> Box<dyn Listener> {
        let address = self.links.address("rtc:listener").unwrap();
        self.links.listen(&address).await.unwrap()
    }

    /// A link: the end that dialled, and the one that accepted.
    pub(crate) async fn open(&self) -> (Link, Link) {
        let mut listener = self.listen().await;
        let address = listener.local().clone();
        let accepts = async { listener.accept().await?.establish().await };
        let (here, there) = tokio::join!(self.links.dial(&address), accepts);
        (here.unwrap(), there.unwrap())
    }
}

/// Both ends, while the case is in use.
pub(crate) struct Ends {
    links: [RtcLinks; 2],
    _peers: [Peer; 2],
    _relay: Connected,
}

impl Ends {
    /// Waits until nothing is left of any link.
    pub(crate) async fn are_idle(&self) {
        while !self.links.iter().all(RtcLinks::is_empty) {
            // There is no event for the last of a link: it is looked for.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(crate) fn rtc() -> (Case, Ends) {
    let buses = [Bus::new(), Bus::new()];
    let relay = MemoryLink::new().connect(&buses[0], &buses[1]).unwrap();
    let dialler = buses[0].peer("dialler").unwrap();
    let listener = buses[1].peer("listener").unwrap();
    let options = || RtcOptions::default().addresses([Ipv4Addr::LOCALHOST.into()]);
    let from = RtcLinks::start(&dialler, options()).unwrap();
    let admits = options().admit(|peer| peer.as_str() == "dialler");
    let to = RtcLinks::start(&listener, admits).unwrap();
    let scheme = Scheme::new(Security::Tls)
        .with_connector(from.clone())
        .with_bind(to.clone());
    let case = Case {
        name: "rtc",
        links: Links::new(Policy::Encrypted).with_scheme("rtc", scheme),
        security: Security::Tls,
    };
    let ends = Ends {
        links: [from, to],
        _peers: [dialler, listener],
        _relay: relay,
    };
    (case, ends)
}
