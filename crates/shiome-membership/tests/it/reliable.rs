use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use shiome_membership::{Key, Keyring, MembershipEvent};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
};

use crate::support::{Node, V4, any_port, builder, eventually, quick};

/// A way to a node that lets TCP pass, and datagrams until told otherwise.
struct Path {
    addr: SocketAddr,
    udp: Arc<AtomicBool>,
    tasks: JoinSet<()>,
    sockets: Option<(UdpSocket, TcpListener)>,
}

impl Path {
    async fn new() -> Self {
        loop {
            let tcp = TcpListener::bind(any_port(V4)).await.unwrap();
            let addr = tcp.local_addr().unwrap();
            if let Ok(udp) = UdpSocket::bind(addr).await {
                return Self {
                    addr,
                    udp: Arc::new(AtomicBool::new(true)),
                    tasks: JoinSet::new(),
                    sockets: Some((udp, tcp)),
                };
            }
        }
    }

    fn lead_to(&mut self, to: SocketAddr) {
        let (udp, tcp) = self.sockets.take().unwrap();
        let open = Arc::clone(&self.udp);
        self.tasks.spawn(async move {
            let mut buf = [0; 2048];
            loop {
                let (len, _) = udp.recv_from(&mut buf).await.unwrap();
                if open.load(Ordering::Relaxed) {
                    udp.send_to(&buf[..len], to).await.unwrap();
                }
            }
        });
        self.tasks.spawn(async move {
            loop {
                let (mut from, _) = tcp.accept().await.unwrap();
                let mut to = TcpStream::connect(to).await.unwrap();
                let _ = copy_bidirectional(&mut from, &mut to).await;
            }
        });
    }
}

#[tokio::test]
async fn a_member_that_only_tcp_reaches_is_alive() {
    let key = Key::random();
    // Probes that leave TCP several times as long as a pause for which this process would not blame itself.
    let mut slower = quick();
    slower.probe_period = Duration::from_millis(400);
    let encrypted = || {
        let security = Keyring::new(&key);
        builder().config(slower.clone()).security(security)
    };
    let mut path = Path::new().await;
    let mut behind = Node::start(encrypted().advertise(path.addr)).await;
    path.lead_to(behind.membership.local_addr());
    let mut node = Node::start(encrypted().seed(behind.addr())).await;
    node.until_members(1).await;
    behind.until_members(1).await;

    path.udp.store(false, Ordering::Relaxed);
    eventually(|| behind.stats().driver.reliable_pings_answered >= 10).await;
    assert_eq!(node.downs(), []);
    assert_eq!(node.membership.members()[0].id, behind.id());
    assert!(node.stats().driver.reliable_pings >= 10);
}

#[tokio::test]
async fn without_tcp_it_is_not() {
    let mut path = Path::new().await;
    let silent = || builder().reliable_pings(false);
    let mut behind = Node::start(silent().advertise(path.addr)).await;
    path.lead_to(behind.membership.local_addr());
    let mut node = Node::start(silent().seed(behind.addr())).await;
    node.until_members(1).await;
    behind.until_members(1).await;

    path.udp.store(false, Ordering::Relaxed);
    let id = behind.id();
    node.until(|event| match event {
        MembershipEvent::MemberDown { id: down, .. } if *down == id => Some(()),
        _ => None,
    })
    .await;
    assert_eq!(node.stats().driver.reliable_pings, 0);
}
