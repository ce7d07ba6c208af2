//! Tokens that the node asks others for.

use std::path::Path;

use shiome_inspect::Token;

use super::settings::Settings;
use crate::token::{self, TokenFileError};

/// Of each that is told to be asked for, the token. Read before anything is started: a node that could not ask is none.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) admin: Option<Token>,
    pub(super) dashboard: Option<Token>,
    pub(super) bus: Option<Token>,
}

impl Tokens {
    pub(super) fn read(settings: &Settings) -> Result<Self, TokenFileError> {
        let read = |file: &Option<_>| file.as_deref().map(|file: &Path| token::read(file));
        Ok(Self {
            admin: read(&settings.operation.admin_token_file).transpose()?,
            dashboard: read(&settings.operation.dashboard_token_file).transpose()?,
            bus: read(&settings.bus.token_file).transpose()?,
        })
    }
}
