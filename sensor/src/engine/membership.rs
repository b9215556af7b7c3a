//! Who is a member of what: matching, descent, and taking other names.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{Engine, scans::Found};
use crate::{
    aggregate::service::{COUNTERS, Counters, Member},
    plugin::{Args, Candidate, ServiceIndex},
    process::table::{Process, ServiceId, ticks_of_start},
    units::{BootNanos, ProcessKey},
};

/// How a process comes to its services.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// Born by a member: it has used nothing.
    Fork,
    /// By its program; so much it had used before.
    Exec(Counters),
    /// By another name; so much it had used before. No start (contract S2).
    Rename(Counters),
    /// A scan found it: its whole life counts, and it is no start.
    Scan,
}

impl Way {
    fn is_start(&self) -> bool {
        matches!(self, Self::Fork | Self::Exec(_))
    }

    /// Its totals at this moment, where they are known.
    fn totals(&self) -> Option<&Counters> {
        match self {
            Self::Exec(totals) | Self::Rename(totals) => Some(totals),
            Self::Fork | Self::Scan => None,
        }
    }
}

impl Engine {
    /// The declared services that a process belongs to.
    pub(super) fn match_specs(&mut self, process: &Process) -> Vec<ServiceIndex> {
        self.stats.matched += 1;
        let args = process.program.args.as_ref().map(|args| &*args.bytes);
        let mut specs = Vec::new();
        self.config.matcher.matches(
            &Candidate {
                pid: process.key.pid,
                comm: &process.program.comm,
                argv0: args.and_then(|args| args.split(|&byte| byte == 0).next()),
                exe: process.program.path.as_deref(),
                args: args.map(Args::NulSeparated),
                user: process.user,
                cgroup: process.cgroup.as_deref().map(str::as_bytes),
                lineage: &process.lineage,
            },
            &mut specs,
        );
        specs
    }

    /// Whether a process with these properties is a member of any service.
    #[must_use]
    pub fn matches(&self, candidate: &Candidate<'_>) -> bool {
        let mut specs = Vec::new();
        self.config.matcher.matches(candidate, &mut specs);
        !specs.is_empty()
    }

    /// The services, and groups, of a process that belongs to these.
    pub(super) fn services_of(
        &mut self,
        specs: &[ServiceIndex],
        process: &Process,
        time: BootNanos,
    ) -> Vec<ServiceId> {
        let now = self.config.offset.wall(time);
        let registry = &mut self.config.registry;
        let ids = specs.iter();
        ids.map(|&spec| registry.service_of(spec, process, now))
            .collect()
    }

    pub(super) fn match_services(&mut self, process: &Process, time: u64) -> Arc<[ServiceId]> {
        let specs = self.match_specs(process);
        if specs.is_empty() {
            return Arc::default();
        }
        sorted(self.services_of(&specs, process, BootNanos(time)))
    }

    /// Puts a process, new or changed, into the table, out of the services
    /// that it left and into those that it joined. One for which there is no
    /// room is a member of nothing.
    pub(super) fn place(&mut self, mut process: Process, way: Way) {
        let key = process.key;
        if !self.table.make_room(key.pid) {
            return;
        }
        let before = self.table.by_pid(key.pid);
        let (before, former) = before
            .map(|known| (known.services.clone(), known.former.clone()))
            .unwrap_or_default();
        process.former = former;
        for &id in before.iter().filter(|id| !process.services.contains(id)) {
            let service = self.config.registry.get_mut(id);
            if let Some(member) = service.leave(key.pid, way.totals()) {
                let earlier = take(&mut process.former, id);
                process.former.push((id, member.former(earlier)));
            }
        }
        for &id in process.services.iter().filter(|id| !before.contains(id)) {
            let service = self.config.registry.get_mut(id);
            if let Some(member) = service.awaited(key) {
                service.members.insert(key.pid, Box::new(member));
                continue;
            }
            service.starts += u64::from(way.is_start());
            let member = match way {
                Way::Fork => Member::new(key, [Some(0); COUNTERS]),
                Way::Exec(totals) | Way::Rename(totals) => Member::new(key, totals),
                Way::Scan => match take(&mut process.former, id) {
                    // Its life so far counts once.
                    Some(mut member) => {
                        member.key = key;
                        service.rejoin(member);
                        continue;
                    }
                    None => Member::scanned(key),
                },
            };
            service.members.insert(key.pid, Box::new(member));
        }
        self.note_joined(&process, &way);
        self.table.insert(process);
        self.schedule(key.pid);
        self.tap(key.pid);
    }

    /// What the children of a process inherit, and what it keeps itself
    /// whatever it runs.
    pub(super) fn heritage(&mut self, of: ProcessKey) -> Arc<[ServiceIndex]> {
        if !self.config.matcher.any_descends() || self.table.find(of).is_none() {
            return Arc::default();
        }
        let known = self.table.by_pid(of.pid);
        known
            .map(|process| self.heritage_of(process))
            .unwrap_or_default()
    }

    pub(super) fn heritage_of(&self, process: &Process) -> Arc<[ServiceIndex]> {
        let specs = process.services.iter();
        let specs = specs.map(|&id| self.config.registry.index_of(id));
        let own = specs
            .filter(|&spec| self.config.matcher.descends(spec) && !process.lineage.contains(&spec));
        let own: Vec<_> = own.collect();
        if own.is_empty() {
            return process.lineage.clone();
        }
        process.lineage.iter().copied().chain(own).collect()
    }

    /// Makes a process the descendant of members. True where that is news.
    pub(super) fn adopt(&mut self, key: ProcessKey, lineage: &[ServiceIndex], way: Way) -> bool {
        let Some(known) = self.table.find(key) else {
            return false;
        };
        let new = |spec: &&ServiceIndex| !known.lineage.contains(spec);
        let new: Vec<_> = lineage.iter().filter(new).copied().collect();
        if new.is_empty() {
            return false;
        }
        let mut process = known.clone();
        process.lineage = known.lineage.iter().chain(&new).copied().collect();
        let mut specs = self.match_specs(&process);
        specs.retain(|spec| new.contains(spec));
        let mut services = self.services_of(&specs, &process, key.start);
        services.extend_from_slice(&process.services);
        process.services = sorted(services);
        self.place(process, way);
        true
    }

    /// Finds descendants of members by the parents that a scan saw.
    pub(super) fn descend(&mut self) {
        if !self.config.matcher.any_descends() {
            return;
        }
        let mut children: HashMap<u32, Vec<ProcessKey>> = HashMap::new();
        for process in self.table.iter() {
            if let Some(parent) = process.parent {
                children.entry(parent).or_default().push(process.key);
            }
        }
        let ancestors = self.table.iter();
        let ancestors = ancestors.filter(|process| !self.heritage_of(process).is_empty());
        let mut ancestors: Vec<_> = ancestors.map(|process| process.key).collect();
        // The table has no order; who makes the first group does.
        ancestors.sort_unstable();
        let mut queue = VecDeque::from(ancestors);
        while let Some(parent) = queue.pop_front() {
            let lineage = self.heritage(parent);
            let mut born = children.get(&parent.pid).cloned().unwrap_or_default();
            born.sort_unstable();
            // One that is older had another parent of this pid.
            born.retain(|child| child.start >= parent.start);
            for child in born {
                if self.adopt(child, &lineage, Way::Scan) {
                    queue.push_back(child);
                }
            }
        }
    }

    /// A process took another name: it is looked at with the next collection
    /// (contract S10).
    pub(super) fn rename(&mut self, key: ProcessKey) {
        self.stats.renames += 1;
        if self.table.find(key).is_some() {
            self.renamed.insert(key.pid, key);
        }
    }

    /// Those that took another name since the last call.
    #[must_use]
    pub fn take_renamed(&mut self) -> Vec<ProcessKey> {
        let renamed = std::mem::take(&mut self.renamed);
        renamed.into_values().collect()
    }

    /// Takes in what a process that took another name is called now. `totals`
    /// is what it has used until now.
    pub fn renamed(&mut self, found: Found, totals: Counters, now: BootNanos) {
        if !self.table.holds_scanned(found.pid, found.start_ticks) {
            return;
        }
        let Some(known) = self.table.by_pid(found.pid) else {
            return;
        };
        let mut process = known.clone();
        debug_assert_eq!(ticks_of_start(process.key.start), found.start_ticks);
        process.lineage = self.heritage_of(&process);
        process.user = found.user.or(process.user);
        let program = &mut process.program;
        program.comm = found.comm.into();
        program.path = found.path.map(Arc::from).or(program.path.take());
        program.args = found.args.or(program.args.take());
        process.services = self.match_services(&process, now.0);
        if !self.published(&process.services) && !self.mourned(&process.services) {
            process.program.args = None;
        }
        self.place(process, Way::Rename(totals));
    }
}

fn take(former: &mut Vec<(ServiceId, Member)>, of: ServiceId) -> Option<Member> {
    let position = former.iter().position(|(id, _)| *id == of)?;
    Some(former.swap_remove(position).1)
}

pub(super) fn sorted(mut ids: Vec<ServiceId>) -> Arc<[ServiceId]> {
    ids.sort_unstable();
    ids.dedup();
    ids.into()
}
