//! Which node a certificate is for.

use std::fmt::Write as _;

use thiserror::Error;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

/// How a URI in a certificate begins that names a node. See [`node_uri`].
pub const NODE_URI_PREFIX: &str = "shiome:node:";

/// A node may not speak under the name that it calls itself by. Its connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NodeNameError {
    /// The peer has shown no certificate. Where none is demanded, that may do: the caller knows.
    #[error("the peer has shown no certificate")]
    NoCertificate,
    /// The peer's certificate is not well-formed.
    #[error("malformed certificate")]
    Malformed,
    /// The certificate, or the pinned key, is another node's.
    #[error("the certificate is another node's")]
    OtherNode,
}

/// The URI that names a node in its certificate's subject alternative names: [`NODE_URI_PREFIX`] and the name, in which
/// every byte but `A-Z a-z 0-9 - . _ ~ @` is written as `%XX` with upper-case digits (RFC 3986 §2.1). There is one
/// spelling of each name, and it is compared byte by byte.
pub fn node_uri(node_name: &str) -> String {
    let mut uri = NODE_URI_PREFIX.to_owned();
    for byte in node_name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            uri.push(byte.into());
        } else {
            write!(uri, "%{byte:02X}").expect("a string takes all text");
        }
    }
    uri
}

/// Whether a certificate, which an authority vouches for, is for the node `node_name` (`name@host`). `chain` begins with
/// it, as `peer_certificates` of a TLS connection does.
///
/// - A certificate with a [node URI](node_uri) or several is for the nodes that they name. Nothing else in it counts.
/// - Any other certificate is for all nodes of its hosts: what follows the last `@` of the name must be one of its DNS
///   names, wildcards included, or IP addresses (RFC 6125). The common name never counts.
///
/// It does not verify the certificate: the TLS handshake has.
///
/// # Errors
///
/// [`NodeNameError`].
pub fn verify_node_name(
    chain: &[CertificateDer<'_>],
    node_name: &str,
) -> Result<(), NodeNameError> {
    let certificate = chain.first().ok_or(NodeNameError::NoCertificate)?;
    let certificate = EndEntityCert::try_from(certificate).map_err(|_| NodeNameError::Malformed)?;
    let mut uris = node_uris(&certificate).peekable();
    let is_for_node = if uris.peek().is_some() {
        let own = node_uri(node_name);
        uris.any(|uri| uri == own)
    } else {
        is_for_host(&certificate, node_name)
    };
    is_for_node.then_some(()).ok_or(NodeNameError::OtherNode)
}

/// Whether a certificate names the nodes that it is for by [URI](node_uri).
pub(super) fn names_nodes(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate)
        .is_ok_and(|certificate| node_uris(&certificate).next().is_some())
}

/// Those that are misspelt included: they name nobody, and nobody by the host either. Schemes have no case (RFC 3986 §3.1).
fn node_uris<'a>(certificate: &'a EndEntityCert<'_>) -> impl Iterator<Item = &'a str> {
    let is_node_uri = |uri: &&str| {
        let begins = uri.as_bytes().get(..NODE_URI_PREFIX.len());
        begins.is_some_and(|begins| begins.eq_ignore_ascii_case(NODE_URI_PREFIX.as_bytes()))
    };
    certificate.valid_uri_names().filter(is_node_uri)
}

fn is_for_host(certificate: &EndEntityCert<'_>, node_name: &str) -> bool {
    let Some((_, host)) = node_name.rsplit_once('@') else {
        return false;
    };
    // An IPv6 address is in brackets in front of a port, and so in the name of a node.
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = bare.filter(|bare| bare.contains(':')).unwrap_or(host);
    ServerName::try_from(host)
        .is_ok_and(|host| certificate.verify_is_valid_for_subject_name(&host).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::Authority;

    fn verify(uris: &[&str], hosts: &[&str], node_name: &str) -> Result<(), NodeNameError> {
        let (chain, _) = Authority::new().issue(uris, hosts);
        verify_node_name(&chain, node_name)
    }

    #[test]
    fn a_uri_names_one_node() {
        let uris = ["shiome:node:a@host", "https://b@host"];
        assert_eq!(verify(&uris, &["host"], "a@host"), Ok(()));
        // Neither a neighbour by its host, nor one that only begins or ends alike, nor another spelling.
        for other in ["b@host", "a@host2", "aa@host", "A@host", "", "host", "a"] {
            let verified = verify(&uris, &["host", "host2"], other);
            assert_eq!(verified, Err(NodeNameError::OtherNode), "{other}");
        }
        let two = ["shiome:node:a@host", "shiome:node:b@host"];
        assert_eq!(verify(&two, &[], "b@host"), Ok(()));
        assert!(verify(&two, &["host"], "c@host").is_err());
    }

    #[test]
    fn a_node_uri_that_is_misspelt_does_not_make_a_certificate_one_of_all_nodes() {
        for uri in ["SHIOME:node:a@host", "shiome:Node:a@host", "shiome:node:"] {
            for name in ["a@host", "b@host"] {
                let verified = verify(&[uri], &["host"], name);
                assert_eq!(verified, Err(NodeNameError::OtherNode), "{uri} {name}");
            }
        }
    }

    #[test]
    fn a_host_name_or_address_names_all_nodes_of_a_host() {
        let hosts = ["n1.example", "10.0.0.1", "fd00::1", "*.wild.example"];
        for node in [
            "a@n1.example",
            "b@N1.Example",
            "odd@name@n1.example",
            "a@10.0.0.1",
            "a@fd00::1",
            "a@[fd00::1]",
            "a@any.wild.example",
        ] {
            assert_eq!(verify(&[], &hosts, node), Ok(()), "{node}");
        }
        for other in [
            "a@n2.example",
            "n1.example",
            "a@",
            "n1.example@n2.example",
            "a@10.0.0.2",
            "a@fd00::2",
            "a@[fd00::2]",
            "a@[10.0.0.1]",
            "a@[n1.example]",
            "a@wild.example",
            "a@very.any.wild.example",
            "a@n1.example:80",
            "a@*.wild.example",
            "",
        ] {
            let verified = verify(&[], &hosts, other);
            assert_eq!(verified, Err(NodeNameError::OtherNode), "{other}");
        }
    }

    #[test]
    fn any_name_can_be_written_as_a_uri() {
        assert_eq!(node_uri("a-1.b_c~@host"), "shiome:node:a-1.b_c~@host");
        assert_eq!(node_uri("a/%41@ü"), "shiome:node:a%2F%2541@%C3%BC");
        for name in ["a b@host", "ä@host", "a%20b@host", "a:b/c?d#e@[::1]"] {
            let uri = node_uri(name);
            assert_eq!(verify(&[&uri], &[], name), Ok(()), "{uri}");
        }
        // Escaped or not, no other name is the same.
        assert!(verify(&[&node_uri("a b@host")], &[], "a%20b@host").is_err());
        assert!(verify(&["shiome:node:%61@host"], &[], "a@host").is_err());
    }

    #[test]
    fn who_shows_nothing_is_nobody() {
        let verified = verify_node_name(&[], "a@host");
        assert_eq!(verified, Err(NodeNameError::NoCertificate));
        let garbage = [CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])];
        let verified = verify_node_name(&garbage, "a@host");
        assert_eq!(verified, Err(NodeNameError::Malformed));
    }
}
