//! How a party is called.

use std::{path::PathBuf, time::Duration};

use lexopt::{Arg, Parser, ValueExt};

use crate::Problem;

/// What a party is told at its start.
#[derive(Debug, Default, Clone)]
pub(crate) struct Options {
    /// Which one it is.
    pub(crate) party: String,
    /// The attack.
    pub(crate) name: String,
    /// The victim's listeners.
    pub(crate) tcp: String,
    pub(crate) tls: String,
    pub(crate) ws: String,
    /// Where the certificates lie.
    pub(crate) dir: PathBuf,
    /// What a newcomer calls itself.
    pub(crate) node: String,
    /// Where to connect to, for who connects to one address.
    pub(crate) connect: String,
    pub(crate) seed: u64,
    /// How long the attack lasts, unless it is over before.
    pub(crate) time: Duration,
    /// Whether everything is to be small.
    pub(crate) small: bool,
}

impl Options {
    pub(crate) fn parse(mut args: Parser) -> Result<Self, Problem> {
        let mut options = Self::default();
        while let Some(arg) = args.next()? {
            match arg {
                Arg::Long("tcp") => options.tcp = args.value()?.string()?,
                Arg::Long("tls") => options.tls = args.value()?.string()?,
                Arg::Long("ws") => options.ws = args.value()?.string()?,
                Arg::Long("dir") => options.dir = args.value()?.into(),
                Arg::Long("node") => options.node = args.value()?.string()?,
                Arg::Long("connect") => options.connect = args.value()?.string()?,
                Arg::Long("seed") => options.seed = args.value()?.parse()?,
                Arg::Long("millis") => {
                    options.time = Duration::from_millis(args.value()?.parse()?);
                }
                Arg::Long("small") => options.small = true,
                Arg::Value(word) if options.party.is_empty() => options.party = word.string()?,
                Arg::Value(word) if options.name.is_empty() => options.name = word.string()?,
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }
}
