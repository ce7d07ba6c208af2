//! The network below: no discovery, one address to dial.

use futures::StreamExt;
use kameo::remote::{Behaviour, messaging};
use libp2p::{
    Multiaddr, Swarm, SwarmBuilder, noise,
    swarm::{NetworkBehaviour, SwarmEvent},
    tcp, yamux,
};

#[derive(NetworkBehaviour)]
struct Network {
    kameo: Behaviour,
}

/// Listens on a free port of this host, and serves; the port.
pub async fn listen() -> Result<u16, String> {
    let mut swarm = swarm()?;
    swarm
        .listen_on(multiaddr("127.0.0.1:0")?)
        .map_err(|e| e.to_string())?;
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            swarm.add_external_address(address.clone());
            tokio::spawn(serve(swarm));
            let port = address.iter().find_map(|part| match part {
                libp2p::multiaddr::Protocol::Tcp(port) => Some(port),
                _ => None,
            });
            return port.ok_or_else(|| format!("no port in {address}"));
        }
    }
}

/// Dials, and serves.
pub fn dial(address: &str) -> Result<(), String> {
    let mut swarm = swarm()?;
    swarm
        .listen_on(multiaddr("127.0.0.1:0")?)
        .map_err(|e| e.to_string())?;
    swarm.dial(multiaddr(address)?).map_err(|e| e.to_string())?;
    tokio::spawn(serve(swarm));
    Ok(())
}

async fn serve(mut swarm: Swarm<Network>) {
    loop {
        if let SwarmEvent::ConnectionEstablished {
            peer_id, endpoint, ..
        } = swarm.select_next_some().await
            && endpoint.is_dialer()
        {
            swarm.add_peer_address(peer_id, endpoint.get_remote_address().clone());
        }
    }
}

fn swarm() -> Result<Swarm<Network>, String> {
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            yamux::Config::default,
        )
        .map_err(|e| e.to_string())?
        .with_behaviour(|key| Network {
            kameo: Behaviour::new(key.public().to_peer_id(), messaging::Config::default()),
        })
        .map_err(|e| e.to_string())?
        .with_swarm_config(|config| {
            config.with_idle_connection_timeout(std::time::Duration::from_secs(600))
        })
        .build();
    let kameo = &swarm.behaviour().kameo;
    kameo.try_init_global().map_err(|e| e.to_string())?;
    Ok(swarm)
}

fn multiaddr(address: &str) -> Result<Multiaddr, String> {
    let (host, port) = address.split_once(':').ok_or("HOST:PORT")?;
    format!("/ip4/{host}/tcp/{port}")
        .parse()
        .map_err(|e: libp2p::multiaddr::Error| e.to_string())
}
