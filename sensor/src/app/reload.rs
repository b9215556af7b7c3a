//! The plugins of a running sensor, loaded again when they change.
//!
//! A plugin that is broken, or being written, goes on as it was: nobody loses
//! figures by a typing error. What is wrong is told once, and again when it is
//! repaired.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write},
    path::{Path, PathBuf},
};

use super::setup::{self, Selection, Stop, must_be_there};
use crate::{
    config::{Config, Problem, Receiver},
    plugin::{FailedPlugin, Loaded, Plugin},
};

/// What is wrong, by who.
type Wrong = BTreeMap<Who, Vec<Problem>>;

/// Who has a fault.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Config,
    /// A directory of plugins.
    Directory(PathBuf),
    /// Its directory and name.
    Plugin(Option<PathBuf>, String),
}

/// Which plugins there are, and where they come from.
pub struct Plugins {
    selection: Selection,
    /// `--config`.
    config_flag: Option<PathBuf>,
    config: Config,
    /// As loaded, without the built-in one.
    loaded: Vec<Plugin>,
    /// In use.
    current: Vec<Plugin>,
    /// What was wrong the last time, by who.
    wrong: Wrong,
    /// Warnings that were told.
    warned: BTreeSet<Problem>,
    /// What waits for a restart, as it was told.
    put_off: Vec<String>,
}

/// What there was before, where something has changed.
pub struct Before {
    /// The configuration.
    pub config: Config,
    loaded: Vec<Plugin>,
    /// The plugins that were in use.
    pub current: Vec<Plugin>,
}

impl Plugins {
    /// Loads them for the first time.
    ///
    /// # Errors
    ///
    /// As [`setup::plugins`].
    pub fn load(
        selection: Selection,
        config_flag: Option<&Path>,
        config: &Config,
    ) -> Result<Self, Stop> {
        let found = setup::load(&selection, config);
        let wrong = wrong(&found);
        let warned = found.warnings.iter().cloned().collect();
        let loaded = found.plugins.clone();
        let current = setup::choose(found, &selection, config.host)?;
        Ok(Self {
            selection,
            config_flag: config_flag.map(Path::to_owned),
            config: config.clone(),
            loaded,
            current,
            wrong,
            warned,
            put_off: Vec::new(),
        })
    }

    /// The plugins in use.
    #[must_use]
    pub fn current(&self) -> &[Plugin] {
        &self.current
    }

    /// The configuration that they are used with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether a plugin, or the configuration, has faults.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        !self.wrong.is_empty()
    }

    /// The directories of plugins.
    #[must_use]
    pub fn dirs(&self) -> &[PathBuf] {
        setup::plugin_dirs(&self.selection.dirs, &self.config)
    }

    /// The configuration file.
    #[must_use]
    pub fn config_file(&self) -> &Path {
        let flag = self.config_flag.as_deref();
        flag.unwrap_or(Path::new(setup::CONFIG))
    }

    /// Loads them again, but those that are `being_written`. What was there
    /// before, where anything is different now.
    pub fn reload(&mut self, being_written: &[PathBuf]) -> Option<Before> {
        let mut wrong_now = Wrong::new();
        let config = self.reload_config(being_written, &mut wrong_now);
        let mut found = setup::load(&self.selection, &config);
        for warning in &found.warnings {
            if self.warned.insert(warning.clone()) {
                tracing::warn!("{warning}");
            }
        }
        let mut next = self.keep_written(&mut found, being_written);
        self.keep_broken(&mut found, &mut next);
        wrong_now.extend(wrong(&found));
        next.extend(found.plugins);
        // In the order that they have, so that what is the same looks the same.
        let place = |plugin: &Plugin| {
            let same = |old: &Plugin| is_same(old, plugin);
            self.loaded.iter().position(same).unwrap_or(usize::MAX)
        };
        next.sort_by_key(place);
        self.tell(&wrong_now, &next);
        self.wrong = wrong_now;
        let current = setup::with_host(next.clone(), &self.selection.names, config.host);
        if current == self.current && config == self.config {
            self.loaded = next;
            return None;
        }
        Some(Before {
            config: std::mem::replace(&mut self.config, config),
            loaded: std::mem::replace(&mut self.loaded, next),
            current: std::mem::replace(&mut self.current, current),
        })
    }

    /// Goes back to what there was: the new ones cannot be used together.
    pub fn undo(&mut self, before: Before) {
        let Before {
            config,
            loaded,
            current,
        } = before;
        self.config = config;
        self.loaded = loaded;
        self.current = current;
    }

    fn reload_config(&mut self, being_written: &[PathBuf], wrong: &mut Wrong) -> Config {
        let file = self.config_file();
        if being_written.iter().any(|path| path == file) {
            return self.config.clone();
        }
        let config = match Config::load(file, self.config_flag.is_some()) {
            Ok(config) => config,
            Err(problems) => {
                wrong.insert(Who::Config, problems);
                return self.config.clone();
            }
        };
        let put_off = waits_for_restart(&self.config, &config);
        if put_off != self.put_off && !put_off.is_empty() {
            tracing::warn!(
                "{} will be as the file says after a restart; the rest is already",
                put_off.join(", ")
            );
        }
        self.put_off = put_off;
        let running = &self.config.receiver;
        // The rest is taken in at the next start.
        Config {
            plugins: config.plugins,
            interval: config.interval,
            host: config.host,
            log_formats: config.log_formats,
            receiver: Receiver {
                enabled: running.enabled,
                http: running.http,
                grpc: running.grpc,
                socket: running.socket.clone(),
                ..config.receiver
            },
            limits: crate::config::Limits {
                groups: config.limits.groups,
                ..self.config.limits.clone()
            },
            ..self.config.clone()
        }
    }

    /// Those that are being written stay as they are, if they are.
    fn keep_written(&self, found: &mut Loaded, being_written: &[PathBuf]) -> Vec<Plugin> {
        let is_written = |directory: &Option<PathBuf>| {
            let same = |directory: &PathBuf| being_written.contains(directory);
            directory.as_ref().is_some_and(same)
        };
        found
            .plugins
            .retain(|plugin| !is_written(&plugin.directory));
        found.failed.retain(|failed| !is_written(&failed.directory));
        let old = self.loaded.iter();
        old.filter(|plugin| is_written(&plugin.directory))
            .cloned()
            .collect()
    }

    /// Those that are broken stay as they are. One that is new and would have
    /// the same service as one of them is broken, too.
    fn keep_broken(&self, found: &mut Loaded, next: &mut Vec<Plugin>) {
        let by_flag = !self.selection.dirs.is_empty();
        let unreadable: Vec<_> = found
            .unreadable
            .iter()
            .filter(|problem| must_be_there(&problem.file, by_flag) || problem.file.exists())
            .map(|problem| problem.file.clone())
            .collect();
        found
            .unreadable
            .retain(|problem| unreadable.contains(&problem.file));
        for old in &self.loaded {
            let in_place = |directory: &PathBuf| {
                let below = |dir: &PathBuf| directory.starts_with(dir);
                unreadable.iter().any(below)
            };
            let is_broken = found.failed.iter().any(|failed| is_of(old, failed))
                || old.directory.as_ref().is_some_and(in_place);
            let is_there = |plugin: &Plugin| is_same(plugin, old);
            if is_broken && !next.iter().any(is_there) && !found.plugins.iter().any(is_there) {
                next.push(old.clone());
            }
        }
        let mut rejected = Vec::new();
        for plugin in std::mem::take(&mut found.plugins) {
            match next.iter().find_map(|kept| collision(kept, &plugin)) {
                Some(problem) => rejected.push((plugin, problem)),
                None => found.plugins.push(plugin),
            }
        }
        for (plugin, problem) in rejected {
            let old = self.loaded.iter().find(|old| is_same(old, &plugin));
            next.extend(old.cloned());
            found.failed.push(FailedPlugin {
                name: plugin.name,
                directory: plugin.directory,
                problems: vec![problem],
            });
        }
    }

    /// Says what is wrong now and was not before, and what was repaired.
    fn tell(&self, wrong: &Wrong, next: &[Plugin]) {
        for (who, problems) in wrong {
            let before = self.wrong.get(who);
            let new = |problem: &&Problem| before.is_none_or(|before| !before.contains(problem));
            for problem in problems.iter().filter(new) {
                if who.goes_on(next) {
                    tracing::error!("{who} stays as it was: {problem}");
                } else {
                    tracing::error!("{who} is not loaded: {problem}");
                }
            }
        }
        for who in self.wrong.keys().filter(|who| !wrong.contains_key(*who)) {
            if who.goes_on(next) {
                tracing::info!("{who} is right again: reloaded");
            } else {
                tracing::info!("{who} is gone");
            }
        }
    }

    /// What has changed, in one line; empty where only settings have.
    #[must_use]
    pub fn changes(&self, before: &Before) -> String {
        let (old, new) = (&before.current, &self.current);
        let names = |plugins: &[Plugin], but: &[Plugin]| -> Vec<String> {
            let plugins = plugins.iter();
            plugins
                .filter(|plugin| !but.iter().any(|other| is_same(other, plugin)))
                .map(|plugin| plugin.name.clone())
                .collect()
        };
        let changed = new.iter().filter(|plugin| {
            let other = |old: &Plugin| is_same(old, plugin) && old != *plugin;
            old.iter().any(other)
        });
        let changed = changed.map(|plugin| plugin.name.clone()).collect();
        let mut line = String::new();
        for (what, names) in [
            ("added", names(new, old)),
            ("changed", changed),
            ("removed", names(old, new)),
        ] {
            if !names.is_empty() {
                let separator = if line.is_empty() { "" } else { "; " };
                let _ = write!(line, "{separator}{what} {}", names.join(", "));
            }
        }
        line
    }
}

impl Who {
    /// Whether there is something of it, as it is or as it was.
    fn goes_on(&self, plugins: &[Plugin]) -> bool {
        let directories = || plugins.iter().map(|plugin| plugin.directory.as_ref());
        match self {
            Self::Config => true,
            Self::Directory(path) => directories()
                .flatten()
                .any(|directory| directory.starts_with(path)),
            Self::Plugin(path, _) => directories().any(|directory| directory == path.as_ref()),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => f.write_str("the configuration"),
            Self::Directory(path) => write!(f, "directory {}", path.display()),
            Self::Plugin(_, name) => write!(f, "plugin `{name}`"),
        }
    }
}

/// What is taken in at the next start only. Of `[receiver]` that is what was
/// bound while there were the capabilities for it.
fn waits_for_restart(running: &Config, file: &Config) -> Vec<String> {
    let limits = crate::config::Limits {
        groups: running.limits.groups,
        ..file.limits.clone()
    };
    let tables = [
        ("kernel", running.kernel != file.kernel),
        ("limits", running.limits != limits),
        ("args", running.args != file.args),
        ("store", running.store != file.store),
        ("queue", running.queue != file.queue),
        ("export.otlp", running.otlp != file.otlp),
        ("scrub", running.scrub != file.scrub),
        ("telemetry", running.telemetry != file.telemetry),
        ("incident", running.incident != file.incident),
    ];
    let tables = tables.into_iter().filter(|(_, differs)| *differs);
    let mut waits: Vec<String> = tables.map(|(table, _)| format!("`[{table}]`")).collect();

    let (running, file) = (&running.receiver, &file.receiver);
    let receiver = [
        ("enabled", running.enabled != file.enabled),
        ("http", running.http != file.http),
        ("grpc", running.grpc != file.grpc),
        ("socket", running.socket != file.socket),
    ];
    let receiver = receiver.into_iter().filter(|(_, differs)| *differs);
    let keys: Vec<&str> = receiver.map(|(key, _)| key).collect();
    if !keys.is_empty() {
        waits.push(format!("`[receiver]` {}", keys.join(", ")));
    }
    waits
}

/// What is wrong with what was found.
fn wrong(found: &Loaded) -> Wrong {
    let mut wrong = Wrong::new();
    for failed in &found.failed {
        let who = Who::Plugin(failed.directory.clone(), failed.name.clone());
        let problems = wrong.entry(who).or_default();
        problems.extend(failed.problems.iter().cloned());
    }
    for problem in &found.unreadable {
        let who = Who::Directory(problem.file.clone());
        wrong.entry(who).or_default().push(problem.clone());
    }
    wrong
}

/// Whether they are one plugin, before and after a change.
fn is_same(one: &Plugin, other: &Plugin) -> bool {
    one.directory == other.directory && one.name == other.name
}

fn is_of(plugin: &Plugin, failed: &FailedPlugin) -> bool {
    plugin.directory == failed.directory
}

/// Why a plugin cannot be used beside one that is kept.
fn collision(kept: &Plugin, plugin: &Plugin) -> Option<Problem> {
    let taken = |id: &str| kept.services.iter().any(|service| service.service_id == id);
    let service = plugin
        .services
        .iter()
        .filter(|_| plugin.enabled && kept.enabled);
    let service = service
        .into_iter()
        .find(|service| taken(&service.service_id))?;
    let file = plugin
        .directory
        .as_ref()
        .map(|directory| directory.join("plugin.toml"));
    Some(Problem::file(
        file.unwrap_or_default(),
        format!(
            "the service name `{}` is that of plugin `{}`, which goes on as it was; rename one",
            service.service_name, kept.name
        ),
    ))
}

#[cfg(test)]
#[path = "reload_tests.rs"]
mod tests;
