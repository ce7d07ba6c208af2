//! What links over WebSocket can do, measured between processes of this program. Prints a line for each measure: its name, the
//! value, the unit.
//!
//! * Envelopes with a payload of 256 bytes from one process to another, and in turns the same payloads in a bare loop on the same
//!   WebSocket library. The best of each counts: others use the machine, too.
//! * What a relay holds for each peer that is connected and idle.

#![allow(clippy::print_stdout, reason = "what is measured is printed")]

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use shiome_bus::{
    Bus, Delivery, Intent, Link, LinkOptions, PeerId,
    websocket::{
        ClientOptions, Links, Listening, Origins, Policy, ServerOptions, WebSocketClient,
        WebSocketServer,
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_websockets::{ClientBuilder, Config, Message, ServerBuilder};

/// Bytes of a payload.
const PAYLOAD_LEN: usize = 256;

/// Bytes that the bare loop gathers before it writes them.
const FLUSH_THRESHOLD: usize = 64 * 1024;

/// How often each side is measured, in turns.
const ROUNDS: usize = 5;

/// Messages of a round.
const MESSAGES: usize = 1_000_000;

/// Peers that are connected to the relay. Each takes a file in two processes.
const PEERS: usize = 10_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let args: Vec<_> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let number = || args[1].parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match args.first().map(String::as_str) {
            None => {
                throughput(MESSAGES).await?;
                memory(PEERS).await
            }
            Some("throughput") => throughput(number()?).await,
            Some("memory") => memory(number()?).await,
            Some("serve-bus") => serve_bus(number()? as u64).await,
            Some("serve-bare") => serve_bare(number()? as u64).await,
            Some("serve-relay") => serve_relay().await,
            Some("hold-peers") => hold_peers(&args[2], number()?).await,
            Some(other) => Err(format!("{other} is not measured").into()),
        }
    })
}

async fn throughput(messages: usize) -> Outcome<()> {
    let (mut bus, mut bare) = (Run::WORST, Run::WORST);
    for _ in 0..ROUNDS {
        bus = bus.best(send_bus(messages).await?);
        bare = bare.best(send_bare(messages).await?);
    }
    let rate = |run: Run| messages as f64 / run.wall.as_secs_f64();
    let cpu = |run: Run| run.cpu.as_nanos() as f64 / messages as f64;
    tell("WebSocket, between two processes", rate(bus) / 1e6, "M/s");
    tell(
        "WebSocket, a bare loop on the same library",
        rate(bare) / 1e6,
        "M/s",
    );
    tell(
        "WebSocket, the bus beside the bare loop",
        rate(bus) / rate(bare),
        "times",
    );
    tell("WebSocket, processor time of a message", cpu(bus), "ns");
    tell(
        "WebSocket, processor time of the bare loop",
        cpu(bare),
        "ns",
    );
    Ok(())
}

fn tell(name: &str, value: f64, unit: &str) {
    println!("{name}\t{value:.3}\t{unit}");
}

/// What it took to move all messages.
#[derive(Clone, Copy)]
struct Run {
    wall: Duration,
    /// Of both processes.
    cpu: Duration,
}

impl Run {
    const WORST: Self = Self {
        wall: Duration::MAX,
        cpu: Duration::MAX,
    };

    fn best(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            cpu: self.cpu.min(other.cpu),
        }
    }
}

/// CPU time that a process has used, in steps of 10 ms.
fn cpu(pid: &str) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// Another process of this program.
struct Other {
    child: Child,
    /// It ends with this.
    _stdin: ChildStdin,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Other {
    fn start(args: &[&str]) -> Outcome<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().ok_or("no stdin")?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        Ok(Self {
            child,
            _stdin: stdin,
            lines: BufReader::new(stdout).lines(),
        })
    }

    fn line(&mut self) -> Outcome<String> {
        Ok(self.lines.next().ok_or("it has ended")??)
    }

    /// Runs until the other process has had everything.
    async fn measure(&mut self, send: impl Future<Output = Outcome<()>>) -> Outcome<Run> {
        let other = self.child.id().to_string();
        let (begin, before) = (Instant::now(), cpu("self")? + cpu(&other)?);
        send.await?;
        self.line()?;
        let (wall, after) = (begin.elapsed(), cpu("self")? + cpu(&other)?);
        let cpu = after.saturating_sub(before);
        Ok(Run { wall, cpu })
    }

    /// Bytes of memory that are in use.
    fn memory(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u64 = line
            .ok_or("no VmRSS")?
            .trim()
            .trim_end_matches(" kB")
            .parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(line: &str) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Ends when whoever started this process does.
async fn until_told() -> Outcome<()> {
    let told =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    told.await??;
    Ok(())
}

async fn send_bus(messages: usize) -> Outcome<Run> {
    let mut server = Other::start(&["serve-bus", &messages.to_string()])?;
    let url = server.line()?;
    let bus = Bus::new();
    let source = bus.peer("source")?;
    let link = client(&url, "source")?;
    bus.attach(
        Arc::clone(&link) as Arc<dyn Link>,
        LinkOptions::default().uplink(),
    )?;
    link.connected().await?;
    let sink = PeerId::new("sink")?;
    let intent = Intent::new("measure.throughput", "x".repeat(PAYLOAD_LEN - 2))?;
    let send = async {
        for _ in 0..messages {
            source.send(&sink, intent.clone()).await?;
        }
        Ok(())
    };
    server.measure(send).await
}

fn client(url: &str, id: &str) -> Outcome<Arc<WebSocketClient>> {
    let options = ClientOptions::default();
    let link = WebSocketClient::new(url, &PeerId::new(id)?, Links::new(Policy::Any), options)?;
    Ok(Arc::new(link))
}

async fn serve_bus(messages: u64) -> Outcome<()> {
    let bus = Bus::new();
    let sink = bus.peer("sink")?;
    let (count, (done, mut is_done)) = (AtomicU64::new(0), watch::channel(false));
    let _on = sink.on("measure.throughput", move |_: &Delivery| {
        if count.fetch_add(1, Relaxed) + 1 == messages {
            done.send_replace(true);
        }
    })?;
    let server = WebSocketServer::new(&bus, &PeerId::new("sink")?, ServerOptions::anyone())?;
    let listening = listen(&server).await?;
    say(listening.url())?;
    is_done.wait_for(|done| *done).await?;
    say("done")?;
    until_told().await
}

async fn listen(server: &WebSocketServer) -> Outcome<Listening> {
    let links = Links::new(Policy::Any);
    Ok(server
        .listen(&links, "ws://127.0.0.1:0/bus", Origins::none())
        .await?)
}

async fn send_bare(messages: usize) -> Outcome<Run> {
    let mut server = Other::start(&["serve-bare", &messages.to_string()])?;
    let stream = TcpStream::connect(server.line()?).await?;
    stream.set_nodelay(true)?;
    let config = Config::default().flush_threshold(FLUSH_THRESHOLD);
    let mut socket = ClientBuilder::new().config(config).take_over(stream);
    let send = async {
        for _ in 0..messages {
            socket
                .feed(Message::binary(vec![b'x'; PAYLOAD_LEN]))
                .await?;
        }
        socket.flush().await?;
        Ok(())
    };
    server.measure(send).await
}

async fn serve_bare(messages: u64) -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say(&listener.local_addr()?.to_string())?;
    let (stream, _) = listener.accept().await?;
    let mut socket = ServerBuilder::new().serve(stream);
    let mut bytes = 0;
    for _ in 0..messages {
        bytes += socket.next().await.ok_or("closed")??.into_payload().len();
    }
    assert_eq!(bytes as u64, messages * PAYLOAD_LEN as u64);
    say("done")?;
    until_told().await
}

async fn memory(peers: usize) -> Outcome<()> {
    let mut relay = Other::start(&["serve-relay"])?;
    let url = relay.line()?;
    let before = relay.memory()?;
    let mut holder = Other::start(&["hold-peers", &peers.to_string(), &url])?;
    holder.line()?;
    let per_peer = relay.memory()?.saturating_sub(before) / peers as u64;
    tell("relay, an idle peer", per_peer as f64 / 1024.0, "KiB");
    Ok(())
}

async fn serve_relay() -> Outcome<()> {
    let relay = WebSocketServer::relay(&PeerId::new("relay")?, ServerOptions::anyone())?;
    let listening = listen(&relay).await?;
    say(listening.url())?;
    until_told().await
}

/// Connects so many peers, has each say something once, and then keeps them.
async fn hold_peers(url: &str, peers: usize) -> Outcome<()> {
    let mut held = Vec::new();
    for number in 0..peers {
        let bus = Bus::new();
        let id = format!("peer-{number}");
        let peer = bus.peer(&id)?;
        let link = client(url, &id)?;
        bus.attach(
            Arc::clone(&link) as Arc<dyn Link>,
            LinkOptions::default().uplink(),
        )?;
        link.connected().await?;
        if number > 0 {
            let before = format!("peer-{}", number - 1);
            peer.send(&before, Intent::new("hello", number as u64)?)
                .await?;
        }
        held.push((bus, peer, link));
    }
    say("connected")?;
    until_told().await
}
