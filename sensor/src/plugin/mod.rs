//! Stage 4: plugin.toml and which process belongs to which service.

mod cache;
mod carried;
mod custom;
pub mod custom_check;
mod dialects;
mod examples;
pub mod files;
pub mod install;
mod legacy;
mod load;
pub mod manifest;
pub mod matcher;
mod names;
mod options;
mod patterns;
mod python;
mod read;
mod template;
pub mod user;
pub mod verify;
mod write;

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{Environment, Problem, check_pattern, parse_duration};
pub use cache::CacheUse;
pub use carried::{Carried, carried};
pub use examples::check_examples;
pub use load::{Entry, FailedPlugin, Found, Loaded, find, load, parse_init_py, parse_toml};
pub use matcher::{Args, Candidate, Matcher, MatcherError, Needs, ServiceIndex};
pub use names::{display_name, sanitize, variable_name};
pub use options::{
    Aggregate, CustomMetric, Example, Find, GroupBy, Instrument, LogsOptions, MatchOn,
    MetricsOptions, Naming, Scale, Unit,
};
pub use read::check_name;
pub use template::ServiceName;
pub use write::{Template, legacy_as_toml, new_plugin};

/// Groups of a service whose plugin sets no number.
pub const DEFAULT_MAX_GROUPS: usize = 200;

/// One plugin: its services and what is done for their processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// `[plugin] name`.
    pub name: String,
    /// Where it was loaded from; a built-in one comes from nowhere.
    pub directory: Option<PathBuf>,
    /// One that is switched off is known and matches nothing.
    pub enabled: bool,
    /// Time between two collections, where the plugin or its variable says.
    pub interval: Option<Duration>,
    /// `service.version`.
    pub version: Option<String>,
    /// `[plugin] description`.
    pub description: Option<String>,
    /// At least one.
    pub services: Vec<ServiceSpec>,
    /// The string that patterns are searched in.
    pub match_on: MatchOn,
    /// Patterns on the same string that keep a process out.
    pub exclude: Vec<String>,
    /// Only processes of this user: a name or a number.
    pub user: Option<String>,
    /// Only processes whose cgroup matches: a pattern on its path.
    pub cgroup: Option<String>,
    /// Descendants of a member are members, whatever they are called.
    pub include_descendants: bool,
    /// Resource attributes, in the order of their keys.
    pub attributes: Vec<(String, String)>,
    /// What makes one group of members.
    pub group_by: GroupBy,
    /// Groups of one service; `[limits] groups` bounds them too.
    pub max_groups: usize,
    /// Keep arguments of members.
    pub capture_args: bool,
    /// Export `process.exec` and `process.exit` of members as logs.
    pub events_enabled: bool,
    /// Export spans of members.
    pub traces_enabled: bool,
    /// Where members' last words are looked for.
    pub logs: LogsOptions,
    /// Count scheduling events of members.
    pub scheduler: bool,
    /// Which metrics, by which names.
    pub metrics: MetricsOptions,
    /// Figures from files of the plugin's own choice.
    pub custom_metrics: Vec<CustomMetric>,
    /// Processes that must, or must not, match.
    pub examples: Vec<Example>,
    /// What its installation is told.
    pub unit: Unit,
}

/// One service of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// `service.name`; `{group}` stands where a group's name goes.
    pub service_name: String,
    /// The sanitized name.
    pub service_id: String,
    /// The display rule applied to the identifier.
    pub display_name: String,
    /// `service.namespace`.
    pub namespace: String,
    /// Case-insensitive regular expression, searched anywhere.
    pub pattern: String,
    /// The name in parts, to fill in a group.
    pub name: ServiceName,
}

impl Plugin {
    /// The built-in plugin: every process, grouped by executable.
    #[must_use]
    pub fn host() -> Self {
        let values = template::Values {
            namespace: "host",
            process_name: ".*",
            plugin: "host",
        };
        // The template is a constant without a fault; the fallback is dead.
        let service = ServiceSpec::new("{group}", &values).ok();
        Self {
            name: "host".to_owned(),
            services: service.into_iter().collect(),
            group_by: GroupBy::Executable,
            ..Self::default()
        }
    }

    /// The time between two collections: the command line's goes before the
    /// plugin's, and that before the configuration's (contract S11).
    #[must_use]
    pub fn effective_interval(&self, flag: Option<Duration>, config: Duration) -> Duration {
        flag.or(self.interval).unwrap_or(config)
    }

    /// Takes over `<PLUGIN>_INTERVAL` and `<PLUGIN>_PROCESS_FILTER`. A filter
    /// replaces the pattern; the service keeps its name.
    ///
    /// # Errors
    /// Every bad value, named by its variable; the plugin must not be used.
    pub fn apply_environment(&mut self, environment: &Environment<'_>) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        let get = |suffix| {
            let name = variable_name(&self.name, suffix);
            let value = environment.get(&name);
            (name, value)
        };
        let (interval, filter) = (get("INTERVAL"), get("PROCESS_FILTER"));
        let mut apply =
            |(name, value): (String, Result<Option<String>, Problem>),
             use_it: &mut dyn FnMut(&str) -> Result<(), String>| {
                let checked = value.and_then(|value| match value {
                    Some(text) => use_it(&text).map_err(|message| Problem::setting(&name, message)),
                    None => Ok(()),
                });
                problems.extend(checked.err());
            };
        apply(interval, &mut |text| {
            let interval = parse_duration(text).map_err(|error| error.to_string())?;
            let range = crate::config::INTERVALS;
            self.interval = Some(crate::config::item::in_range(interval, &range)?);
            Ok(())
        });
        apply(filter, &mut |text| {
            check_pattern(text)?;
            let [service] = self.services.as_mut_slice() else {
                return Err("a plugin with several process names takes no filter".to_owned());
            };
            text.clone_into(&mut service.pattern);
            Ok(())
        });
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }
}

/// A plugin without a name and without services.
impl Default for Plugin {
    fn default() -> Self {
        Self {
            name: String::new(),
            directory: None,
            enabled: true,
            interval: None,
            version: None,
            description: None,
            services: Vec::new(),
            match_on: MatchOn::default(),
            exclude: Vec::new(),
            attributes: Vec::new(),
            group_by: GroupBy::default(),
            max_groups: DEFAULT_MAX_GROUPS,
            capture_args: true,
            events_enabled: false,
            traces_enabled: false,
            logs: LogsOptions::default(),
            scheduler: false,
            metrics: MetricsOptions::default(),
            user: None,
            cgroup: None,
            include_descendants: false,
            custom_metrics: Vec::new(),
            examples: Vec::new(),
            unit: Unit::default(),
        }
    }
}

impl ServiceSpec {
    /// A service whose pattern is its process name.
    fn new(template: &str, values: &template::Values<'_>) -> Result<Self, String> {
        let name = ServiceName::fill(template, values)?;
        let service_name = name.to_string();
        if service_name.is_empty() {
            return Err("the service has no name; put a placeholder into the template".to_owned());
        }
        let service_id = sanitize(&service_name);
        Ok(Self {
            display_name: display_name(&service_id),
            service_name,
            service_id,
            namespace: values.namespace.to_owned(),
            pattern: values.process_name.to_owned(),
            name,
        })
    }
}

#[cfg(test)]
mod tests;
