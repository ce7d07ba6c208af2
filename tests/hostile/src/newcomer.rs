//! A well-behaved node that joins, calls once and leaves.

use std::time::{Duration, Instant};

use shiome::Node;
use tokio::time::timeout;

use crate::{
    Problem,
    actor::Say,
    certificates::NEWCOMER,
    good,
    links::{COOKIE, HOST, links},
    options::Options,
    told::tell,
};

/// Above it a node counts as shut out.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells how long it took from the first dial to the first answer, or that it was shut out.
pub(crate) async fn run(options: &Options) -> Result<(), Problem> {
    let name = match options.node.as_str() {
        "" => NEWCOMER,
        name => name,
    };
    let node = Node::builder(format!("{name}@{HOST}:0"))
        .cookie(COOKIE)
        .links(links(&options.dir, NEWCOMER)?)
        .start()
        .await?;
    let begun = Instant::now();
    let joined = async {
        let session = node.keep_connected(&options.connect)?.connected().await?;
        let echo = good::echo(&node, &session)?;
        echo.call(|reply| Say::Echo(vec![1], reply), Some(PATIENCE))
            .await?;
        Ok::<_, Problem>(begun.elapsed())
    };
    match timeout(PATIENCE, joined).await {
        Ok(Ok(took)) => tell(&serde_json::json!({ "join_ms": took.as_secs_f64() * 1e3 }))?,
        Ok(Err(problem)) => tell(&serde_json::json!({ "problem": problem.to_string() }))?,
        Err(_) => tell(&serde_json::json!({ "problem": "shut out" }))?,
    }
    node.stop().await;
    Ok(())
}
