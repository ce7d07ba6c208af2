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
use pair::Pair;
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

    /// Break something, to see the demo fail.
    #[arg(long = "break", value_name = "WHAT", hide = true)]
    sabotage: Option<Sabotage>,
}

/// What to break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sabotage {
    /// The last node gets another cookie.
    Cookie,
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
    let mut cluster = Cluster::new(members(&args, certificates.as_ref())?, args.dashboard, log);
    let cookie = random_cookie();
    let secrets = |label| secrets(label, &cookie, certificates.as_ref());
    let mut pair = Pair::new([secrets('x')?, secrets('y')?], log);
    let mut strangers = match &certificates {
        Some(certificates) => Some(strangers(certificates, &cookie, log)?),
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
fn members(
    args: &Args,
    certificates: Option<&Certificates>,
) -> Result<Vec<(char, Secrets)>, CertError> {
    let cookie = random_cookie();
    let labels = ('a'..).take(args.nodes.into());
    let nodes = labels.map(|label| Ok((label, secrets(label, &cookie, certificates)?)));
    let mut nodes: Vec<_> = nodes.collect::<Result<_, CertError>>()?;
    if let (Some(Sabotage::Cookie), Some((_, last))) = (args.sabotage, nodes.last_mut()) {
        last.cookie = random_cookie();
    }
    Ok(nodes)
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
fn strangers(certificates: &Certificates, cookie: &str, log: &str) -> Result<Strangers, CertError> {
    let elsewhere = Certificates::new()?;
    let foreign = elsewhere.secrets_believing(certificates, 'z', cookie)?;
    let impostor = certificates.secrets('x', cookie)?;
    Ok(Strangers::new(foreign, impostor, log))
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
