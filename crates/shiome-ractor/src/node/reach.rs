//! Where the word of a peer may lead this node.

use std::{net::IpAddr, time::Duration};

use shiome_transport::{Address, Link, Security};
use tokio::{net::lookup_host, time::timeout};

/// Time to resolve the name of a host that a peer tells of, to see where it leads. The dial resolves it again.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Which addresses a peer may have this node dial.
///
/// Nodes are found at addresses that mean the same to all of them. What means something else on each host is not for others
/// to choose: a host's own services on loopback, and those of the provider on link-local addresses, trust whoever
/// connects from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Whether loopback is the same to the peer as to this node.
    same_host: bool,
}

impl Reach {
    /// Of the peer at the other end of this link.
    pub(crate) fn of(link: &Link) -> Self {
        let same_host = match link.addrs {
            Some(addrs) => {
                let (peer, local) = (addrs.peer.ip(), addrs.local.ip());
                peer.to_canonical().is_loopback() || peer.to_canonical() == local.to_canonical()
            }
            // A proxy may be nearer than the peer. Of streams that the program has opened, it knows.
            None => !matches!(link.security, Security::Plain | Security::Tls),
        };
        Self { same_host }
    }

    /// Whether the peer may lead there, as far as that can be said without a name server.
    pub(crate) fn may_include(self, address: &Address) -> bool {
        match address.socket_addr() {
            Some(addr) => addr.port() != 0 && self.includes(addr.ip()),
            None => true,
        }
    }

    /// Whether the peer may lead there, wherever the name leads.
    pub(crate) async fn includes_all_of(self, address: &Address) -> bool {
        let Some(host) = address.host().zip(address.port()) else {
            return false;
        };
        match timeout(RESOLVE_TIMEOUT, lookup_host(host)).await {
            Ok(Ok(mut found)) => found.all(|addr| self.includes(addr.ip())),
            _ => false,
        }
    }

    fn includes(self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let is_of_the_link = match ip {
            // All of 0.0.0.0/8 is "this host" (RFC 1122 §3.2.1.3).
            IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast() || ip.octets()[0] == 0,
            IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.is_unspecified(),
        };
        !is_of_the_link && !ip.is_multicast() && (self.same_host || !ip.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use shiome_transport::SocketAddrs;

    use super::*;

    const FAR: Reach = Reach { same_host: false };
    const NEAR: Reach = Reach { same_host: true };

    fn is_allowed(reach: Reach, host: &str) -> bool {
        reach.may_include(&format!("tcp://{host}:80").parse().unwrap())
    }

    #[test]
    fn nobody_leads_to_what_only_the_own_link_or_host_has() {
        for host in [
            "169.254.169.254",
            "0.0.0.0",
            "0.0.0.1",
            "255.255.255.255",
            "224.0.0.1",
            "[::]",
            "[fe80::1]",
            "[ff02::1]",
            "[::ffff:169.254.169.254]",
        ] {
            assert!(!is_allowed(FAR, host) && !is_allowed(NEAR, host), "{host}");
        }
        assert!(!NEAR.may_include(&"tcp://10.0.0.1:0".parse().unwrap()));
    }

    #[test]
    fn loopback_is_for_peers_of_the_same_host() {
        for host in ["127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(is_allowed(NEAR, host) && !is_allowed(FAR, host), "{host}");
        }
        for host in ["10.0.0.1", "192.168.1.1", "[fd00::1]", "node.example"] {
            assert!(is_allowed(NEAR, host) && is_allowed(FAR, host), "{host}");
        }
    }

    #[tokio::test]
    async fn names_and_odd_spellings_lead_where_they_lead() {
        // Old spellings of 127.0.0.1 that name resolution knows, and address parsing does not.
        for host in ["localhost", "127.1", "2130706433", "0x7f.0.0.1"] {
            let address = format!("tcp://{host}:80").parse().unwrap();
            assert!(FAR.may_include(&address), "{host}");
            assert!(!FAR.includes_all_of(&address).await, "{host}");
        }
        let address = "tcp://localhost:80".parse().unwrap();
        assert!(NEAR.includes_all_of(&address).await);
    }

    #[test]
    fn the_host_of_a_peer_is_that_of_its_socket() {
        let of = |peer: &str, local: &str| {
            let link = Link::from_stream(tokio::io::empty(), "", "", Security::Plain);
            let addr = |text: &str| text.parse::<SocketAddr>().unwrap();
            let (peer, local) = (addr(peer), addr(local));
            Reach::of(&link.between(Some(SocketAddrs { peer, local })))
        };
        assert_eq!(of("127.0.0.1:1", "127.0.0.1:2"), NEAR);
        assert_eq!(of("10.0.0.1:1", "10.0.0.1:2"), NEAR);
        assert_eq!(of("10.0.0.1:1", "10.0.0.2:2"), FAR);
        for (security, reach) in [
            (Security::Plain, FAR),
            (Security::Tls, FAR),
            (Security::Local, NEAR),
        ] {
            let link = Link::from_stream(tokio::io::empty(), "", "", security);
            assert_eq!(Reach::of(&link), reach, "{security:?}");
        }
    }
}
