//! All services, made when their first member shows up.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use uuid::Uuid;

use super::{
    metrics::{self, Moment, Sight},
    report::{Metric, Report, ServiceIdentity},
    service::{Look, Service},
};
use crate::{
    plugin::{GroupBy, ServiceIndex, ServiceName},
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
    service: Service,
    /// What the last report said of the moment, while there were members.
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

    /// The report of the services whose spec is due.
    pub fn report(&mut self, due: &[bool], now: Moment, sight: Sight) -> Report {
        let mut services: Vec<_> = self
            .services
            .iter_mut()
            .filter(|entry| due.get(entry.spec) == Some(&true))
            .map(|entry| {
                let mut report = metrics::report(&mut entry.service, now, sight);
                report.ended = metrics::ended(&entry.shown, &report.metrics);
                entry.shown = match report.process_count {
                    0 => Vec::new(),
                    _ => metrics::of_the_moment(&report.metrics).cloned().collect(),
                };
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
    let name = match &process.program.path {
        Some(path) => path.rsplit(|&byte| byte == b'/').next().unwrap_or_default(),
        None => &process.program.comm,
    };
    String::from_utf8_lossy(name).into_owned()
}
