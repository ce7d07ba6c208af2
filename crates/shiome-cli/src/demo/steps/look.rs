//! The cluster at work, for as long as somebody looks at the dashboard.

use std::{io, io::Write, thread, time::Duration};

use tokio::{sync::oneshot, time::sleep};

use super::super::{cluster::Cluster, process::Failure, step::Step, table::Table};

/// Time from one round of messages to the next.
const PAUSE: Duration = Duration::from_millis(500);

/// Sends messages until Enter is pressed, or there is no more input.
pub(super) async fn until_enter(
    cluster: &mut Cluster,
    table: &mut Table<impl Write>,
    then: &str,
) -> Result<(), Step> {
    table.say(&format!("Enter goes on: {then}"));
    let (sender, mut entered) = oneshot::channel::<()>();
    // In a thread of its own: one that reads does not keep the process from ending.
    thread::spawn(move || {
        let _ = io::stdin().read_line(&mut String::new());
        drop(sender);
    });
    loop {
        tokio::select! {
            _ = &mut entered => return Ok(()),
            () = sleep(PAUSE) => {}
        }
        if let Err(failure) = work(cluster).await {
            return table.fail(Step::Call, failure);
        }
    }
}

async fn work(cluster: &mut Cluster) -> Result<(), Failure> {
    let pairs = Cluster::pairs(0..cluster.len());
    cluster.cast(pairs.clone()).await?;
    cluster.call(pairs).await?;
    Ok(())
}
