//! A node: a process that takes commands on stdin, see `tests/peers/README.md`.

mod events;
mod log;
mod output;
mod port;
mod process;

use std::{
    io::Write,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use super::programs::{Kind, Programs};

/// The host part of every node's name, and where it is dialled.
pub(crate) const HOST: &str = "127.0.0.1";

/// What all nodes that are to meet share.
pub(crate) const COOKIE: &str = "a-cookie-for-interop";

/// Time for a node to start.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// Time for an event that has to come, and for `wait-` commands.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long to leave a node in peace before the next look at it.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Ports tried before a node counts as unable to start: another process can be faster.
const PORT_TRIES: usize = 5;

/// Lines with which nodes of ours told of a panic.
pub(crate) type Panics = Arc<Mutex<Vec<String>>>;

/// A running node. Dropped, it is killed.
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    port: u16,
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<(Instant, String)>,
    events: Vec<(Instant, String)>,
    log: log::Log,
    /// Connections that were opened, and those of them that have ended, as the events tell.
    opened: usize,
    ended: usize,
    /// No command is waited for any longer.
    deadline: Instant,
}

/// What a node answered: the words after `ok`, or after `err`.
pub(crate) type Answer = Result<String, String>;

impl Node {
    /// Starts a node and waits until it listens.
    ///
    /// # Errors
    ///
    /// What to tell when it does not.
    pub(crate) fn start(
        programs: &Programs,
        panics: &Panics,
        kind: Kind,
        name: &str,
        options: &[&str],
    ) -> Result<Self, String> {
        let mut problem = String::new();
        for _ in 0..PORT_TRIES {
            match Self::start_at(programs, panics, kind, name, options, port::free()?) {
                Ok(node) => return Ok(node),
                Err(e) => problem = e,
            }
        }
        Err(problem)
    }

    /// As [`start`](Self::start), at this port.
    pub(crate) fn start_at(
        programs: &Programs,
        panics: &Panics,
        kind: Kind,
        name: &str,
        options: &[&str],
        port: u16,
    ) -> Result<Self, String> {
        let program = programs.node(kind);
        let cookie = ["--cookie", COOKIE];
        let cookie = if options.contains(&"--cookie") {
            &[][..]
        } else {
            &cookie[..]
        };
        let mut child = Command::new(&program)
            .args(["--name", name, "--host", HOST, "--port", &port.to_string()])
            .args(cookie)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        let (stdin, stdout, stderr) = child
            .stdin
            .take()
            .zip(child.stdout.take())
            .zip(child.stderr.take())
            .map(|((stdin, stdout), stderr)| (stdin, stdout, stderr))
            .expect("all three were asked for");
        let log = log::Log::default();
        output::watch(
            stderr,
            format!("{name} ({kind})"),
            kind,
            Arc::clone(panics),
            log.clone(),
        );
        let mut node = Self {
            kind,
            name: format!("{name}@{HOST}"),
            port,
            child,
            stdin,
            lines: output::lines_of(stdout),
            events: Vec::new(),
            log,
            opened: 0,
            ended: 0,
            deadline: Instant::now() + START_PATIENCE,
        };
        let ready = node.line()?;
        if ready != format!("ready {port}") {
            return Err(node.told(&format!("said {ready:?} for a start")));
        }
        Ok(node)
    }

    /// Where others dial this node.
    pub(crate) fn address(&self) -> String {
        format!("{HOST}:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Gives the commands from now on so much time together.
    pub(crate) fn allow(&mut self, time: Duration) {
        self.deadline = Instant::now() + time;
    }

    /// Sends a command without waiting for the answer, which [`answer`](Self::answer) returns.
    ///
    /// # Errors
    ///
    /// What to tell when the node is gone.
    pub(crate) fn send(&mut self, command: &str) -> Result<(), String> {
        writeln!(self.stdin, "{command}").map_err(|e| self.told(&format!("{command}: {e}")))
    }

    /// The answer to the oldest command that has none yet.
    ///
    /// # Errors
    ///
    /// What to tell when none came in time.
    pub(crate) fn answer(&mut self) -> Result<Answer, String> {
        let line = self.line()?;
        let (verdict, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match verdict {
            "ok" => Ok(Ok(rest.to_owned())),
            "err" => Ok(Err(rest.to_owned())),
            _ => Err(self.told(&format!("said {line:?}"))),
        }
    }

    /// Sends a command and returns what came back.
    ///
    /// # Errors
    ///
    /// What to tell when no answer came in time.
    pub(crate) fn try_ask(&mut self, command: &str) -> Result<Answer, String> {
        self.send(command)?;
        self.answer()
            .map_err(|problem| format!("{command}: {problem}"))
    }

    /// Sends a command that has to succeed.
    ///
    /// # Errors
    ///
    /// What to tell when it does not.
    pub(crate) fn ask(&mut self, command: &str) -> Result<String, String> {
        let answer = self.try_ask(command)?;
        answer.map_err(|reason| self.told(&format!("{command}: {reason}")))
    }

    /// Sends a command whose answer has to be `expected`.
    ///
    /// # Errors
    ///
    /// What to tell when it is not.
    pub(crate) fn expect(&mut self, command: &str, expected: &str) -> Result<(), String> {
        let answer = self.ask(command)?;
        if answer == expected {
            return Ok(());
        }
        Err(self.told(&format!(
            "{command}: {}, not {}",
            shortened(&answer),
            shortened(expected)
        )))
    }

    /// Asks again and again until the answer is `expected`.
    ///
    /// # Errors
    ///
    /// What to tell when it never was.
    pub(crate) fn await_answer(
        &mut self,
        command: &str,
        expected: impl Fn(&str) -> bool,
        told: &str,
    ) -> Result<String, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(command)?;
            if expected(&answer) {
                return Ok(answer);
            }
            if Instant::now() >= deadline {
                return Err(self.told(&format!("{command}: {}, not {told}", shortened(&answer))));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Ends the process as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        // It can have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The next line that is no event.
    fn line(&mut self) -> Result<String, String> {
        loop {
            let (at, line) = self.raw_line(self.deadline)?;
            if !self.is_event(at, &line) {
                return Ok(line);
            }
        }
    }

    fn raw_line(&self, deadline: Instant) -> Result<(Instant, String), String> {
        let patience = deadline.saturating_duration_since(Instant::now());
        self.lines
            .recv_timeout(patience)
            .map_err(|error| match error {
                RecvTimeoutError::Timeout => self.told("was silent"),
                RecvTimeoutError::Disconnected => self.told("ended"),
            })
    }

    fn told(&self, what: &str) -> String {
        format!("{} ({}) {what}", self.name, self.kind)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn shortened(text: &str) -> String {
    const MAX_TOLD: usize = 200;
    match text.char_indices().nth(MAX_TOLD) {
        Some((at, _)) => format!("{:?}…", &text[..at]),
        None => format!("{text:?}"),
    }
}
