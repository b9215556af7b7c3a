//! What a scan of /proc adds to the table: at start, after a loss, and, where
//! there are no hooks, at every collection.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use super::{
    Engine,
    membership::{Way, sorted},
};
use crate::{
    process::{
        event::ProcessEvent,
        table::{Process, Program, RawArguments, ServiceId, start_of_ticks, ticks_of_start},
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

/// A process whose pid the table has for another one: that one's end is in the
/// ring still, or was lost.
#[derive(Debug)]
pub(super) struct Disputed {
    earlier: ProcessKey,
    found: Found,
    now: BootNanos,
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

    /// Takes in a process that a scan found, `now` being a moment after it was
    /// looked at. A member joins with what it has used in its life so far, and
    /// that is no start (contract S1, S2).
    ///
    /// The scan may be faster than the ring: where the table has another
    /// process with this pid, [`Self::gone`] decides. It may be slower, too:
    /// a process that has just ended may still look alive.
    pub fn found(&mut self, found: Found, now: BootNanos) {
        let earlier = self.table.by_pid(found.pid).map(|process| process.key);
        match earlier {
            Some(earlier) if ticks_of_start(earlier.start) != found.start_ticks => {
                self.disputed.push(Disputed {
                    earlier,
                    found,
                    now,
                });
            }
            None if self.exits.has_ended(found.pid, found.start_ticks) => {}
            _ => self.take_in(found, now),
        }
    }

    fn take_in(&mut self, found: Found, now: BootNanos) {
        let mut process = Process {
            key: ProcessKey {
                pid: found.pid,
                start: start_of_ticks(found.start_ticks),
            },
            exact: false,
            parent: Some(found.parent),
            program: Program {
                path: found.path.map(Arc::from),
                args: found.args,
                comm: found.comm.into(),
            },
            user: found.user,
            cgroup: found.cgroup,
            earlier_peak_pages: None,
            outputs: Default::default(),
            services: Arc::default(),
            lineage: Arc::default(),
            former: Vec::new(),
            scanned: Some(now),
            unexecuted: true,
        };
        if let Some(known) = self.table.by_pid(found.pid) {
            process.key = known.key;
            process.exact = known.exact;
            process.unexecuted = known.unexecuted;
            process.lineage = self.heritage_of(known);
            process.cgroup = process.cgroup.or_else(|| known.cgroup.clone());
            if process.program.comm == known.program.comm {
                // The same program, or one that hides behind the same name:
                // what the scan could not read is as it was.
                let program = &mut process.program;
                program.path = program.path.take().or_else(|| known.program.path.clone());
                program.args = program.args.take().or_else(|| known.program.args.clone());
                process.user = process.user.or(known.user);
            }
            if process.program.path == known.program.path {
                process.earlier_peak_pages = known.earlier_peak_pages;
                process.outputs = known.outputs;
            }
        }
        process.services = self.match_services(&process, now.0);
        if !self.published(&process.services) && !self.mourned(&process.services) {
            process.program.args = None;
        }
        self.place(process, Way::Scan);
    }

    /// Takes members of before a restart into the table, though nothing but
    /// who they are is known: what happened to them since is in the ring.
    pub fn restore(&mut self) {
        let mut restored: BTreeMap<ProcessKey, Vec<ServiceId>> = BTreeMap::new();
        for (id, key) in self.config.registry.awaited() {
            restored.entry(key).or_default().push(id);
        }
        for (key, services) in restored {
            if self.table.by_pid(key.pid).is_some() || !self.table.make_room(key.pid) {
                // Two of one pid: the earlier ended unseen, or was a scan's.
                continue;
            }
            for &id in &services {
                self.config.registry.get_mut(id).restore(key);
            }
            self.table.insert(Process {
                key,
                // From the store it is exact, or a tick.
                exact: false,
                parent: None,
                program: Program::default(),
                user: None,
                cgroup: None,
                earlier_peak_pages: None,
                services: sorted(services),
                lineage: Arc::default(),
                former: Vec::new(),
                scanned: None,
                outputs: Default::default(),
                unexecuted: false,
            });
        }
    }

    /// Pids in the table that a scan did not find. They may have ended while
    /// it ran: their exits may still be in the ring.
    #[must_use]
    pub fn missing(&self, scanned: &HashSet<u32>) -> Vec<ProcessKey> {
        let keys = self.table.iter().map(|process| process.key);
        let mut missing: Vec<_> = keys.filter(|key| !scanned.contains(&key.pid)).collect();
        // The table has no order; what is told has one.
        missing.sort_unstable();
        missing
    }

    /// Ends a scan, after everything was taken in that the ring had by then:
    /// those that are still in the table have ended, unseen. Whose parent is a
    /// member is known only now.
    pub fn gone(&mut self, missing: &[ProcessKey], now: BootNanos, out: &mut Vec<ProcessEvent>) {
        for &key in missing {
            if let Some(key) = self.as_now(key).filter(|&key| !self.exits.waits(key))
                && let Some(process) = self.table.remove(key)
            {
                self.vanish(process, now, out);
            }
        }
        for disputed in std::mem::take(&mut self.disputed) {
            let found = &disputed.found;
            let key = ProcessKey {
                pid: found.pid,
                start: start_of_ticks(found.start_ticks),
            };
            if self.as_now(disputed.earlier).is_some() && self.succeed(key, out) {
                self.take_in(disputed.found, disputed.now);
            }
        }
        self.descend();
    }

    /// The key of a process in the table: an event may have made it exact
    /// since it was noted.
    fn as_now(&self, noted: ProcessKey) -> Option<ProcessKey> {
        let key = self.table.by_pid(noted.pid)?.key;
        (ticks_of_start(key.start) == ticks_of_start(noted.start)).then_some(key)
    }
}
