//! The steps with nodes that are not let in.

use std::io::Write;

use crate::demo::{pair::Pair, process::Failure, step::Step, strangers::Strangers, table::Table};

/// Runs the steps, or up to the first that fails.
pub(super) async fn run(
    pair: &mut Pair,
    strangers: &mut Strangers,
    table: &mut Table<impl Write>,
) -> Result<(), Step> {
    table
        .step(Step::Stranger, stranger(pair, strangers))
        .await?;
    table
        .step(Step::Impostor, impostor(pair, strangers))
        .await?;
    table.step(Step::Admit, admit(pair)).await
}

/// A node that knows the cookie, and has a certificate for its own name, but of another authority.
async fn stranger(pair: &mut Pair, strangers: &mut Strangers) -> Result<String, Failure> {
    pair.start_owner().await?;
    let why = strangers.foreign_is_refused(pair.owner.address).await?;
    expect_nobody(pair).await?;
    Ok(format!("z of another CA: refused, \"{why}\""))
}

/// A node that knows the cookie, and has a certificate of the right authority, but for another name.
async fn impostor(pair: &mut Pair, strangers: &mut Strangers) -> Result<String, Failure> {
    let why = strangers.impostor_is_refused(pair.owner.address).await?;
    expect_nobody(pair).await?;
    Ok(format!("z with certificate of x: \"{why}\""))
}

/// Nobody has a session with the owner.
async fn expect_nobody(pair: &Pair) -> Result<(), Failure> {
    let owner = pair.owner.observer();
    let nobody = owner.until("no session", owner.deadline(), |status| {
        status.view.peers.is_empty()
    });
    nobody.await.map(drop)
}

/// What was refused was the certificates: the same owner lets in who has the right one.
async fn admit(pair: &mut Pair) -> Result<String, Failure> {
    pair.start_user().await?;
    pair.stop().await?;
    Ok("x, with its own certificate, is let in".to_owned())
}
