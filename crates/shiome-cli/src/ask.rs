//! Commands that ask a running node: over its admin endpoint, or as a guest of a node that has none.

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;

use crate::{error::Error, node::value::Dialled};

mod actors;
mod arguments;
mod call;
mod client;
mod failure;
mod groups;
mod guest;
mod list;
mod locate;
mod members;
mod ping;
mod sessions;
mod source;
mod table;
pub(crate) mod watch;

pub(crate) use actors::Args as ActorsArgs;
pub(crate) use call::Args as CallArgs;
pub(crate) use failure::AskFailure;
pub(crate) use groups::Args as GroupsArgs;
pub(crate) use members::Args as MembersArgs;
pub(crate) use ping::Args as PingArgs;
pub(crate) use sessions::Args as SessionsArgs;
pub(crate) use table::clean;

/// Which node to ask, and how to tell what it says.
#[derive(Debug, clap::Args)]
pub(crate) struct At {
    /// The node to ask: its name, as far as it tells it from the others of this user on this machine; or its admin address,
    /// unix:/PATH or tcp://IP:PORT. Default: the environment variable SHIOME_ADMIN, otherwise the only node that there is.
    #[arg(long, value_name = "NODE")]
    admin: Option<String>,

    /// File with the token that an address of TCP needs.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    #[command(flatten)]
    told: Told,
}

/// How to tell, and how long to wait.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Told {
    /// Give up after so long: 1 to 600.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,

    /// Print JSON, one value on one line.
    #[arg(long)]
    json: bool,
}

impl Told {
    fn limit(self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// Which node to ask, which may be one that has no admin endpoint.
#[derive(Debug, clap::Args)]
pub(crate) struct AtOrJoin {
    #[command(flatten)]
    at: At,

    /// Ask the node that is dialled there as a guest, which shows it no actors and connects to nobody else: for nodes of
    /// ractor_cluster, which have no admin endpoint.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["admin", "token_file"])]
    join: Option<Dialled>,

    #[command(flatten)]
    entry: Entry,
}

/// What a guest needs to be let in.
#[derive(Debug, clap::Args)]
struct Entry {
    /// File with the secret of the cluster, for --join. Default: the environment variable SHIOME_COOKIE.
    #[arg(long, value_name = "FILE", requires = "join")]
    cookie_file: Option<PathBuf>,

    /// Certificate of the guest, in PEM, for --join over TLS. The guest goes by the name that the certificate is for. The three
    /// files go together.
    #[arg(long, value_name = "FILE", requires_all = ["join", "tls_key", "tls_ca"])]
    tls_cert: Option<PathBuf>,

    /// Private key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Certificates of the authorities that the nodes of the cluster are certified by, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_ca: Option<PathBuf>,
}

/// How to show a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shown {
    /// Text if it is some, otherwise hexadecimal.
    Auto,
    /// Hexadecimal.
    Hex,
    /// Text.
    Str,
    /// A number, unsigned.
    Uint,
    /// A number, signed.
    Int,
    /// A number with a fraction.
    Float,
    /// `true` or `false`.
    Bool,
}

/// What asks a node.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Ping(PingArgs),
    Members(MembersArgs),
    Sessions(SessionsArgs),
    Actors(ActorsArgs),
    Groups(GroupsArgs),
    Call(CallArgs),
    Watch(watch::Args),
}

pub(crate) async fn run(command: Command) -> Result<(), Error> {
    let done = match command {
        Command::Ping(args) => ping::run(args).await,
        Command::Members(args) => members::run(args).await,
        Command::Sessions(args) => sessions::run(args).await,
        Command::Actors(args) => actors::run(args).await,
        Command::Groups(args) => groups::run(args).await,
        Command::Call(args) => call::run(args).await,
        Command::Watch(args) => watch::run(args).await,
    };
    match done {
        // Whoever reads has enough.
        Err(AskFailure::Print(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(Error::from),
    }
}
