//! `shiome demo`: a cluster at work, on this machine.

use std::{net::SocketAddr, path::PathBuf};

use clap::ValueEnum;

use crate::{cert::CertError, error::Error};

mod certificates;
mod child;
mod cluster;
mod counter;
mod node;
mod pair;
mod pending;
mod process;
mod promise;
mod protocol;
mod sink;
mod step;
mod steps;
mod strangers;
mod table;

use certificates::Certificates;
use cluster::Cluster;
use node::Node;
use pair::Pair;
use promise::{MAX_PATIENCE, Patience};
use protocol::Secrets;
use strangers::Strangers;
use table::Table;

/// Start a cluster on this machine, kill a node, bring it back, freeze it, and tell what the others see.
///
/// Each node is a process of its own on 127.0.0.1, with a counter that is in one process group with all others. The first
/// is the seed of all: they find each other by gossip, which probes five times a second. They send each other casts and
/// calls, and every count is checked. Then the last node is killed (SIGKILL) and started again on the same port. At last,
/// where there are such signals, it is stopped (SIGSTOP), so that its connections stay open though it does nothing, and
/// goes on (SIGCONT).
///
/// After that a pair of nodes that do not gossip: one keeps connected to the other, and uses its actors by handles. It
/// sees the exported ones only, and hears why one ended and why a call has no answer. The other is stopped (SIGSTOP), to
/// see what is kept for it and when its silence is noticed, and goes on. Small calls have their answers beside 100 MiB
/// of bulk. It is killed and started again, to see which handles are good then.
///
/// The nodes share a fresh random cookie, which they are told on standard input: a command line can be read by every
/// user of the machine, and an environment by every process of this one.
///
/// With --tls all links are TLS, with certificates for each node of an authority that is made on the spot and gone with the
/// demo; keys are told on standard input, too. At last two nodes that know the cookie are refused: one with a certificate of
/// another authority, and one with the certificate of another node.
///
/// With --dashboard the first node serves its dashboard, and the nodes go on sending until Enter is pressed: before one is
/// killed, and before all stop.
///
/// Prints a table with what was seen and how long it took. Where the configuration promises a time, with a second more
/// for a busy machine, that is the deadline, and is printed too. Every other wait has a deadline as well. When a step
/// fails, it is named with what was expected and what was seen, no process is left behind, and the exit code is 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many nodes.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(3..=9))]
    nodes: u8,

    /// Protect all links by TLS, with certificates on both sides.
    #[arg(long)]
    tls: bool,

    /// Serve the dashboard of the first node there, on this host. Default: at any free port.
    #[arg(long, value_name = "IP:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:0", value_parser = loopback)]
    dashboard: Option<SocketAddr>,

    /// Also write the steps to FILE, as a JSON list of rows.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Let everything take that many times as long, and nodes stand still that much longer, on a machine that does much
    /// else.
    #[arg(long, value_name = "FACTOR", default_value_t = 1, hide = true)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_PATIENCE)))]
    patience: u8,

    /// Let nodes listen from this port on, and on any without it.
    #[arg(long, value_name = "PORT", hide = true)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=i64::from(u16::MAX - MAX_PORTS)))]
    first_port: Option<u16>,

    /// Break something, to see the demo fail.
    #[arg(long = "break", value_name = "WHAT", hide = true)]
    sabotage: Option<Sabotage>,
}

/// How many nodes listen at the same port after they have come back.
const MAX_PORTS: u16 = 11;

/// What to break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sabotage {
    /// The last node gets another cookie.
    Cookie,
}

impl Args {
    /// Where the node of this number listens; 0 for any port.
    fn port(&self, number: u16) -> u16 {
        self.first_port.map_or(0, |first| first + number)
    }
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let addr = text.parse::<SocketAddr>();
    let addr = addr.map_err(|_| "not of the form IP:PORT".to_owned())?;
    match addr.ip().is_loopback() {
        true => Ok(addr),
        false => Err("not of this host alone".to_owned()),
    }
}

/// Runs the demo; its nodes log as `log` says.
pub(crate) async fn run(args: Args, log: &str) -> Result<(), Error> {
    let certificates = args.tls.then(Certificates::new).transpose()?;
    let patience = Patience(args.patience);
    let members = members(&args, certificates.as_ref())?;
    let mut cluster = Cluster::new(members, patience, args.dashboard, log);
    let cookie = random_cookie();
    let secrets = |label| secrets(label, &cookie, certificates.as_ref());
    let ports = [0, 1].map(|n| args.port(u16::from(args.nodes) + n));
    let mut pair = Pair::new([secrets('x')?, secrets('y')?], ports, patience, log);
    let mut strangers = match &certificates {
        Some(certificates) => Some(strangers(certificates, &cookie, patience, log)?),
        None => None,
    };
    let mut table = Table::begin(args.nodes, args.tls, std::io::stdout());
    let result = steps::run(&mut cluster, &mut pair, strangers.as_mut(), &mut table).await;
    cluster.kill_all().await;
    pair.kill_all().await;
    if let Some(strangers) = &mut strangers {
        strangers.kill_all().await;
    }
    table.end();
    if let Some(path) = args.json {
        let written = std::fs::write(&path, table.json());
        written.map_err(|source| Error::Write { path, source })?;
    }
    result.map_err(|step| Error::Demo(step.name()))
}

/// The nodes of the cluster, with a fresh cookie.
fn members(args: &Args, certificates: Option<&Certificates>) -> Result<Vec<Node>, CertError> {
    let cookie = random_cookie();
    let nodes = ('a'..).zip(0..args.nodes).map(|(label, number)| {
        let mut secrets = secrets(label, &cookie, certificates)?;
        if args.sabotage == Some(Sabotage::Cookie) && number + 1 == args.nodes {
            secrets.cookie = random_cookie();
        }
        let port = args.port(number.into());
        Ok(Node::new(label, secrets, port, Patience(args.patience)))
    });
    nodes.collect()
}

fn secrets(
    label: char,
    cookie: &str,
    certificates: Option<&Certificates>,
) -> Result<Secrets, CertError> {
    match certificates {
        Some(certificates) => certificates.secrets(label, cookie),
        None => Ok(Secrets {
            cookie: cookie.to_owned(),
            tls: None,
        }),
    }
}

/// Nodes that know all but have the wrong certificates. What they believe themselves is right, so that it is not they who
/// refuse.
fn strangers(
    certificates: &Certificates,
    cookie: &str,
    patience: Patience,
    log: &str,
) -> Result<Strangers, CertError> {
    let elsewhere = Certificates::new()?;
    let foreign = elsewhere.secrets_believing(certificates, 'z', cookie)?;
    let impostor = certificates.secrets('x', cookie)?;
    Ok(Strangers::new(foreign, impostor, patience, log))
}

/// 256 random bits: nobody guesses it while the demo runs, or ever.
fn random_cookie() -> String {
    format!(
        "{:032x}{:032x}",
        rand::random::<u128>(),
        rand::random::<u128>()
    )
}

/// Runs one node of the demo.
pub(crate) async fn run_child() -> Result<(), Error> {
    child::run().await.map_err(Error::Child)
}
