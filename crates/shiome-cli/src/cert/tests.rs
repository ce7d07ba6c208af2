use std::{fs, sync::Arc};

use clap::Parser;
use shiome::transport::tls::{
    ClientConfig, Credentials, Identity, NodeNameError, ServerConfig, TlsError, Trust,
};
use tempfile::TempDir;
use tokio_rustls::rustls::{crypto::ring, pki_types::ServerName};

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// What `shiome cert` does with these arguments.
fn cert(args: &[&str]) -> Result<[PathBuf; 2], CertError> {
    let line = [&["cert"], args].concat();
    match Line::try_parse_from(line).unwrap().command {
        Command::Init(args) => init(&args),
        Command::Issue(args) => issue(&args),
    }
}

/// A directory with an authority in it.
fn authority() -> (TempDir, String) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("new/dir").display().to_string();
    cert(&["init", "--dir", &path]).unwrap();
    (dir, path)
}

fn credentials(dir: &str, [certificate, key]: [PathBuf; 2]) -> Arc<Credentials> {
    let identity = Identity::from_pem_files(&certificate, &key).unwrap();
    let trust = Trust::authorities_pem_file(&Path::new(dir).join("ca.pem")).unwrap();
    let provider = Arc::new(ring::default_provider());
    Credentials::new(Some(identity), trust, provider).unwrap()
}

/// `a` dials `b` as `host`; the error of the one and of the other, once both have checked each other's name.
async fn meet(
    a: &Arc<Credentials>,
    b: &Arc<Credentials>,
    host: &str,
    names: [&str; 2],
) -> (
    Result<Result<(), NodeNameError>, TlsError>,
    Result<Result<(), NodeNameError>, TlsError>,
) {
    let (client, server) = (
        ClientConfig::new(a).unwrap(),
        ServerConfig::builder(b).build().unwrap(),
    );
    let (here, there) = tokio::io::duplex(64 * 1024);
    let host = ServerName::try_from(host.to_owned()).unwrap();
    let (here, there) = tokio::join!(client.connect(host, here), server.accept(there));
    let chain = |of: Option<&[_]>| of.unwrap().to_vec();
    (
        here.map(|here| a.verify_node_name(&chain(here.get_ref().1.peer_certificates()), names[1])),
        there.map(|there| {
            b.verify_node_name(&chain(there.get_ref().1.peer_certificates()), names[0])
        }),
    )
}

#[tokio::test]
async fn nodes_with_certificates_of_one_authority_meet() {
    let (_dir, ca) = authority();
    let a = cert(&["issue", "a@n1.example", "--ca", &ca]).unwrap();
    let b = ["issue", "b@10.0.0.2", "--ca", &ca, "--host", "n2.example"];
    let b = cert(&[&b[..], &["--host", "::1", "--host", "10.0.0.2"]].concat()).unwrap();
    let (a, b) = (credentials(&ca, a), credentials(&ca, b));
    for host in ["10.0.0.2", "n2.example", "::1"] {
        let (here, there) = meet(&a, &b, host, ["a@n1.example", "b@10.0.0.2"]).await;
        assert_eq!((here.unwrap(), there.unwrap()), (Ok(()), Ok(())));
    }
    let (here, there) = meet(&a, &b, "n2.example", ["b@10.0.0.2", "c@10.0.0.2"]).await;
    let other = Err(NodeNameError::OtherNode);
    assert_eq!((here.unwrap(), there.unwrap()), (other, other));
    let (here, _) = meet(&a, &b, "n1.example", ["", ""]).await;
    assert!(matches!(here, Err(TlsError::Certificate(_))));
}

#[tokio::test]
async fn another_authority_is_another_cluster() {
    let ((_one, one), (_two, two)) = (authority(), authority());
    let a = credentials(&one, cert(&["issue", "a@h", "--ca", &one]).unwrap());
    let b = credentials(&two, cert(&["issue", "b@h", "--ca", &two]).unwrap());
    let (here, there) = meet(&a, &b, "h", ["a@h", "b@h"]).await;
    assert!(matches!(here, Err(TlsError::Certificate(_))) && there.is_err());
}

#[test]
fn nothing_is_overwritten_unless_asked_for() {
    let (_dir, ca) = authority();
    let before = fs::read(Path::new(&ca).join("ca.key")).unwrap();
    let again = cert(&["init", "--dir", &ca]).unwrap_err();
    assert!(matches!(again, CertError::File(FileError::Exists(_))) && again.is_misuse());
    assert_eq!(fs::read(Path::new(&ca).join("ca.key")).unwrap(), before);

    let issue = ["issue", "a@h", "--ca", &ca];
    let files = cert(&issue).unwrap();
    let content = || files.each_ref().map(|file| fs::read(file).unwrap());
    let before = content();
    assert!(matches!(
        cert(&issue),
        Err(CertError::File(FileError::Exists(_)))
    ));
    assert_eq!(content(), before);
    cert(&[&issue[..], &["--replace"]].concat()).unwrap();
    assert!(content()[0] != before[0] && content()[1] != before[1]);
    // The pair fits together, and nothing lies about.
    credentials(&ca, files.clone());
    let mut names: Vec<_> = fs::read_dir(&ca)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["a@h.key", "a@h.pem", "ca.key", "ca.pem"]);
}

#[cfg(unix)]
#[test]
fn keys_are_for_the_users_eyes_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_dir, ca) = authority();
    let issue = ["issue", "a@h", "--ca", &ca, "--replace"];
    let [_, key] = cert(&issue).unwrap();
    // What lies in the way of the new file is not written to.
    let beside = key.with_extension("key.new");
    fs::write(&beside, "").unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o644)).unwrap();
    cert(&issue).unwrap();
    for key in [key, Path::new(&ca).join("ca.key")] {
        let mode = fs::metadata(&key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", key.display());
    }
}

#[test]
fn a_name_stays_in_its_directory() {
    let (_dir, ca) = authority();
    let [certificate, _] = cert(&["issue", "../../a b@h", "--ca", &ca]).unwrap();
    assert_eq!(certificate, Path::new(&ca).join("..%2F..%2Fa%20b@h.pem"));
    assert!(certificate.is_file());
}

#[test]
fn what_is_no_node_host_or_authority_is_told_so() {
    let (_dir, ca) = authority();
    for name in ["a", "@h", "a@", "", &format!("a@{}", "h".repeat(254))] {
        let line = ["cert", "issue", name, "--ca", &ca];
        assert!(Line::try_parse_from(line).is_err(), "{name}");
    }
    for host in ["a b", "-", "h..h", "", "h:1", "[::1]", "*.h", "ü"] {
        let error = cert(&["issue", "a@h", "--ca", &ca, "--host", host]).unwrap_err();
        assert!(matches!(error, CertError::Host(_)), "{host}");
    }
    let nowhere = cert(&["issue", "a@h", "--ca", "/nowhere"]).unwrap_err();
    assert!(matches!(nowhere, CertError::File(FileError::Read { .. })));
    fs::write(Path::new(&ca).join("ca.pem"), "no certificate").unwrap();
    let error = cert(&["issue", "a@h", "--ca", &ca]).unwrap_err();
    assert!(matches!(error, CertError::Authority { .. }));
    assert!(!Path::new(&ca).join("a@h.key").exists());
}
