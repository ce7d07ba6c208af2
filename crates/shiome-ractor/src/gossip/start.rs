use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use shiome_handshake::Cookie;
use shiome_membership::{Membership, Seed, SeedError, StartError};
use tokio::{net::lookup_host, time::timeout};

use super::{Gossip, Handle, member::gossip_port};
use crate::{
    BuildError, Builder, Node,
    builder::{Ways, host_ip, parse_address},
    node::NodeConnectionMode,
};

/// Time to look up the own host.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Ports that a node without a port of its own tries, until one is free for TCP and for gossip.
const PORT_ATTEMPTS: usize = 16;

/// What a node is told about gossip before it starts.
#[derive(Debug)]
pub(crate) struct Joining {
    pub(crate) gossip: Gossip,
    seeds: Result<Vec<Seed>, SeedError>,
}

impl Default for Joining {
    fn default() -> Self {
        Self {
            gossip: Gossip::new(),
            seeds: Ok(Vec::new()),
        }
    }
}

impl Joining {
    /// More seeds. The first that is wrong is what is told at the start.
    pub(crate) fn add<S>(&mut self, more: impl IntoIterator<Item = S>)
    where
        S: TryInto<Seed>,
        S::Error: Into<SeedError>,
    {
        for seed in more {
            if let Ok(seeds) = &mut self.seeds {
                match seed.try_into() {
                    Ok(seed) => seeds.push(seed),
                    Err(error) => self.seeds = Err(error.into()),
                }
            }
        }
    }
}

impl Builder {
    /// Starts a node that gossips, on the port that belongs to the one that it listens on.
    pub(crate) async fn start_gossiping(mut self, ways: Ways) -> Result<Node, BuildError> {
        let Joining { gossip, seeds } = self.joining.take().unwrap_or_default();
        let seeds = seeds?;
        let cookie = self.cookie.clone().ok_or(BuildError::NoCookie)?;
        let (_, host, port) = parse_address(&self.address)?;
        let advertised = advertised(&gossip, host, self.listen).await?;

        let mut attempts = 1..=if port == 0 { PORT_ATTEMPTS } else { 1 };
        let (bound, membership) = loop {
            attempts.next();
            let bound = ways.bind(&self).await?;
            match join(&gossip, seeds.clone(), &cookie, advertised, bound.addr()).await {
                Ok(membership) => break (bound, membership),
                Err(error) if is_about_the_port(&error) && !attempts.is_empty() => {}
                Err(error) => return Err(error),
            }
        };
        self.mode.get_or_insert(NodeConnectionMode::Isolated);
        let mut node = self.start_on(ways, bound).await?;
        node.gossip = Some(Handle::start(membership, &gossip, &node));
        Ok(node)
    }
}

/// Starts to gossip, for a node that listens at `node`.
async fn join(
    gossip: &Gossip,
    seeds: Vec<Seed>,
    cookie: &Cookie,
    advertised: IpAddr,
    node: SocketAddr,
) -> Result<Membership, BuildError> {
    let out_of_range = BuildError::GossipPort {
        port: node.port(),
        offset: gossip.port_offset,
    };
    let port = gossip_port(node.port(), gossip.port_offset).ok_or(out_of_range)?;
    let mut builder = Membership::builder(SocketAddr::new(node.ip(), port))
        .advertise(SocketAddr::new(advertised, port))
        .cluster(&gossip.cluster)
        .config(gossip.config.clone())
        .security(gossip.protection(cookie))
        .reliable_pings(false)
        .seeds(seeds);
    if let Some(dir) = &gossip.state_dir {
        builder = builder.state_dir(dir);
    }
    if let Some(resolver) = &gossip.resolver {
        builder = builder.resolver(Arc::clone(resolver));
    }
    Ok(builder.start().await?)
}

/// The address to tell others: the one that is given, or the node's host.
async fn advertised(
    gossip: &Gossip,
    host: &str,
    listen: Option<IpAddr>,
) -> Result<IpAddr, BuildError> {
    if let Some(ip) = gossip.advertise.or_else(|| host_ip(host)) {
        return Ok(ip);
    }
    let found = timeout(RESOLVE_TIMEOUT, lookup_host((host, 0))).await;
    let found = found.ok().and_then(Result::ok).into_iter().flatten();
    first_choice(found.map(|address| address.ip()), listen)
        .ok_or_else(|| BuildError::Unresolved(host.to_owned()))
}

/// The first address that the sockets speak, loopback last: on many systems the own name leads there.
fn first_choice(found: impl Iterator<Item = IpAddr>, listen: Option<IpAddr>) -> Option<IpAddr> {
    let speaks = |ip: &IpAddr| listen.is_none_or(|listen| listen.is_ipv4() == ip.is_ipv4());
    // The sort keeps the order of equals.
    let mut found: Vec<_> = found.filter(speaks).collect();
    found.sort_by_key(IpAddr::is_loopback);
    found.first().copied()
}

/// Whether another port may do.
fn is_about_the_port(error: &BuildError) -> bool {
    matches!(
        error,
        BuildError::GossipPort { .. } | BuildError::Gossip(StartError::Udp { .. })
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_the_last_choice_and_the_version_must_fit() {
        let first = |found: &[&str], listen: Option<&str>| {
            let found = found.iter().map(|text| text.parse().unwrap());
            let listen = listen.map(|text| text.parse().unwrap());
            first_choice(found, listen).map(|ip: IpAddr| ip.to_string())
        };
        let found = ["127.0.1.1", "::1", "2001:db8::1", "10.0.0.1"];
        assert_eq!(first(&found, None).as_deref(), Some("2001:db8::1"));
        assert_eq!(first(&found, Some("10.0.0.1")).as_deref(), Some("10.0.0.1"));
        assert_eq!(first(&found[..2], None).as_deref(), Some("127.0.1.1"));
        assert_eq!(first(&found[..1], Some("::")), None);
    }

    #[test]
    fn the_first_seed_that_is_wrong_is_told() {
        let mut joining = Joining::default();
        joining.add(["10.0.0.1:4697", "no port", "nor here"]);
        joining.add(["10.0.0.2:4697"]);
        let error = joining.seeds.unwrap_err();
        assert_eq!(error.to_string(), "\"no port\" is no host:port");
    }
}
