//! Directories of plugins, loaded; one that is broken stops no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::read::{self, Draft};
use super::{Plugin, ServiceSpec, legacy, verify};
use crate::config::file::{is_there, read_text};
use crate::config::reader::Document;
use crate::config::{Environment, Problem};

/// Directories of a framework's checkout that are no plugins (contract P1;
/// the last is Python's own).
const NOT_PLUGINS: [&str; 5] = ["common", "tests", "docs", "logs", "__pycache__"];
/// The file of a plugin.
const TOML: &str = "plugin.toml";
/// What the Python framework read before there was one.
const INIT_PY: &str = "__init__.py";

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
    let Found {
        entries,
        unreadable,
        unmatched,
    } = find(dirs, filter);
    let mut loaded = Loaded {
        unreadable,
        unmatched,
        ..Loaded::default()
    };
    for entry in entries {
        loaded.warnings.extend(entry.warnings);
        if entry.problems.is_empty() {
            loaded.plugins.push(entry.plugin);
        } else {
            loaded.failed.push(FailedPlugin {
                name: entry.plugin.name,
                directory: entry.plugin.directory,
                problems: entry.problems,
            });
        }
    }
    loaded
}

/// Plugins as they lie there, good and broken ones in one order.
#[derive(Debug, Default)]
pub struct Found {
    /// In the order of the directories, and by name within one.
    pub entries: Vec<Entry>,
    /// Directories that could not be read at all; each was named by somebody.
    pub unreadable: Vec<Problem>,
    /// Names of the filter that no plugin has, broken ones included.
    pub unmatched: Vec<String>,
}

/// One plugin directory, read.
#[derive(Debug)]
pub struct Entry {
    /// What could be read; with problems, not to be used. Its name is that of
    /// the directory where it says none.
    pub plugin: Plugin,
    /// The file that was read.
    pub file: PathBuf,
    /// What keeps it from being used.
    pub problems: Vec<Problem>,
    /// What it says that has no effect.
    pub warnings: Vec<Problem>,
    /// Line and key of each service.
    places: Vec<(usize, String)>,
}

/// Reads every plugin below `dirs`, as [`load`] does.
#[must_use]
pub fn find(dirs: &[PathBuf], filter: &[String]) -> Found {
    let mut found = Found::default();
    let mut seen = BTreeSet::new();
    let mut paths = Vec::new();
    for dir in dirs {
        match directories(dir) {
            Ok(found) => paths.extend(found.into_iter().filter(|path| {
                // The same directory named twice is one.
                seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone()))
            })),
            Err(problem) => found.unreadable.push(problem),
        }
    }
    let mut entries: Vec<Entry> = paths.iter().map(|path| read(path)).collect();
    reject_collisions(&mut entries);

    let selected = |entry: &Entry, name: &String| {
        let directory = entry.plugin.directory.as_deref();
        entry.plugin.name == *name || directory.is_some_and(|path| label(path) == *name)
    };
    let missing = |name: &&String| !entries.iter().any(|entry| selected(entry, name));
    found.unmatched = filter.iter().filter(missing).cloned().collect();
    entries.retain(|entry| filter.is_empty() || filter.iter().any(|name| selected(entry, name)));
    found.entries = entries;
    found
}

/// The plugin that a text is, as if it were in the file `file`.
///
/// # Errors
/// Every problem of the text, in its order.
pub fn parse_toml(file: &Path, text: &str) -> Result<Plugin, Vec<Problem>> {
    let entry = of_toml(file.parent().unwrap_or(file), file, text);
    good(entry)
}

/// The plugin that the text of an `__init__.py` is; nothing is executed.
///
/// # Errors
/// Every problem of the text, in its order.
pub fn parse_init_py(file: &Path, text: &str) -> Result<Plugin, Vec<Problem>> {
    let entry = of_init_py(file.parent().unwrap_or(file), file, text);
    good(entry)
}

fn good(entry: Entry) -> Result<Plugin, Vec<Problem>> {
    match entry.problems.is_empty() {
        true => Ok(entry.plugin),
        false => Err(entry.problems),
    }
}

/// The name of a directory.
fn label(directory: &Path) -> String {
    let resolved = directory.canonicalize();
    let name = match (directory.file_name(), &resolved) {
        (Some(name), _) => Some(name),
        (None, Ok(path)) => path.file_name(),
        (None, Err(_)) => None,
    };
    name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The plugin directories of `dir`, by name.
fn directories(dir: &Path) -> Result<Vec<PathBuf>, Problem> {
    if is_there(&dir.join(TOML)) {
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
        let passed_over = NOT_PLUGINS.contains(&name.as_ref()) && !is_there(&path.join(TOML));
        if name.starts_with('.') || passed_over {
            continue;
        }
        // A link that leads nowhere is a fault of its plugin.
        if fs::metadata(&path).map_or(true, |metadata| metadata.is_dir()) {
            found.push(path);
        }
    }
    found.sort();
    // A legacy plugin named itself; but a package of plugins has an
    // `__init__.py`, too.
    let is_plugin = |path: &PathBuf| is_there(&path.join(TOML)) || is_there(&path.join(INIT_PY));
    if is_there(&dir.join(INIT_PY)) && !found.iter().any(is_plugin) {
        return Ok(vec![dir.to_owned()]);
    }
    Ok(found)
}

fn read(directory: &Path) -> Entry {
    let failed = |file: &Path, problem: Problem| Entry {
        plugin: Plugin {
            name: label(directory),
            directory: Some(directory.to_owned()),
            ..Plugin::default()
        },
        file: file.to_owned(),
        problems: vec![problem],
        warnings: Vec::new(),
        places: Vec::new(),
    };
    if let Err(error) = fs::metadata(directory) {
        let message = match (error.kind(), fs::read_link(directory)) {
            (std::io::ErrorKind::NotFound, Ok(target)) => {
                format!("is a dangling link to {}", target.display())
            }
            _ => format!("cannot be read: {error}"),
        };
        return failed(directory, Problem::file(directory, message));
    }
    let (toml, init_py) = (directory.join(TOML), directory.join(INIT_PY));
    // What nobody may look into is not empty for that.
    match fs::symlink_metadata(&toml) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let message = format!("cannot be read: {error}");
            return failed(directory, Problem::file(directory, message));
        }
        _ => {}
    }
    // Where both are there, plugin.toml counts (contract P6).
    let (file, of_text): (_, fn(&Path, &Path, &str) -> Entry) = if is_there(&toml) {
        (toml, of_toml)
    } else if is_there(&init_py) {
        (init_py, of_init_py)
    } else {
        let message = "has neither plugin.toml nor __init__.py; `sensor plugin new` writes one";
        return failed(directory, Problem::file(directory, message));
    };
    match read_text(&file) {
        Ok(text) => of_text(directory, &file, &text),
        Err(problem) => failed(&file, problem),
    }
}

fn of_toml(directory: &Path, file: &Path, text: &str) -> Entry {
    let document = Document::parse(file, text);
    let draft = read::read(&document, directory);
    let notes = document.into_notes();
    entry(directory, file, draft, notes.problems, notes.warnings)
}

fn of_init_py(directory: &Path, file: &Path, text: &str) -> Entry {
    let (draft, problems) = legacy::read(file, text, directory);
    entry(directory, file, draft, problems, Vec::new())
}

fn entry(
    directory: &Path,
    file: &Path,
    draft: Draft,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
) -> Entry {
    let Draft { mut plugin, places } = draft;
    if plugin.name.is_empty() {
        plugin.name = label(directory);
    }
    Entry {
        plugin,
        file: file.to_owned(),
        problems,
        warnings,
        places,
    }
}

/// Two services with one identifier would be one silent series: both plugins
/// are rejected, each naming the other (contract P7). Plugins that are broken
/// or switched off collide with nobody.
fn reject_collisions(entries: &mut [Entry]) {
    let mut by_id: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        if entry.problems.is_empty() && entry.plugin.enabled {
            for (service, spec) in entry.plugin.services.iter().enumerate() {
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
        // Of the same name twice in one line, one is enough.
        if !entries[index].problems.contains(&problem) {
            entries[index].problems.push(problem);
        }
    }
}

fn collision(entries: &[Entry], place: (usize, usize), other: (usize, usize)) -> Problem {
    let spec = |(index, service): (usize, usize)| -> &ServiceSpec {
        &entries[index].plugin.services[service]
    };
    let (entry, other_entry) = (&entries[place.0], &entries[other.0]);
    let (mine, theirs) = (spec(place), spec(other));
    let other_plugin = &other_entry.plugin.name;
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
    let (line, key) = &entry.places[place.1];
    Problem {
        line: Some(*line),
        key: Some(key.clone()),
        ..Problem::file(&entry.file, message)
    }
}
