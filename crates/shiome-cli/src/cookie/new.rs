//! `shiome cookie`: secrets to share.

use std::path::PathBuf;

use clap::Subcommand;

use crate::{
    error::Error,
    file::{self, Kind},
    print,
};

/// Make the secret that the nodes of a cluster share.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(NewArgs),
}

/// Make a cookie of 256 random bits, as 64 hexadecimal digits, and print it.
///
/// Without TLS, whoever listens to one handshake can try cookies at leisure: one that people have thought up is found.
#[derive(Debug, clap::Args)]
struct NewArgs {
    /// Write it to FILE instead, which must not be there yet, and which only its owner can read.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Makes what was asked for.
pub(crate) fn run(args: Args) -> Result<(), Error> {
    let Command::New(NewArgs { file }) = args.command;
    let cookie = random();
    match file {
        Some(path) => file::write_new(&path, Kind::Secret, &format!("{cookie}\n"))?,
        // A cookie that nobody has read is none.
        None => print(cookie).map_err(Error::Print)?,
    }
    Ok(())
}

/// 256 random bits: nobody guesses them, ever.
pub(crate) fn random() -> String {
    let (high, low) = (rand::random::<u128>(), rand::random::<u128>());
    format!("{high:032x}{low:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_in_a_file_is_the_users_alone_and_can_be_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cookie");
        let new = || {
            let file = Some(path.clone());
            let command = Command::New(NewArgs { file });
            run(Args { command })
        };
        new().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.trim_end().len(), 64);
        assert!(crate::cookie::read(Some(&path)).is_ok());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(new().is_err(), "a cookie in use is not overwritten");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn no_two_cookies_are_the_same() {
        let (one, other) = (random(), random());
        assert_ne!(one, other);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
