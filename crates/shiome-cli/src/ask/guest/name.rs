//! What a guest goes by.

use std::{net::IpAddr, path::Path};

use shiome::transport::tls::NODE_URI_PREFIX;
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, pem::parse_x509_pem};

use super::AskFailure;
use crate::file;

/// A name that nobody else has.
pub(super) fn by_chance(host: &str) -> String {
    format!("shiome-guest-{:08x}@{host}", rand::random::<u32>())
}

/// The node that a certificate is for; any name, when it is for all nodes of a host.
pub(super) fn certified(path: &Path) -> Result<String, AskFailure> {
    let text = file::read(path)?;
    named(text.as_bytes()).ok_or_else(|| AskFailure::Certificate(path.to_owned()))
}

fn named(pem: &[u8]) -> Option<String> {
    let (_, pem) = parse_x509_pem(pem).ok()?;
    let certificate = pem.parse_x509().ok()?;
    let names = names_of(&certificate);
    let nodes = names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => plain(uri.strip_prefix(NODE_URI_PREFIX)?),
        _ => None,
    });
    nodes.or_else(|| {
        let host = names.iter().find_map(host)?;
        Some(by_chance(&host))
    })
}

fn names_of<'a>(certificate: &'a X509Certificate<'_>) -> &'a [GeneralName<'a>] {
    let names = certificate.subject_alternative_name().ok().flatten();
    names.map_or(&[], |names| &names.value.general_names)
}

/// A host as it stands in the name of a node. A wildcard is none.
fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(host) if !host.starts_with('*') => Some((*host).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let ip = match bytes.len() {
                4 => IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?),
                _ => IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?),
            };
            Some(match ip {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            })
        }
        _ => None,
    }
}

/// Without the escapes of a URI (RFC 3986 §2.1).
fn plain(escaped: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = escaped.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, more) = more.split_at_checked(2)?;
        bytes.extend(hex::decode(digits).ok()?);
        rest = more;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};
    use shiome::transport::tls::node_uri;

    use super::*;

    fn pem(uris: &[&str], hosts: &[&str]) -> String {
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        let uris = uris
            .iter()
            .map(|uri| SanType::URI((*uri).try_into().unwrap()));
        params.subject_alt_names.extend(uris);
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .pem()
    }

    #[test]
    fn a_guest_is_the_node_that_its_certificate_names() {
        for name in ["ops@10.0.0.1", "a b@[::1]", "潮@h"] {
            let pem = pem(&["https://x", &node_uri(name)], &["10.0.0.1"]);
            assert_eq!(named(pem.as_bytes()).unwrap(), name);
        }
    }

    #[test]
    fn a_certificate_of_a_host_is_for_any_node_there() {
        for (hosts, end) in [
            (&["*.h", "h.example"][..], "@h.example"),
            (&["10.0.0.1"], "@10.0.0.1"),
            (&["::1"], "@[::1]"),
        ] {
            let name = named(pem(&[], hosts).as_bytes()).unwrap();
            assert!(
                name.starts_with("shiome-guest-") && name.ends_with(end),
                "{name}"
            );
        }
    }

    #[test]
    fn what_names_nobody_is_no_certificate_of_a_guest() {
        assert_eq!(named(pem(&["https://x"], &[]).as_bytes()), None);
        assert_eq!(named(b"nothing"), None);
        for wrong in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(plain(wrong), None, "{wrong}");
        }
    }
}
