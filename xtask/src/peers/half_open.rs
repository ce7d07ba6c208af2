//! A node that comes back while its old connection seems to live still.

use std::time::{Duration, Instant};

use super::{
    node::Node,
    programs::Kind,
    proxy::Proxy,
    stage::{Stage, await_ready, populate},
};

/// Time for one try to end in a session or a refusal.
const TRY_TIME: Duration = Duration::from_secs(20);

/// Pause after a refusal, as a user would write it.
const REDIAL_PAUSE: Duration = Duration::from_secs(1);

/// How a node got back in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Return {
    /// Dials before it was in.
    pub(crate) refused: usize,
    /// From the first dial until both sides had a session, when there was one.
    pub(crate) after: Option<Duration>,
}

/// A node of this kind and name connects to `survivor`, its connection falls silent, and it starts anew. It dials until it is accepted,
/// `patience` is over or it was refused `max_refused` times.
///
/// # Errors
///
/// What to tell when it does not come to that.
pub(crate) fn restart(
    stage: &Stage<'_>,
    survivor: Kind,
    (dialler, name): (Kind, &str),
    max_refused: usize,
    patience: Duration,
) -> Result<Return, String> {
    let mut survivor = stage.node(survivor, "survivor", &[])?;
    let mut first = stage.node(dialler, name, &[])?;
    populate(&mut survivor)?;
    populate(&mut first)?;
    let proxy = Proxy::to(survivor.address())?;
    first.ask(&format!("connect {}", proxy.address()))?;
    await_ready(&mut first, &mut survivor)?;
    proxy.swallow();
    let port = first.port();
    drop(first);

    let mut again = stage.again(dialler, name, &[], port)?;
    populate(&mut again)?;
    let start = Instant::now();
    for node in [&mut survivor, &mut again] {
        node.allow(patience + 4 * TRY_TIME);
    }
    let mut refused = 0;
    loop {
        if accepted(&mut again, &mut survivor)? {
            let after = Some(start.elapsed());
            return Ok(Return { refused, after });
        }
        refused += 1;
        if refused >= max_refused || start.elapsed() >= patience {
            let after = None;
            return Ok(Return { refused, after });
        }
        std::thread::sleep(REDIAL_PAUSE);
    }
}

/// Dials once. A session counts when it carries a call.
fn accepted(again: &mut Node, survivor: &mut Node) -> Result<bool, String> {
    again.forget_events();
    let deadline = Instant::now() + TRY_TIME;
    if again
        .try_ask(&format!("connect {}", survivor.address()))?
        .is_err()
    {
        return Ok(false);
    }
    let ready = format!("ready {}", survivor.name);
    if again
        .sees_event(&["disconnected"], Instant::now())?
        .is_some()
        || again
            .sees_event(&[ready.as_str(), "disconnected"], deadline)?
            .is_none()
    {
        return Ok(false);
    }
    // Whatever it was that came: without a session there is nothing to call.
    let name = survivor.name.clone();
    Ok(again.try_ask(&format!("wait-session {name} 0"))?.is_ok()
        && again.try_ask("wait-members - inbox 1 20000")?.is_ok()
        && again.try_ask("call - inbox x 20000")? == Ok("x".to_owned())
        && survivor
            .try_ask(&format!("wait-session {} 20000", again.name))?
            .is_ok())
}
