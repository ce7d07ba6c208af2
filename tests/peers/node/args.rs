//! Command line.

use std::net::IpAddr;
use std::path::PathBuf;

pub struct Args {
    pub name: String,
    pub host: String,
    pub port: u16,
    pub cookie: String,
    pub transitive: bool,
    pub listen_addr: Option<IpAddr>,
    pub tls: Option<TlsFiles>,
    /// The node is made by shiome's builder, which demands TLS.
    pub built: bool,
    /// What is logged to stderr.
    pub log: Option<String>,
}

/// PEM files, and what they are used for.
pub struct TlsFiles {
    /// Whose certificates are believed.
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Whether clients too show a certificate.
    pub mutual: bool,
}

impl Args {
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = Self {
            name: String::new(),
            host: "127.0.0.1".into(),
            port: 0,
            cookie: String::new(),
            transitive: false,
            listen_addr: None,
            tls: None,
            built: false,
            log: std::env::var("PEER_LOG").ok(),
        };
        let (mut authority, mut certificate, mut key) = (None, None, None);
        let mut mutual = false;
        let mut words = words;
        while let Some(option) = words.next() {
            let mut value = || {
                words
                    .next()
                    .ok_or_else(|| format!("{option} needs a value"))
            };
            match option.as_str() {
                "--name" => args.name = value()?,
                "--host" => args.host = value()?,
                "--port" => args.port = parse(&value()?)?,
                "--cookie" => args.cookie = value()?,
                "--transitive" => args.transitive = true,
                "--listen-addr" => args.listen_addr = Some(parse(&value()?)?),
                "--builder" => args.built = true,
                "--log" => args.log = Some(value()?),
                "--tls-mutual" => mutual = true,
                "--tls-ca" => authority = Some(value()?.into()),
                "--tls-cert" => certificate = Some(value()?.into()),
                "--tls-key" => key = Some(value()?.into()),
                _ => return Err(format!("unknown option {option}")),
            }
        }
        if args.name.is_empty() || args.cookie.is_empty() {
            return Err("--name and --cookie are required".into());
        }
        args.tls = match (authority, certificate, key) {
            (Some(authority), Some(certificate), Some(key)) => Some(TlsFiles {
                authority,
                certificate,
                key,
                mutual,
            }),
            (None, None, None) if !mutual => None,
            _ => return Err("--tls-ca, --tls-cert and --tls-key go together".into()),
        };
        Ok(args)
    }
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("cannot read {text}"))
}
