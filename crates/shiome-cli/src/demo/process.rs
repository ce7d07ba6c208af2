//! A node of the demo, as seen from the demo.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{oneshot, watch},
    time::timeout,
};

use super::{
    cluster::join,
    pending::Pending,
    promise::Patience,
    protocol::{Answer, Line, Order, Request, Setup, View},
};

/// A step did not go as it must.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) expected: String,
    pub(super) seen: String,
}

impl Failure {
    pub(super) fn new(expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            seen: seen.into(),
        }
    }
}

/// What is known of a process.
#[derive(Debug, Clone, Default)]
pub(super) struct Status {
    pub(super) address: Option<SocketAddr>,
    /// Where its dashboard is, if it has one.
    pub(super) dashboard: Option<String>,
    pub(super) view: View,
    /// Why nothing more will come.
    ended: Option<String>,
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Result<Answer, String>>>>>;

/// A running node. Dropping it kills its process.
pub(super) struct Process {
    pub(super) observer: Observer,
    child: Child,
    stdin: Option<ChildStdin>,
    waiting: Waiting,
    next_id: u64,
}

impl Process {
    /// Starts this program again as the node `label`, and tells it who to be.
    pub(super) async fn start(label: char, setup: &Setup, log: &str) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--log", log, "demo-node"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.expect("both were asked for");
        let (sender, status) = watch::channel(Status::default());
        let waiting = Waiting::default();
        tokio::spawn(read(stdout, sender, Arc::clone(&waiting)));
        let mut process = Self {
            observer: Observer {
                label,
                patience: setup.patience,
                status,
            },
            child,
            stdin: Some(stdin),
            waiting,
            next_id: 0,
        };
        process.write(serde_json::to_string(setup)?).await?;
        Ok(process)
    }

    /// Sends a request. The answer is awaited separately, so that several nodes can be at work.
    pub(super) async fn request(&mut self, request: Request) -> Pending {
        let id = self.next_id;
        self.next_id += 1;
        let (sender, answer) = oneshot::channel();
        lock(&self.waiting).insert(id, sender);
        let order = serde_json::to_string(&Order { id, request });
        let sent = match order {
            Ok(order) => self.write(order).await,
            Err(error) => Err(error.into()),
        };
        if sent.is_err() {
            lock(&self.waiting).remove(&id);
        }
        Pending::new(self.observer.label, self.observer.deadline(), answer)
    }

    /// Kills the process without warning, and waits until it is gone.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        let expected = format!("{} killed", self.observer.label);
        if let Err(error) = self.child.start_kill() {
            return Err(Failure::new(expected, error.to_string()));
        }
        self.exit(&expected).await?;
        Ok(())
    }

    /// Stops the process where it is, without its or anybody's knowledge.
    #[cfg(unix)]
    pub(super) fn freeze(&self) -> Result<(), Failure> {
        self.signal(rustix::process::Signal::STOP)
    }

    /// Lets the process go on.
    #[cfg(unix)]
    pub(super) fn thaw(&self) -> Result<(), Failure> {
        self.signal(rustix::process::Signal::CONT)
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) -> Result<(), Failure> {
        use rustix::process::{Pid, kill_process};
        let expected = || format!("{signal:?} for {}", self.observer.label);
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let Some(pid) = id.and_then(Pid::from_raw) else {
            return Err(Failure::new(expected(), "its process has ended"));
        };
        kill_process(pid, signal).map_err(|error| Failure::new(expected(), error.to_string()))
    }

    /// Memory that the process has resident, in bytes; `None` where the system does not tell.
    #[cfg(unix)]
    pub(super) fn resident(&self) -> Option<u64> {
        let path = format!("/proc/{}/status", self.child.id()?);
        let status = std::fs::read_to_string(path).ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u64 = resident?.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    }

    /// Asks the process to end.
    pub(super) fn ask_to_stop(&mut self) {
        self.stdin = None;
    }

    /// Waits until the process has ended.
    pub(super) async fn exit(&mut self, expected: &str) -> Result<ExitStatus, Failure> {
        let deadline = self.observer.deadline();
        match timeout(deadline, self.child.wait()).await {
            Ok(Ok(status)) => Ok(status),
            Ok(Err(error)) => Err(Failure::new(expected, error.to_string())),
            Err(_) => Err(Failure::new(expected, still_after("it runs", deadline))),
        }
    }

    async fn write(&mut self, mut line: String) -> io::Result<()> {
        line.push('\n');
        match &mut self.stdin {
            Some(stdin) => stdin.write_all(line.as_bytes()).await,
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// Takes in what a process says, until it says no more.
async fn read(stdout: ChildStdout, status: watch::Sender<Status>, waiting: Waiting) {
    let mut lines = BufReader::new(stdout).lines();
    let mut ended = "its process has ended".to_owned();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Line::Listening(address)) => status.send_modify(|s| s.address = Some(address)),
            Ok(Line::Dashboard(url)) => status.send_modify(|s| s.dashboard = Some(url)),
            Ok(Line::View(view)) => status.send_modify(|s| s.view = view),
            Ok(Line::Answer { id, answer }) => {
                if let Some(waiting) = lock(&waiting).remove(&id) {
                    let _ = waiting.send(answer);
                }
            }
            Ok(Line::Failed(error)) => ended = error,
            Err(error) => {
                ended = format!("it said what is not understood: {error}");
                break;
            }
        }
    }
    lock(&waiting).clear();
    status.send_modify(|s| s.ended = Some(ended));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The map is whole after any panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches what a process says of itself.
#[derive(Debug, Clone)]
pub(super) struct Observer {
    pub(super) label: char,
    patience: Patience,
    status: watch::Receiver<Status>,
}

impl Observer {
    /// Where the dashboard of the process is, if it has said so.
    pub(super) fn dashboard(&self) -> Option<String> {
        self.status.borrow().dashboard.clone()
    }

    /// Time for each thing that the process must do.
    pub(super) fn deadline(&self) -> Duration {
        self.patience.deadline()
    }

    /// Waits until what the process says is as it must be, so long at most.
    pub(super) async fn until(
        &self,
        expected: &str,
        patience: Duration,
        holds: impl Fn(&Status) -> bool,
    ) -> Result<Status, Failure> {
        let mut status = self.status.clone();
        let settled = status.wait_for(|status| status.ended.is_some() || holds(status));
        let settled = match timeout(patience, settled).await {
            Ok(Ok(status)) => Some(status.clone()),
            Ok(Err(_)) | Err(_) => None,
        };
        let timed_out = settled.is_none();
        let last = settled.unwrap_or_else(|| self.status.borrow().clone());
        if holds(&last) && last.ended.is_none() {
            return Ok(last);
        }
        let seen = match &last.ended {
            Some(why) => why.clone(),
            None if timed_out => still_after(&last.view.to_string(), patience),
            None => last.view.to_string(),
        };
        let label = self.label;
        Err(Failure::new(
            format!("{label}: {expected}"),
            format!("{label}: {seen}"),
        ))
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (members, peers) = (self.members.len(), join(&self.peers));
        let counters = join(&self.counters);
        write!(
            f,
            "{members} members, sessions [{peers}], counters [{counters}]"
        )
    }
}

pub(super) fn still_after(state: &str, patience: Duration) -> String {
    format!("{state}, after {} s", patience.as_secs_f64())
}

/// Waits for all, and tells the first failure.
pub(super) async fn all<T>(
    waits: impl IntoIterator<Item = impl Future<Output = Result<T, Failure>>>,
) -> Result<Vec<T>, Failure> {
    let mut done = Vec::new();
    for wait in waits {
        done.push(wait.await?);
    }
    Ok(done)
}

#[cfg(test)]
mod tests;
