//! `shiome node`: one node, until it is told to stop.

use std::{env, path::PathBuf};

use shiome::{Builder, ConnectError, Cookie, Node, Reconnect, node::NodeConnectionMode};
use shiome_inspect::metrics::Prometheus;

use crate::{cookie, error::Error, log, print, signals::Signals};

mod bus;
mod environment;
mod error;
mod events;
mod file;
mod gossip;
mod links;
mod operation;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(not(feature = "otlp"))]
#[path = "node/no_otlp.rs"]
mod otlp;
mod settings;
mod tls;
mod tokens;
pub(crate) mod value;

use bus::Relay;
pub(crate) use error::ConfigError;
use operation::Operating;
use otlp::Export;
use settings::Settings;
use tokens::Tokens;
use value::{Dialled, Ip, Listened, NodeAddress};

/// What the help says at its end.
const CONFIGURATION: &str = "\
Configuration:
  An option counts more than the environment variable of its name (--gossip-period: SHIOME_GOSSIP_PERIOD, lists with
  commas between), that more than the configuration file, and that more than the default. The file is TOML. Its keys are
  the options; those of sessions, TLS and gossip stand in a table of that name, without it in front:

    name = \"a@10.0.0.1:4697\"
    cookie-file = \"cookie\"            # relative paths start where the file is
    [sessions]
    liveness = 5
    [tls]
    cert = \"a.pem\"
    key = \"a.key\"
    ca = \"ca.pem\"
    [gossip]
    seed = [\"10.0.0.2:4697\"]
    on = true                         # --gossip
    [operation]
    http = \"0.0.0.0:9464\"             # /healthz, /readyz and /metrics
    [admission]                       # in the file only; times in seconds
    max-unauthenticated = 256         # connections that have not proven the cookie
    max-unauthenticated-per-source = 32
    max-free-failures = 3             # then a source is refused for
    first-penalty = 1                 # and twice as long each time up to
    longest-penalty = 300
    memory = 600                      # after which its failures are forgotten
    max-remembered = 4096             # sources with failures";

/// Run one node until Ctrl-C or SIGTERM
///
/// Prints one line on standard output for each of these events:
///
///   listening NAME at ADDRESS    the node is up; once more for each --listen-at
///   dashboard URL                where browsers find the dashboard, with --dashboard
///   bus URL                      where peers of the bus find the relay, with --bus
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
///
/// With --tls-cert all links are TLS with certificates on both sides, and a node can only speak as the one that its
/// certificate is for. A link without TLS is then neither dialled nor accepted, but for Unix sockets.
///
/// Operators reach the node by a Unix socket of its user: see ping, members, sessions, actors, groups, call and watch. With
/// --http it serves liveness, readiness, and metrics for Prometheus. Told to stop, it is first not ready for --drain
/// seconds, then writes what was sent on each session and closes it, leaves gossip, and closes what operators reach.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = CONFIGURATION)]
pub(crate) struct Args {
    /// The same as --name.
    #[arg(value_name = "NAME@HOST:PORT", conflicts_with = "name")]
    node: Option<NodeAddress>,

    /// Configuration file. Default: that of the environment variable SHIOME_CONFIG, otherwise none.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Start nothing: tell whether the node could be started as it is told, and print all that it is told, as a
    /// configuration file. The exit code is 2 when something is wrong.
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    settings: Settings,
}

/// Runs the node, or checks whether it could be run. It logs what passes the filter.
pub(crate) async fn run(args: Args, filter: &str) -> Result<(), Error> {
    let check = args.check;
    let early = log::subscriber(log::filter(filter)?);
    let (settings, cookie) = tracing::subscriber::with_default(early, || resolve(args))?;
    let export = Export::install(log::filter(filter)?, &settings)?;
    let loaded = tls::load(&settings.tls)?;
    let tokens = Tokens::read(&settings)?;
    if check {
        let text = toml::to_string(&settings).map_err(std::io::Error::other);
        return text
            .and_then(|text| print(text.trim_end()))
            .map_err(Error::Print);
    }
    let (tls, max_dials) = (settings.tls.clone(), settings.max_dials);
    let (operation, bus) = (settings.operation.clone(), settings.bus.clone());
    let connect = dialled(&settings);
    let builder = tls::apply(builder(settings, cookie)?, loaded.as_ref());
    // Before the node is up: a signal from then on is a request to stop it.
    let mut signals = Signals::new().map_err(Error::Signal)?;
    let follow = tls::follow(loaded, tls);
    // Before the node, which records from its start.
    let prometheus = Prometheus::install()?;
    let mut relay = Relay::start(&bus, tokens.bus.clone()).await?;
    let bus = relay.as_ref().map(|relay| relay.bus.clone());
    let node = builder.start().await?;
    let joined = relay.as_mut().map_or(Ok(()), |relay| relay.join(&node));
    let operating = async {
        joined?;
        Operating::start(&operation, tokens, &node, bus, &prometheus).await
    };
    let operating = match operating.await {
        Ok(operating) => operating,
        Err(error) => {
            node.stop().await;
            return Err(error);
        }
    };
    let events = node.events();
    tell_addresses(&node);
    if let Some(url) = operating.dashboard() {
        say(format_args!("dashboard {url}"));
    }
    if let Some(relay) = &relay {
        say(format_args!("bus {}", relay.url()));
    }
    let mut reconnect = Reconnect::default();
    reconnect.max_attempts = max_dials.map(|dials| dials.get());
    for address in connect {
        node.keep_connected_with(address, reconnect.clone())?;
    }

    tokio::select! {
        () = signals.next() => {}
        () = follow => {}
        () = events::report(events) => return Err(ConnectError::Stopped.into()),
    }
    tokio::select! {
        () = operating.stop(node, relay) => {}
        () = signals.next() => return Err(Error::Impatient),
    }
    export.finish().await;
    say("stopped");
    Ok(())
}

/// All that the node is told, from where it counts most.
fn resolve(args: Args) -> Result<(Settings, Cookie), Error> {
    let mut told = args.settings;
    told.name = told.name.or(args.node);
    let of_environment = environment::read(env::vars_os())?;
    let path = args
        .config
        .or_else(|| env::var_os(environment::CONFIG).map(Into::into));
    let of_file = path.map_or_else(|| Ok(Settings::default()), |path| file::read(&path))?;

    let above = told.over(of_environment);
    // The secret itself counts as much as a file of it that the environment names.
    let cookie_file = match (&above.cookie_file, &of_file.cookie_file) {
        (Some(file), _) => Some(file.clone()),
        (None, Some(file)) if env::var_os(cookie::VARIABLE).is_none() => Some(file.clone()),
        _ => None,
    };
    let mut settings = above.over(of_file);
    settings.cookie_file = cookie_file;
    settings.check().map_err(ConfigError::Together)?;
    if settings.name.is_none() {
        return Err(ConfigError::NoName.into());
    }
    let cookie = cookie::read(settings.cookie_file.as_deref())?;
    Ok((settings, cookie))
}

/// Whom to keep connected to: all nodes can have the same list.
fn dialled(settings: &Settings) -> Vec<String> {
    let own = settings
        .name
        .as_ref()
        .and_then(|name| name.as_str().split_once('@'));
    let others = settings.connect.iter().map(Dialled::as_str);
    others
        .filter(|address| own.is_none_or(|(_, own)| own != *address))
        .map(str::to_owned)
        .collect()
}

fn builder(settings: Settings, cookie: Cookie) -> Result<Builder, ConfigError> {
    let name = settings.name.ok_or(ConfigError::NoName)?;
    let mut builder = Node::builder(name.as_str()).cookie(cookie);
    builder = settings.sessions.apply(builder);
    builder = builder.admission(settings.admission.limits());
    if settings.isolated == Some(true) {
        builder = builder.connection_mode(NodeConnectionMode::Isolated);
    }
    builder = gossip::apply(settings.gossip, builder);
    if let Some(Ip(ip)) = settings.listen {
        builder = builder.listen(ip);
    }
    if let Some(address) = &settings.advertise {
        builder = builder.advertise(address.as_str());
    }
    let addresses = settings.listen_at.iter().map(Listened::as_str);
    Ok(addresses.fold(builder, |builder, address| builder.listen_at(address)))
}

fn tell_addresses(node: &Node) {
    let name = node.name();
    say(format_args!("listening {name} at {}", node.local_addr()));
    for address in node.local_addresses().iter().skip(1) {
        say(format_args!("listening {name} at {address}"));
    }
}

/// Prints a line. The node goes on when nobody reads any more.
fn say(line: impl std::fmt::Display) {
    let _ = print(line);
}

#[cfg(test)]
mod tests {
    use shiome::transport::limits::Limits;

    use super::*;

    #[test]
    fn the_configuration_that_the_help_shows_is_one() {
        let lines = CONFIGURATION.lines();
        let toml: Vec<_> = lines.filter_map(|line| line.strip_prefix("    ")).collect();
        let settings: Settings = toml::from_str(&toml.join("\n")).unwrap();
        assert_eq!(settings.check(), Ok(()));
        // What it shows of limits is what holds without it.
        assert_eq!(settings.admission.limits(), Limits::default());
    }
}
