//! A process that stands still, and goes on.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use super::{ends, in_time, timed};
use crate::demo::{cluster::Cluster, process::Failure, promise::Promise, step::Step, table::Table};

/// Stops the last node while calls to it are open: its connections stay, so gossip alone can tell.
pub(super) async fn freeze(
    cluster: &mut Cluster,
    table: &mut Table<impl Write>,
) -> Result<(), Step> {
    let survivors = 0..cluster.last();
    let held = match cluster.hold_calls().await {
        Ok(held) => held,
        Err(failure) => return table.fail(Step::Freeze, failure),
    };
    let (count, who) = (held.len(), cluster.labels(survivors.clone()));
    let victim = cluster.labels(cluster.last()..cluster.len());
    let notice = Promise::new(cluster.len(), cluster.patience()).notice;
    let at = Instant::now();
    let frozen = cluster.last_process().freeze();
    let (members, sessions, calls) = tokio::join!(
        timed(at, cluster.see_members(survivors.clone(), notice)),
        timed(at, cluster.see_sessions(survivors, notice)),
        timed(at, ends(held)),
    );
    let know = |()| {
        in_time(
            notice,
            format!("{victim} gets SIGSTOP: {who} know it failed"),
        )
    };
    let seen = frozen.and(members.1).map(know);
    table.add(Step::Freeze, members.0, seen)?;
    let closed = sessions.1;
    let seen = calls.1.and(closed).map(|()| {
        let cut = format!("its sessions are closed, {count} open calls end");
        in_time(notice, cut)
    });
    table.add(Step::Cut, sessions.0.max(calls.0), seen)
}

/// Lets the last node go on. It has lost nothing that it counted.
pub(super) async fn thaw(cluster: &mut Cluster, table: &mut Table<impl Write>) -> Result<(), Step> {
    let meet = Promise::new(cluster.len(), cluster.patience()).meet;
    let at = Instant::now();
    let back = come_back(cluster, meet).await;
    let took = at.elapsed();
    let right = match back {
        Ok(()) => recover(cluster).await,
        failed => failed,
    };
    let who = cluster.labels(cluster.last()..cluster.len());
    let seen = right.map(|()| in_time(meet, format!("{who} gets SIGCONT: is back, calls right")));
    table.add(Step::Thaw, took, seen)
}

async fn come_back(cluster: &mut Cluster, meet: Duration) -> Result<(), Failure> {
    let everyone = 0..cluster.len();
    let at = Instant::now();
    cluster.last_process().thaw()?;
    cluster.see_members(everyone.clone(), meet).await?;
    let left = meet.saturating_sub(at.elapsed());
    cluster.see_sessions(everyone, left).await
}

async fn recover(cluster: &mut Cluster) -> Result<(), Failure> {
    let everyone = 0..cluster.len();
    cluster
        .see_counters(everyone.clone(), cluster.patience().deadline())
        .await?;
    cluster.call(Cluster::pairs(everyone)).await?;
    Ok(())
}
