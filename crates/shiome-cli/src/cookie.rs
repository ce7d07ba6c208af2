use std::{
    env,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use shiome::Cookie;
use thiserror::Error;

use crate::file;

mod new;

pub(crate) use new::{Args, run};

/// Environment variable that holds the cookie when there is no file.
pub(crate) const VARIABLE: &str = "SHIOME_COOKIE";

/// Longest cookie file, in bytes. A secret is far shorter; more is the wrong file.
const MAX_COOKIE_LEN: u64 = 4096;

/// There is no cookie to start with.
#[derive(Debug, Error)]
pub(crate) enum CookieError {
    #[error("a node needs a cookie: give --cookie-file FILE, or set {VARIABLE}")]
    Missing,
    #[error("cannot read cookie file `{}`", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the cookie in {0} is empty")]
    Empty(String),
    #[error("the cookie in {0} is not UTF-8")]
    NotText(String),
    #[error("cookie file `{}` is longer than {MAX_COOKIE_LEN} bytes", .0.display())]
    TooLong(PathBuf),
}

/// Reads the cookie from `file`, or without one from the environment.
///
/// A line end after it does not belong to it. Warns when other users can read the file.
pub(crate) fn read(file: Option<&Path>) -> Result<Cookie, CookieError> {
    let (secret, origin) = match file {
        Some(path) => (from_file(path)?, format!("`{}`", path.display())),
        None => {
            let secret = env::var_os(VARIABLE).ok_or(CookieError::Missing)?;
            (secret.into_encoded_bytes(), VARIABLE.to_owned())
        }
    };
    parse(secret, origin)
}

fn from_file(path: &Path) -> Result<Vec<u8>, CookieError> {
    let failed = |source| CookieError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    file::warn_if_open(&file, path, "cookie").map_err(failed)?;
    let mut secret = Vec::new();
    file.take(MAX_COOKIE_LEN + 1)
        .read_to_end(&mut secret)
        .map_err(failed)?;
    if secret.len() as u64 > MAX_COOKIE_LEN {
        return Err(CookieError::TooLong(path.to_owned()));
    }
    Ok(secret)
}

fn parse(secret: Vec<u8>, origin: String) -> Result<Cookie, CookieError> {
    let Ok(secret) = String::from_utf8(secret) else {
        return Err(CookieError::NotText(origin));
    };
    let secret = secret.trim_end_matches(['\r', '\n']);
    if secret.trim().is_empty() {
        return Err(CookieError::Empty(origin));
    }
    Ok(Cookie::new(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_of_white_space_is_empty() {
        for secret in ["", "\n", "\r\n", " \t\n"] {
            let parsed = parse(secret.into(), "here".to_owned());
            assert!(matches!(parsed, Err(CookieError::Empty(_))), "{secret:?}");
        }
        assert!(parse(b" a b \n".to_vec(), "here".to_owned()).is_ok());
    }

    #[test]
    fn a_cookie_is_text() {
        let parsed = parse(vec![0xff], "here".to_owned());
        assert!(matches!(parsed, Err(CookieError::NotText(_))));
    }

    #[test]
    fn a_file_that_is_too_long_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (len, fits) in [(MAX_COOKIE_LEN, true), (MAX_COOKIE_LEN + 1, false)] {
            std::fs::write(file.path(), "x".repeat(usize::try_from(len).unwrap())).unwrap();
            assert_eq!(read(Some(file.path())).is_ok(), fits, "{len}");
        }
    }
}
