//! Which node is meant.

use std::env;

use shiome::transport::Address;

use super::{AskFailure, At};
use crate::place;

/// Environment variable for `--admin`, the same as that of `shiome node`.
const VARIABLE: &str = "SHIOME_ADMIN";

impl At {
    /// Where the node is asked.
    pub(super) fn address(&self) -> Result<Address, AskFailure> {
        let told = self.admin.clone().or_else(|| env::var(VARIABLE).ok());
        match told {
            Some(text) if text.contains("://") || text.starts_with("unix:") => address(&text),
            Some(name) => named(&name),
            None => only(),
        }
    }
}

fn address(text: &str) -> Result<Address, AskFailure> {
    let address = text.parse::<Address>().ok();
    let known = |address: &Address| matches!(address.scheme(), "tcp" | "unix");
    address
        .filter(known)
        .ok_or_else(|| AskFailure::Address(text.to_owned()))
}

fn named(name: &str) -> Result<Address, AskFailure> {
    let sockets = place::sockets();
    let of_name = sockets
        .into_iter()
        .filter(|(socket, _)| place::is_named(socket, name));
    pick(of_name.collect())?.ok_or_else(|| AskFailure::NotFound(name.to_owned()))
}

fn only() -> Result<Address, AskFailure> {
    pick(place::sockets())?.ok_or(AskFailure::NoNode)
}

/// The only one of these on which somebody listens.
fn pick(sockets: Vec<(String, std::path::PathBuf)>) -> Result<Option<Address>, AskFailure> {
    let mut alive: Vec<_> = sockets
        .into_iter()
        .filter(|(_, path)| is_alive(path))
        .collect();
    if alive.len() > 1 {
        let names = alive.into_iter().map(|(name, _)| name);
        return Err(AskFailure::Several(names.collect()));
    }
    let found = alive.pop();
    found
        .map(|(_, path)| address(&format!("unix:{}", path.display())))
        .transpose()
}

/// A node that was killed leaves its socket behind.
#[cfg(unix)]
fn is_alive(path: &std::path::Path) -> bool {
    std::os::unix::net::UnixStream::connect(path).is_ok()
}

#[cfg(not(unix))]
fn is_alive(_path: &std::path::Path) -> bool {
    false
}
