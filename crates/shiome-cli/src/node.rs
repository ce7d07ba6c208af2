//! `shiome node`: one node, until it is told to stop.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use shiome::{Builder, ConnectError, Node, Reconnect, node::NodeConnectionMode, session::Config};

use crate::{cookie, error::Error, print};

mod events;
mod gossip;

/// Run one node until Ctrl-C or SIGTERM
///
/// Prints one line on standard output for each of these events:
///
///   listening NAME at ADDRESS    the node is up
///   ready NAME at ADDRESS        a session with that node is up
///   lost NAME: WHY               that session has ended
///   unsent NAME: HOW MANY        messages to that node were not sent
///   reconnecting ADDRESS in TIME, dial N: WHY
///                                a --connect has no session, and is dialled again then
///   gave up ADDRESS after N dials: WHY
///                                it is not dialled any more
///   up ADDRESS                   a member of the cluster is there
///   down ADDRESS REASON          it is gone: failed, left or replaced
///   stopped                      all sessions are closed
///
/// With --seed or --gossip the node gossips on the UDP port of its TCP port's number: it finds all members of the
/// cluster through any of them, keeps a session with each, and notices who is gone. Gossip is encrypted with a key that
/// is derived from the secret.
///
/// Each --connect is dialled until there is a session, and again when it is lost: after a pause by chance of up to a
/// quarter of a second at first, then twice that each time up to a minute. It is never given up but with --max-dials.
///
/// Nodes of ractor_cluster are as welcome as those of shiome, and a peer that says nothing for some seconds is lost.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// What the node is called, and where other nodes dial it. Port 0 takes any free port.
    #[arg(long, value_name = "NAME@HOST:PORT")]
    name: String,

    /// Listen on this address only. Default: HOST if it is an IP address, otherwise all addresses.
    #[arg(long, value_name = "IP")]
    listen: Option<IpAddr>,

    /// Connect to the node there. Can be given several times; this node itself may be among them.
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    connect: Vec<String>,

    /// Give a --connect up after so many dials without a session that lasted ten seconds. Default: never.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_dials: Option<u32>,

    /// File with the secret that all nodes share; the line end after it does not count.
    ///
    /// Without it the secret is read from the environment variable SHIOME_COOKIE. Whoever knows it controls every actor
    /// of the cluster: make it long and random, and the file readable by its owner only.
    #[arg(long, value_name = "FILE")]
    cookie_file: Option<PathBuf>,

    /// Connect to no node but those given here. Default: to the peers of peers too; with gossip to all members instead.
    #[arg(long)]
    isolated: bool,

    #[command(flatten)]
    sessions: Sessions,

    #[command(flatten)]
    gossip: gossip::Options,
}

/// How the node speaks to others.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Sessions")]
struct Sessions {
    /// Refuse nodes that do not run shiome.
    #[arg(long)]
    require_native: bool,

    /// Speak to all as to nodes of ractor_cluster, also to those of shiome.
    #[arg(long, conflicts_with = "require_native")]
    legacy_only: bool,

    /// A peer that says nothing for so long is lost.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..=3600)
    )]
    liveness: u32,

    /// Keep so much for a peer that does not take it, and refuse more.
    #[arg(
        long,
        value_name = "MIB",
        default_value_t = 64,
        value_parser = clap::value_parser!(u32).range(1..=4095)
    )]
    max_outbox: u32,
}

impl Sessions {
    fn apply(&self, builder: Builder) -> Builder {
        let builder = builder.session(self.config());
        match self {
            Self {
                require_native: true,
                ..
            } => builder.require_native(),
            Self {
                legacy_only: true, ..
            } => builder.legacy_only(),
            _ => builder,
        }
    }

    fn config(&self) -> Config {
        const MIB: usize = 1024 * 1024;
        let mut config = Config::default();
        config.liveness_timeout = Duration::from_secs(self.liveness.into());
        // Whoever has no address for so much has no memory for it.
        let mib = usize::try_from(self.max_outbox).unwrap_or(usize::MAX);
        config.max_outbox = mib.saturating_mul(MIB);
        config
    }
}

/// Accepts what can be dialled, if somebody is there.
fn host_port(text: &str) -> Result<String, String> {
    let complete = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if complete {
        Ok(text.to_owned())
    } else {
        Err("not of the form HOST:PORT".to_owned())
    }
}

/// Runs the node.
pub(crate) async fn run(args: Args) -> Result<(), Error> {
    let cookie = cookie::read(args.cookie_file.as_deref())?;
    let mut connect = args.connect;
    if let Some((_, own)) = args.name.split_once('@') {
        // All nodes can have the same list.
        connect.retain(|address| address != own);
    }
    let mut builder = Node::builder(args.name).cookie(cookie);
    builder = args.sessions.apply(builder);
    if args.isolated {
        builder = builder.connection_mode(NodeConnectionMode::Isolated);
    }
    builder = args.gossip.apply(builder);
    if let Some(ip) = args.listen {
        builder = builder.listen(ip);
    }
    // Before the node is up: a signal from then on is a request to stop it.
    let mut signals = Signals::new().map_err(Error::Signal)?;
    let node = builder.start().await?;
    let events = node.events();
    say(format_args!(
        "listening {} at {}",
        node.name(),
        node.local_addr()
    ));
    let mut reconnect = Reconnect::default();
    reconnect.max_attempts = args.max_dials;
    for address in connect {
        node.keep_connected_with(address, reconnect.clone())?;
    }

    tokio::select! {
        () = signals.next() => {}
        () = events::report(events) => return Err(ConnectError::Stopped.into()),
    }
    tokio::select! {
        () = node.stop() => {}
        () = signals.next() => return Err(Error::Impatient),
    }
    say("stopped");
    Ok(())
}

/// Prints a line. The node goes on when nobody reads any more.
fn say(line: impl std::fmt::Display) {
    let _ = print(line);
}

/// Requests to stop.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Requests to stop.
#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        let _ = self.0.recv().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_as_by_default_unless_told() {
        let mut sessions = Sessions {
            require_native: false,
            legacy_only: false,
            liveness: 5,
            max_outbox: 64,
        };
        let (told, default) = (sessions.config(), Config::default());
        assert_eq!(told.liveness_timeout, default.liveness_timeout);
        assert_eq!(told.max_outbox, default.max_outbox);
        sessions.liveness = 60;
        sessions.max_outbox = 1;
        let told = sessions.config();
        assert_eq!(told.liveness_timeout, Duration::from_secs(60));
        assert_eq!(told.max_outbox, 1024 * 1024);
    }

    #[test]
    fn a_target_is_host_and_port() {
        for right in ["h:1", "127.0.0.1:4697", "[::1]:65535"] {
            assert_eq!(host_port(right).as_deref(), Ok(right));
        }
        for wrong in ["", "h", "h:", ":1", "h:0", "h:65536", "h:x"] {
            assert!(host_port(wrong).is_err(), "{wrong}");
        }
    }
}
