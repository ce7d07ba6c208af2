use std::net::SocketAddr;

use shiome_membership::{NodeId, State};

/// A member of the cluster, as gossip tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Its id in gossip. Without a [state directory](crate::Gossip::state_dir) it is another after each start.
    pub id: NodeId,
    /// Where its node is dialled: where it gossips, less the [offset](crate::Gossip::port_offset). Port 0 if there can
    /// be no node of ours.
    pub address: SocketAddr,
    /// Full name, `name@host`, if there is a session with it or was.
    pub name: Option<String>,
    /// Whether it is there. Suspects are: most of them turn out to be well.
    pub state: State,
}

/// Where the node of a member is dialled that gossips at `gossip`.
pub(crate) fn node_address(gossip: SocketAddr, offset: i32) -> SocketAddr {
    let port = i64::from(gossip.port()) - i64::from(offset);
    SocketAddr::new(gossip.ip(), u16::try_from(port).unwrap_or(0))
}

/// The port to gossip on of a node that listens on `port`.
pub(super) fn gossip_port(port: u16, offset: i32) -> Option<u16> {
    let port = i64::from(port) + i64::from(offset);
    u16::try_from(port).ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_leads_there_and_back() {
        for (port, offset) in [(4697, 0), (4697, 10_000), (4697, -697), (65_535, -65_534)] {
            let gossip = gossip_port(port, offset).unwrap();
            let gossip = SocketAddr::from(([10, 0, 0, 1], gossip));
            assert_eq!(node_address(gossip, offset).port(), port);
        }
        for (port, offset) in [
            (60_000, 10_000),
            (1, -1),
            (1, -2),
            (1, i32::MIN),
            (1, i32::MAX),
        ] {
            assert_eq!(gossip_port(port, offset), None, "{port} {offset}");
        }
        let below = SocketAddr::from(([10, 0, 0, 1], 9_999));
        assert_eq!(node_address(below, 10_000).port(), 0);
    }
}
