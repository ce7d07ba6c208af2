use shiome_membership::Seed;

use crate::support::{Node, builder, eventually};

#[tokio::test]
async fn a_seed_may_be_a_name() {
    let mut seed = Node::start(builder()).await;
    let name = format!("localhost:{}", seed.addr().port());
    let mut node = Node::start(builder().seed(name)).await;
    node.until_members(1).await;
    seed.until_members(1).await;
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_counted_and_keeps_nobody_from_joining() {
    let mut seed = Node::start(builder()).await;
    let seeds = ["no-such-host.invalid:1".to_owned(), seed.addr().to_string()];
    let mut node = Node::start(builder().seeds(seeds)).await;
    node.until_members(1).await;
    seed.until_members(1).await;
    eventually(|| node.stats().driver.resolve_failed >= 1).await;
}

#[tokio::test]
async fn seeds_can_be_added_later() {
    let mut seed = Node::start(builder()).await;
    let mut node = Node::start(builder()).await;
    assert!(node.membership.members().is_empty());
    node.membership
        .add_seeds([Seed::from(seed.addr())])
        .unwrap();
    node.until_members(1).await;
    seed.until_members(1).await;

    let many = |count| {
        (1..=count).map(|port| Seed::from(std::net::SocketAddr::new(seed.addr().ip(), port)))
    };
    assert!(node.membership.set_seeds(many(65)).is_err());
    assert!(node.membership.add_seeds(many(64)).is_err());
    node.membership.set_seeds(many(64)).unwrap();
}

#[tokio::test]
async fn all_nodes_may_have_the_same_seeds() {
    let mut first = Node::start(builder()).await;
    let seeds = [Seed::from(first.addr())];
    first.membership.set_seeds(seeds.clone()).unwrap();
    let mut second = Node::start(builder().seeds(seeds)).await;
    first.until_members(1).await;
    second.until_members(1).await;
    assert_eq!(first.membership.members()[0].id, second.id());
}
