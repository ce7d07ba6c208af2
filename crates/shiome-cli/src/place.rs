//! Where the nodes of this user have their sockets for operators.
//!
//! `$XDG_RUNTIME_DIR/shiome`, or `shiome-UID` in the directory for temporary files; there `NAME@HOST:PORT.sock`, with the port
//! that the node listens on. The directory is the user's alone, as the sockets are.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

/// What the name of a socket ends with.
const SUFFIX: &str = ".sock";

/// The directory, which may not be there.
pub(crate) fn dir() -> PathBuf {
    match env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        Some(runtime) => Path::new(&runtime).join("shiome"),
        None => env::temp_dir().join(format!("shiome-{}", uid())),
    }
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Path of the socket of the node that listens on that port. The directory is made if need be.
///
/// # Errors
///
/// Those of the system, and that the directory is somebody else's, or open to others.
pub(crate) fn socket(name: &str, port: u16) -> io::Result<PathBuf> {
    let dir = dir();
    match fs::DirBuilder::new().mode(0o700).create(&dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    check_dir(&dir)?;
    Ok(dir.join(file_name(name, port)))
}

/// That nobody else can put a socket of his own there.
fn check_dir(dir: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(dir)?;
    if !found.is_dir() || found.uid() != uid() || found.mode() & 0o077 != 0 {
        let told = format!("`{}` is not a directory of this user alone", dir.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, told));
    }
    Ok(())
}

fn file_name(name: &str, port: u16) -> String {
    // What stands for a directory means nothing here, and no name has to have it.
    format!("{}:{port}{SUFFIX}", name.replace('/', "_"))
}

/// The sockets that there are, by the names of their nodes; none when the directory is not to be trusted.
pub(crate) fn sockets() -> Vec<(String, PathBuf)> {
    let dir = dir();
    if check_dir(&dir).is_err() {
        return Vec::new();
    }
    let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let name = name.strip_suffix(SUFFIX)?.to_owned();
        Some((name, entry.path()))
    });
    let mut sockets: Vec<_> = named.collect();
    sockets.sort();
    sockets
}

/// Whether the node of that socket goes by this: `NAME@HOST:PORT`, or without what comes behind.
pub(crate) fn is_named(socket: &str, text: &str) -> bool {
    let rest = socket.strip_prefix(text);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['@', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_known_by_its_name_with_or_without_host_and_port() {
        let socket = "a@127.0.0.1:4697";
        for text in ["a", "a@127.0.0.1", "a@127.0.0.1:4697"] {
            assert!(is_named(socket, text), "{text}");
        }
        for text in ["", "b", "a@127", "a@127.0.0.1:46", "a@127.0.0.1:46970"] {
            assert!(!is_named(socket, text), "{text}");
        }
    }

    #[test]
    fn a_socket_is_in_the_directory_whatever_the_node_is_called() {
        assert_eq!(file_name("a@h", 1), "a@h:1.sock");
        assert_eq!(file_name("../a@h", 1), ".._a@h:1.sock");
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_not_trusted() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = tempfile::tempdir().unwrap();
        let with = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode));
        with(0o700).unwrap();
        check_dir(dir.path()).unwrap();
        for mode in [0o770, 0o701, 0o777] {
            with(mode).unwrap();
            check_dir(dir.path()).unwrap_err();
        }
        with(0o700).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        check_dir(&link).unwrap_err();
        check_dir(&dir.path().join("none")).unwrap_err();
    }
}
