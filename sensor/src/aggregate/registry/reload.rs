//! Other specs: what stays goes on, what is gone has a last word.

use std::sync::Arc;

use super::{Entry, Groups, Registry, Spec, sort};
use crate::{
    aggregate::{
        custom::CustomFigures,
        metrics::{self, Moment, Sight, Style},
        report::{Report, ServiceReport},
        series,
    },
    plugin::{Carried, MetricsOptions, sanitize},
};

impl Registry {
    /// Takes over other specs. Services of those that are carried over go on,
    /// with all that they have counted; the others end: the report has a last
    /// word on each of their series.
    pub fn reload(
        &mut self,
        specs: Vec<Spec>,
        carried: &[Carried],
        now: Moment,
        sight: Sight,
    ) -> Report {
        let mut places = vec![None; self.specs.len()];
        for (place, carried) in carried.iter().enumerate() {
            if let Some(old) = carried
                .from
                .and_then(|from| places.get_mut(from.0 as usize))
            {
                *old = Some(place);
            }
        }
        self.groups = vec![Groups::default(); specs.len()];
        let former = std::mem::replace(&mut self.specs, specs);
        // Whoever changes a user's name wants to see it.
        self.users.clear();
        let mut report = Report {
            time: now.wall,
            services: Vec::new(),
        };
        for (id, mut entry) in std::mem::take(&mut self.services) {
            let group = entry.service.identity.group.clone();
            let before = &former[entry.spec];
            let Some(place) = places[entry.spec] else {
                let last = last_words(&mut entry, before, now, sight, self.scheduler);
                report.services.push(last);
                continue;
            };
            let after = &self.specs[place];
            let declared = |spec: &Spec| spec.custom.as_ref().map(|set| set.metrics.clone());
            if before.metrics != after.metrics
                || before.scheduler != after.scheduler
                || declared(before) != declared(after)
            {
                // What the next report does not have ends with it, counters
                // under other names, too.
                entry.shown = last_words(&mut entry, before, now, sight, self.scheduler).ended;
            }
            if after.custom.is_none() {
                entry.service.custom = CustomFigures::default();
            }
            entry.spec = place;
            let identity = self.identity(place, group.as_deref());
            entry.name = identity.name.as_str().into();
            entry.service_id = sanitize(&identity.name);
            entry.service.identity = Arc::new(identity);
            self.groups[place].insert(group, id);
            self.services.insert(id, entry);
        }
        sort(&mut report.services);
        report
    }
}

/// The end of a service: nobody is left, and every series of it ends.
fn last_words(
    entry: &mut Entry,
    spec: &Spec,
    now: Moment,
    sight: Sight,
    scheduler: bool,
) -> ServiceReport {
    let style = Style {
        // Series of single members are in what was shown.
        options: MetricsOptions {
            per_process_top: 0,
            ..spec.metrics
        },
        service_id: &entry.service_id,
        sight,
        scheduler: scheduler && spec.scheduler,
        name_of: &|_| None,
    };
    let mut report = metrics::report(&mut entry.service, now, style);
    report.ended = std::mem::take(&mut report.metrics);
    let missing = series::ended(&entry.shown, &report.ended);
    report.ended.extend(missing);
    report.process_count = 0;
    report.pids.clear();
    report
}
