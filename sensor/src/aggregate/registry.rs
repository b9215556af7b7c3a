//! All services, made when their first member shows up.

mod memory;
mod reload;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use uuid::Uuid;

use super::{
    custom::Round,
    metrics::{self, Moment, NameOf, Sight, Style},
    report::{Metric, Report, ServiceIdentity, ServiceReport},
    series,
    service::{Look, Service},
};
use crate::{
    collect::custom::CustomSet,
    plugin::{GroupBy, LogsOptions, MetricsOptions, ServiceIndex, ServiceName, sanitize},
    process::table::{Process, ServiceId},
    units::{ProcessKey, WallNanos},
};

pub use memory::{Identifier, Remembered};

/// The group of everybody above the limit of groups.
const OTHER: &str = "other";
/// Names of users that are kept; they are asked for again after that.
const USERS: usize = 8_192;

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
    /// Whether the members' turns on the CPU are counted.
    pub scheduler: bool,
    /// Where its members' last words are looked for.
    pub logs: LogsOptions,
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
    /// An id is never used again, so that what is late finds nobody else.
    services: BTreeMap<ServiceId, Entry>,
    next_id: ServiceId,
    /// The services of each spec.
    groups: Vec<Groups>,
    folded: u64,
    /// The scheduler's hook counts.
    scheduler: bool,
    /// Names of users, as far as somebody looked them up.
    users: HashMap<u32, Option<Box<str>>>,
    /// Services of before the start that nobody has asked for yet.
    remembered: HashMap<Identifier, Remembered>,
}

/// The services of one spec: one, or one a group.
#[derive(Debug, Clone, Default)]
struct Groups {
    whole: Option<ServiceId>,
    by_name: HashMap<Box<str>, ServiceId>,
}

impl Groups {
    fn get(&self, group: Option<&str>) -> Option<ServiceId> {
        match group {
            Some(name) => self.by_name.get(name).copied(),
            None => self.whole,
        }
    }

    fn insert(&mut self, group: Option<String>, id: ServiceId) {
        match group {
            Some(name) => {
                self.by_name.insert(name.into_boxed_str(), id);
            }
            None => self.whole = Some(id),
        }
    }
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
            groups: vec![Groups::default(); specs.len()],
            specs,
            host_id,
            services: BTreeMap::new(),
            next_id: 0,
            folded: 0,
            scheduler: false,
            users: HashMap::new(),
            remembered: HashMap::new(),
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
        for entry in self.services.values() {
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

    /// Says whether the scheduler's hook counts: what it has counted is shown
    /// only then.
    pub fn shows_scheduler(&mut self, counts: bool) {
        self.scheduler = counts;
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
            GroupBy::Cgroup => Some(process.cgroup.as_deref().unwrap_or("unknown").into()),
            GroupBy::User => Some(self.user_name(process.user).into()),
        };
        let groups = &self.groups[spec];
        if let Some(id) = groups.get(group.as_deref()) {
            return id;
        }
        if group.is_some() && groups.by_name.len() >= self.specs[spec].max_groups {
            self.folded += 1;
            group = Some(OTHER.into());
            if let Some(id) = groups.get(Some(OTHER)) {
                return id;
            }
        }
        let group = group.map(Cow::into_owned);
        self.make(spec, group, now)
    }

    fn make(&mut self, index: usize, group: Option<String>, now: WallNanos) -> ServiceId {
        let identity = self.identity(index, group.as_deref());
        let id = self.next_id;
        self.next_id = id.saturating_add(1);
        let service_id = sanitize(&identity.name);
        let name = identity.name.as_str().into();
        let saved = self.remembered_as(&identity, |known| known.saved.take());
        let mut service = Service::new(Arc::new(identity), now);
        if let Some(saved) = saved {
            service.resume(saved);
        }
        let entry = Entry {
            spec: index,
            service_id,
            name,
            service,
            shown: Vec::new(),
        };
        self.services.insert(id, entry);
        self.groups[index].insert(group, id);
        id
    }

    fn identity(&mut self, index: usize, group: Option<&str>) -> ServiceIdentity {
        let spec = &self.specs[index];
        let name = spec.name.of_group(group.unwrap_or_default());
        let seed = [
            self.host_id.as_str(),
            &spec.namespace,
            &name,
            group.unwrap_or_default(),
        ]
        .join("\0");
        let mut identity = ServiceIdentity {
            name,
            namespace: spec.namespace.clone(),
            instance_id: Uuid::new_v5(&Uuid::NAMESPACE_OID, seed.as_bytes()),
            version: spec.version.clone(),
            description: spec.description.clone(),
            plugin: spec.plugin.to_string(),
            group: group.map(str::to_owned),
            attributes: spec.attributes.clone(),
        };
        if let Some(id) = self.remembered_as(&identity, |known| known.instance_id) {
            identity.instance_id = id;
        }
        identity
    }

    fn user_name(&self, user: Option<u32>) -> String {
        let Some(id) = user else {
            return "unknown".to_owned();
        };
        let name = self.users.get(&id).and_then(Option::as_deref);
        name.map_or_else(|| id.to_string(), str::to_owned)
    }

    /// Whether somebody groups by users and the name of this one has not been
    /// looked up.
    #[must_use]
    pub fn wants_user(&self, id: u32) -> bool {
        let by_user = |spec: &Spec| spec.group_by == GroupBy::User;
        !self.users.contains_key(&id) && self.specs.iter().any(by_user)
    }

    /// Takes in what a user is called, if anything.
    pub fn learn_user(&mut self, id: u32, name: Option<String>) {
        if self.users.len() >= USERS {
            self.users.clear();
        }
        self.users.insert(id, name.map(String::into_boxed_str));
    }

    /// Whether there is, still, a service of this id.
    #[must_use]
    pub fn has(&self, id: ServiceId) -> bool {
        self.services.contains_key(&id)
    }

    fn entry(&self, id: ServiceId) -> &Entry {
        &self.services[&id]
    }

    /// A service by its id.
    ///
    /// # Panics
    ///
    /// Where [`Self::has`] says no.
    pub fn get_mut(&mut self, id: ServiceId) -> &mut Service {
        match self.services.get_mut(&id) {
            Some(entry) => &mut entry.service,
            None => panic!("no service {id}"),
        }
    }

    /// Which spec a service is of.
    #[must_use]
    pub fn index_of(&self, id: ServiceId) -> ServiceIndex {
        ServiceIndex(u32::try_from(self.entry(id).spec).unwrap_or(u32::MAX))
    }

    /// What the plugin says of a service.
    #[must_use]
    pub fn spec_of(&self, id: ServiceId) -> &Spec {
        &self.specs[self.entry(id).spec]
    }

    /// `service.name` of a service.
    #[must_use]
    pub fn name_of(&self, id: ServiceId) -> Arc<str> {
        self.entry(id).name.clone()
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
        let ids = self.services.iter();
        ids.filter(|(_, entry)| due.get(entry.spec) == Some(&true))
            .filter_map(|(&id, entry)| {
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
            specs,
            services,
            scheduler,
            ..
        } = self;
        let mut services: Vec<_> = services
            .values_mut()
            .filter(|entry| due.get(entry.spec) == Some(&true))
            .map(|entry| {
                let style = Style {
                    options: specs[entry.spec].metrics,
                    service_id: &entry.service_id,
                    sight,
                    scheduler: *scheduler && specs[entry.spec].scheduler,
                    name_of,
                };
                let mut report = metrics::report(&mut entry.service, now, style);
                report.ended = series::ended(&entry.shown, &report.metrics);
                entry.shown = series::mortal(&report.metrics);
                report
            })
            .collect();
        sort(&mut services);
        Report {
            time: now.wall,
            services,
        }
    }

    fn due(&self, due: &[bool]) -> impl Iterator<Item = &Entry> {
        self.services
            .values()
            .filter(move |entry| due.get(entry.spec) == Some(&true))
    }
}

fn sort(services: &mut [ServiceReport]) {
    services.sort_by(|a, b| {
        (&a.identity.name, &a.identity.group).cmp(&(&b.identity.name, &b.identity.group))
    });
}

/// Name of the executable file, of the thread where the file is unknown.
fn executable_name(process: &Process) -> Cow<'_, str> {
    let name = process.program.file_name();
    String::from_utf8_lossy(name.unwrap_or(&process.program.comm))
}
