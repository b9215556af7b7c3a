//! Other plugins while it runs: what stays, goes on as if nothing had happened.

use std::sync::Arc;

use super::{
    Engine,
    membership::{Way, sorted},
    scans::Found,
};
use crate::{
    aggregate::{
        metrics::{Moment, Sight},
        registry::Spec,
        report::Report,
    },
    plugin::{Carried, Matcher, ServiceIndex},
    units::BootNanos,
};

/// What the engine is to work with from now on.
pub struct Reload {
    /// Decides who is watched.
    pub matcher: Matcher,
    /// The declared services, in the matcher's order.
    pub specs: Vec<Spec>,
    /// Where each of them comes from.
    pub carried: Vec<Carried>,
}

impl Reload {
    /// Whether processes have to be looked at again: somebody may belong to a
    /// service by another rule than before.
    #[must_use]
    pub fn has_new_rules(&self) -> bool {
        self.carried.iter().any(|carried| !carried.same_rule)
    }
}

impl Engine {
    /// Takes over other plugins. Members of services that are gone leave; what
    /// ends with them is in the report. Members by a rule that is new or
    /// changed are found with [`Self::rematch`], for every living process, and
    /// [`Self::gone`].
    pub fn reload(&mut self, reload: Reload, now: Moment, sight: Sight) -> Report {
        let Reload {
            matcher,
            specs,
            carried,
        } = reload;
        let report = self.config.registry.reload(specs, &carried, now, sight);
        self.matches_evicted += self.config.matcher.cached().evicted;
        self.config.matcher = matcher;
        let kept = |old: ServiceIndex| -> Option<ServiceIndex> {
            let same = |carried: &Carried| carried.from == Some(old) && carried.same_rule;
            let position = carried.iter().position(same)?;
            u32::try_from(position).ok().map(ServiceIndex)
        };
        let processes: Vec<_> = self.table.iter().map(|process| process.key.pid).collect();
        for pid in processes {
            let Some(known) = self.table.by_pid(pid) else {
                continue;
            };
            let registry = &self.config.registry;
            let stays = |id: &&u32| registry.has(**id);
            let former_stays = |(id, _): &(u32, _)| registry.has(*id);
            let same = known.lineage.is_empty()
                && known.services.iter().all(|id| registry.has(*id))
                && known.former.iter().all(former_stays);
            if same {
                continue;
            }
            let mut process = known.clone();
            process.lineage = known.lineage.iter().filter_map(|&old| kept(old)).collect();
            process.services = known.services.iter().filter(stays).copied().collect();
            process.former.retain(former_stays);
            self.table.insert(process);
        }
        self.schedule_all();
        self.tap_all();
        self.changed = carried.iter().map(|carried| !carried.same_rule).collect();
        report
    }

    /// Decides by the new and changed rules whether a process belongs to their
    /// services; by the others it was decided. Whoever joins does so as by a
    /// scan (contract S1).
    pub fn rematch(&mut self, found: Found, now: BootNanos) {
        if !self.table.holds_scanned(found.pid, found.start_ticks) {
            self.found(found, now);
            return;
        }
        let Some(known) = self.table.by_pid(found.pid) else {
            return;
        };
        let mut process = known.clone();
        process.user = process.user.or(found.user);
        process.cgroup = process.cgroup.take().or(found.cgroup);
        if *process.program.comm == *found.comm {
            let program = &mut process.program;
            program.path = program.path.take().or(found.path.map(Arc::from));
            program.args = program.args.take().or(found.args);
        }
        let is_changed = |spec: ServiceIndex| {
            let changed = usize::try_from(spec.0).ok();
            changed.and_then(|spec| self.changed.get(spec)) == Some(&true)
        };
        let registry = &self.config.registry;
        let mut services: Vec<_> = process
            .services
            .iter()
            .copied()
            .filter(|&id| !is_changed(registry.index_of(id)))
            .collect();
        let mut specs = self.match_specs(&process);
        let changed = &self.changed;
        specs.retain(|spec| changed.get(spec.0 as usize) == Some(&true));
        services.extend(self.services_of(&specs, &process, now));
        process.services = sorted(services);
        if !self.published(&process.services) {
            process.program.args = None;
        }
        self.place(process, Way::Scan);
    }
}
