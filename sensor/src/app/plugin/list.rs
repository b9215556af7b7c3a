//! `sensor plugin list` and `sensor plugin check`.

use std::{fmt::Write, time::Duration};

use serde_json::{Value as Json, json};

use crate::{
    app::setup::{self, Stop, print},
    cli::plugin::ListArgs,
    config::{Environment, Problem, format_duration, item::Choice},
    exit::Exit,
    output::terminal::{escaped, fitted},
    plugin::{self, Entry, Found, MatchOn},
};

/// Prints what there is, broken plugins too.
///
/// # Errors
///
/// Where a named directory or plugin is missing.
pub(super) fn list(args: &ListArgs) -> Result<Exit, Stop> {
    let listing = Listing::read(args, false)?;
    if args.json {
        print(&listing.json())?;
    } else {
        print(&listing.table())?;
        listing.complain();
    }
    Ok(Exit::Done)
}

/// Says what is wrong, and by the exit code whether anything is.
///
/// # Errors
///
/// Where a named directory or plugin is missing.
pub(super) fn check(args: &ListArgs) -> Result<Exit, Stop> {
    let listing = Listing::read(args, true)?;
    if args.json {
        print(&listing.json())?;
    } else {
        listing.complain();
        print(&listing.summary())?;
    }
    let bad = listing.entries.iter().any(|one| !one.problems.is_empty());
    Ok(if bad { Exit::Config } else { Exit::Done })
}

/// The plugins, and what goes for those that set nothing.
struct Listing {
    entries: Vec<Entry>,
    interval: Duration,
}

impl Listing {
    fn read(args: &ListArgs, examples: bool) -> Result<Self, Stop> {
        let config = setup::config(args.config.as_deref())?;
        let dirs = match args.plugins.as_slice() {
            [] => &config.plugins,
            named => named,
        };
        let Found {
            mut entries,
            unreadable,
            unmatched,
        } = plugin::find(dirs, &args.plugin);
        let by_flag = !args.plugins.is_empty();
        if unreadable
            .iter()
            .any(|problem| setup::must_be_there(&problem.file, by_flag))
        {
            return Err(Stop::problems(Exit::NoInput, &unreadable));
        }
        if let Some(name) = unmatched.first() {
            let line = format!("no plugin is called `{name}`");
            return Err(Stop::new(Exit::NoInput, line));
        }
        let environment = Environment::of_process();
        for entry in &mut entries {
            let sound = entry.problems.is_empty();
            // Examples are about the file; a variable may say otherwise here.
            if examples {
                entry.try_examples();
            }
            if sound {
                let applied = entry.plugin.apply_environment(&environment);
                entry.problems.extend(applied.err().unwrap_or_default());
            }
        }
        Ok(Self {
            entries,
            interval: config.interval,
        })
    }

    /// The array of architecture.md, "Command line", with warnings (P2).
    fn json(&self) -> String {
        let plugins = self.entries.iter().map(|entry| {
            let plugin = &entry.plugin;
            let interval = plugin.effective_interval(None, self.interval);
            let services = plugin.services.iter().map(|service| {
                json!({
                    "service.name": service.service_name,
                    "service_id": service.service_id,
                    "display_name": service.display_name,
                    "pattern": service.pattern,
                    "match_on": plugin.match_on.name(),
                })
            });
            json!({
                "plugin": plugin.name,
                "directory": plugin.directory.as_ref().map(|path| path.to_string_lossy()),
                "enabled": plugin.enabled,
                "interval_s": seconds(interval),
                "valid": entry.problems.is_empty(),
                "errors": entry.problems.iter().map(problem).collect::<Vec<_>>(),
                "warnings": entry.warnings.iter().map(problem).collect::<Vec<_>>(),
                "services": services.collect::<Vec<_>>(),
            })
        });
        format!("{}\n", Json::from_iter(plugins))
    }

    fn table(&self) -> String {
        if self.entries.is_empty() {
            return "No plugins; `sensor plugin new NAME` begins one.\n".to_owned();
        }
        let row = |plugin: &str, service: &str, matches: &str, every: &str, state: &str| {
            let line = format!(
                "{:<16} {:<22} {:<22} {:>6}  {state}",
                fitted(&escaped(plugin), 16),
                fitted(&escaped(service), 22),
                fitted(&escaped(matches), 22),
                every
            );
            format!("{}\n", line.trim_end())
        };
        let mut text = row("PLUGIN", "SERVICE", "MATCHES", "EVERY", "STATE");
        for entry in &self.entries {
            let plugin = &entry.plugin;
            let every = format_duration(plugin.effective_interval(None, self.interval));
            let state = match (entry.problems.is_empty(), plugin.enabled) {
                (false, _) => "broken",
                (true, true) => "on",
                (true, false) => "off",
            };
            if plugin.services.is_empty() {
                text.push_str(&row(&plugin.name, "-", "-", &every, state));
            }
            for service in &plugin.services {
                let matches = match plugin.match_on {
                    MatchOn::Name => service.pattern.clone(),
                    on => format!("{}: {}", on.name(), service.pattern),
                };
                let name = &service.service_name;
                text.push_str(&row(&plugin.name, name, &matches, &every, state));
            }
        }
        text
    }

    /// Problems and warnings, to standard error.
    fn complain(&self) {
        for entry in &self.entries {
            for problem in &entry.problems {
                eprintln!("error: {}", escaped(&problem.to_string()));
            }
            for warning in &entry.warnings {
                eprintln!("warning: {}", escaped(&warning.to_string()));
            }
        }
    }

    fn summary(&self) -> String {
        let count = |number: usize, one: &str| match number {
            1 => format!("1 {one}"),
            number => format!("{number} {one}s"),
        };
        let entries = &self.entries;
        let sum = |of: fn(&Entry) -> usize| entries.iter().map(of).sum::<usize>();
        let mut text = count(entries.len(), "plugin");
        let _ = write!(
            text,
            ", {}",
            count(sum(|one| one.plugin.examples.len()), "example")
        );
        match sum(|one| one.problems.len()) {
            0 => text.push_str(": all right"),
            number => {
                let broken = entries.iter().filter(|one| !one.problems.is_empty());
                let broken = count(broken.count(), "plugin");
                let _ = write!(text, ": {} in {broken}", count(number, "error"));
            }
        }
        match sum(|one| one.warnings.len()) {
            0 => {}
            number => {
                let _ = write!(text, ", {}", count(number, "warning"));
            }
        }
        text.push('\n');
        text
    }
}

fn problem(problem: &Problem) -> Json {
    let file = Some(problem.file.to_string_lossy()).filter(|file| !file.is_empty());
    json!({
        "file": file,
        "line": problem.line,
        "key": problem.key,
        "message": problem.message,
    })
}

/// A whole number where it is one.
fn seconds(duration: Duration) -> Json {
    match duration.subsec_nanos() {
        0 => duration.as_secs().into(),
        _ => duration.as_secs_f64().into(),
    }
}
