//! A running `shiome`.

use std::{
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ports that this process has to itself, from that one on, where nodes may listen one after the other.
pub(crate) fn own_ports(count: u16) -> u16 {
    const BLOCK: u16 = 256;
    static OWN: LazyLock<(TcpListener, AtomicU16)> = LazyLock::new(|| {
        // The system gives ports from 32768 on to those who ask for any. Whoever listens at the first of a block has the block.
        let claim = |first| {
            let claimed = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).ok()?;
            Some((claimed, AtomicU16::new(first + 1)))
        };
        let mut blocks = (12_288..28_672).step_by(BLOCK.into());
        blocks.find_map(claim).expect("a block of ports")
    });
    let (claimed, next) = &*OWN;
    let ports = next.fetch_add(count, Ordering::Relaxed);
    let end = claimed.local_addr().unwrap().port() + BLOCK;
    assert!(ports + count <= end, "the block is used up");
    ports
}

/// Where nodes of this test may listen one after the other.
pub(crate) fn own_address() -> String {
    format!("127.0.0.1:{}", own_ports(1))
}

/// The command, without what the surroundings would have it do.
pub(crate) fn shiome(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shiome"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SHIOME_") {
            command.env_remove(name);
        }
    }
    command
        .args(args)
        .env_remove("RUST_LOG")
        // Sockets of nodes that a test kills stay there, and are in nobody's way.
        .env("XDG_RUNTIME_DIR", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end; what it printed.
pub(crate) fn output(command: &mut Command) -> Output {
    output_within(PATIENCE, command)
}

/// The same of a command that takes longer.
pub(crate) fn output_within(patience: Duration, command: &mut Command) -> Output {
    let mut running = Running::spawn(command);
    let status = running.exit_within(patience);
    let rest = |lines: &Receiver<String>| lines.iter().collect::<Vec<_>>().join("\n");
    Output {
        status,
        stdout: rest(&running.stdout).into_bytes(),
        stderr: rest(&running.stderr).into_bytes(),
    }
}

/// Standard error of a command that must fail with this exit code, and print nothing else.
pub(crate) fn error_of(command: &mut Command, code: i32) -> String {
    let output = output(command);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(output.stdout.is_empty());
    error
}

/// A process, killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdout: Receiver<String>,
    pub(crate) stderr: Receiver<String>,
}

impl Running {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// The next line on standard output.
    pub(crate) fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).expect("a line in time")
    }

    /// The first line on standard error that contains `text`.
    pub(crate) fn log(&self, text: &str) -> String {
        loop {
            let line = self.stderr.recv_timeout(PATIENCE).expect("a line in time");
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end of both streams, and then of the process.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        self.exit_within(PATIENCE)
    }

    fn exit_within(&mut self, patience: Duration) -> ExitStatus {
        // Lines are kept for whoever asks; the end of a stream is what is waited for.
        let deadline = Instant::now() + patience;
        self.stdout = drain(&self.stdout, deadline);
        self.stderr = drain(&self.stderr, deadline);
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// All lines up to the end of the stream, to be received again.
fn drain(lines: &Receiver<String>, deadline: Instant) -> Receiver<String> {
    let (sender, kept) = channel();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => sender.send(line).unwrap(),
            Err(RecvTimeoutError::Disconnected) => return kept,
            Err(RecvTimeoutError::Timeout) => panic!("the process does not end"),
        }
    }
}
