use std::net::{Ipv6Addr, SocketAddr};

use shiome_membership::{
    Encryption, Key, Keyring, Membership, MigrationError, Security, StartError, TooManySeeds,
};

use crate::support::{Node, V4, any_port, at, builder, quick};

fn unspecified() -> SocketAddr {
    any_port(Ipv6Addr::UNSPECIFIED.into())
}

#[tokio::test]
async fn an_address_that_others_cannot_reach_is_refused() {
    let error = at(unspecified()).start().await.unwrap_err();
    assert!(matches!(error, StartError::NoAdvertisedAddr(_)), "{error}");
    for addr in [
        "0.0.0.0:1",
        "224.0.0.1:1",
        "255.255.255.255:1",
        "[fe80::1]:1",
        "[ff02::1]:1",
    ] {
        let addr: SocketAddr = addr.parse().unwrap();
        let error = builder().advertise(addr).start().await.unwrap_err();
        assert!(
            matches!(error, StartError::AdvertisedAddr(a) if a == addr),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_advertised_address_takes_the_bound_port() {
    let node = Node::start(at(unspecified()).advertise(any_port(V4))).await;
    let (local, advertised) = (node.membership.local_addr(), node.addr());
    assert_eq!((advertised.ip(), advertised.port()), (V4, local.port()));
    assert_ne!(local.port(), 0);
}

#[tokio::test]
async fn a_cluster_has_a_name_or_a_number() {
    assert_eq!(Node::start(builder()).await.membership.cluster(), "tests");
    let nameless = Membership::builder(any_port(V4)).start().await.unwrap();
    assert_eq!(nameless.cluster(), "0000000000000000");
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let node = Node::start(builder()).await;
    let error = at(node.addr()).start().await.unwrap_err();
    assert!(
        matches!(error, StartError::Udp { addr, .. } if addr == node.addr()),
        "{error}"
    );

    let tcp = std::net::TcpListener::bind(any_port(V4)).unwrap();
    let addr = tcp.local_addr().unwrap();
    let error = at(addr).start().await.unwrap_err();
    assert!(
        matches!(error, StartError::Tcp { addr: a, .. } if a == addr),
        "{error}"
    );
    Node::start(at(addr).reliable_pings(false)).await;
}

#[tokio::test]
async fn what_the_program_got_wrong_is_named() {
    let error = builder().seed("nowhere").start().await.unwrap_err();
    assert!(matches!(error, StartError::Seed(_)), "{error}");

    let seeds = (1..=65).map(|port| SocketAddr::new(V4, port));
    let error = builder().seeds(seeds).start().await.unwrap_err();
    assert!(
        matches!(error, StartError::TooManySeeds(TooManySeeds)),
        "{error}"
    );

    let mut config = quick();
    config.max_datagram_len = 1_140;
    let keyring = Keyring::new(&Key::random());
    Node::start(builder().config(config.clone())).await;
    let error = builder()
        .config(config)
        .security(keyring.clone())
        .start()
        .await
        .unwrap_err();
    assert!(matches!(error, StartError::Config(e) if e.field == "max_datagram_len"));

    let mut encryption = Encryption::new(keyring);
    encryption.send_encrypted = false;
    let error = builder()
        .security(Security::Encrypted(encryption))
        .start()
        .await
        .unwrap_err();
    assert!(
        matches!(error, StartError::Migration(MigrationError::OneWay)),
        "{error}"
    );
}
