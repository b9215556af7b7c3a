//! Which process is at the other end of a connection.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::ffi::OsStrExt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::ask::Asker;

/// How long it is good that nobody was found: a plugin may come to watch it.
const NOBODY: Duration = Duration::from_secs(10);
/// How long it may be looked for. Nothing else is received meanwhile.
const SEARCH: Duration = Duration::from_millis(500);
/// Longest table of connections that is read, bytes.
const MAX_TABLE: u64 = 64 << 20;

/// The other end.
#[derive(Debug)]
pub(super) struct Peer {
    end: End,
    owner: Mutex<Option<(Instant, Option<u32>)>>,
}

#[derive(Debug)]
enum End {
    /// `SO_PEERCRED` of a Unix socket: who connected.
    Unix(Option<u32>),
    /// Address there, and here.
    Tcp(SocketAddr, SocketAddr),
}

impl Peer {
    pub fn unix(pid: Option<u32>) -> Self {
        Self::of(End::Unix(pid))
    }

    pub fn tcp(there: SocketAddr, here: SocketAddr) -> Self {
        Self::of(End::Tcp(there, here))
    }

    fn of(end: End) -> Self {
        Self {
            end,
            owner: Mutex::new(None),
        }
    }

    /// Its pid where the kernel says it, watched or not.
    pub fn said(&self) -> Option<u32> {
        match self.end {
            End::Unix(pid) => pid,
            End::Tcp(..) => None,
        }
    }

    /// Its pid: over TCP, among the watched processes.
    pub async fn pid(&self, asker: &Asker) -> Option<u32> {
        let (there, here) = match self.end {
            End::Unix(pid) => return pid,
            End::Tcp(there, here) => (there, here),
        };
        let known = *self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, owner)) = known
            && (owner.is_some() || at.elapsed() < NOBODY)
        {
            return owner;
        }
        let owner = match inode_of(there, here) {
            Some(inode) => holder(inode, &asker.watched().await),
            None => None,
        };
        let found = Some((Instant::now(), owner));
        *self.owner.lock().unwrap_or_else(PoisonError::into_inner) = found;
        owner
    }
}

/// The pid that a process has in its own namespace: the last of `NSpid` in
/// proc_pid_status(5).
pub(super) fn inner_pid(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_ascii_whitespace().next_back()?.parse().ok()
}

/// The inode of the socket that has `there` as its own address. Loopback
/// connects only what is in this network namespace. A socket of IPv6 that
/// talks to IPv4 is in tcp6, with mapped addresses.
fn inode_of(there: SocketAddr, here: SocketAddr) -> Option<u64> {
    let wanted = (canonical(there), canonical(here));
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|path| {
        let table = BufReader::new(File::open(path).ok()?.take(MAX_TABLE));
        let mut lines = table.lines().map_while(Result::ok).skip(1);
        lines.find_map(|line| {
            let (local, remote, inode) = row(&line)?;
            ((local, remote) == wanted && inode != 0).then_some(inode)
        })
    })
}

fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

type Address = (IpAddr, u16);

/// Local address, remote address and inode of a line of proc_net_tcp.
fn row(line: &str) -> Option<(Address, Address, u64)> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = address(fields.next()?)?;
    let remote = address(fields.next()?)?;
    let inode = fields.nth(6)?.parse().ok()?;
    Some((local, remote, inode))
}

/// `0100007F:10E7`: words as the processor has them, the port as people do.
fn address(text: &str) -> Option<Address> {
    let (address, port) = text.split_once(':')?;
    let word = |from: usize| {
        let word = u32::from_str_radix(address.get(from..from + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let ip = match address.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::from(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some((ip.to_canonical(), u16::from_str_radix(port, 16).ok()?))
}

/// The first of the processes that has the socket open.
fn holder(inode: u64, pids: &[u32]) -> Option<u32> {
    let link = format!("socket:[{inode}]");
    let until = Instant::now() + SEARCH;
    let has = |pid: u32| {
        let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            return false;
        };
        descriptors.filter_map(Result::ok).any(|entry| {
            fs::read_link(entry.path())
                .is_ok_and(|target| target.as_os_str().as_bytes() == link.as_bytes())
        })
    };
    let mut pids = pids.iter().copied().take_while(|_| Instant::now() < until);
    pids.find(|&pid| has(pid))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_owner_of_a_connection_is_found_mapped_addresses_too() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for target in ["127.0.0.1", "::ffff:127.0.0.1"] {
            let client = TcpStream::connect((target, port)).unwrap();
            let (server, there) = listener.accept().unwrap();
            let inode = inode_of(there, server.local_addr().unwrap()).unwrap();
            let me = std::process::id();
            assert_eq!(holder(inode, &[1, me]), Some(me));
            assert_eq!(holder(inode, &[]), None);
            drop(client);
        }
    }

    #[test]
    fn lines_of_the_kernel_are_read() {
        let line = "  1: 0100007F:10E7 00000000:0000 0A 00000000:00000000 00:00000000 00000000 \
                    1000        0 4711 1 0000000000000000 100 0 0 10 0";
        if cfg!(target_endian = "little") {
            let (local, _, inode) = row(line).unwrap();
            assert_eq!(local, (IpAddr::from(Ipv4Addr::LOCALHOST), 4_327));
            assert_eq!(inode, 4_711);
        }
        assert_eq!(row("  sl  local_address rem_address"), None);
        assert!(inner_pid(std::process::id()).is_some());
    }
}
