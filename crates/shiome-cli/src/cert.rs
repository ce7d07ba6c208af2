//! `shiome cert`: certificates for a cluster whose nodes believe each other and nobody else.

use std::path::{Path, PathBuf};

use clap::{Subcommand, value_parser};
use shiome::handshake::MAX_NAME_LEN;
use thiserror::Error;

use crate::{
    error::Error,
    file::{self, FileError, Kind},
    print,
};

pub(crate) mod authority;

use authority::Authority;

/// Make certificates for TLS between nodes.
///
/// For development and for small clusters: the authority is two files, and whoever reads `ca.key` can make nodes. A
/// larger cluster has an authority of its own; what its certificates must say, `issue` tells.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(InitArgs),
    Issue(IssueArgs),
}

/// Make a certificate authority: `ca.pem`, which all nodes believe, and `ca.key`, which stays where it is.
#[derive(Debug, clap::Args)]
struct InitArgs {
    /// Where to. Is created if need be.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,

    /// For how long.
    #[arg(long, value_name = "DAYS", default_value_t = 3650, value_parser = value_parser!(u16).range(1..=7300))]
    days: u16,
}

/// Make a certificate for one node, and its key: `NAME@HOST.pem` and `NAME@HOST.key`.
///
/// The certificate is good for both ends of a connection (extended key usages serverAuth and clientAuth). It names the
/// hosts, for who dials them, and the node, as the URI `shiome:node:NAME@HOST`: its owner can speak as no other node.
#[derive(Debug, clap::Args)]
struct IssueArgs {
    /// The node, as it calls itself in the cluster.
    #[arg(value_name = "NAME@HOST", value_parser = node_name)]
    node: String,

    /// Another host name or IP address that the node is dialled by, besides HOST. May be given several times.
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,

    /// Where `ca.pem` and `ca.key` are.
    #[arg(long, value_name = "DIR", default_value = ".")]
    ca: PathBuf,

    /// Where to. Is created if need be. Default: where the authority is.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// For how long.
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = value_parser!(u16).range(1..=7300))]
    days: u16,

    /// Put the new files in the place of those that are there. A node that watches its files takes them up.
    #[arg(long)]
    replace: bool,
}

/// A certificate cannot be made.
#[derive(Debug, Error)]
pub(crate) enum CertError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("`{}` and `{}` are no authority", .certificate.display(), .key.display())]
    Authority {
        certificate: PathBuf,
        key: PathBuf,
        source: rcgen::Error,
    },
    #[error("`{0}` is neither a host name nor an IP address")]
    Host(String),
    #[error("cannot make a certificate")]
    Make(#[source] rcgen::Error),
}

impl CertError {
    /// Whether the command can only succeed when given differently.
    pub(crate) fn is_misuse(&self) -> bool {
        matches!(
            self,
            Self::File(FileError::Exists(_)) | Self::Authority { .. } | Self::Host(_)
        )
    }
}

/// Makes what was asked for, and prints the paths of the files.
pub(crate) fn run(args: Args) -> Result<(), Error> {
    let made = match args.command {
        Command::Init(args) => init(&args),
        Command::Issue(args) => issue(&args),
    };
    for path in made? {
        // Whoever closed standard output does not want to know.
        let _ = print(path.display());
    }
    Ok(())
}

/// Files of the authority in a directory.
fn authority_files(dir: &Path) -> (PathBuf, PathBuf) {
    (dir.join("ca.pem"), dir.join("ca.key"))
}

fn init(args: &InitArgs) -> Result<[PathBuf; 2], CertError> {
    let (certificate, key) = authority_files(&args.dir);
    file::create_dir(&args.dir)?;
    for path in [&certificate, &key] {
        file::ensure_absent(path)?;
    }
    let authority = Authority::new(args.days).map_err(CertError::Make)?;
    file::write_new(&key, Kind::Secret, &authority.key)?;
    file::write_new(&certificate, Kind::Public, &authority.certificate)?;
    Ok([certificate, key])
}

fn issue(args: &IssueArgs) -> Result<[PathBuf; 2], CertError> {
    let (certificate, key) = authority_files(&args.ca);
    let authority = Authority {
        certificate: file::read(&certificate)?,
        key: file::read(&key)?,
    };
    let issuer = authority.issuer().map_err(|source| CertError::Authority {
        certificate,
        key,
        source,
    })?;
    let issued = authority::issue(&issuer, &args.node, &args.hosts, args.days)?;

    let dir = args.dir.as_deref().unwrap_or(&args.ca);
    file::create_dir(dir)?;
    let stem = authority::file_stem(&args.node);
    let (certificate, key) = (
        dir.join(format!("{stem}.pem")),
        dir.join(format!("{stem}.key")),
    );
    if args.replace {
        file::replace(&key, Kind::Secret, &issued.key)?;
        file::replace(&certificate, Kind::Public, &issued.certificate)?;
    } else {
        for path in [&certificate, &key] {
            file::ensure_absent(path)?;
        }
        file::write_new(&key, Kind::Secret, &issued.key)?;
        file::write_new(&certificate, Kind::Public, &issued.certificate)?;
    }
    Ok([certificate, key])
}

fn node_name(text: &str) -> Result<String, String> {
    if text.len() > MAX_NAME_LEN {
        return Err(format!("longer than {MAX_NAME_LEN} bytes"));
    }
    match text.rsplit_once('@') {
        Some((name, host)) if !name.is_empty() && !host.is_empty() => Ok(text.to_owned()),
        _ => Err("not of the form NAME@HOST".to_owned()),
    }
}

#[cfg(test)]
mod tests;
