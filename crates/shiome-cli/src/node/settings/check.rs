//! What settings must be like together.

use std::net::IpAddr;

use shiome::MAX_LISTENERS;

use super::{Operation, Sessions, Settings, Tls};
use crate::node::value::{AdminAddress, Dialled, Listened, NodeAddress};

impl Settings {
    /// What is wrong with these settings together.
    pub(in crate::node) fn check(&self) -> Result<(), String> {
        let Sessions {
            require_native,
            legacy_only,
            ..
        } = self.sessions;
        if (require_native, legacy_only) == (Some(true), Some(true)) {
            return Err("`require-native` and `legacy-only` exclude each other".to_owned());
        }
        let Tls { cert, key, ca, .. } = &self.tls;
        let given = [cert, key, ca].into_iter().flatten().count();
        if !matches!(given, 0 | 3) {
            return Err("`tls-cert`, `tls-key` and `tls-ca` go together".to_owned());
        }
        if given == 0 && self.tls.watch.is_some() {
            return Err(
                "`tls-watch` says how often to look at `tls-cert`, which is not given".to_owned(),
            );
        }
        self.check_admin()?;
        self.check_dashboard()?;
        let bus = &self.bus;
        if bus.listen.is_none() && (bus.token_file.is_some() || !bus.origin.is_empty()) {
            return Err(
                "`bus-token-file` and `bus-origin` are for `bus`, which is not given".to_owned(),
            );
        }
        self.check_name()?;
        self.check_links(given > 0)
    }

    /// That nobody reaches what is the operators' without a credential.
    fn check_admin(&self) -> Result<(), String> {
        let Operation {
            admin,
            admin_token_file: token,
            ..
        } = &self.operation;
        match (admin, token) {
            (Some(AdminAddress::Tcp(addr)), _) if !addr.ip().is_loopback() => Err(format!(
                "`admin` {addr} is not of this host alone, and TCP would show the token to the network"
            )),
            (Some(AdminAddress::Tcp(_)), None) => {
                Err("`admin` over TCP needs `admin-token-file`".to_owned())
            }
            (Some(AdminAddress::Tcp(_)), Some(_)) | (_, None) => Ok(()),
            (_, Some(_)) => Err("`admin-token-file` is for `admin` over TCP".to_owned()),
        }
    }

    /// That the page is shown on this host alone.
    fn check_dashboard(&self) -> Result<(), String> {
        match (
            self.operation.dashboard,
            &self.operation.dashboard_token_file,
        ) {
            (Some(addr), _) if !addr.ip().is_loopback() => Err(format!(
                "`dashboard` {addr} is not of this host alone, and would show all to the network"
            )),
            (None, Some(_)) => {
                Err("`dashboard-token-file` is for `dashboard`, which is not given".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// That others can find the node.
    fn check_name(&self) -> Result<(), String> {
        let Some((host, port)) = self.name.as_ref().and_then(NodeAddress::host_and_port) else {
            return Ok(());
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified()) {
            return Err(format!(
                "`name` has the host `{host}`, which other nodes cannot dial; `listen` says where to listen"
            ));
        }
        let offset: i32 = self.gossip.offset.map_or(0, |offset| offset.get());
        let gossips = self.gossip.on == Some(true) || !self.gossip.seed.is_empty();
        let is_port = |port: i32| (1..=i32::from(u16::MAX)).contains(&port);
        if gossips && port != 0 && !is_port(i32::from(port) + offset) {
            return Err(format!(
                "`gossip-offset` {offset} and the port {port} of `name` do not make a port for gossip"
            ));
        }
        Ok(())
    }

    /// A listener without TLS is no way around it.
    fn check_links(&self, has_tls: bool) -> Result<(), String> {
        let links = match has_tls {
            true => ["tls://", "wss://"],
            false => ["tcp://", "ws://"],
        };
        let texts = self.listen_at.iter().map(Listened::as_str);
        let texts = texts.chain(self.connect.iter().map(Dialled::as_str));
        for text in texts.chain(self.advertise.as_ref().map(Dialled::as_str)) {
            let scheme = text
                .split_once("://")
                .map(|(scheme, _)| scheme.to_lowercase());
            let fits = |scheme: &String| {
                links
                    .iter()
                    .any(|link| link.starts_with(&format!("{scheme}:")))
            };
            if !scheme.as_ref().is_none_or(fits) {
                let [one, other] = links;
                let with = if has_tls { "with" } else { "without" };
                return Err(format!(
                    "`{text}`: {with} TLS, links are {one}, {other} and unix:"
                ));
            }
        }
        match self.listen_at.len() {
            ..=MAX_LISTENERS => Ok(()),
            _ => Err(format!(
                "`listen-at` has more than {} addresses",
                MAX_LISTENERS
            )),
        }
    }
}
