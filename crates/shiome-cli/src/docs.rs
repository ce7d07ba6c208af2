//! `shiome completions` and `shiome man`: what the command line says of itself, for shells and for `man`.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::{Cli, error::Error, file};

/// Print what makes a shell complete the arguments of shiome
///
/// For bash, for example: shiome completions bash > ~/.local/share/bash-completion/completions/shiome
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell.
    shell: Shell,
}

/// Print the manual page of shiome, or of one of its commands
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// Of which command. Default: of shiome, which lists them.
    command: Option<String>,

    /// Write the pages of shiome and of all commands to this directory, as shiome.1, shiome-node.1 and so on. It is
    /// created if need be.
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "shiome", &mut script);
    print(&script)
}

pub(crate) fn man(args: &ManArgs) -> Result<(), Error> {
    // What `help` prints is in the pages.
    let without_help = |command: Command| command.disable_help_subcommand(true);
    let mut all = without_help(Cli::command()).mut_subcommands(without_help);
    all.build();
    if let Some(dir) = &args.dir {
        file::create_dir(dir)?;
        return clap_mangen::generate_to(all, dir).map_err(|source| Error::Write {
            path: dir.clone(),
            source,
        });
    }
    let command = match &args.command {
        None => all,
        Some(name) => {
            let command = all.find_subcommand(name).filter(|one| !one.is_hide_set());
            command
                .cloned()
                .ok_or_else(|| Error::NoCommand(name.clone()))?
        }
    };
    let mut page = Vec::new();
    Man::new(command).render(&mut page).map_err(Error::Print)?;
    print(&page)
}

/// Prints all of it, unless nobody reads any more.
fn print(text: &[u8]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Print(error)),
        _ => Ok(()),
    }
}
