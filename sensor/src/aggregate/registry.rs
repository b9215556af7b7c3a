//! All services, made when their first member shows up.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use uuid::Uuid;

use super::{
    custom::Round,
    metrics::{self, Moment, NameOf, Sight, Style},
    report::{Metric, Report, ServiceIdentity},
    series,
    service::{Look, Service},
};
use crate::{
    collect::custom::CustomSet,
    plugin::{GroupBy, MetricsOptions, ServiceIndex, ServiceName, sanitize},
    process::table::{Process, ServiceId},
    units::{ProcessKey, WallNanos},
};

/// The group of everybody above the limit of groups.
const OTHER: &str = "other";

/// A service as its plugin declares it.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The plugin.
    pub plugin: Arc<str>,
    /// `service.name`, complete but for the group.
    pub name: ServiceName,
    /// `service.namespace`.
    pub namespace: String,
    /// What its members are recognised by.
    pub pattern: String,
    /// `service.version`.
    pub version: Option<String>,
    /// What the plugin says it is.
    pub description: Option<String>,
    /// Further resource attributes.
    pub attributes: Vec<(String, String)>,
    /// What its members are divided by.
    pub group_by: GroupBy,
    /// Most groups.
    pub max_groups: usize,
    /// How often it is due.
    pub interval: Duration,
    /// Whether execs and exits of its members are exported.
    pub events: bool,
    /// Whether these carry the arguments.
    pub capture_args: bool,
    /// Which metrics, by which names.
    pub metrics: MetricsOptions,
    /// The plugin's own metrics; most plugins have none.
    pub custom: Option<Arc<CustomSet>>,
}

/// A service whose plugin has metrics of its own, and who is to be read.
#[derive(Debug)]
pub struct CustomWork {
    /// The service.
    pub id: ServiceId,
    /// What to read of each.
    pub set: Arc<CustomSet>,
    /// The living members.
    pub members: Vec<ProcessKey>,
}

/// Every service that ever had a member.
#[derive(Debug)]
pub struct Registry {
    specs: Vec<Spec>,
    /// Seeds `service.instance.id`.
    host_id: String,
    services: Vec<Entry>,
    index: HashMap<(usize, Option<Box<str>>), ServiceId>,
    groups: Vec<usize>,
    folded: u64,
}

#[derive(Debug)]
struct Entry {
    spec: usize,
    name: Arc<str>,
    /// [`sanitize`]d name.
    service_id: String,
    service: Service,
    /// The series of the last report that can end.
    shown: Vec<Metric>,
}

impl Registry {
    /// A registry without services. `host_id` makes instance ids differ
    /// between hosts and stay the same on one.
    #[must_use]
    pub fn new(specs: Vec<Spec>, host_id: String) -> Self {
        Self {
            groups: vec![0; specs.len()],
            specs,
            host_id,
            services: Vec::new(),
            index: HashMap::new(),
            folded: 0,
        }
    }

    /// The declared services.
    #[must_use]
    pub fn specs(&self) -> &[Spec] {
        &self.specs
    }

    /// Patterns of the declared services that have no living member.
    #[must_use]
    pub fn unmatched(&self) -> Vec<&str> {
        let mut matched = vec![false; self.specs.len()];
        for entry in &self.services {
            matched[entry.spec] |= entry.service.living().next().is_some();
        }
        let specs = self.specs.iter().zip(matched);
        specs
            .filter(|(_, matched)| !matched)
            .map(|(spec, _)| spec.pattern.as_str())
            .collect()
    }

    /// Processes that went into `other` for want of groups.
    #[must_use]
    pub fn folded(&self) -> u64 {
        self.folded
    }

    /// The service, and group, of a process that matches a spec.
    pub fn service_of(
        &mut self,
        spec: ServiceIndex,
        process: &Process,
        now: WallNanos,
    ) -> ServiceId {
        let spec = spec.0 as usize;
        let mut group = match self.specs[spec].group_by {
            GroupBy::None => None,
            GroupBy::Executable => Some(executable_name(process)),
            GroupBy::Cgroup => Some(process.cgroup.as_deref().unwrap_or("unknown").to_owned()),
            GroupBy::User => Some(
                process
                    .user
                    .map_or("unknown".to_owned(), |id| id.to_string()),
            ),
        };
        let known = |group: &Option<String>| {
            let key = (spec, group.as_deref().map(Box::from));
            self.index.get(&key).copied()
        };
        if let Some(id) = known(&group) {
            return id;
        }
        if group.is_some() && self.groups[spec] >= self.specs[spec].max_groups {
            self.folded += 1;
            group = Some(OTHER.to_owned());
            if let Some(id) = known(&group) {
                return id;
            }
        }
        self.make(spec, group, now)
    }

    fn make(&mut self, index: usize, group: Option<String>, now: WallNanos) -> ServiceId {
        let spec = &self.specs[index];
        let name = spec.name.of_group(group.as_deref().unwrap_or_default());
        let seed = [
            self.host_id.as_str(),
            &spec.namespace,
            &name,
            group.as_deref().unwrap_or_default(),
        ]
        .join("\0");
        let identity = ServiceIdentity {
            name: name.clone(),
            namespace: spec.namespace.clone(),
            instance_id: Uuid::new_v5(&Uuid::NAMESPACE_OID, seed.as_bytes()),
            version: spec.version.clone(),
            description: spec.description.clone(),
            plugin: spec.plugin.to_string(),
            group: group.clone(),
            attributes: spec.attributes.clone(),
        };
        let id = ServiceId::try_from(self.services.len()).unwrap_or(ServiceId::MAX);
        self.services.push(Entry {
            spec: index,
            service_id: sanitize(&name),
            name: name.into(),
            service: Service::new(Arc::new(identity), now),
            shown: Vec::new(),
        });
        self.groups[index] += 1;
        self.index
            .insert((index, group.map(String::into_boxed_str)), id);
        id
    }

    /// A service by its id.
    ///
    /// # Panics
    ///
    /// Where the id is not from [`Self::service_of`].
    pub fn get_mut(&mut self, id: ServiceId) -> &mut Service {
        &mut self.services[id as usize].service
    }

    /// What the plugin says of a service.
    #[must_use]
    pub fn spec_of(&self, id: ServiceId) -> &Spec {
        &self.specs[self.services[id as usize].spec]
    }

    /// `service.name` of a service.
    #[must_use]
    pub fn name_of(&self, id: ServiceId) -> Arc<str> {
        self.services[id as usize].name.clone()
    }

    /// Members of the services whose spec is due, each once, by pid.
    #[must_use]
    pub fn members(&self, due: &[bool]) -> BTreeSet<ProcessKey> {
        self.due(due)
            .flat_map(|entry| entry.service.members.values().map(|member| member.key))
            .collect()
    }

    /// Takes in what a look at a process showed.
    pub fn look(&mut self, services: &[ServiceId], key: ProcessKey, look: &Look) {
        for &id in services {
            self.get_mut(id).look(key, look);
        }
    }

    /// What is to be read for the plugins' own metrics.
    #[must_use]
    pub fn custom_work(&self, due: &[bool]) -> Vec<CustomWork> {
        let ids = (0..).zip(&self.services);
        ids.filter(|(_, entry)| due.get(entry.spec) == Some(&true))
            .filter_map(|(id, entry)| {
                Some(CustomWork {
                    id,
                    set: self.specs[entry.spec].custom.clone()?,
                    members: entry.service.living().map(|member| member.key).collect(),
                })
            })
            .collect()
    }

    /// Takes in what was read of a service's members.
    pub fn take_custom(&mut self, work: &CustomWork, round: Round) {
        self.get_mut(work.id).custom.take(&work.set, round);
    }

    /// The report of the services whose spec is due. `name_of` names the
    /// executable of a process.
    pub fn report(
        &mut self,
        due: &[bool],
        now: Moment,
        sight: Sight,
        name_of: NameOf<'_>,
    ) -> Report {
        let Self {
            specs, services, ..
        } = self;
        let mut services: Vec<_> = services
            .iter_mut()
            .filter(|entry| due.get(entry.spec) == Some(&true))
            .map(|entry| {
                let style = Style {
                    options: specs[entry.spec].metrics,
                    service_id: &entry.service_id,
                    sight,
                    name_of,
                };
                let mut report = metrics::report(&mut entry.service, now, style);
                report.ended = series::ended(&entry.shown, &report.metrics);
                entry.shown = series::mortal(&report.metrics);
                report
            })
            .collect();
        services.sort_by(|a, b| {
            (&a.identity.name, &a.identity.group).cmp(&(&b.identity.name, &b.identity.group))
        });
        Report {
            time: now.wall,
            services,
        }
    }

    fn due(&self, due: &[bool]) -> impl Iterator<Item = &Entry> {
        self.services
            .iter()
            .filter(move |entry| due.get(entry.spec) == Some(&true))
    }
}

/// Name of the executable file, of the thread where the file is unknown.
fn executable_name(process: &Process) -> String {
    let name = process.program.file_name();
    String::from_utf8_lossy(name.unwrap_or(&process.program.comm)).into_owned()
}
