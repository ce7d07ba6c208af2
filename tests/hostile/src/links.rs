//! How the parties reach each other.

use std::{path::Path, sync::Arc};

use shiome_transport::{
    Links, Policy,
    tls::{ClientConfig, Credentials, Identity, ServerConfig, Trust, ring},
    websocket::Origins,
};

use crate::{Problem, certificates::AUTHORITY};

/// Where all good nodes live, and the host part of their names.
pub(crate) const HOST: &str = "127.0.0.1";

/// What all nodes share, and attackers that are let in.
pub(crate) const COOKIE: &str = "5f0c8a52d1b94f7f8f1de0f3a4b9c6e7";

/// What the party `name` shows, or nothing, and that it believes the cluster's authority.
pub(crate) fn credentials(dir: &Path, name: Option<&str>) -> Result<Arc<Credentials>, Problem> {
    let file = |name: &str, kind: &str| dir.join(format!("{name}.{kind}"));
    let identity = name.map(|name| {
        let certificate = std::fs::read(file(name, "pem"))?;
        let key = std::fs::read(file(name, "key"))?;
        Ok::<_, Problem>(Identity::from_pem(&certificate, &key)?)
    });
    let trust = Trust::authorities_pem_file(&dir.join(AUTHORITY))?;
    Ok(Credentials::new(identity.transpose()?, trust, ring())?)
}

/// Links of every kind, for the node whose identity is `name`.
pub(crate) fn links(dir: &Path, name: &str) -> Result<Links, Problem> {
    let credentials = credentials(dir, Some(name))?;
    let server = ServerConfig::builder(&credentials).build()?;
    let client = ClientConfig::new(&credentials)?;
    let links = Links::new(Policy::Any).with_tls(Some(server), Some(client));
    Ok(links.with_websocket(Origins::none()))
}
