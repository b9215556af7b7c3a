//! What a scan of /proc adds to the table: at start, after a loss, and, where
//! there are no hooks, at every collection.

use std::{collections::HashSet, sync::Arc};

use super::Engine;
use crate::{
    aggregate::service::{COUNTERS, Member},
    process::{
        event::ProcessEvent,
        table::{Process, Program, RawArguments, start_of_ticks, ticks_of_start},
    },
    units::{BootNanos, ProcessKey},
};

/// One process that a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Thread group id.
    pub pid: u32,
    /// Thread group id of the parent.
    pub parent: u32,
    /// Start in ticks since boot.
    pub start_ticks: u64,
    /// Name of the leader.
    pub comm: Vec<u8>,
    /// Path of the executable, where it was asked for and readable.
    pub path: Option<Vec<u8>>,
    /// Arguments, where they were asked for and readable.
    pub args: Option<RawArguments>,
    /// Effective user id, where it was asked for.
    pub user: Option<u32>,
    /// Path of the cgroup, where it was asked for.
    pub cgroup: Option<Arc<str>>,
}

impl Engine {
    /// Whether the table has this process as the scan sees it, so that there
    /// is nothing to look up.
    #[must_use]
    pub fn holds(&self, pid: u32, start_ticks: u64, comm: &[u8]) -> bool {
        self.table.holds_scanned(pid, start_ticks)
            && self
                .table
                .by_pid(pid)
                .is_some_and(|process| *process.program.comm == *comm)
    }

    /// Takes in a process that a scan found. A member joins with what it has
    /// used in its life so far, and that is no start (contract S1, S2).
    pub fn found(&mut self, found: Found, now: BootNanos, out: &mut Vec<ProcessEvent>) {
        let known = self
            .table
            .by_pid(found.pid)
            .filter(|known| ticks_of_start(known.key.start) == found.start_ticks);
        let key = known.map_or(
            ProcessKey {
                pid: found.pid,
                start: start_of_ticks(found.start_ticks),
            },
            |known| known.key,
        );
        let before = known
            .map(|known| known.services.clone())
            .unwrap_or_default();
        let exact = known.is_some_and(|known| known.exact);
        let cgroup = known.map_or(0, |known| known.cgroup);
        let earlier_peak_pages = known.and_then(|known| known.earlier_peak_pages);
        let cgroup = match found.cgroup {
            // A scan knows the path, not the id: keep it under a number that
            // no cgroup has.
            Some(path) if cgroup == 0 => self.name_cgroup(path),
            _ => cgroup,
        };
        let mut process = Process {
            key,
            exact,
            parent: Some(found.parent),
            program: Program {
                path: found.path.map(Arc::from),
                args: found.args,
                comm: found.comm.into(),
            },
            user: found.user,
            cgroup,
            earlier_peak_pages,
            services: Arc::default(),
        };
        let services = self.match_services(&process, now.0);
        for &id in before.iter().filter(|id| !services.contains(id)) {
            self.config.registry.get_mut(id).leave(key.pid, None);
        }
        for &id in services.iter().filter(|id| !before.contains(id)) {
            let member = Member::new(key, [Some(0); COUNTERS]);
            let service = self.config.registry.get_mut(id);
            service.members.insert(key.pid, member);
        }
        process.services = services;
        if !self.keeps_args(&process.services) {
            process.program.args = None;
        }
        self.insert(process, out);
    }

    /// Pids in the table that a scan did not find. They may have ended while
    /// it ran: their exits may still be in the ring.
    #[must_use]
    pub fn missing(&self, scanned: &HashSet<u32>) -> Vec<ProcessKey> {
        self.table
            .iter()
            .map(|process| process.key)
            .filter(|key| !scanned.contains(&key.pid))
            .collect()
    }

    /// Takes those that are still in the table as ended.
    pub fn gone(&mut self, missing: &[ProcessKey], now: BootNanos, out: &mut Vec<ProcessEvent>) {
        for &key in missing {
            if self.exits.waits(key) {
                continue;
            }
            if let Some(process) = self.table.remove(key) {
                self.vanish(process, now, out);
            }
        }
    }

    fn name_cgroup(&mut self, path: Arc<str>) -> u64 {
        let known = self.cgroups.iter().find(|(_, known)| **known == path);
        if let Some((&id, _)) = known {
            return id;
        }
        let id = u64::MAX - self.cgroups.len() as u64;
        self.cgroups.insert(id, path);
        id
    }
}
