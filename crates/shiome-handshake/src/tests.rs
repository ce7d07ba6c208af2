//! Tests of two ends and more: the parts are tested beside their code.

mod explore;
mod pair;
mod properties;
mod table;

use shiome_wire::auth::{AuthenticationMessage, authentication_message::Msg};

use crate::{Config, Cookie, Local};

const COOKIE: &str = "the cookie of these tests";

fn config(name: &str) -> Config {
    Config::new(local(name), Cookie::new(COOKIE))
}

fn local(name: &str) -> Local {
    Local {
        name: format!("{name}@host"),
        connection_string: format!("{name}:4697"),
    }
}

fn message(msg: Msg) -> AuthenticationMessage {
    AuthenticationMessage { msg: Some(msg) }
}
