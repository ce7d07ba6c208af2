use std::net::{Ipv4Addr, SocketAddr};

use shiome_gossip::Secret;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{answer::MAX_CONNECTIONS, *};
use crate::{
    security::{Encryption, Key, Keyring, Security},
    stats::Counters,
};

const CLUSTER: u64 = 0x5eed;

fn node(byte: u8) -> NodeId {
    NodeId::from([byte; 16])
}

fn context(security: &Security, me: u8, cluster: u64) -> Context {
    Context {
        cluster,
        me: node(me),
        protection: Arc::new(Protection::new(security, cluster, &node(me), 1)),
    }
}

struct Server {
    addr: SocketAddr,
    counters: Arc<Counters>,
    task: JoinHandle<()>,
}

impl Server {
    /// Node 1.
    async fn start(security: &Security) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let counters = Arc::new(Counters::default());
        let listener = Listener {
            listener,
            context: context(security, 1, CLUSTER),
            counters: Arc::clone(&counters),
        };
        Self {
            addr,
            counters,
            task: tokio::spawn(listener.run()),
        }
    }

    async fn asked_by(&self, security: &Security) -> Result<(), PingError> {
        ask(&context(security, 2, CLUSTER), self.addr, node(1)).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn keyring(byte: u8) -> Security {
    Keyring::new(&Key::from([byte; 32])).into()
}

fn password(password: &str) -> Security {
    Security::Hmac(Secret::new(password).unwrap())
}

#[tokio::test]
async fn a_node_answers_its_cluster_in_each_mode() {
    for security in [Security::Plaintext, password("hunter2"), keyring(1)] {
        let server = Server::start(&security).await;
        for _ in 0..3 {
            server.asked_by(&security).await.unwrap();
        }
        let refused = server.counters.snapshot().reliable_pings_refused;
        assert_eq!(refused, 0, "{security:?}");
    }
}

#[tokio::test]
async fn strangers_get_no_answer() {
    for (server, stranger) in [
        (password("hunter2"), password("hunter3")),
        (password("hunter2"), keyring(1)),
        (keyring(1), Security::Plaintext),
        (keyring(1), keyring(2)),
        (Security::Plaintext, keyring(1)),
    ] {
        let server = Server::start(&server).await;
        assert!(server.asked_by(&stranger).await.is_err(), "{stranger:?}");
        assert_eq!(server.counters.snapshot().reliable_pings_answered, 0);
    }
}

#[tokio::test]
async fn a_node_does_not_answer_for_another_node_or_cluster() {
    let server = Server::start(&Security::Plaintext).await;
    let plaintext = context(&Security::Plaintext, 2, CLUSTER);
    assert!(ask(&plaintext, server.addr, node(3)).await.is_err());
    let other = context(&Security::Plaintext, 2, CLUSTER + 1);
    assert!(ask(&other, server.addr, node(1)).await.is_err());
    assert!(ask(&plaintext, server.addr, node(1)).await.is_ok());
}

#[tokio::test]
async fn during_a_migration_both_kinds_are_answered() {
    let mut encryption = Encryption::new(Keyring::new(&Key::from([1; 32])));
    encryption.accept_plaintext = true;
    let server = Server::start(&Security::Encrypted(encryption.clone())).await;
    server.asked_by(&keyring(1)).await.unwrap();
    encryption.send_encrypted = false;
    server
        .asked_by(&Security::Encrypted(encryption))
        .await
        .unwrap();
    assert!(server.asked_by(&Security::Plaintext).await.is_err());
}

#[tokio::test]
async fn a_recorded_answer_is_not_believed() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let recorded = Message {
        kind: Kind::Answer,
        node: node(1),
        token: 5,
    };
    let impostor = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let context = context(&Security::Plaintext, 1, CLUSTER);
        context.read(&mut stream, Kind::Question).await.unwrap();
        context.write(&mut stream, &recorded).await.unwrap();
    });
    let asked = ask(&context(&Security::Plaintext, 2, CLUSTER), addr, node(1)).await;
    assert!(matches!(asked, Err(PingError::Unexpected)));
    impostor.await.unwrap();
}

/// More connections than are served at a time, none of which says anything; the clock is the runtime's.
#[tokio::test(start_paused = true)]
async fn the_silent_are_cut_off() {
    let server = Server::start(&Security::Plaintext).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(server.addr).await.unwrap());
    }
    // Those that are served first make room.
    let (served, waiting) = silent.split_at_mut(MAX_CONNECTIONS);
    for stream in served {
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0);
    }
    // The clock stands still while a thread is busy: who speaks is not late because the system is.
    let (done, asking) = std::sync::mpsc::channel::<()>();
    let busy = tokio::task::spawn_blocking(move || asking.recv());
    server.asked_by(&Security::Plaintext).await.unwrap();
    drop(done);
    busy.await.unwrap().unwrap_err();
    for stream in waiting {
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0);
    }
    let stats = server.counters.snapshot();
    assert_eq!(
        (stats.reliable_pings_answered, stats.reliable_pings_refused),
        (1, 100)
    );
}
