use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{Links, Policy};

fn links(users: Users) -> Links {
    Links::new(Policy::Encrypted).with_scheme("unix", scheme(users))
}

fn at(dir: &tempfile::TempDir) -> (PathBuf, Address) {
    let path = dir.path().join("node.sock");
    let address = format!("unix:{}", path.display()).parse().unwrap();
    (path, address)
}

fn files(dir: &tempfile::TempDir) -> usize {
    fs::read_dir(dir.path()).unwrap().count()
}

fn listen_error<T>(result: Result<T, TransportError>) -> io::ErrorKind {
    match result {
        Err(TransportError::Listen(error)) => error.kind(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it listens"),
    }
}

#[tokio::test]
async fn processes_of_one_user_speak() {
    let dir = tempfile::tempdir().unwrap();
    let (path, address) = at(&dir);
    let links = links(Users::default());
    let mut listener = links.listen(&address).await.unwrap();
    assert_eq!(listener.local(), &address);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(files(&dir), 1, "nothing but the socket");

    let (here, there) = tokio::join!(links.dial(&address), listener.accept());
    let (mut here, mut there) = (here.unwrap(), there.unwrap().establish().await.unwrap());
    assert_eq!(here.peer, address.to_string());
    assert!(
        there.peer.contains(&format!("uid={}", own_uid().unwrap())),
        "{}",
        there.peer
    );
    assert_eq!([here.security, there.security], [Security::Local; 2]);
    here.writer.write_all(b"hello").await.unwrap();
    here.writer.shutdown().await.unwrap();
    let mut read = String::new();
    there.reader.read_to_string(&mut read).await.unwrap();
    assert_eq!(read, "hello");

    drop(listener);
    assert_eq!(files(&dir), 0);
    assert!(matches!(
        links.dial(&address).await,
        Err(TransportError::Connect(_))
    ));
}

#[tokio::test]
async fn other_users_are_refused_at_both_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (_, address) = at(&dir);
    let uid = own_uid().unwrap();
    let stranger = Users::only([uid + 1]);
    let (open, closed) = (links(Users::default()), links(stranger.clone()));

    let mut listener = closed.listen(&address).await.unwrap();
    let dialled = open.dial(&address).await.unwrap();
    let accepted = listener.accept().await.unwrap().establish().await;
    let refused = |result| matches!(result, Err(TransportError::NotAllowed { uid: u }) if u == uid);
    assert!(refused(accepted));
    let mut read = Vec::new();
    let mut reader = dialled.reader;
    assert_eq!(reader.read_to_end(&mut read).await.unwrap(), 0);

    assert!(refused(closed.dial(&address).await));
    assert!(links(stranger.and(uid)).dial(&address).await.is_ok());
}

#[tokio::test]
async fn other_users_that_may_come_can_connect() {
    let dir = tempfile::tempdir().unwrap();
    let (path, address) = at(&dir);
    let own = own_uid().unwrap();
    for (users, mode) in [
        (Users::default().and(own), 0o600),
        (Users::only([own]), 0o600),
        (Users::default().and(own + 1), 0o666),
        (Users::only([own + 1]), 0o666),
    ] {
        let listener = links(users.clone()).listen(&address).await.unwrap();
        let is = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(is, mode, "{users:?}");
        drop(listener);
    }
}

#[tokio::test]
async fn nobody_is_kept_waiting_for_ever_by_a_lock_on_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (path, address) = at(&dir);
    let held = fs::File::open(dir.path()).unwrap();
    held.lock().unwrap();
    let error = file::lock(&path, Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    held.unlock().unwrap();
    assert!(links(Users::default()).listen(&address).await.is_ok());
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (path, address) = at(&dir);
    drop(UnixListener::bind(&path).unwrap());
    assert_eq!(files(&dir), 1);
    let listener = links(Users::default()).listen(&address).await.unwrap();
    assert!(UnixStream::connect(&path).await.is_ok());
    drop(listener);
    assert_eq!(files(&dir), 0);
}

#[tokio::test]
async fn a_socket_that_answers_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (path, address) = at(&dir);
    let links = links(Users::default());
    let listener = links.listen(&address).await.unwrap();
    assert_eq!(
        listen_error(links.listen(&address).await),
        io::ErrorKind::AddrInUse
    );
    assert!(UnixStream::connect(&path).await.is_ok());
    assert_eq!(files(&dir), 1);
    drop(listener);
}

#[tokio::test]
async fn what_is_no_socket_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (path, address) = at(&dir);
    let links = links(Users::default());
    let refused = |result: Result<_, _>| {
        let error = result.map(drop).unwrap_err();
        assert!(
            matches!(&error, TransportError::NotASocket { path: p } if *p == path),
            "{error}"
        );
    };
    fs::write(&path, "precious").unwrap();
    refused(links.listen(&address).await);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    fs::remove_file(&path).unwrap();

    // Nor is what only leads to one.
    let elsewhere = dir.path().join("elsewhere");
    drop(UnixListener::bind(&elsewhere).unwrap());
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    refused(links.listen(&address).await);
    assert_eq!(files(&dir), 2);
}

#[tokio::test]
async fn a_file_that_took_the_place_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (path, address) = at(&dir);
    let listener = links(Users::default()).listen(&address).await.unwrap();
    fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    drop(listener);
    assert!(UnixStream::connect(&path).await.is_ok());
    drop(other);
}

/// Some begin while the file of a dead one is still there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_begin_at_once_one_listens() {
    let dir = tempfile::tempdir().unwrap();
    let (path, address) = at(&dir);
    for _ in 0..20 {
        drop(UnixListener::bind(&path).unwrap());
        let begin = (0..8).map(|_| {
            let address = address.clone();
            tokio::spawn(async move { links(Users::default()).listen(&address).await })
        });
        let begin: Vec<_> = begin.collect();
        let mut listening = Vec::new();
        for begun in begin {
            match begun.await.unwrap() {
                Ok(listener) => listening.push(listener),
                error => assert_eq!(listen_error(error), io::ErrorKind::AddrInUse),
            }
        }
        assert_eq!(listening.len(), 1);
        assert!(UnixStream::connect(&path).await.is_ok());
        assert_eq!(files(&dir), 1);
        drop(listening);
        assert_eq!(files(&dir), 0);
    }
}

#[tokio::test]
async fn a_path_that_is_too_long_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("x".repeat(150));
    let address: Address = format!("unix:{}", long.display()).parse().unwrap();
    let result = links(Users::default()).listen(&address).await;
    assert!(matches!(result.map(drop), Err(TransportError::Listen(_))));
    assert_eq!(files(&dir), 0);
}
