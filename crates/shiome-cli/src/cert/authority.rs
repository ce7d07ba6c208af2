use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use shiome::transport::tls::{NODE_URI_PREFIX, node_uri};

use super::CertError;

/// How far the clocks of nodes may be behind the one that makes a certificate.
const CLOCK_SKEW: Duration = Duration::from_secs(3600);

/// Longest common name (RFC 5280, appendix A: ub-common-name).
const MAX_COMMON_NAME_LEN: usize = 64;

/// A certificate and its private key, in PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// An authority's certificate and private key, in PEM.
pub(crate) type Authority = Issued;

impl Authority {
    /// An authority that no other is mistaken for. It signs nodes only, no further authorities.
    pub(crate) fn new(days: u16) -> Result<Self, rcgen::Error> {
        let name = format!("shiome authority {:08x}", rand::random::<u32>());
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, days);
        let key = KeyPair::generate()?;
        Ok(Self {
            certificate: params.self_signed(&key)?.pem(),
            key: key.serialize_pem(),
        })
    }

    pub(crate) fn issuer(&self) -> Result<Issuer<'static, KeyPair>, rcgen::Error> {
        Issuer::from_ca_cert_pem(&self.certificate, KeyPair::from_pem(&self.key)?)
    }
}

/// A certificate for the node `name@host`, on that host and on `hosts`.
pub(crate) fn issue(
    issuer: &Issuer<'_, KeyPair>,
    node: &str,
    hosts: &[String],
    days: u16,
) -> Result<Issued, CertError> {
    let own = node.rsplit_once('@').map(|(_, host)| host);
    let mut names = Vec::new();
    for host in own.into_iter().chain(hosts.iter().map(String::as_str)) {
        let name = host_name(host)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let uri = node_uri(node).try_into().map_err(CertError::Make)?;
    names.push(SanType::URI(uri));

    let mut params = CertificateParams::default();
    params.subject_alt_names = names;
    params.distinguished_name = common_name(node);
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // A node accepts and dials.
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    set_validity(&mut params, days);
    let key = KeyPair::generate().map_err(CertError::Make)?;
    let certificate = params.signed_by(&key, issuer).map_err(CertError::Make)?;
    Ok(Issued {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

/// The name of a node, as it can be that of a file anywhere.
pub(crate) fn file_stem(node: &str) -> String {
    node_uri(node).split_off(NODE_URI_PREFIX.len())
}

fn host_name(host: &str) -> Result<SanType, CertError> {
    if let Ok(ip) = host.parse() {
        return Ok(SanType::IpAddress(ip));
    }
    let unfit = || CertError::Host(host.to_owned());
    if !is_dns_name(host) {
        return Err(unfit());
    }
    host.try_into().map(SanType::DnsName).map_err(|_| unfit())
}

/// Labels of letters, digits, hyphens and underscores (RFC 1123 §2.1, and what is in use).
fn is_dns_name(host: &str) -> bool {
    host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        })
}

/// For people only: nodes never look at it.
fn common_name(name: &str) -> DistinguishedName {
    let short: String = name.chars().take(MAX_COMMON_NAME_LEN).collect();
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, short);
    distinguished
}

fn set_validity(params: &mut CertificateParams, days: u16) {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = date_time_ymd(1970, 1, 1) + since_1970;
    params.not_before = now - CLOCK_SKEW;
    params.not_after = now + Duration::from_secs(24 * 3600) * days.into();
}
