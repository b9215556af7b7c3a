//! Records as the hooks write them.

use sensor_common::{
    event::{Exec, Exit, Figures, Fork, Header, PATH_WHOLE},
    kind,
};

use super::patterns::{line, name};

/// Between two events, ns.
const STEP: u64 = 100_000;

/// Processes that begin, run a program and end, none like the other.
pub struct Lives {
    number: u32,
}

impl Lives {
    /// From the first one.
    pub fn new() -> Self {
        Self { number: 1_000 }
    }

    /// The records of the next one: fork, exec, exit.
    pub fn next(&mut self) -> [Vec<u8>; 3] {
        self.number += 1;
        let pid = self.number;
        let start = u64::from(pid) * 3 * STEP;
        let header = |kind, step| Header {
            kind,
            pid,
            time: start + step * STEP,
            start,
        };
        let fork = Fork {
            header: header(kind::FORK, 0),
            parent_pid: 1,
            cgroup: 77,
            ..Fork::default()
        };
        [
            bytes_of(&fork),
            exec(header(kind::EXEC, 1), pid),
            bytes_of(&Exit {
                header: header(kind::EXIT, 2),
                parent_pid: 1,
                status: u32::from(pid.is_multiple_of(8)) << 8,
                threads: 1,
                figures: figures(u64::from(pid)),
                peak_pages: 500,
                exec_peak_pages: 480,
                ..Exit::default()
            }),
        ]
    }
}

fn exec(header: Header, pid: u32) -> Vec<u8> {
    let name = name(pid as usize % 100_000);
    let args = line(&name);
    let path = format!("{name}\0bin\0{name}\0lib\0usr\0");
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(0);
    let mut exec = Exec {
        header,
        parent_pid: 1,
        uid: 1_000,
        cgroup: 77,
        figures: figures(7),
        args_total: args.len() as u64,
        args_len: length(args.len()),
        path_len: length(path.len()),
        flags: PATH_WHOLE,
        ..Exec::default()
    };
    exec.comm[..name.len()].copy_from_slice(name.as_bytes());
    let mut bytes = bytes_of(&exec);
    bytes.extend(path.into_bytes());
    bytes.extend(args);
    bytes
}

fn figures(of: u64) -> Figures {
    Figures {
        cpu: 1_000_000 + of,
        user: 700_000,
        system: 300_000,
        runqueue: 50_000,
        voluntary: 3,
        involuntary: 1,
        minor: 120,
        read_bytes: 4_096,
        rchar: 8_192 + of,
        wchar: 512,
        ..Figures::default()
    }
}

/// A record as it lies in the ring.
fn bytes_of<T: Copy>(record: &T) -> Vec<u8> {
    // SAFETY: `T` is a record: `repr(C)`, integers only, without padding.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(record).cast(), size_of::<T>()) }
        .to_vec()
}
