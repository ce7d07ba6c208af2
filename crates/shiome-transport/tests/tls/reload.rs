//! Certificates that change while a node runs.

use std::{fs, sync::Arc, time::Duration};

use shiome_transport::tls::{Files, LoadError, MAX_PEM_LEN, Reloading};
use tempfile::TempDir;

use super::{
    authority::{Authority, Issued},
    ends::{client, greet, handshake, node, open, peers, provider, server},
};

struct Node {
    _dir: TempDir,
    files: Files,
    reloading: Arc<Reloading>,
}

impl Node {
    fn new(issued: &Issued, authority: &Authority) -> Self {
        let dir = TempDir::new().unwrap();
        let file = |name| dir.path().join(name);
        let files = Files {
            certificate: file("node.pem"),
            key: file("node.key"),
            authorities: file("ca.pem"),
        };
        write(&files, issued, authority);
        Self {
            _dir: dir,
            reloading: Arc::new(Reloading::load(files.clone(), provider()).unwrap()),
            files,
        }
    }
}

fn write(files: &Files, issued: &Issued, authority: &Authority) {
    fs::write(&files.certificate, &issued.certificate).unwrap();
    fs::write(&files.key, &issued.key).unwrap();
    fs::write(&files.authorities, authority.pem()).unwrap();
}

#[tokio::test]
async fn a_reload_is_for_new_connections_only() {
    let authority = Authority::new();
    let b = Node::new(&authority.issue("b"), &authority);
    let (here, there) = (
        client(&node(&authority, "a")),
        server(b.reloading.credentials()),
    );
    let mut before = open(&here, &there).await;
    let shown = peers(&before).0.to_vec();

    write(&b.files, &authority.issue("b"), &authority);
    b.reloading.reload().unwrap();
    let after = open(&here, &there).await;
    assert_ne!(peers(&after).0, shown);
    // What is open goes on with what it began with.
    greet(&mut before.0, &mut before.1).await;
    assert_eq!(peers(&before).0, shown);
}

#[tokio::test]
async fn authorities_are_reloaded_too() {
    let (old, new) = (Authority::new(), Authority::new());
    let b = Node::new(&old.issue("b"), &old);
    let there = server(b.reloading.credentials());
    open(&client(&node(&old, "a")), &there).await;
    let newcomer = client(&node(&new, "c"));
    assert!(handshake(&newcomer, &there).await.1.is_err());

    write(&b.files, &new.issue("b"), &new);
    b.reloading.reload().unwrap();
    open(&newcomer, &there).await;
    let old = client(&node(&old, "a"));
    assert!(handshake(&old, &there).await.1.is_err());
}

#[tokio::test]
async fn what_does_not_fit_together_changes_nothing() {
    let authority = Authority::new();
    let b = Node::new(&authority.issue("b"), &authority);
    let here = client(&node(&authority, "a")).without_resumption();
    let there = server(b.reloading.credentials());
    let shown = peers(&open(&here, &there).await).0.to_vec();

    let (one, other) = (authority.issue("b"), authority.issue("b"));
    // The certificate is written, the key is not yet.
    fs::write(&b.files.certificate, &one.certificate).unwrap();
    assert!(matches!(b.reloading.reload(), Err(LoadError::Identity(_))));
    fs::write(&b.files.key, "nothing").unwrap();
    assert!(matches!(b.reloading.reload(), Err(LoadError::NoKey)));
    fs::write(&b.files.key, &one.key).unwrap();
    fs::write(&b.files.authorities, "").unwrap();
    let nobody = b.reloading.reload();
    assert!(matches!(nobody, Err(LoadError::NoCertificate)));
    fs::remove_file(&b.files.authorities).unwrap();
    let missing = b.reloading.reload();
    assert!(matches!(missing, Err(LoadError::Read { .. })));
    let len = usize::try_from(MAX_PEM_LEN).unwrap();
    fs::write(&b.files.authorities, vec![b'\n'; len + 1]).unwrap();
    assert!(matches!(b.reloading.reload(), Err(LoadError::TooLong(_))));
    assert_eq!(peers(&open(&here, &there).await).0, shown);

    write(&b.files, &other, &authority);
    b.reloading.reload().unwrap();
    assert_ne!(peers(&open(&here, &there).await).0, shown);
}

#[test]
fn only_a_change_is_a_reason_to_reload() {
    let authority = Authority::new();
    let b = Node::new(&authority.issue("b"), &authority);
    assert!(!b.reloading.reload_if_changed().unwrap());
    let certificate = fs::read(&b.files.certificate).unwrap();
    // A file that is longer by a line, for clocks that are coarser than this test.
    fs::write(&b.files.certificate, [&certificate[..], b"\n"].concat()).unwrap();
    assert!(b.reloading.reload_if_changed().unwrap());
    assert!(!b.reloading.reload_if_changed().unwrap());

    // What failed is tried again until it succeeds.
    fs::write(&b.files.key, "").unwrap();
    assert!(b.reloading.reload_if_changed().is_err());
    assert!(b.reloading.reload_if_changed().is_err());
    write(&b.files, &authority.issue("b"), &authority);
    assert!(b.reloading.reload_if_changed().unwrap());
    assert!(!b.reloading.reload_if_changed().unwrap());
}

/// The time is virtual, and passes while the files are looked at.
#[tokio::test(start_paused = true)]
async fn a_watch_sees_the_change() {
    let authority = Authority::new();
    let b = Node::new(&authority.issue("b"), &authority);
    let here = client(&node(&authority, "a")).without_resumption();
    let there = server(b.reloading.credentials());
    let shown = peers(&open(&here, &there).await).0.to_vec();
    let watch = tokio::spawn(Arc::clone(&b.reloading).watch(Duration::from_secs(60)));
    write(&b.files, &authority.issue("b"), &authority);
    fs::write(&b.files.authorities, authority.pem() + "\n").unwrap();
    let reloaded = async {
        while peers(&open(&here, &there).await).0 == shown {
            tokio::task::yield_now().await;
        }
    };
    let patience = tokio::time::timeout(Duration::from_secs(24 * 3600), reloaded);
    patience.await.unwrap();
    watch.abort();
    assert!(watch.await.unwrap_err().is_cancelled());
}
