//! What the engine says about a process that it knows.

use std::sync::Arc;

use sensor_common::event::{Exit, UNKNOWN_PAGES};
use uuid::Uuid;

use super::Engine;
use crate::{
    process::{
        event::{Arguments, End, ExitDetail, ProcessEvent, Subject, What},
        table::{Process, RawArguments},
        usage::Usage,
    },
    units::{BootNanos, WallNanos},
};

impl Engine {
    /// Peak memory of the last program, bytes: from its address space, else
    /// from the whole life where that has grown since the exec (contract A3).
    pub(super) fn program_peak(&self, process: &Process, exit: &Exit) -> Option<u64> {
        let pages = if exit.exec_peak_pages == UNKNOWN_PAGES {
            let earlier = process.earlier_peak_pages?;
            (exit.peak_pages > earlier).then_some(exit.peak_pages)?
        } else {
            exit.exec_peak_pages
        };
        Some(pages.saturating_mul(self.config.page_size))
    }

    pub(super) fn exit_detail(&self, exit: &Exit, usage: &Usage, end: End) -> ExitDetail {
        let known = self.config.known;
        let io = |value: u64| known.io.then_some(value);
        let born_in_sight = self
            .config
            .attached
            .is_some_and(|attached| exit.header.start >= attached.0);
        ExitDetail {
            end: Some(end),
            cpu_ns: Some(usage.cpu_ns()),
            cpu_user_ns: Some(usage.user_ns),
            cpu_system_ns: Some(usage.system_ns),
            peak_rss_bytes: known
                .peak
                .then(|| exit.peak_pages.saturating_mul(self.config.page_size)),
            disk_read_bytes: io(usage.read_bytes),
            disk_write_bytes: io(usage.write_bytes),
            io_rchar: io(usage.rchar),
            io_wchar: io(usage.wchar),
            voluntary: Some(usage.voluntary),
            involuntary: Some(usage.involuntary),
            minor_faults: Some(usage.minor),
            major_faults: Some(usage.major),
            runqueue_ns: known.runqueue.then_some(usage.runqueue_ns),
            threads: (born_in_sight && exit.threads > 0).then_some(u64::from(exit.threads)),
        }
    }

    pub(super) fn process_event(
        &mut self,
        process: &Process,
        time: u64,
        what: What,
    ) -> ProcessEvent {
        let capture = process
            .services
            .iter()
            .all(|&id| self.config.registry.spec_of(id).capture_args)
            && self.config.capture_args;
        let args = process.program.args.as_ref().filter(|_| capture);
        let time = self.config.offset.wall(BootNanos(time));
        ProcessEvent {
            uid: self.uid(time),
            time,
            process: Subject {
                pid: process.key.pid,
                parent_pid: process.parent,
                creation_time: self.config.offset.wall(process.key.start),
                start: process.key.start,
                executable_path: process.program.path.clone(),
                args: args.map(|args| Arc::new(self.scrubbed(args))),
                user_id: process.user,
                cgroup: process.cgroup.clone(),
            },
            services: process
                .services
                .iter()
                .map(|&id| self.config.registry.name_of(id))
                .collect(),
            what,
            inferred: false,
        }
    }

    /// A version 7 UUID (RFC 9562) without a clock or a source of chance: the
    /// time is the event's, the rest counts on from the seed.
    fn uid(&mut self, time: WallNanos) -> Uuid {
        let number = self.config.seed.wrapping_add(self.uids);
        self.uids += 1;
        let millis = time.0 / 1_000_000;
        Uuid::from_u64_pair(millis << 16 | 0x7000, number & (u64::MAX >> 2) | 0b10 << 62)
    }

    fn scrubbed(&self, args: &RawArguments) -> Arguments {
        let split: Vec<&[u8]> = split_arguments(&args.bytes).collect();
        Arguments {
            args: self.config.scrubber.scrub_args(&split),
            truncated: args.truncated,
        }
    }
}

/// How a wait status says that a process ended (wait(2)).
pub(super) fn end_of(status: u32) -> End {
    match (status & 0x7f) as u8 {
        0 => End::Code((status >> 8 & 0xff) as u8),
        signal => End::Signal {
            signal,
            core_dumped: status & 0x80 != 0,
        },
    }
}

/// The arguments of a record, cut at the last whole one where the record has
/// not all of them.
pub(super) fn whole_arguments(bytes: &[u8], total: u64) -> RawArguments {
    let truncated = total > bytes.len() as u64;
    let bytes = if truncated {
        let end = bytes
            .iter()
            .rposition(|&byte| byte == 0)
            .map_or(0, |nul| nul + 1);
        &bytes[..end]
    } else {
        bytes
    };
    RawArguments {
        bytes: bytes.into(),
        truncated,
    }
}

/// One slice an argument; each ends with a NUL, the last one perhaps not.
pub fn split_arguments(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = bytes.strip_suffix(b"\0");
    let empty = bytes.is_empty();
    whole
        .unwrap_or(bytes)
        .split(|&byte| byte == 0)
        .filter(move |_| !empty)
}

pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == 0);
    &bytes[..end.unwrap_or(bytes.len())]
}
