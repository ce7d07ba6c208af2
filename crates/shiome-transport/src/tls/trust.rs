use std::{fmt, path::Path, str::FromStr};

use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::{self, pki_types::CertificateDer, server::ParsedCertificate};

use super::{
    load::{self, LoadError},
    name::{NodeNameError, verify_node_name},
};

/// Whose certificates are believed, and for which node names.
#[derive(Debug, Clone)]
pub struct Trust(pub(super) Kind);

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Authorities(Vec<CertificateDer<'static>>),
    Pins(Vec<Pin>),
}

impl Trust {
    /// Believes what these authorities have signed, while it is valid. A private authority of the cluster's own is meant:
    /// whoever a public one knows could join.
    ///
    /// # Errors
    ///
    /// [`LoadError::NobodyTrusted`] without any.
    pub fn authorities(roots: Vec<CertificateDer<'static>>) -> Result<Self, LoadError> {
        if roots.is_empty() {
            return Err(LoadError::NobodyTrusted);
        }
        Ok(Self(Kind::Authorities(roots)))
    }

    /// Believes what the authorities of this PEM text have signed.
    ///
    /// # Errors
    ///
    /// [`LoadError::Pem`] and [`LoadError::NoCertificate`].
    pub fn authorities_pem(pem: &[u8]) -> Result<Self, LoadError> {
        Self::authorities(load::certificates(pem)?)
    }

    /// Believes what the authorities of this PEM file have signed, of at most [`MAX_PEM_LEN`](super::MAX_PEM_LEN) bytes.
    ///
    /// # Errors
    ///
    /// As [`authorities_pem`](Self::authorities_pem), [`LoadError::Read`] and [`LoadError::TooLong`].
    pub fn authorities_pem_file(path: &Path) -> Result<Self, LoadError> {
        Self::authorities_pem(&load::read(path)?)
    }

    /// Believes these keys, whatever else their certificates say: issuer, names, dates and purpose are not looked at, since
    /// nobody vouches for them. A key ceases to be believed when its pin is taken away.
    ///
    /// # Errors
    ///
    /// [`LoadError::NobodyTrusted`] without any.
    pub fn pins(pins: impl IntoIterator<Item = Pin>) -> Result<Self, LoadError> {
        let pins: Vec<_> = pins.into_iter().collect();
        if pins.is_empty() {
            return Err(LoadError::NobodyTrusted);
        }
        Ok(Self(Kind::Pins(pins)))
    }

    /// Whether who proved to own the first certificate of `chain`, which was verified already, may speak as the node
    /// `node_name`: by the names in the certificate when an authority vouches for them (see [`verify_node_name`]), by
    /// those in the pin when the key is pinned.
    ///
    /// To be called once the handshake of the cluster has told the node's name, on resumed connections too.
    ///
    /// # Errors
    ///
    /// [`NodeNameError`]; the connection is to be closed.
    pub fn verify_node_name(
        &self,
        chain: &[CertificateDer<'_>],
        node_name: &str,
    ) -> Result<(), NodeNameError> {
        let pins = match &self.0 {
            Kind::Authorities(_) => return verify_node_name(chain, node_name),
            Kind::Pins(pins) => pins,
        };
        let certificate = chain.first().ok_or(NodeNameError::NoCertificate)?;
        let key = digest(certificate).map_err(|_| NodeNameError::Malformed)?;
        if pins
            .iter()
            .any(|pin| pin.key == key && pin.admits(node_name))
        {
            Ok(())
        } else {
            Err(NodeNameError::OtherNode)
        }
    }
}

/// A public key that is believed, by the SHA-256 digest of its SubjectPublicKeyInfo (as in RFC 7469 §2.4).
///
/// As text it is 64 hexadecimal digits, which say nothing of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    key: [u8; 32],
    /// `None` admits every name.
    node: Option<String>,
}

impl Pin {
    /// The owner of the key may speak as the node `node_name`, and as no other. Several pins of one key admit several names.
    pub fn for_node(key: [u8; 32], node_name: impl Into<String>) -> Self {
        Self {
            key,
            node: Some(node_name.into()),
        }
    }

    /// The owner of the key may speak as any node, those of other keys included.
    pub fn for_any_node(key: [u8; 32]) -> Self {
        Self { key, node: None }
    }

    /// The digest of the key.
    pub fn key(&self) -> [u8; 32] {
        self.key
    }

    /// The digest of the key in a certificate, to make a pin of.
    ///
    /// # Errors
    ///
    /// [`LoadError::Malformed`].
    pub fn key_of(certificate: &CertificateDer<'_>) -> Result<[u8; 32], LoadError> {
        digest(certificate).map_err(LoadError::Malformed)
    }

    fn admits(&self, node_name: &str) -> bool {
        self.node.as_ref().is_none_or(|node| node == node_name)
    }
}

/// Admits any node.
impl FromStr for Pin {
    type Err = LoadError;

    fn from_str(text: &str) -> Result<Self, LoadError> {
        let mut key = [0; 32];
        hex::decode_to_slice(text, &mut key).map_err(|_| LoadError::Pin)?;
        Ok(Self::for_any_node(key))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.key))
    }
}

/// SHA-256 of the SubjectPublicKeyInfo.
pub(super) fn digest(certificate: &CertificateDer<'_>) -> Result<[u8; 32], rustls::Error> {
    let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
    Ok(Sha256::digest(&key).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::Authority;

    #[test]
    fn a_pin_is_text_and_back() {
        let text = "00".repeat(31) + "fe";
        let pin: Pin = text.parse().unwrap();
        assert_eq!((pin.to_string(), pin.key()[31]), (text, 0xfe));
        for not_a_pin in ["", "00", "zz", &"g".repeat(64), &"00".repeat(33)] {
            assert!(
                matches!(not_a_pin.parse::<Pin>(), Err(LoadError::Pin)),
                "{not_a_pin}"
            );
        }
    }

    #[test]
    fn nobody_is_trusted_by_nothing() {
        for trust in [Trust::authorities(Vec::new()), Trust::pins([])] {
            assert!(matches!(trust, Err(LoadError::NobodyTrusted)));
        }
        let trust = Trust::authorities_pem(b"no certificate here");
        assert!(matches!(trust, Err(LoadError::NoCertificate)));
    }

    #[test]
    fn a_pinned_key_speaks_as_its_own_nodes_whatever_its_certificate_says() {
        // Signed by whoever: it claims to be `b`.
        let (chain, _) = Authority::new().issue(&["shiome:node:b@host"], &["host"]);
        let key = Pin::key_of(&chain[0]).unwrap();
        let trust = Trust::pins([
            Pin::for_node(key, "a@host"),
            Pin::for_node(key, "also@host"),
            Pin::for_any_node([0; 32]),
        ]);
        let verify = |name| trust.as_ref().unwrap().verify_node_name(&chain, name);
        assert!(verify("a@host").is_ok() && verify("also@host").is_ok());
        for other in ["b@host", "c@host", "A@host", ""] {
            assert_eq!(verify(other), Err(NodeNameError::OtherNode), "{other}");
        }
        let open = Trust::pins([Pin::for_any_node(key)]).unwrap();
        assert!(open.verify_node_name(&chain, "b@host").is_ok());
        let unseen = open.verify_node_name(&[], "b@host");
        assert_eq!(unseen, Err(NodeNameError::NoCertificate));
    }
}
