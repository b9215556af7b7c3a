//! Directories of plugins, loaded; one that is broken stops no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::guide::{self, Draft};
use super::{Plugin, ServiceSpec, verify};
use crate::config::file::{is_there, read_text};
use crate::config::reader::Document;
use crate::config::{Environment, Problem};

/// Directories of a framework's checkout that are no plugins (contract P1).
const NOT_PLUGINS: [&str; 4] = ["common", "tests", "docs", "logs"];

/// What was found in the directories.
#[derive(Debug, Default)]
pub struct Loaded {
    /// In the order of the directories, and by name within one.
    pub plugins: Vec<Plugin>,
    /// Plugins with problems, in the same order; none of them is in `plugins`.
    pub failed: Vec<FailedPlugin>,
    /// What plugins say that has no effect.
    pub warnings: Vec<Problem>,
    /// Directories that could not be read at all; each was named by somebody.
    pub unreadable: Vec<Problem>,
    /// Names of the filter that no plugin has, broken ones included.
    pub unmatched: Vec<String>,
}

/// A plugin that cannot be used, and everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedPlugin {
    /// Its name, or that of its directory where it says none.
    pub name: String,
    /// Where it is; a built-in one is nowhere.
    pub directory: Option<PathBuf>,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// Takes over the variables of each plugin (contract S11); a plugin with
    /// a bad one moves to the failed ones.
    pub fn apply_environment(&mut self, environment: &Environment<'_>) {
        let plugins = std::mem::take(&mut self.plugins);
        for mut plugin in plugins {
            match plugin.apply_environment(environment) {
                Ok(()) => self.plugins.push(plugin),
                Err(problems) => self.failed.push(FailedPlugin {
                    name: plugin.name,
                    directory: plugin.directory,
                    problems,
                }),
            }
        }
    }
}

impl Loaded {
    /// Moves plugins to the failed ones whose files are not those of their
    /// manifest, or that have none: nobody vouches for those.
    pub fn refuse_unverified(&mut self) {
        let plugins = std::mem::take(&mut self.plugins);
        for plugin in plugins {
            let faults = plugin.directory.as_deref().map(verify::faults);
            let problems = faults.unwrap_or_default();
            if problems.is_empty() {
                self.plugins.push(plugin);
            } else {
                self.failed.push(FailedPlugin {
                    name: plugin.name,
                    directory: plugin.directory,
                    problems,
                });
            }
        }
    }
}

/// Loads every plugin below `dirs`; a directory with plugin.toml in it is one
/// itself. With a `filter`, only plugins of these names (or in directories of
/// these names) are kept. Never fails: what is wrong is in the answer.
#[must_use]
pub fn load(dirs: &[PathBuf], filter: &[String]) -> Loaded {
    let mut loaded = Loaded::default();
    let mut seen = BTreeSet::new();
    let mut entries = Vec::new();
    for dir in dirs {
        match directories(dir) {
            Ok(found) => entries.extend(found.into_iter().filter(|path| {
                // The same directory named twice is one.
                seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone()))
            })),
            Err(problem) => loaded.unreadable.push(problem),
        }
    }
    let mut entries: Vec<Entry> = entries.into_iter().map(read).collect();
    reject_collisions(&mut entries);

    let selected = |entry: &Entry, name: &String| entry.name() == *name || entry.label() == *name;
    loaded.unmatched = filter
        .iter()
        .filter(|name| !entries.iter().any(|entry| selected(entry, name)))
        .cloned()
        .collect();
    entries.retain(|entry| filter.is_empty() || filter.iter().any(|name| selected(entry, name)));
    for entry in entries {
        loaded.warnings.extend(entry.warnings.iter().cloned());
        if entry.problems.is_empty() {
            loaded.plugins.push(entry.draft.plugin);
        } else {
            loaded.failed.push(FailedPlugin {
                name: entry.name(),
                directory: Some(entry.directory),
                problems: entry.problems,
            });
        }
    }
    loaded
}

/// One plugin directory, read.
struct Entry {
    directory: PathBuf,
    file: PathBuf,
    draft: Draft,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Entry {
    /// The name of the directory.
    fn label(&self) -> String {
        let resolved = self.directory.canonicalize();
        let directory = match (self.directory.file_name(), &resolved) {
            (Some(name), _) => Some(name),
            (None, Ok(path)) => path.file_name(),
            (None, Err(_)) => None,
        };
        directory.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    fn name(&self) -> String {
        if self.draft.plugin.name.is_empty() {
            self.label()
        } else {
            self.draft.plugin.name.clone()
        }
    }
}

/// The plugin directories of `dir`, by name.
fn directories(dir: &Path) -> Result<Vec<PathBuf>, Problem> {
    if is_there(&dir.join("plugin.toml")) {
        return Ok(vec![dir.to_owned()]);
    }
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Problem::file(dir, "does not exist"),
        std::io::ErrorKind::NotADirectory => Problem::file(dir, "is not a directory"),
        _ => Problem::file(dir, format!("cannot be read: {error}")),
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let passed_over =
            NOT_PLUGINS.contains(&name.as_ref()) && !is_there(&path.join("plugin.toml"));
        if name.starts_with('.') || passed_over {
            continue;
        }
        // A link that leads nowhere is a fault of its plugin.
        if fs::metadata(&path).map_or(true, |metadata| metadata.is_dir()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(directory: PathBuf) -> Entry {
    let file = directory.join("plugin.toml");
    let failed = |problem: Problem| Entry {
        file: file.clone(),
        draft: Draft {
            plugin: Plugin::default(),
            places: Vec::new(),
        },
        problems: vec![problem],
        warnings: Vec::new(),
        directory: directory.clone(),
    };
    if let Err(error) = fs::metadata(&directory) {
        let message = match (error.kind(), fs::read_link(&directory)) {
            (std::io::ErrorKind::NotFound, Ok(target)) => {
                format!("is a dangling link to {}", target.display())
            }
            _ => format!("cannot be read: {error}"),
        };
        return failed(Problem::file(&directory, message));
    }
    if !is_there(&file) {
        let message = if is_there(&directory.join("__init__.py")) {
            "has no plugin.toml, and its __init__.py is not read yet; write a plugin.toml"
        } else {
            "has neither plugin.toml nor __init__.py; write a plugin.toml"
        };
        return failed(Problem::file(&directory, message));
    }
    let text = match read_text(&file) {
        Ok(text) => text,
        Err(problem) => return failed(problem),
    };
    let document = Document::parse(&file, &text);
    let draft = guide::read(&document, &directory);
    let notes = document.into_notes();
    Entry {
        draft,
        problems: notes.problems,
        warnings: notes.warnings,
        file,
        directory,
    }
}

/// Two services with one identifier would be one silent series: both plugins
/// are rejected, each naming the other (contract P7). Plugins that are broken
/// or switched off collide with nobody.
fn reject_collisions(entries: &mut [Entry]) {
    let mut by_id: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        if entry.problems.is_empty() && entry.draft.plugin.enabled {
            for (service, spec) in entry.draft.plugin.services.iter().enumerate() {
                let places = by_id.entry(spec.service_id.clone()).or_default();
                places.push((index, service));
            }
        }
    }
    let mut problems = Vec::new();
    for places in by_id.values().filter(|places| places.len() > 1) {
        for (position, &place) in places.iter().enumerate() {
            let other = places[usize::from(position == 0)];
            problems.push((place.0, collision(entries, place, other)));
        }
    }
    for (index, problem) in problems {
        entries[index].problems.push(problem);
    }
}

fn collision(entries: &[Entry], place: (usize, usize), other: (usize, usize)) -> Problem {
    let spec = |(index, service): (usize, usize)| -> &ServiceSpec {
        &entries[index].draft.plugin.services[service]
    };
    let (entry, other_entry) = (&entries[place.0], &entries[other.0]);
    let (mine, theirs) = (spec(place), spec(other));
    let other_plugin = other_entry.name();
    let owner = if place.0 == other.0 {
        "this plugin".to_owned()
    } else {
        format!("plugin `{other_plugin}` ({})", other_entry.file.display())
    };
    let message = if mine.service_name == theirs.service_name {
        format!(
            "the service name `{}` is also that of {owner}; rename one",
            mine.service_name
        )
    } else {
        format!(
            "the service names `{}` and `{}` of {owner} have the same id `{}`; rename one",
            mine.service_name, theirs.service_name, mine.service_id
        )
    };
    let (line, key) = &entry.draft.places[place.1];
    Problem {
        line: Some(*line),
        key: Some(key.clone()),
        ..Problem::file(&entry.file, message)
    }
}
