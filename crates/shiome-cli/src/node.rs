//! `shiome node`: one node, until it is told to stop.

use std::{collections::HashSet, net::IpAddr, path::PathBuf};

use shiome::{
    ConnectError, Events, Member, Node, NodeEvent, NodeId, membership::DownReason,
    node::NodeConnectionMode,
};
use tracing::warn;

use crate::{cookie, error::Error, print};

mod gossip;

/// Run one node until Ctrl-C or SIGTERM
///
/// Prints one line on standard output for each of these events:
///
///   listening NAME at ADDRESS    the node is up
///   ready NAME at ADDRESS        a session with that node is up
///   lost NAME                    that session has ended
///   up ADDRESS                   a member of the cluster is there
///   down ADDRESS REASON          it is gone: failed, left or replaced
///   stopped                      all sessions are closed
///
/// With --seed or --gossip the node gossips on the UDP port of its TCP port's number: it finds all members of the
/// cluster through any of them, keeps a session with each, and notices who is gone. Gossip is encrypted with a key that
/// is derived from the secret.
///
/// Each --connect is dialled until there is a session, and again when it is lost: after a pause by chance of up to a
/// quarter of a second at first, then twice that each time up to a minute.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// What the node is called, and where other nodes dial it. Port 0 takes any free port.
    #[arg(long, value_name = "NAME@HOST:PORT")]
    name: String,

    /// Listen on this address only. Default: HOST if it is an IP address, otherwise all addresses.
    #[arg(long, value_name = "IP")]
    listen: Option<IpAddr>,

    /// Connect to the node there. Can be given several times.
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    connect: Vec<String>,

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
    gossip: gossip::Options,
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
    let mut builder = Node::builder(args.name).cookie(cookie).peers(args.connect);
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

    tokio::select! {
        () = signals.next() => {}
        () = print_events(events) => return Err(ConnectError::Stopped.into()),
    }
    tokio::select! {
        () = node.stop() => {}
        () = signals.next() => return Err(Error::Impatient),
    }
    say("stopped");
    Ok(())
}

/// Prints the sessions and members that come and go, until the node is gone.
async fn print_events(mut events: Events) {
    let mut ready = HashSet::<NodeId>::new();
    while let Some(event) = events.next().await {
        match event {
            NodeEvent::Ready(session) if ready.insert(session.node_id) => {
                say(format_args!(
                    "ready {} at {}",
                    session.name, session.peer_addr
                ));
            }
            NodeEvent::Disconnected(session) if ready.remove(&session.node_id) => {
                say(format_args!("lost {}", session.name));
            }
            NodeEvent::MemberUp(Member { address, .. }) => say(format_args!("up {address}")),
            NodeEvent::MemberDown { member, reason } => {
                say(format_args!("down {} {}", member.address, word(reason)));
            }
            NodeEvent::Missed(count) => warn!(count, "events were missed"),
            _ => {}
        }
    }
}

fn word(reason: DownReason) -> &'static str {
    match reason {
        DownReason::Failed => "failed",
        DownReason::Left => "left",
        DownReason::Replaced => "replaced",
        _ => "gone",
    }
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
    fn a_target_is_host_and_port() {
        for right in ["h:1", "127.0.0.1:4697", "[::1]:65535"] {
            assert_eq!(host_port(right).as_deref(), Ok(right));
        }
        for wrong in ["", "h", "h:", ":1", "h:0", "h:65536", "h:x"] {
            assert!(host_port(wrong).is_err(), "{wrong}");
        }
    }
}
