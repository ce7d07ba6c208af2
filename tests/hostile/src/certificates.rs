//! Certificates of all parties, made anew for each run.

use std::{fs, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType, date_time_ymd,
};
use shiome_transport::tls::node_uri;

use crate::{Problem, links::HOST};

/// File of the authority that all believe.
pub(crate) const AUTHORITY: &str = "authority.pem";

/// Identities, a pair of files each.
pub(crate) const VICTIM: &str = "victim";
pub(crate) const NEWCOMER: &str = "newcomer";
/// Of the cluster, and not for the name that is claimed with it.
pub(crate) const OTHER_NAME: &str = "other-name";
pub(crate) const EXPIRED: &str = "expired";
pub(crate) const SELF_SIGNED: &str = "self-signed";
pub(crate) const OTHER_AUTHORITY: &str = "other-authority";

/// Writes them all into `dir`.
pub(crate) fn issue(dir: &Path) -> Result<(), Problem> {
    fs::create_dir_all(dir)?;
    let (ours, theirs) = (authority()?, authority()?);
    fs::write(dir.join(AUTHORITY), ours.pem())?;
    for name in [VICTIM, NEWCOMER] {
        signed(dir, name, params(name)?, &ours)?;
    }
    signed(dir, OTHER_NAME, params("someone-else")?, &ours)?;
    let mut expired = params(NEWCOMER)?;
    expired.not_after = date_time_ymd(2001, 1, 1);
    signed(dir, EXPIRED, expired, &ours)?;
    signed(dir, OTHER_AUTHORITY, params(NEWCOMER)?, &theirs)?;
    let key = KeyPair::generate()?;
    let certificate = params(NEWCOMER)?.self_signed(&key)?.pem();
    write(dir, SELF_SIGNED, &certificate, &key)
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, Problem> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn signed(
    dir: &Path,
    name: &str,
    params: CertificateParams,
    by: &CertifiedIssuer<'static, KeyPair>,
) -> Result<(), Problem> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, by)?.pem();
    write(dir, name, &certificate, &key)
}

fn write(dir: &Path, name: &str, certificate: &str, key: &KeyPair) -> Result<(), Problem> {
    fs::write(dir.join(format!("{name}.pem")), certificate)?;
    Ok(fs::write(
        dir.join(format!("{name}.key")),
        key.serialize_pem(),
    )?)
}

fn params(name: &str) -> Result<CertificateParams, Problem> {
    let mut params = CertificateParams::new([HOST.to_owned()])?;
    let uri = node_uri(&format!("{name}@{HOST}"));
    params.subject_alt_names.push(SanType::URI(uri.try_into()?));
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    Ok(params)
}
