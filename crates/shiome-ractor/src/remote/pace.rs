//! How long a loop of casts keeps its thread.

use std::cell::Cell;

use tokio::task::{consume_budget, yield_now};

/// Bytes of a message that are work enough to let others run before it.
const LONG_LEN: usize = 64 * 1024;

/// Bytes of short messages that are the work of one of the steps that the runtime gives a task, of which there are 128 in
/// a turn. What is sent in one turn is written in one go: turns of a step for each of the shortest messages are too short,
/// and what is longer than one read of the peer costs that more than it saves here.
const STEP_LEN: usize = 384;

/// What a message is work of beside its bytes.
const OVERHEAD: usize = 128;

thread_local! {
    /// What has been sent on this thread since the last step, by whichever task: a loop that does not end its turn has
    /// sent all of it.
    static SINCE_STEP: Cell<usize> = const { Cell::new(0) };
}

/// Ends the turn of a task that has had its part, before it sends a message of that length.
pub(super) async fn let_others_run(len: usize) {
    if len >= LONG_LEN {
        yield_now().await;
    } else if is_step(len) {
        consume_budget().await;
    }
}

fn is_step(len: usize) -> bool {
    SINCE_STEP.with(|since| {
        let len = since.get() + len + OVERHEAD;
        let is_step = len >= STEP_LEN;
        since.set(if is_step { 0 } else { len });
        is_step
    })
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use tokio::task::LocalSet;

    use super::*;

    /// Messages of that length that are sent before another task has its turn.
    async fn in_a_turn(len: usize) -> usize {
        let sent = Rc::new(Cell::new(0));
        let counter = Rc::clone(&sent);
        let tasks = LocalSet::new();
        let sender = tasks.spawn_local(async move {
            loop {
                let_others_run(len).await;
                counter.set(counter.get() + 1);
            }
        });
        let other = tasks.spawn_local(async move { sent.get() });
        let before_other = tasks.run_until(other).await.unwrap();
        sender.abort();
        before_other
    }

    #[tokio::test]
    async fn a_turn_has_some_messages_and_ends() {
        for (len, most) in [(0, 384), (16, 384), (256, 128), (4096, 128), (LONG_LEN, 1)] {
            let sent = in_a_turn(len).await;
            assert!(
                (most / 2..=most + 3).contains(&sent),
                "{sent} of {len} bytes"
            );
        }
    }
}
