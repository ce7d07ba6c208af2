//! What settings must be like together.

use std::net::{IpAddr, SocketAddr};

use shiome::MAX_LISTENERS;
use thiserror::Error;

use super::{Operation, Sessions, Settings, Tls};
use crate::node::value::{AdminAddress, Dialled, Listened, NodeAddress, Socket};

/// Settings that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}")]
pub(crate) struct Misfit {
    /// The settings, as keys of the configuration file: that which is wrong, or those of which one is.
    pub(in crate::node) keys: &'static [&'static str],
    reason: String,
}

fn misfit<T>(keys: &'static [&'static str], reason: impl Into<String>) -> Result<T, Misfit> {
    let reason = reason.into();
    Err(Misfit { keys, reason })
}

impl Settings {
    /// What is wrong with these settings together.
    pub(in crate::node) fn check(&self) -> Result<(), Misfit> {
        let Sessions {
            require_native,
            legacy_only,
            ..
        } = self.sessions;
        if (require_native, legacy_only) == (Some(true), Some(true)) {
            return misfit(
                &["sessions.legacy-only", "sessions.require-native"],
                "`require-native` and `legacy-only` exclude each other",
            );
        }
        self.check_tls()?;
        self.operation.check_admin()?;
        self.operation.check_dashboard()?;
        self.check_bus()?;
        self.check_name()?;
        self.check_links()
    }

    fn check_tls(&self) -> Result<(), Misfit> {
        let Tls { cert, key, ca, .. } = &self.tls;
        let given = [cert, key, ca].into_iter().flatten().count();
        if !matches!(given, 0 | 3) {
            return misfit(
                &["tls.cert", "tls.key", "tls.ca"],
                "`tls-cert`, `tls-key` and `tls-ca` go together",
            );
        }
        if given == 0 && self.tls.watch.is_some() {
            return misfit(
                &["tls.watch"],
                "`tls-watch` says how often to look at `tls-cert`, which is not given",
            );
        }
        Ok(())
    }

    fn check_bus(&self) -> Result<(), Misfit> {
        let bus = &self.bus;
        if bus.listen.is_none() && (bus.token_file.is_some() || !bus.origin.is_empty()) {
            return misfit(
                &["bus.token-file", "bus.origin"],
                "`bus-token-file` and `bus-origin` are for `bus`, which is not given",
            );
        }
        Ok(())
    }

    /// That others can find the node.
    fn check_name(&self) -> Result<(), Misfit> {
        let Some((host, port)) = self.name.as_ref().and_then(NodeAddress::host_and_port) else {
            return Ok(());
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified()) {
            let told = format!(
                "`name` has the host `{host}`, which other nodes cannot dial; `listen` says where to listen"
            );
            return misfit(&["name"], told);
        }
        let offset: i32 = self.gossip.offset.map_or(0, |offset| offset.get());
        let gossips = self.gossip.on == Some(true) || !self.gossip.seed.is_empty();
        let is_port = |port: i32| (1..=i32::from(u16::MAX)).contains(&port);
        if gossips && port != 0 && !is_port(i32::from(port) + offset) {
            let told = format!(
                "`gossip-offset` {offset} and the port {port} of `name` do not make a port for gossip"
            );
            return misfit(&["gossip.offset"], told);
        }
        Ok(())
    }

    /// A listener without TLS is no way around it.
    fn check_links(&self) -> Result<(), Misfit> {
        let has_tls = self.tls.cert.is_some();
        let links = match has_tls {
            true => ["tls://", "wss://"],
            false => ["tcp://", "ws://"],
        };
        let fits = |text: &str| {
            let scheme = text.split_once("://");
            let scheme = scheme.map(|(scheme, _)| format!("{}://", scheme.to_lowercase()));
            scheme.is_none_or(|scheme| links.contains(&scheme.as_str()))
        };
        let listened = self.listen_at.iter().map(Listened::as_str);
        let dialled = self.connect.iter().map(Dialled::as_str);
        let advertised = self.advertise.iter().map(Dialled::as_str);
        let listened = listened.map(|text| (text, &["listen-at"]));
        let dialled = dialled.map(|text| (text, &["connect"]));
        let advertised = advertised.map(|text| (text, &["advertise"]));
        let mut all = listened.chain(dialled).chain(advertised);
        if let Some((text, key)) = all.find(|(text, _)| !fits(text)) {
            let [one, other] = links;
            let with = if has_tls { "with" } else { "without" };
            let told = format!("`{text}`: {with} TLS, links are {one}, {other} and unix:");
            return misfit(key, told);
        }
        match self.listen_at.len() {
            ..=MAX_LISTENERS => Ok(()),
            _ => misfit(
                &["listen-at"],
                format!("`listen-at` has more than {MAX_LISTENERS} addresses"),
            ),
        }
    }
}

impl Operation {
    /// That nobody reaches what is the operators' without a credential.
    fn check_admin(&self) -> Result<(), Misfit> {
        match (&self.admin, &self.admin_token_file) {
            (Some(AdminAddress::Tcp(addr)), _) if !is_own(addr) => misfit(
                &["operation.admin"],
                format!(
                    "`admin` {addr} is not of this host alone, and TCP would show the token to the network"
                ),
            ),
            (Some(AdminAddress::Tcp(_)), None) => misfit(
                &["operation.admin"],
                "`admin` over TCP needs `admin-token-file`",
            ),
            (Some(AdminAddress::Tcp(_)), Some(_)) | (_, None) => Ok(()),
            (_, Some(_)) => misfit(
                &["operation.admin-token-file"],
                "`admin-token-file` is for `admin` over TCP",
            ),
        }
    }

    /// That the page is shown on this host alone.
    fn check_dashboard(&self) -> Result<(), Misfit> {
        match (&self.dashboard, &self.dashboard_token_file) {
            (Some(Socket(addr)), _) if !is_own(addr) => misfit(
                &["operation.dashboard"],
                format!(
                    "`dashboard` {addr} is not of this host alone, and would show all to the network"
                ),
            ),
            (None, Some(_)) => misfit(
                &["operation.dashboard-token-file"],
                "`dashboard-token-file` is for `dashboard`, which is not given",
            ),
            _ => Ok(()),
        }
    }
}

fn is_own(addr: &SocketAddr) -> bool {
    addr.ip().is_loopback()
}
