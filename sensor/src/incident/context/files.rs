//! `files`: what a living process has open, and to whom it talks.

use std::{
    collections::HashSet,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use super::{Cache, Case, Cost, Facts, Kind, Notes, look};

/// The provider.
pub static KIND: Kind = Kind {
    name: "files",
    cost: Cost::UpTo(Duration::from_millis(500)),
    cache: Cache::Process(Duration::from_secs(5)),
    gather,
};

/// Most descriptors whose meaning is asked for, and most that are counted.
const LOOKED_AT: usize = 1_024;
const COUNTED: usize = 65_536;
/// Most files and connections that are told.
const TOLD: usize = 32;
/// Most bytes that are read of a table of connections.
const TABLE_BYTES: u64 = 1 << 20;

fn gather(case: &Case) -> Result<Facts, String> {
    let mut notes = Notes::default();
    let open = case
        .alive()
        .map(|directory| (Open::of(&directory), directory));
    match open {
        // Counted before it ended, where somebody did.
        None => notes.int("descriptors", case.descriptors),
        Some((Err(_), _)) if case.alive().is_none() => {
            notes.int("descriptors", case.descriptors);
        }
        Some((Err(error), _)) => return Err(error.to_string()),
        Some((Ok(open), directory)) => {
            let connections = connections(&directory, &open.sockets);
            notes.int("descriptors", u64::try_from(open.count).ok());
            notes.int("sockets", u64::try_from(open.sockets.len()).ok());
            notes.list("open", open.files);
            notes.list("connections", connections);
        }
    }
    Ok(notes.0)
}

struct Open {
    count: usize,
    files: Vec<String>,
    /// Inodes.
    sockets: HashSet<u64>,
}

impl Open {
    /// Reads the links of `/proc/PID/fd`; links of this kind are not followed,
    /// so nothing can hang.
    fn of(directory: &Path) -> std::io::Result<Self> {
        let mut open = Self {
            count: 0,
            files: Vec::new(),
            sockets: HashSet::new(),
        };
        for entry in fs::read_dir(directory.join("fd"))?.take(COUNTED) {
            let entry = entry?;
            open.count += 1;
            if open.count > LOOKED_AT {
                continue;
            }
            let Ok(target) = fs::read_link(entry.path()) else {
                continue;
            };
            open.note(&target.to_string_lossy());
        }
        open.files.sort();
        open.files.dedup();
        open.files.truncate(TOLD);
        Ok(open)
    }

    fn note(&mut self, target: &str) {
        if let Some(inode) = target.strip_prefix("socket:[") {
            let inode = inode.trim_end_matches(']').parse::<u64>();
            self.sockets.extend(inode.ok());
        } else if target.starts_with('/') && !target.starts_with("/dev/") {
            self.files.push(target.to_owned());
        }
    }
}

/// The connections of these sockets, in the process's own network namespace.
fn connections(directory: &Path, sockets: &HashSet<u64>) -> Vec<String> {
    if sockets.is_empty() {
        return Vec::new();
    }
    let mut all = Vec::new();
    for table in ["net/tcp", "net/tcp6"] {
        let text = look::text(&directory.join(table), TABLE_BYTES).unwrap_or_default();
        let lines = text.lines().skip(1).filter_map(connection);
        all.extend(lines.filter(|line| sockets.contains(&line.inode)));
    }
    let mut shown: Vec<String> = all.iter().map(Connection::shown).collect();
    shown.sort();
    shown.dedup();
    shown.truncate(TOLD);
    shown
}

#[derive(Debug, PartialEq, Eq)]
struct Connection {
    local: SocketAddr,
    remote: SocketAddr,
    state: &'static str,
    inode: u64,
}

impl Connection {
    fn shown(&self) -> String {
        match self.state {
            "listen" => format!("tcp {} listen", self.local),
            state => format!("tcp {} -> {} {state}", self.local, self.remote),
        }
    }
}

/// States of include/net/tcp_states.h, from 1.
const STATES: [&str; 11] = [
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
];

/// A line of proc_pid_net_tcp(5).
fn connection(line: &str) -> Option<Connection> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let local = address(words.next()?)?;
    let remote = address(words.next()?)?;
    let state = usize::from_str_radix(words.next()?, 16).ok()?;
    let inode = words.nth(5)?.parse().ok()?;
    Some(Connection {
        local,
        remote,
        state: STATES.get(state.checked_sub(1)?)?,
        inode,
    })
}

/// `0100007F:1F90`: words of four bytes in the order of the machine.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let word = u32::from_str_radix(host.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let ip: IpAddr = match host.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let mut bytes = [0; 16];
            for (at, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(at)?);
            }
            let ip = Ipv6Addr::from(bytes);
            ip.to_ipv4_mapped().map_or(ip.into(), IpAddr::from)
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::process::event::Value;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_tables_are_read() {
        let line = "   0: 0100007F:1F90 0A00000A:01BB 01 00000000:00000000 00:00000000 00000000  1000        0 31337 1 0000 100 0 0 10 0";
        let read = connection(line).unwrap();
        assert_eq!(
            read.shown(),
            "tcp 127.0.0.1:8080 -> 10.0.0.10:443 established"
        );
        assert_eq!(read.inode, 31_337);
        let six = address("00000000000000000000000001000000:0016").unwrap();
        assert_eq!(six.to_string(), "[::1]:22");
        let mapped = address("0000000000000000FFFF00000100007F:0016").unwrap();
        assert_eq!(mapped.to_string(), "127.0.0.1:22");
        for odd in [
            "",
            "0:1",
            "x y z",
            "0100007F:1F90 0A00000A:01BB 63 a b c d e 1",
        ] {
            assert_eq!(connection(odd), None, "{odd}");
        }
    }

    #[test]
    fn this_process_has_what_it_opened() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = fs::canonicalize(directory.path()).unwrap().join("open");
        let _file = fs::File::create(&path).unwrap();
        let facts = gather(&Case::of_living(std::process::id())).unwrap();
        let list = |key: &str| match &facts[key] {
            Value::List(list) => list.clone(),
            other => panic!("{other:?}"),
        };
        assert!(list("open").contains(&path.to_string_lossy().into_owned()));
        let wanted = format!("tcp {} listen", listener.local_addr().unwrap());
        assert!(list("connections").contains(&wanted), "{facts:?}");
    }

    #[test]
    fn of_a_dead_process_the_last_look_is_told() {
        let case = Case {
            descriptors: Some(7),
            ..Case::default()
        };
        let wanted = Facts::from([("descriptors".to_owned(), Value::Int(7))]);
        assert_eq!(gather(&case), Ok(wanted));
    }
}
