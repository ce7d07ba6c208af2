use std::{io, net::SocketAddr, sync::OnceLock};

use hickory_resolver::{
    ResolveError, Resolver, TokioResolver,
    config::{NameServerConfig, ResolverConfig, ResolverOpts},
    name_server::TokioConnectionProvider,
    proto::xfer::Protocol,
};

use crate::discovery::{Dns, Resolve, Resolving};

/// Targets of SRV records that are looked up. A set with more is no list of seeds.
const MAX_TARGETS: usize = 64;

/// SRV records (RFC 2782) for names of services, `_service._udp.example.org`; [`Dns`] for all others.
///
/// A service's record says name and port of each node, so the port of the seed means nothing. The name servers are those of
/// the system. Priorities and weights do not count: all are asked, as with addresses.
#[derive(Debug, Default)]
pub struct Srv {
    /// Made at the first lookup, for what the system says may be wrong.
    resolver: OnceLock<TokioResolver>,
    nameserver: Option<SocketAddr>,
}

impl Srv {
    /// With the name servers of the system.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this name server, over UDP.
    pub fn at(nameserver: SocketAddr) -> Self {
        Self {
            nameserver: Some(nameserver),
            ..Self::default()
        }
    }

    fn resolver(&self) -> Result<&TokioResolver, ResolveError> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver);
        }
        let mut options = ResolverOpts::default();
        let made = match self.nameserver {
            Some(at) => {
                let mut config = ResolverConfig::new();
                config.add_name_server(NameServerConfig::new(at, Protocol::Udp));
                // There is one to ask, and it is asked for names as they are.
                options.ndots = 0;
                let runtime = TokioConnectionProvider::default();
                Resolver::builder_with_config(config, runtime)
                    .with_options(options)
                    .build()
            }
            None => TokioResolver::builder_tokio()?.build(),
        };
        Ok(self.resolver.get_or_init(|| made))
    }

    async fn lookup(&self, service: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        let resolver = self.resolver()?;
        let records = resolver.srv_lookup(service).await?;
        let mut found = Vec::new();
        let mut last = None;
        for record in records.iter().take(MAX_TARGETS) {
            match resolver.lookup_ip(record.target().clone()).await {
                Ok(ips) => found.extend(ips.iter().map(|ip| SocketAddr::new(ip, record.port()))),
                // The others may do.
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }
}

impl Resolve for Srv {
    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> Resolving<'a> {
        // No host has a name that begins so.
        if !name.starts_with('_') {
            return Dns.resolve(name, port);
        }
        Box::pin(async move { self.lookup(name).await.map_err(io::Error::other) })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::UdpSocket;

    use super::*;

    const SRV: u16 = 33;
    const A: u16 = 1;

    /// A name as it stands in a message (RFC 1035 §3.1).
    fn encoded(name: &str) -> Vec<u8> {
        let labels = name.split('.').filter(|label| !label.is_empty());
        let mut bytes = Vec::new();
        for label in labels.chain([""]) {
            bytes.push(u8::try_from(label.len()).unwrap());
            bytes.extend(label.as_bytes());
        }
        bytes
    }

    /// The answer to a question, with the data of these records; none: there is no such name.
    fn answer(question: &[u8], kind: u16, data: &[Vec<u8>]) -> Vec<u8> {
        let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
        let mut message = question[..2].to_vec();
        let flags: u16 = if data.is_empty() { 0x8183 } else { 0x8180 };
        message.extend(flags.to_be_bytes());
        let counts = [1, u16::try_from(data.len()).unwrap(), 0, 0];
        message.extend(counts.iter().flat_map(|count: &u16| count.to_be_bytes()));
        message.extend(&question[12..end]);
        for data in data {
            // The name is that of the question.
            message.extend([0xc0, 12]);
            message.extend(kind.to_be_bytes());
            message.extend([0, 1, 0, 0, 0, 60]);
            message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            message.extend(data);
        }
        message
    }

    fn service(port: u16, target: &str) -> Vec<u8> {
        let mut data = vec![0, 1, 0, 1];
        data.extend(port.to_be_bytes());
        data.extend(encoded(target));
        data
    }

    /// A name server that knows one service of two nodes, and the address of one of them.
    async fn nameserver() -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buf = [0; 512];
            while let Ok((len, from)) = socket.recv_from(&mut buf).await {
                let question = &buf[..len];
                let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
                let kind = u16::from_be_bytes([question[end], question[end + 1]]);
                let name = question[12..end].to_ascii_lowercase();
                let data = if kind == SRV && name == encoded("_gossip._udp.example.test") {
                    vec![
                        service(7001, "one.example.test"),
                        service(7002, "gone.example.test"),
                    ]
                } else if kind == A && name == encoded("one.example.test") {
                    vec![vec![10, 0, 0, 1]]
                } else {
                    Vec::new()
                };
                socket
                    .send_to(&answer(question, kind, &data), from)
                    .await
                    .unwrap();
            }
        });
        at
    }

    #[tokio::test]
    async fn a_service_stands_for_its_nodes_with_their_ports() {
        let srv = Srv::at(nameserver().await);
        let found = srv.resolve("_gossip._udp.example.test", 9).await.unwrap();
        assert_eq!(found, ["10.0.0.1:7001".parse().unwrap()]);
        srv.resolve("_other._udp.example.test", 9)
            .await
            .unwrap_err();
    }

    #[tokio::test]
    async fn what_is_no_service_is_a_host() {
        // Nobody is asked there.
        let srv = Srv::at((Ipv4Addr::LOCALHOST, 9).into());
        let found = srv.resolve("localhost", 7003).await.unwrap();
        assert!(
            found
                .iter()
                .all(|addr| addr.ip().is_loopback() && addr.port() == 7003)
        );
        assert!(!found.is_empty());
    }
}
