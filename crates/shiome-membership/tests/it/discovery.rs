use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use shiome_membership::{Resolve, Resolving, Seed};

use crate::support::{Node, any_port, at, builder, eventually, own, within};

/// Knows one name.
#[derive(Debug, Clone, Default)]
struct Names(Arc<Mutex<Option<Vec<SocketAddr>>>>);

impl Names {
    fn set(&self, addrs: impl Into<Option<Vec<SocketAddr>>>) {
        *self.0.lock().unwrap() = addrs.into();
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> Resolving<'a> {
        assert_eq!((name, port), ("seeds", 7946));
        let found = self.0.lock().unwrap().clone();
        Box::pin(async move { found.ok_or_else(|| std::io::ErrorKind::NotFound.into()) })
    }
}

#[tokio::test]
async fn a_name_is_resolved_again_and_again() {
    let names = Names::default();
    let resolving = builder()
        .resolver(names.clone())
        .resolve_interval(Duration::from_millis(20));
    let mut node = Node::start(resolving.seed("seeds:7946")).await;
    eventually(|| node.stats().driver.resolve_failed >= 2).await;

    let mut first = Node::start(builder()).await;
    names.set(vec![first.addr()]);
    node.until_members(1).await;
    first.until_members(1).await;

    // The name moves to another cluster, and both become one. What the resolver forgets is not forgotten.
    let mut second = Node::start(at(any_port(own(7)))).await;
    names.set(vec![second.addr()]);
    node.until_members(2).await;
    second.until_members(2).await;
    names.set(None);
    let failed = node.stats().driver.resolve_failed;
    eventually(|| node.stats().driver.resolve_failed > failed).await;
    second.membership.leave().await;
    node.until_members(1).await;
    second = Node::start(at(second.addr())).await;
    second.until_members(2).await;
}

/// A resolver that never answers.
#[derive(Debug)]
struct Silent;

impl Resolve for Silent {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Resolving<'a> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_lookup_that_hangs_keeps_nobody_waiting() {
    let mut seed = Node::start(builder()).await;
    let mut node = Node::start(builder().resolver(Silent).seed("seeds:7946")).await;
    node.membership
        .add_seeds([Seed::from(seed.addr())])
        .unwrap();
    node.until_members(1).await;
    seed.until_members(1).await;
    assert_eq!(node.stats().driver.resolve_failed, 0);
    within(node.membership.leave()).await;
}

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

    let many = |count| (1..=count).map(|port| Seed::from(SocketAddr::new(seed.addr().ip(), port)));
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
