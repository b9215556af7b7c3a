//! Sockets that applications connect to.

use std::{
    fs::{self, Permissions},
    io,
    net::{SocketAddr, TcpListener},
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use crate::config;

/// Any application of any user may report, as over loopback; the kernel says
/// who it is. Who shall not is kept out by the directory.
const MODE: u32 = 0o666;

/// Bound, and not yet served.
#[derive(Debug, Default)]
pub struct Listeners {
    pub(super) http: Option<TcpListener>,
    pub(super) grpc: Option<TcpListener>,
    pub(super) socket: Option<(UnixListener, Place)>,
}

impl Listeners {
    /// Binds what the configuration names. What cannot be bound is told in one
    /// line with the remedy, and the others go on. To be called while there
    /// are all capabilities.
    #[must_use]
    pub fn bind(receiver: &config::Receiver) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let mut tcp = |key, address: Option<SocketAddr>| {
            let address = address?;
            let bound = TcpListener::bind(address).and_then(|listener| {
                listener.set_nonblocking(true)?;
                Ok(listener)
            });
            bound
                .inspect_err(|error| problems.push(told(key, &address.to_string(), error)))
                .ok()
        };
        let http = tcp("http", receiver.http);
        let grpc = tcp("grpc", receiver.grpc);
        let socket = receiver.socket.as_deref().and_then(|path| {
            bind_socket(path)
                .inspect_err(|error| {
                    problems.push(told("socket", &path.display().to_string(), error));
                })
                .ok()
        });
        let bound = Self { http, grpc, socket };
        (bound, problems)
    }

    /// Where it listens, for people; nothing where it does not.
    #[must_use]
    pub fn places(&self) -> Vec<String> {
        let address = |listener: &Option<TcpListener>| {
            let address = listener.as_ref()?.local_addr().ok()?;
            Some(address.to_string())
        };
        let http = address(&self.http).map(|address| format!("http://{address}"));
        let grpc = address(&self.grpc).map(|address| format!("{address} (gRPC)"));
        let socket = self.socket.as_ref();
        let socket = socket.map(|(_, place)| place.path.display().to_string());
        [http, grpc, socket].into_iter().flatten().collect()
    }
}

fn told(key: &str, place: &str, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "another program has it; choose another",
        io::ErrorKind::PermissionDenied => "not allowed; choose another, or run as root",
        _ => "choose another",
    };
    format!(
        "cannot listen on {place}: {error} ({remedy} in `[receiver] {key}`, or leave it out \
         with \"\")"
    )
}

/// The file of a socket; removed when dropped, unless it is another one by then.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    id: Option<Id>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.id.is_some() && id(&self.path) == self.id {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Device, inode, and when it was made: numbers of inodes are used again.
type Id = (u64, u64, i64, i64);

fn id(path: &Path) -> Option<Id> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.mtime(), found.mtime_nsec()))
}

fn bind_socket(path: &Path) -> io::Result<(UnixListener, Place)> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    // A socket that nobody listens on was left by a daemon that was killed.
    // Anything else is not ours to remove.
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let is_stale = is_socket
        && UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if is_stale {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    let place = Place {
        id: id(path),
        path: path.to_owned(),
    };
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    listener.set_nonblocking(true)?;
    Ok((listener, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_socket_that_nobody_listens_on_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/otlp.sock");
        let (first, place) = bind_socket(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        let error = bind_socket(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        // As after kill -9: the file is there, nobody listens.
        let (_second, replaced) = bind_socket(&path).unwrap();
        drop(place);
        assert!(path.exists(), "it is another one's by now");
        drop(replaced);
        assert!(!path.exists());

        fs::write(&path, "mine").unwrap();
        assert!(bind_socket(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn what_is_in_use_is_told_with_the_remedy_and_the_rest_goes_on() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = config::Receiver {
            http: taken.local_addr().ok(),
            grpc: "127.0.0.1:0".parse().ok(),
            socket: None,
            ..config::Receiver::default()
        };
        let (bound, problems) = Listeners::bind(&receiver);
        assert_eq!((bound.places().len(), problems.len()), (1, 1));
        assert!(problems[0].contains("another program"), "{problems:?}");
        assert!(problems[0].contains("[receiver] http"), "{problems:?}");
    }
}
