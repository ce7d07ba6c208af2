//! What a node can be told, whether by the command line, the environment or a file.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::value::{AdminAddress, BusAddress, Dialled, HostPort, Listened, NodeAddress, Whole};

mod check;

/// Settings of one origin, or of all of them laid over each other. What is `None` or empty is not set.
#[derive(Debug, Default, PartialEq, clap::Args, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Settings {
    /// What the node is called, and where other nodes dial it. Port 0 takes any free port.
    #[arg(long, value_name = "NAME@HOST:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<NodeAddress>,

    /// Listen on this address only. Default: HOST if it is an IP address, otherwise all addresses.
    #[arg(long, value_name = "IP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) listen: Option<IpAddr>,

    /// Listen there too, such as at unix:/run/node.sock or wss://0.0.0.0:8443/cluster. Can be given several times, at most 16.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) listen_at: Vec<Listened>,

    /// Tell other nodes to dial this one there. Default: HOST:PORT.
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advertise: Option<Dialled>,

    /// Connect to the node there, over any kind of link. Can be given several times; this node itself may be among them.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) connect: Vec<Dialled>,

    /// Give a --connect up after so many dials without a session that lasted ten seconds: 1 to 1000000. Default:
    /// never.
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_dials: Option<Whole<1, 1_000_000>>,

    /// File with the secret that all nodes share; the line end after it does not count.
    ///
    /// Without it the secret is read from the environment variable SHIOME_COOKIE, which comes before a cookie-file of the
    /// configuration. Whoever knows it controls every actor of the cluster: make it long and random, and the file readable
    /// by its owner only.
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cookie_file: Option<PathBuf>,

    /// Connect to no node but those given here. Default: to the peers of peers too; with gossip to all members instead.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) isolated: Option<bool>,

    #[command(flatten)]
    #[serde(skip_serializing_if = "is_unset")]
    pub(super) sessions: Sessions,

    #[command(flatten)]
    #[serde(skip_serializing_if = "is_unset")]
    pub(super) tls: Tls,

    #[command(flatten)]
    #[serde(skip_serializing_if = "is_unset")]
    pub(super) gossip: Gossip,

    #[command(flatten)]
    #[serde(skip_serializing_if = "is_unset")]
    pub(super) operation: Operation,

    #[command(flatten)]
    #[serde(skip_serializing_if = "is_unset")]
    pub(super) bus: Bus,

    #[arg(skip)]
    #[serde(skip_serializing_if = "is_unset")]
    pub(super) admission: Admission,
}

/// How the node speaks to others.
#[derive(Debug, Default, PartialEq, clap::Args, Deserialize, Serialize)]
#[command(next_help_heading = "Sessions")]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Sessions {
    /// Refuse nodes that do not run shiome.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) require_native: Option<bool>,

    /// Speak to all as to nodes of ractor_cluster, also to those of shiome.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) legacy_only: Option<bool>,

    /// A peer that says nothing for so long is lost: 1 to 3600. Default: 5.
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) liveness: Option<Whole<1, 3600>>,

    /// Keep so much for a peer that does not take it, and refuse more: 1 to 4095. Default: 64.
    #[arg(long, value_name = "MIB")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_outbox: Option<Whole<1, 4095>>,
}

/// Mutual TLS with all other nodes, and nothing else.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Deserialize, Serialize)]
#[command(next_help_heading = "TLS")]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Tls {
    /// Certificate of the node, in PEM, with those that lead to an authority. It must be for the node's name: see shiome
    /// cert. The three files go together, and are taken up again when they change, and on SIGHUP.
    #[arg(long = "tls-cert", value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cert: Option<PathBuf>,

    /// Private key of the certificate, in PEM.
    #[arg(long = "tls-key", value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<PathBuf>,

    /// Certificates of the authorities that the nodes of the cluster are certified by, in PEM.
    #[arg(long = "tls-ca", value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ca: Option<PathBuf>,

    /// Look so often whether the files have changed: 1 to 86400. Default: 30.
    #[arg(long = "tls-watch", value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) watch: Option<Whole<1, 86_400>>,
}

/// How the node finds others.
#[derive(Debug, Default, PartialEq, clap::Args, Deserialize, Serialize)]
#[command(next_help_heading = "Gossip")]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Gossip {
    /// Join the cluster of the node there. Can be given several times; one that is up is enough. This node may be among
    /// them. A name stands for all its addresses; that of a service, such as _gossip._udp.example.org:4697, for the nodes and
    /// ports of its SRV records. With --gossip-offset, give the port that it gossips on.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) seed: Vec<HostPort>,

    /// Gossip without a seed: the first node, which waits for others.
    #[arg(long = "gossip", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on: Option<bool>,

    /// Gossip on the port of the node plus this, and expect the same of others: -65535 to 65535. Default: 0.
    #[arg(
        long = "gossip-offset",
        value_name = "N",
        allow_negative_numbers = true
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) offset: Option<Whole<-65_535, 65_535>>,

    /// Tell others to reach this node there. Default: HOST of the name, or where that leads here.
    #[arg(id = "gossip-advertise", long = "gossip-advertise", value_name = "IP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advertise: Option<IpAddr>,

    /// Keep who the node is in this directory over a restart. One node uses it at a time.
    #[arg(long = "gossip-state", value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<PathBuf>,

    /// Name of the cluster; all its nodes give the same.
    #[arg(long = "gossip-cluster", value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cluster: Option<String>,

    /// Time from one probe to the next, in milliseconds: 20 to 60000. All nodes should give the same. A member that is
    /// dead is found after some of them. Default: 1000.
    #[arg(long = "gossip-period", value_name = "MS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) period: Option<Whole<20, 60_000>>,
}

/// What operators and collectors of metrics reach.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Deserialize, Serialize)]
#[command(next_help_heading = "Operation")]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Operation {
    /// Where operators reach the node: unix:/PATH, tcp://IP:PORT of this host with a token, or off. Default: a socket in
    /// $XDG_RUNTIME_DIR/shiome, or /tmp/shiome-UID, where the other commands find it. Sockets are the user's alone.
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) admin: Option<AdminAddress>,

    /// File with the token that operators need over TCP: 16 characters at least, such as shiome cookie new makes.
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) admin_token_file: Option<PathBuf>,

    /// Serve /healthz, /readyz and /metrics to whoever asks there. Default: to operators only.
    #[arg(long, value_name = "IP:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) http: Option<SocketAddr>,

    /// Serve a page there that shows the node and its cluster as they are, to whoever asks on this host.
    #[arg(long, value_name = "IP:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dashboard: Option<SocketAddr>,

    /// File with the token by which the dashboard can send messages to actors: 16 characters at least. Default: it shows, and
    /// does nothing.
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dashboard_token_file: Option<PathBuf>,

    /// On a signal to stop, first be not ready for so long: 0 to 600. Default: 0.
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) drain: Option<Whole<0, 600>>,
}

/// A relay that peers of the bus come to, in browsers and elsewhere.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Deserialize, Serialize)]
#[command(next_help_heading = "Bus")]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Bus {
    /// Take peers of the bus there, on this host, and pass on what they send to each other. The dashboard shows them.
    #[arg(id = "bus", long = "bus", value_name = "ws://IP:PORT/PATH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) listen: Option<BusAddress>,

    /// File with the token that peers have to show: 16 characters at least. Default: whoever reaches the port is let in.
    #[arg(id = "bus-token-file", long = "bus-token-file", value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token_file: Option<PathBuf>,

    /// Take pages of this site, such as `https://example.org`. Can be given several times. Default: no page.
    #[arg(
        id = "bus-origin",
        long = "bus-origin",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) origin: Vec<String>,
}

/// What strangers are allowed. In the configuration file only.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Admission {
    /// Connections in all that are not authenticated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_unauthenticated: Option<Whole<1, 65_536>>,

    /// Those of one source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_unauthenticated_per_source: Option<Whole<1, 65_536>>,

    /// Failures in a row that cost a source nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_free_failures: Option<Whole<0, 1000>>,

    /// How long a source is refused after the next, in seconds. Doubles with each further one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_penalty: Option<Whole<1, 86_400>>,

    /// The longest penalty, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) longest_penalty: Option<Whole<1, 86_400>>,

    /// How long a source is remembered after its last failure and penalty, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory: Option<Whole<1, 86_400>>,

    /// Sources whose failures are remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_remembered: Option<Whole<1, 1_048_576>>,
}

fn is_unset<T: Default + PartialEq>(part: &T) -> bool {
    *part == T::default()
}

/// What can be laid over what comes after it.
trait Layer {
    /// This where it is set, otherwise `below`.
    fn or(self, below: Self) -> Self;
}

impl<T> Layer for Option<T> {
    fn or(self, below: Self) -> Self {
        self.or(below)
    }
}

/// A list is given as a whole.
impl<T> Layer for Vec<T> {
    fn or(self, below: Self) -> Self {
        if self.is_empty() { below } else { self }
    }
}

macro_rules! layers {
    ($($name:ident { $($field:ident),* $(,)? })*) => {$(
        impl Layer for $name {
            fn or(self, below: Self) -> Self {
                Self { $($field: Layer::or(self.$field, below.$field)),* }
            }
        }
    )*};
}

layers! {
    Settings {
        name, listen, listen_at, advertise, connect, max_dials, cookie_file, isolated, sessions, tls, gossip,
        operation, bus, admission,
    }
    Bus { listen, token_file, origin }
    Sessions { require_native, legacy_only, liveness, max_outbox }
    Tls { cert, key, ca, watch }
    Gossip { seed, on, offset, advertise, state, cluster, period }
    Operation { admin, admin_token_file, http, dashboard, dashboard_token_file, drain }
    Admission {
        max_unauthenticated, max_unauthenticated_per_source, max_free_failures, first_penalty, longest_penalty, memory,
        max_remembered,
    }
}

impl Settings {
    /// These settings where they are set, otherwise those `below`.
    pub(super) fn over(self, below: Self) -> Self {
        self.or(below)
    }

    /// Lets paths that are relative start at `dir`.
    pub(super) fn starting_at(mut self, dir: &Path) -> Self {
        let Tls { cert, key, ca, .. } = &mut self.tls;
        let Operation {
            admin_token_file,
            dashboard_token_file,
            ..
        } = &mut self.operation;
        let paths = [
            &mut self.cookie_file,
            &mut self.bus.token_file,
            &mut self.gossip.state,
            cert,
            key,
            ca,
            admin_token_file,
            dashboard_token_file,
        ];
        for path in paths.into_iter().flatten() {
            *path = dir.join(&path);
        }
        self
    }
}

#[cfg(test)]
mod tests;
