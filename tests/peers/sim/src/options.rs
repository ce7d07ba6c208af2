use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};
use shiome_sim::experiments::{EXPERIMENTS, Scale};

/// What to do.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) scale: Scale,
    /// The first seed; further ones follow it.
    pub(crate) seed: u64,
    pub(crate) json: Option<PathBuf>,
    /// Where charts go.
    pub(crate) out: PathBuf,
    only: String,
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    ///
    /// What to tell when it makes no sense.
    pub(crate) fn from_args() -> Result<Self, String> {
        Self::parse(Parser::from_env()).map_err(|e| format!("{e}\n\nexperiments: {}", names()))
    }

    fn parse(mut args: Parser) -> Result<Self, lexopt::Error> {
        let mut options = Self {
            scale: Scale {
                is_full: false,
                seeds: None,
            },
            seed: 1,
            json: None,
            out: PathBuf::from("target/sim"),
            only: String::new(),
        };
        while let Some(arg) = args.next()? {
            match arg {
                Arg::Long("full") => options.scale.is_full = true,
                Arg::Long("seeds") => options.scale.seeds = Some(args.value()?.parse()?),
                Arg::Long("seed") => options.seed = args.value()?.parse()?,
                Arg::Long("only") => options.only = args.value()?.string()?,
                Arg::Long("json") => options.json = Some(args.value()?.into()),
                Arg::Long("out") => options.out = args.value()?.into(),
                other => return Err(other.unexpected()),
            }
        }
        if options.scale.seeds == Some(0) {
            return Err("--seeds must be at least 1".into());
        }
        if !EXPERIMENTS.iter().any(|e| options.wants(e.name)) {
            return Err(format!("no experiment's name contains {:?}", options.only).into());
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }
}

fn names() -> String {
    let names = EXPERIMENTS.iter().map(|experiment| experiment.name);
    Vec::from_iter(names).join(", ")
}
