//! Two nodes that do not gossip, where one uses what the other has.

use std::collections::BTreeSet;

use super::{
    node::{self, Node},
    pending::Pending,
    process::{Failure, Process, Status},
    promise::Patience,
    protocol::{Answer, Owned, Request, Role, Secrets, Use},
};

/// Casts that are counted.
const CASTS: u64 = 1000;

/// Bulk in one step, in bytes, and one message of it.
pub(super) const BULK_LEN: u64 = 100 * 1024 * 1024;
const BULK_MESSAGE_LEN: usize = 1024 * 1024;

/// What is offered to a node that is frozen: far more than is kept for it.
#[cfg(unix)]
pub(super) const FLOOD_CASTS: u64 = 100_000;
#[cfg(unix)]
const FLOOD_MESSAGE_LEN: usize = 4 * 1024;

/// The user, which keeps connected to the owner and uses its actors.
pub(super) struct Pair {
    pub(super) user: Node,
    pub(super) owner: Node,
    log: String,
    pub(super) patience: Patience,
    /// Casts that the owner's counter must have counted.
    counted: u64,
}

impl Pair {
    /// With these secrets and ports, not running.
    pub(super) fn new(
        [user, owner]: [Secrets; 2],
        [user_port, owner_port]: [u16; 2],
        patience: Patience,
        log: &str,
    ) -> Self {
        Self {
            user: Node::new('x', user, user_port, patience),
            owner: Node::new('y', owner, owner_port, patience),
            log: log.to_owned(),
            patience,
            counted: 0,
        }
    }

    /// Starts both, and waits until they are connected.
    pub(super) async fn start(&mut self) -> Result<(), Failure> {
        self.start_owner().await?;
        self.start_user().await
    }

    /// Starts the user, and waits until it is connected to the owner, which is up.
    pub(super) async fn start_user(&mut self) -> Result<(), Failure> {
        let owner = self.owner.address;
        self.user.start(&self.log, Role::User { owner }).await?;
        self.user.listening().await?;
        self.connected().await
    }

    /// Starts the owner, whose counter begins anew.
    pub(super) async fn start_owner(&mut self) -> Result<(), Failure> {
        self.counted = 0;
        self.owner.start(&self.log, Role::Owner).await?;
        self.owner.listening().await
    }

    /// Waits until the user has a session with the owner.
    pub(super) async fn connected(&self) -> Result<(), Failure> {
        let names = BTreeSet::from([self.owner.name()]);
        let expected = format!("a session with {}", self.owner.name());
        let there = |status: &Status| status.view.peers == names;
        let user = self.user.observer();
        user.until(&expected, self.patience.again(), there).await?;
        Ok(())
    }

    /// Lets the user take handles of all actors that it can reach, and tells which.
    pub(super) async fn find(&mut self) -> Result<BTreeSet<Owned>, Failure> {
        let find = self.ask(Use::Find).await;
        let found = |answer| match answer {
            Answer::Found(found) => Ok(found),
            other => Err(other),
        };
        find.answer("handles", found).await
    }

    /// How many counters the group has as the user sees it, and as the owner does.
    pub(super) async fn grouped(&mut self) -> Result<(u64, u64), Failure> {
        let user = self.user.request(Request::Group).await;
        let owner = self.owner.request(Request::Group).await;
        Ok((
            user.answer("members", counted).await?,
            owner.answer("members", counted).await?,
        ))
    }

    /// Lets the user send casts, and checks that just those, and the ones before, have been counted.
    pub(super) async fn cast(&mut self) -> Result<u64, Failure> {
        self.counted += CASTS;
        self.expect_counted(Use::Cast { count: CASTS }).await?;
        Ok(CASTS)
    }

    /// Checks that the owner's counter has counted what it must have.
    pub(super) async fn recount(&mut self) -> Result<(), Failure> {
        self.expect_counted(Use::Cast { count: 0 }).await
    }

    async fn expect_counted(&mut self, order: Use) -> Result<(), Failure> {
        let sent = self.counted;
        let exact = |answer| match answer {
            Answer::Counted(count) if count == sent => Ok(()),
            other => Err(other),
        };
        let cast = self.ask(order).await;
        cast.answer(&format!("{sent} counted"), exact).await
    }

    /// Lets the user watch an actor, and gives back what tells how that has gone, in words.
    pub(super) async fn watch(&mut self, actor: Owned) -> Result<Watched, Failure> {
        let began = self.ask(Use::Watch(actor)).await;
        began.answer("watches", done).await?;
        Ok(Watched(self.ask(Use::Down).await))
    }

    /// Lets the user stop the worker.
    pub(super) async fn stop_worker(&mut self, reason: &str) -> Result<(), Failure> {
        let stop = self.ask(Use::Stop(reason.to_owned())).await;
        stop.answer("asks for the stop", done).await
    }

    /// Lets the user call the worker, which does not answer, and waits until it has the call.
    pub(super) async fn hold_call(&mut self) -> Result<Pending, Failure> {
        let call = self.ask(Use::Hold).await;
        let owner = self.owner.observer();
        let holds = |status: &Status| status.view.holding == 1;
        owner
            .until("a call that waits for an answer", owner.deadline(), holds)
            .await?;
        Ok(call)
    }

    /// Lets the user make calls that have no answer: why, and the longest time of one, in microseconds.
    pub(super) async fn refused(&mut self) -> Result<(Vec<String>, u64), Failure> {
        let calls = self.ask(Use::Refused).await;
        let refused = |answer| match answer {
            Answer::Refused { why, slowest_us } => Ok((why, slowest_us)),
            other => Err(other),
        };
        calls.answer("reasons", refused).await
    }

    /// Lets the user send [`BULK_LEN`] more, and call meanwhile: how often, the median and the longest time in microseconds.
    pub(super) async fn bulk(&mut self) -> Result<(usize, u64, u64), Failure> {
        let len = BULK_MESSAGE_LEN;
        let count = BULK_LEN / len as u64;
        let bulk = self.ask(Use::Bulk { count, len }).await;
        let all = |answer| match answer {
            Answer::Beside {
                bytes: BULK_LEN,
                calls,
                median_us,
                slowest_us,
            } => Ok((calls, median_us, slowest_us)),
            other => Err(other),
        };
        bulk.answer(&format!("{BULK_LEN} bytes arrive"), all).await
    }

    /// Lets the user send to the owner as many of [`FLOOD_CASTS`] as are taken, and tells how many are, and their bytes.
    #[cfg(unix)]
    pub(super) async fn flood(&mut self) -> Result<(u64, u64), Failure> {
        let (count, len) = (FLOOD_CASTS, FLOOD_MESSAGE_LEN);
        let flood = self.ask(Use::Flood { count, len }).await;
        let some = |answer| match answer {
            Answer::Offered { taken, full } if taken + full == count && full > 0 => Ok(taken),
            other => Err(other),
        };
        let expected = format!("{count} casts, some of them too many");
        let taken = flood.answer(&expected, some).await?;
        Ok((taken, taken * len as u64))
    }

    /// Waits until the user knows of no session, and of casts that were not sent; how many.
    #[cfg(unix)]
    pub(super) async fn parted(&self) -> Result<u64, Failure> {
        let parted = |status: &Status| status.view.peers.is_empty() && status.view.unsent > 0;
        let user = self.user.observer();
        let status = user
            .until("no session, and losses", user.deadline(), parted)
            .await?;
        Ok(status.view.unsent)
    }

    /// Waits until the user's handles are over, and tells why.
    pub(super) async fn ended(&mut self) -> Result<String, Failure> {
        let ended = self.ask(Use::Ended).await;
        ended.answer("the old handles end", went).await
    }

    /// Lets the user call by a handle that is over, and tells the error.
    pub(super) async fn call_the_past(&mut self) -> Result<String, Failure> {
        let call = self.ask(Use::Cast { count: 0 }).await;
        call.error("an old handle fails").await
    }

    /// The owner's process, to be killed.
    pub(super) fn take_owner(&mut self) -> Result<Process, Failure> {
        let process = self.owner.take();
        process.ok_or_else(|| Failure::new("a process to kill", "none"))
    }

    /// Ends both at the same time, as they would on a signal.
    pub(super) async fn stop(&mut self) -> Result<(), Failure> {
        node::stop([&mut self.user, &mut self.owner]).await
    }

    /// Kills what still runs.
    pub(super) async fn kill_all(&mut self) {
        self.user.kill().await;
        self.owner.kill().await;
    }

    async fn ask(&mut self, order: Use) -> Pending {
        self.user.request(Request::Use(order)).await
    }
}

/// An actor that is watched.
pub(super) struct Watched(Pending);

impl Watched {
    /// Waits until it is down, and tells how that went, in words.
    pub(super) async fn down(self) -> Result<String, Failure> {
        self.0.answer("hears of the end", went).await
    }
}

fn counted(answer: Answer) -> Result<u64, Answer> {
    match answer {
        Answer::Counted(count) => Ok(count),
        other => Err(other),
    }
}

fn done(answer: Answer) -> Result<(), Answer> {
    match answer {
        Answer::Done => Ok(()),
        other => Err(other),
    }
}

fn went(answer: Answer) -> Result<String, Answer> {
    match answer {
        Answer::Went(how) => Ok(how),
        other => Err(other),
    }
}
