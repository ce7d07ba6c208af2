//! Tokens in files.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use shiome_inspect::{Token, TokenError};
use thiserror::Error;

use crate::file;

/// Longest file of a token, in bytes.
const MAX_TOKEN_LEN: u64 = 4096;

/// A file has no token.
#[derive(Debug, Error)]
pub(crate) enum TokenFileError {
    #[error("cannot read token file `{}`", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("token file `{}`: {error}", .path.display())]
    NoToken { path: PathBuf, error: TokenError },
}

/// The text of a token; the line end after it does not count.
pub(crate) fn text(path: &Path) -> Result<String, TokenFileError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|opened| {
        file::warn_if_open(&opened, path, "token")?;
        opened.take(MAX_TOKEN_LEN).read_to_string(&mut text)
    });
    read.map_err(|source| TokenFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    Token::new(&text).map_err(|error| TokenFileError::NoToken {
        path: path.to_owned(),
        error,
    })?;
    Ok(text)
}

/// The token of a file.
pub(crate) fn read(path: &Path) -> Result<Token, TokenFileError> {
    let text = text(path)?;
    Token::new(&text).map_err(|error| TokenFileError::NoToken {
        path: path.to_owned(),
        error,
    })
}
