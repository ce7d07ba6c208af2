use shiome_membership::{Builder, Encryption, Key, Keyring, MigrationError, Secret, Security};

use crate::support::{Node, builder, cluster, eventually, talk};

fn password(password: &str) -> Security {
    Security::Hmac(Secret::new(password).unwrap())
}

/// Lets the stranger try, until `rejected` says that it did, and checks that it is nobody to the cluster.
async fn stays_out(nodes: &mut [Node], stranger: Builder, rejected: impl Fn(&Node) -> u64) {
    let before = rejected(&nodes[0]);
    let stranger = Node::start(stranger.seed(nodes[0].addr())).await;
    eventually(|| rejected(&nodes[0]) >= before + 3).await;
    assert!(stranger.membership.members().is_empty());
    assert_eq!(
        stranger.stats().engine.datagrams_received,
        0,
        "it got an answer"
    );
    for node in nodes {
        assert_eq!(node.membership.member(stranger.id()), None);
        assert_eq!(node.downs(), []);
    }
}

/// No datagram was dropped by protection, and nobody was thought dead.
fn lost_nothing(nodes: &mut [Node]) {
    for node in nodes {
        let driver = node.stats().driver;
        let rejected = driver.rejected_unknown_key
            + driver.rejected_plaintext
            + driver.rejected_encrypted
            + driver.rejected_forged
            + driver.rejected_old_epoch
            + driver.rejected_not_fresh;
        assert_eq!(rejected, 0, "{driver:?}");
        assert_eq!(node.downs(), []);
    }
}

#[tokio::test]
async fn a_password_keeps_strangers_out() {
    let mut nodes = cluster(3, |_| builder().security(password("hunter2"))).await;
    lost_nothing(&mut nodes);
    let forged = |node: &Node| node.stats().driver.rejected_forged;
    stays_out(&mut nodes, builder().security(password("hunter3")), forged).await;
    stays_out(&mut nodes, builder(), forged).await;
}

#[tokio::test]
async fn a_key_keeps_strangers_out() {
    let key = Key::random();
    let mut nodes = cluster(3, |_| builder().security(Keyring::new(&key))).await;
    lost_nothing(&mut nodes);
    let stranger = builder().security(Keyring::new(&Key::random()));
    stays_out(&mut nodes, stranger, |node| {
        node.stats().driver.rejected_unknown_key
    })
    .await;
    stays_out(&mut nodes, builder(), |node| {
        node.stats().driver.rejected_plaintext
    })
    .await;
    let other_cluster = builder().cluster("others").security(Keyring::new(&key));
    stays_out(&mut nodes, other_cluster, |node| {
        node.stats().driver.rejected_wrong_cluster
    })
    .await;
}

#[tokio::test]
async fn keys_rotate_while_the_cluster_runs() {
    let (old, new) = (Key::random(), Key::random());
    let mut nodes = cluster(3, |_| builder().security(Keyring::new(&old))).await;
    let keyring = |node: &Node| node.membership.keyring().unwrap().clone();
    for index in 0..3 {
        keyring(&nodes[index]).add(&new).unwrap();
        talk(&nodes).await;
    }
    for index in 0..3 {
        keyring(&nodes[index]).set_primary(new.id()).unwrap();
        talk(&nodes).await;
    }
    for index in 0..3 {
        keyring(&nodes[index]).remove(old.id()).unwrap();
        talk(&nodes).await;
    }
    lost_nothing(&mut nodes);
    let straggler = builder().security(Keyring::new(&old));
    stays_out(&mut nodes, straggler, |node| {
        node.stats().driver.rejected_unknown_key
    })
    .await;
    let seed = nodes[0].addr();
    let mut newcomer = Node::start(builder().security(Keyring::new(&new)).seed(seed)).await;
    newcomer.until_members(3).await;
}

#[tokio::test]
async fn a_cluster_goes_from_plaintext_to_encrypted() {
    let key = Key::random();
    let first_step = || {
        let mut encryption = Encryption::new(Keyring::new(&key));
        encryption.accept_plaintext = true;
        encryption.send_encrypted = false;
        builder().security(Security::Encrypted(encryption))
    };
    // The last node is not yet at the first step.
    let mut nodes = cluster(3, |index| if index < 2 { first_step() } else { builder() }).await;
    talk(&nodes).await;
    lost_nothing(&mut nodes);
    let plaintext = nodes.pop().unwrap();
    let error = plaintext.membership.set_migration(true, true);
    assert_eq!(error, Err(MigrationError::NoKeys));
    plaintext.membership.leave().await;
    let mut third = Node::start(first_step().seed(nodes[0].addr())).await;
    third.until_members(2).await;
    nodes.push(third);
    for node in &mut nodes {
        node.until_members(2).await;
        node.downs();
        node.heard.clear();
    }

    for (accept_plaintext, send_encrypted) in [(true, true), (false, true)] {
        for index in 0..3 {
            let node = &nodes[index].membership;
            node.set_migration(accept_plaintext, send_encrypted)
                .unwrap();
            talk(&nodes).await;
        }
    }
    lost_nothing(&mut nodes);
    stays_out(&mut nodes, builder(), |node| {
        node.stats().driver.rejected_plaintext
    })
    .await;
}
