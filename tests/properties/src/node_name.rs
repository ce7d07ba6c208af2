use std::{fmt::Write as _, net::IpAddr, str};

use shiome_transport::tls::{NODE_URI_PREFIX, NodeNameError, Pin, node_uri, verify_node_name};
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::script::Script;

/// Any name, and after it any certificate: names have one spelling as a URI each, and a certificate is for a node that
/// stands in it, and has a key.
pub fn node_name(input: &[u8]) {
    let mut script = Script::new(input);
    let name = script.text();
    let certificate = script.take(usize::MAX);
    check_uri(&name);
    let chain = [CertificateDer::from(certificate)];
    let verified = verify_node_name(&chain, &name);
    let is_malformed = verified == Err(NodeNameError::Malformed);
    assert_eq!(Pin::key_of(&chain[0]).is_err(), is_malformed);
    match verified {
        Ok(()) => assert!(names(certificate, &name), "not for {name:?}"),
        Err(error) => assert!(matches!(
            error,
            NodeNameError::Malformed | NodeNameError::OtherNode
        )),
    }
}

fn check_uri(name: &str) {
    let uri = node_uri(name);
    let escaped = uri
        .strip_prefix(NODE_URI_PREFIX)
        .expect("it begins with the prefix");
    let mut bytes = escaped.bytes();
    let mut read = Vec::new();
    while let Some(byte) = bytes.next() {
        read.push(match byte {
            b'%' => {
                let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                let digits = str::from_utf8(&digits).expect("ASCII");
                assert_eq!(digits, digits.to_ascii_uppercase());
                let byte = u8::from_str_radix(digits, 16).expect("two digits");
                assert!(!is_plain(byte), "{byte} needs no escape");
                byte
            }
            plain => {
                assert!(is_plain(plain));
                plain
            }
        });
    }
    assert_eq!(read, name.as_bytes());
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte)
}

/// Whether the bytes of a certificate have anything that can mean this node: its URI, its host, or a wildcard for that.
fn names(certificate: &[u8], name: &str) -> bool {
    if has(certificate, node_uri(name).as_bytes()) {
        return true;
    }
    let Some((_, host)) = name.rsplit_once('@') else {
        return false;
    };
    // An IPv6 address may be in brackets.
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse() {
        return match ip {
            IpAddr::V4(ip) => has(certificate, &ip.octets()),
            IpAddr::V6(ip) => has(certificate, &ip.octets()),
        };
    }
    // The dot at the end of a name is not written in a certificate.
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    let mut wildcard = String::new();
    if let Some((_, parent)) = host.split_once('.') {
        write!(wildcard, "*.{parent}").expect("a string takes all text");
    }
    let certificate = certificate.to_ascii_lowercase();
    has(&certificate, host.as_bytes())
        || (!wildcard.is_empty() && has(&certificate, wildcard.as_bytes()))
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|window| window == part)
}
