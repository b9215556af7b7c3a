//! The core: events and looks go in, process events and reports come out.
//!
//! It does no I/O and reads no clock, so a recorded stream gives the same
//! output every time.

mod abnormal;
mod config;
mod describe;
mod described;
mod endings;
mod exits;

mod membership;
pub mod reload;
pub mod scans;
pub mod scheduling;
mod taps;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use sensor_common::event::{Exec, Fork, Header, UNKNOWN_UID};

use self::{
    abnormal::Abnormal,
    describe::{until_nul, whole_arguments},
    exits::{Arrival, Exits},
    membership::Way,
    scans::Disputed,
    scheduling::Scheduling,
    taps::Taps,
};
pub use self::{
    config::{Config, ExecContext, Known, Publish, Stats},
    describe::split_arguments,
    described::Described,
};
use crate::{
    aggregate::{
        metrics::{Moment, Sight},
        registry::{Identifier, Registry, Spec},
        report::Report,
        service::{Look, Saved},
    },
    decode::Event,
    plugin::CacheUse,
    process::{
        event::{ProcessEvent, What},
        table::{Process, Program, RawArguments, ServiceId, Table, ticks_of_start},
        usage::Usage,
    },
    scrub::Scrubber,
    units::{BootNanos, ProcessKey},
};

/// Bytes of paths of cgroups that are kept; they are asked for again after
/// that.
const CGROUP_BYTES: usize = 1 << 20;
/// What the path of a cgroup takes beside its bytes.
const CGROUP_OVERHEAD: usize = 64;

/// How long an exec may be on its way from the kernel, ns.
const ON_ITS_WAY_NS: u64 = 1_000_000_000;

/// The core.
pub struct Engine {
    config: Config,
    table: Table,
    exits: Exits,
    cgroups: HashMap<u64, Arc<str>>,
    cgroups_use: CacheUse,
    /// Answers forgotten by matchers that a reload replaced.
    matches_evicted: u64,
    disputed: Vec<Disputed>,
    /// Processes that took another name since the last collection, by pid.
    renamed: BTreeMap<u32, ProcessKey>,
    /// Declared services whose rule the last reload brought or changed.
    changed: Vec<bool>,
    scheduling: Scheduling,
    taps: Taps,
    uids: u64,
    abnormal: Abnormal,
    stats: Stats,
}

impl Engine {
    /// An engine that knows no process yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            table: Table::new(config.limits),
            exits: Exits::default(),
            cgroups: HashMap::new(),
            cgroups_use: CacheUse::default(),
            matches_evicted: 0,
            disputed: Vec::new(),
            renamed: BTreeMap::new(),
            changed: Vec::new(),
            scheduling: Scheduling::default(),
            taps: Taps::default(),
            uids: 0,
            abnormal: Abnormal::default(),
            stats: Stats::default(),
            config,
        }
    }

    /// Counts so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// The process table.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// What the caches hold and had to forget, by name.
    #[must_use]
    pub fn caches(&self) -> [(&'static str, CacheUse); 3] {
        let texts = CacheUse {
            bytes: self.table.text_bytes() as u64,
            evicted: self.table.texts_evicted(),
        };
        let mut matches = self.config.matcher.cached();
        matches.evicted += self.matches_evicted;
        [
            ("texts", texts),
            ("cgroups", self.cgroups_use),
            ("matches", matches),
        ]
    }

    /// The services.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.config.registry
    }

    /// Secrets that were masked.
    #[must_use]
    pub fn scrubbed_count(&self) -> u64 {
        self.config.scrubber.replacements()
    }

    /// What cleans arguments, and all other text.
    #[must_use]
    pub fn scrubber(&self) -> Arc<Scrubber> {
        Arc::clone(&self.config.scrubber)
    }

    /// The declared services.
    #[must_use]
    pub fn specs(&self) -> &[Spec] {
        self.config.registry.specs()
    }

    /// What of every service survives a restart. Members whose exec is on its
    /// way still join by that, perhaps after the restart.
    #[must_use]
    pub fn saved(&self, now: BootNanos) -> Vec<(Identifier, Saved)> {
        let began = self.config.attached;
        self.config.registry.saved(&|key: ProcessKey| {
            let process = self.table.by_pid(key.pid);
            process.is_some_and(|process| {
                let just_now = |at: BootNanos| now.0.saturating_sub(at.0) < ON_ITS_WAY_NS;
                process.unexecuted
                    && process.scanned.is_some_and(just_now)
                    && began.is_some_and(|began| process.key.start >= began)
            })
        })
    }

    /// Patterns of the services that have no member.
    #[must_use]
    pub fn unmatched(&self) -> Vec<&str> {
        self.config.registry.unmatched()
    }

    /// The report of the services that are due.
    pub fn report(&mut self, due: &[bool], now: Moment, sight: Sight) -> Report {
        let Self { config, table, .. } = self;
        let name_of = |pid| {
            let name = table.by_pid(pid)?.program.file_name()?;
            Some(String::from_utf8_lossy(name).into_owned())
        };
        config.registry.report(due, now, sight, &name_of)
    }

    /// Takes in what a look at a member showed. An event may have made the
    /// start of the process exact since the member joined.
    pub fn look(&mut self, key: ProcessKey, look: &Look) {
        let ticks = ticks_of_start(key.start);
        if self.table.holds_scanned(key.pid, ticks)
            && let Some(process) = self.table.by_pid(key.pid)
        {
            self.config.registry.look(&process.services, key, look);
        }
    }

    /// Takes in one event; what it has to say is added to `out`.
    ///
    /// What happened while the hooks were being attached, one after the other,
    /// is passed over: half a story. Whoever lives is found by the scan.
    pub fn event(&mut self, event: &Event<'_>, context: ExecContext, out: &mut Vec<ProcessEvent>) {
        let attached = self.config.attached.unwrap_or_default();
        if event.header().time < attached.0 {
            return;
        }
        self.tick(BootNanos(event.header().time), out);
        match event {
            Event::Fork(fork) => self.fork(fork, context.cgroup, out),
            Event::Exec(exec, tail) => {
                let path = tail.path.clone().or(context.path);
                let args = context
                    .args
                    .or_else(|| Some(whole_arguments(tail.args, exec.args_total)));
                self.exec(exec, path, args, context.cgroup, out);
            }
            Event::Rename(header) => self.rename(key_of(header)),
            Event::Output(output, path) => self.output(output, path.clone()),
            Event::Tap(tap, text) => self.tapped(tap, text),
            Event::Exit(exit) => {
                self.stats.exits += 1;
                if let Some(finished) = self.exits.exit(exit) {
                    self.finish(&finished, out);
                }
            }
            Event::Late(late) => match self.exits.late(late) {
                Arrival::Waits => {}
                Arrival::Completes(finished) => self.finish(&finished, out),
                Arrival::TooLate => self.settle(late),
            },
        }
    }

    /// Lets time pass: what waited long enough for late figures goes out, and
    /// who has been a member for a moment is handed on.
    pub fn tick(&mut self, now: BootNanos, out: &mut Vec<ProcessEvent>) {
        while let Some(finished) = self.exits.overdue(now) {
            self.finish(&finished, out);
        }
        self.stats.late += self.exits.forget_early(now);
        self.grow_up(now);
    }

    /// Reports every exit that still waits for late figures.
    pub fn flush(&mut self, out: &mut Vec<ProcessEvent>) {
        self.tick(BootNanos(u64::MAX), out);
    }

    fn fork(&mut self, fork: &Fork, cgroup: Option<Arc<str>>, out: &mut Vec<ProcessEvent>) {
        self.stats.forks += 1;
        let key = key_of(&fork.header);
        self.learn_cgroup(fork.cgroup, cgroup);
        let parent = ProcessKey {
            pid: fork.parent_pid,
            start: BootNanos(fork.parent_start),
        };
        let lineage = self.heritage(parent);
        let (program, user, services, outputs) = match self.table.find(parent) {
            Some(parent) => (
                parent.program.clone(),
                parent.user,
                parent.services.clone(),
                parent.outputs,
            ),
            None => Default::default(),
        };
        if self.table.find(key).is_some() {
            // The scan was faster than the ring.
            self.born_before(key, fork.parent_pid, &services);
            self.adopt(key, &lineage, Way::Fork);
            return;
        }
        if self.renamed.get(&parent.pid) == Some(&parent) {
            // It has the new name, of which nobody tells again.
            self.renamed.insert(key.pid, key);
        }
        if !self.succeed(key, out) {
            return;
        }
        let process = Process {
            key,
            exact: true,
            parent: Some(fork.parent_pid),
            program,
            user,
            cgroup: self.cgroups.get(&fork.cgroup).cloned(),
            earlier_peak_pages: None,
            outputs,
            services,
            lineage,
            former: Vec::new(),
            scanned: None,
            unexecuted: true,
        };
        self.place(process, Way::Fork);
    }

    /// A birth that a scan was faster than: where the parent's services are
    /// the child's too, it is a start all the same.
    fn born_before(&mut self, key: ProcessKey, parent: u32, services: &[ServiceId]) {
        let Some(known) = self.table.find(key) else {
            return;
        };
        known.parent = Some(parent);
        if known.scanned.is_none() {
            return;
        }
        let inherited: Vec<_> = known
            .services
            .iter()
            .copied()
            .filter(|id| services.contains(id))
            .collect();
        if !inherited.is_empty() {
            known.scanned = None;
        }
        for id in inherited {
            self.config.registry.get_mut(id).starts += 1;
        }
    }

    fn exec(
        &mut self,
        exec: &Exec,
        path: Option<Vec<u8>>,
        args: Option<RawArguments>,
        cgroup: Option<Arc<str>>,
        out: &mut Vec<ProcessEvent>,
    ) {
        self.stats.execs += 1;
        let key = key_of(&exec.header);
        self.learn_cgroup(exec.cgroup, cgroup);
        let of = if self.table.find(key).is_some() {
            key
        } else {
            // Its birth was lost.
            ProcessKey {
                pid: exec.parent_pid,
                start: BootNanos(exec.parent_start),
            }
        };
        let lineage = self.heritage(of);
        let mut process = Process {
            key,
            exact: true,
            parent: Some(exec.parent_pid),
            program: Program {
                path: path.map(Arc::from),
                args,
                comm: until_nul(&exec.comm).into(),
            },
            user: (exec.uid != UNKNOWN_UID).then_some(exec.uid),
            cgroup: self.cgroups.get(&exec.cgroup).cloned(),
            earlier_peak_pages: Some(exec.peak_pages),
            outputs: exec.outputs,
            services: Arc::default(),
            lineage,
            former: Vec::new(),
            scanned: None,
            unexecuted: false,
        };
        process.services = self.match_services(&process, exec.header.time);
        self.note_sibling(&process, exec.header.time, None);
        if self.published(&process.services) {
            let event = self.process_event(&process, exec.header.time, What::Exec);
            out.push(event);
        } else if !self.mourned(&process.services) {
            // Arguments are kept only for those whose exit will be told.
            process.program.args = None;
        }
        if !self.succeed(key, out) {
            return;
        }
        self.rewind(key, exec.header.time);
        // What another program wrote is not its last words.
        self.taps.forget(key);
        let totals = self.config.known.counters(&Usage::from(&exec.figures));
        self.place(process, Way::Exec(totals));
    }

    /// A scan that was faster than the ring saw what this exec led to: it was
    /// after the exec, or in the midst of it, when the name is new and the hook
    /// has not run. The exec is how the process joined, unless it did so by
    /// descent.
    fn rewind(&mut self, key: ProcessKey, time: u64) {
        let attached = self.config.attached;
        let Some(known) = self.table.find(key) else {
            return;
        };
        let is_first = known.unexecuted && attached.is_some_and(|began| key.start >= began);
        let on_its_way = if is_first { ON_ITS_WAY_NS } else { 1 };
        let before = |scanned: BootNanos| time < scanned.0.saturating_add(on_its_way);
        if known.scanned.is_some_and(before) {
            let registry = &mut self.config.registry;
            let inherited = |id: u32| known.lineage.contains(&registry.index_of(id));
            let (stays, leaves): (Vec<_>, Vec<_>) =
                known.services.iter().partition(|&&id| inherited(id));
            known.services = stays.into();
            for id in leaves {
                registry.get_mut(id).leave(key.pid, None);
            }
        }
    }

    /// Makes way for a process: whoever had its pid before has ended. False
    /// where it is the other way round: the event is older than what a scan
    /// found.
    fn succeed(&mut self, key: ProcessKey, out: &mut Vec<ProcessEvent>) -> bool {
        if self.table.find(key).is_some() {
            return true;
        }
        let Some(earlier) = self.table.by_pid(key.pid).map(|process| process.key) else {
            return true;
        };
        if earlier.start > key.start {
            return false;
        }
        if let Some(process) = self.table.remove(earlier) {
            match self.exits.take(earlier) {
                Some(finished) => self.finish_process(process, &finished, out),
                None => self.vanish(process, key.start, out),
            }
        }
        true
    }

    fn published(&self, services: &[ServiceId]) -> bool {
        match self.config.publish {
            Publish::All => true,
            Publish::Watched => !services.is_empty(),
            Publish::Enabled => services
                .iter()
                .any(|&id| self.config.registry.spec_of(id).events),
        }
    }

    fn learn_cgroup(&mut self, id: u64, path: Option<Arc<str>>) {
        let Some(path) = path else {
            return;
        };
        let size = |path: &str| (path.len() + CGROUP_OVERHEAD) as u64;
        let CacheUse { bytes, evicted } = &mut self.cgroups_use;
        if *bytes + size(&path) > CGROUP_BYTES as u64 {
            *evicted += self.cgroups.len() as u64;
            *bytes = 0;
            self.cgroups.clear();
        }
        *bytes += size(&path);
        if let Some(earlier) = self.cgroups.insert(id, path) {
            *bytes -= size(&earlier);
        }
    }

    /// Whether the path of a cgroup is known.
    #[must_use]
    pub fn knows_cgroup(&self, id: u64) -> bool {
        self.cgroups.contains_key(&id)
    }
}

fn key_of(header: &Header) -> ProcessKey {
    ProcessKey {
        pid: header.pid,
        start: BootNanos(header.start),
    }
}

#[cfg(test)]
mod tests;
