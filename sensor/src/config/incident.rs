//! `[incident]`: what becomes of exceptions and abnormal exits.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use toml::Value;

use super::check::set;
use super::item::{Item, shown};
use super::reader::{Document, Table, suggestion};
use crate::incident::context;
use crate::incident::transport::{self, Kind, Settings};

/// Most transports of one type: each instance has a queue of its own.
const MAX_OF_A_TYPE: usize = 8;
/// The longest time that repeats are folded over.
const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 3_600);

/// `[incident]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Incidents {
    /// Whether there are any.
    pub enabled: bool,
    /// Repeats of a fingerprint within it are folded.
    pub window: Duration,
    /// Names of context providers, in the order of the file.
    pub context: Vec<&'static str>,
    /// Numbers of the signals whose deaths are none.
    pub ignore_exits: BTreeSet<u8>,
    /// Where they go; the file's, or the default: otlp with fallback store.
    pub transports: Vec<TransportConfig>,
}

/// One `[[incident.transport]]`. Two are equal where they are shown equal.
#[derive(Debug, Clone)]
pub struct TransportConfig {
    /// Its type.
    pub kind: &'static Kind,
    /// Its own keys.
    pub settings: Arc<dyn Settings>,
    /// The type that gets what this one cannot deliver. Where the file has a
    /// transport of that type, it is the first such one, and gets nothing
    /// else; where not, it has its defaults.
    pub fallback: Option<&'static Kind>,
}

impl PartialEq for TransportConfig {
    fn eq(&self, other: &Self) -> bool {
        self.shown() == other.shown()
    }
}

impl Default for Incidents {
    fn default() -> Self {
        let signals = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];
        Self {
            enabled: true,
            window: Duration::from_secs(60),
            context: context::DEFAULT.to_vec(),
            ignore_exits: signals.into_iter().filter_map(number).collect(),
            transports: default_transports(),
        }
    }
}

fn default_transports() -> Vec<TransportConfig> {
    let Ok(settings) = default_settings(&transport::otlp::KIND) else {
        return Vec::new();
    };
    vec![TransportConfig {
        kind: &transport::otlp::KIND,
        settings,
        fallback: Some(&transport::store::KIND),
    }]
}

impl TransportConfig {
    /// The keys as `config show` has them; what is secret is hidden.
    #[must_use]
    pub fn shown(&self) -> Value {
        let fallback = self.fallback.map(|kind| ("fallback", kind.name.into()));
        let first = [("type", Value::from(self.kind.name))];
        let all = first.into_iter().chain(self.settings.shown());
        let all = all.chain(fallback);
        Value::Table(all.map(|(key, value)| (key.to_owned(), value)).collect())
    }
}

pub(super) fn read(incident: &mut Incidents, mut table: Table<'_>) {
    set(&mut incident.enabled, table.take("enabled"), Item::boolean);
    set(&mut incident.window, table.take("window"), |item| {
        item.duration(Duration::from_secs(1)..=LONGEST_WINDOW)
    });
    set(&mut incident.context, table.take("context"), providers);
    set(
        &mut incident.ignore_exits,
        table.take("ignore_exits"),
        exits,
    );
    let tables = table.tables("transport");
    if !tables.is_empty() {
        incident.transports = transports(tables, transport::KINDS);
    }
    table.finish();
}

/// Each name once, in the order in which they are first named.
fn providers(item: &Item<'_>) -> Option<Vec<&'static str>> {
    let known: Vec<&'static str> = context::PROVIDERS.iter().map(|kind| kind.name).collect();
    let mut names = Vec::new();
    for (element, name) in item.strings()? {
        match known.iter().find(|known| **known == name) {
            Some(known) if !names.contains(known) => names.push(*known),
            Some(_) => {}
            None => element.fault(format!(
                "unknown context provider `{}`{}",
                shown(&name),
                suggestion(&name, &known)
            )),
        }
    }
    Some(names)
}

fn exits(item: &Item<'_>) -> Option<BTreeSet<u8>> {
    let mut signals = BTreeSet::new();
    for element in item.elements()? {
        let Some(text) = element.string_or_integer() else {
            continue;
        };
        match signal(&text) {
            Ok(signal) => {
                signals.insert(signal);
            }
            Err(message) => element.fault(message),
        }
    }
    Some(signals)
}

/// The largest signal number of Linux (`_NSIG` of asm-generic/signal.h).
const MAX_SIGNAL: u8 = 64;

/// Reads `SIGTERM`, `term` or `15`.
fn signal(text: &str) -> Result<u8, String> {
    if let Ok(number) = text.parse::<i128>() {
        let number = u8::try_from(number).ok();
        return number
            .filter(|number| (1..=MAX_SIGNAL).contains(number))
            .ok_or_else(|| format!("{} is not a signal, 1 to {MAX_SIGNAL}", shown(text)));
    }
    let upper = text.to_ascii_uppercase();
    let name = match upper.strip_prefix("SIG").unwrap_or(&upper) {
        // Other names of the same (signal(7)).
        "CLD" => "CHLD",
        "IOT" => "ABRT",
        "POLL" => "IO",
        name => name,
    };
    let all = Signal::iterator();
    let known: Vec<(&str, u8)> = all.filter_map(|s| Some((s.as_str(), number(s)?))).collect();
    let found = known.iter().find(|known| known.0 == format!("SIG{name}"));
    found.map(|known| known.1).ok_or_else(|| {
        let nearest = known.iter().map(|known| {
            // Beside the prefix that all have in common every name is alike.
            let short = known.0.trim_start_matches("SIG");
            (strsim::jaro_winkler(name, short), known.0)
        });
        let nearest = nearest.max_by(|a, b| a.0.total_cmp(&b.0));
        let nearest = nearest.map_or("SIGTERM", |(_, name)| name);
        format!(
            "unknown signal `{}`; did you mean `{nearest}`?",
            shown(text)
        )
    })
}

fn number(signal: Signal) -> Option<u8> {
    u8::try_from(signal as i32).ok()
}

/// How a signal stands in the file: its name, or its number.
pub(super) fn signal_name(number: u8) -> String {
    let signal = Signal::try_from(i32::from(number));
    signal.map_or_else(|_| number.to_string(), |signal| signal.to_string())
}

/// One table of the file.
struct Listed<'d> {
    kind: &'static Kind,
    settings: Arc<dyn Settings>,
    fallback: Option<(Item<'d>, &'static Kind)>,
}

/// Reads the transports of a file against the types that there are.
pub fn transports(tables: Vec<Table<'_>>, kinds: &'static [&'static Kind]) -> Vec<TransportConfig> {
    let mut listed: Vec<Listed<'_>> = Vec::new();
    for mut table in tables {
        let kind = table.require("type").and_then(|item| named(&item, kinds));
        let fallback = table.take("fallback").and_then(|item| {
            let target = named(&item, kinds)?;
            Some((item, target))
        });
        // Without a type nobody knows which other keys are right.
        let Some(kind) = kind else { continue };
        let same = listed.iter().filter(|other| other.kind.name == kind.name);
        if same.count() == MAX_OF_A_TYPE {
            table.fault(format!(
                "is one too many: at most {MAX_OF_A_TYPE} transports of type {} are possible",
                kind.name
            ));
        }
        if let Some((item, target)) = &fallback
            && target.name == kind.name
        {
            item.fault(format!(
                "a transport of type {0} cannot be the fallback of type {0}",
                kind.name
            ));
        }
        listed.push(Listed {
            kind,
            settings: (kind.read)(&mut table),
            fallback,
        });
        table.finish();
    }
    check_fallbacks(&listed);
    let all = listed.into_iter().map(|one| TransportConfig {
        kind: one.kind,
        settings: one.settings,
        fallback: one.fallback.map(|(_, kind)| kind),
    });
    all.collect()
}

fn check_fallbacks(listed: &[Listed<'_>]) {
    let is_listed = |kind: &Kind| listed.iter().any(|one| one.kind.name == kind.name);
    let fallbacks = || listed.iter().filter_map(|one| one.fallback.as_ref());
    for (item, target) in fallbacks() {
        if !is_listed(target)
            && let Err(missing) = default_settings(target)
        {
            item.fault(format!(
                "{0} has no default {missing}; add a [[incident.transport]] with type = \"{0}\"",
                target.name
            ));
        }
    }
    // One that leads back to itself would hand its incidents to itself, for ever.
    let next = |kind: &Kind| {
        let first = listed.iter().find(|one| one.kind.name == kind.name);
        first.and_then(|one| one.fallback.as_ref().map(|(_, target)| *target))
    };
    for one in listed {
        // Its own type was refused already.
        let fallback = one.fallback.as_ref();
        let Some((item, target)) = fallback.filter(|(_, kind)| kind.name != one.kind.name) else {
            continue;
        };
        let chain = std::iter::successors(next(target), |kind| next(kind));
        if chain
            .take(listed.len())
            .any(|kind| kind.name == target.name)
        {
            item.fault("leads back to itself, by the fallback of its fallback".to_owned());
            return;
        }
    }
}

/// What a transport of this type is where the file says nothing about it.
///
/// # Errors
/// The keys without which it is nothing.
pub fn default_settings(kind: &'static Kind) -> Result<Arc<dyn Settings>, String> {
    let document = Document::parse(Path::new(""), "");
    let settings = (kind.read)(&mut document.root());
    let missing = document.into_notes().problems;
    if missing.is_empty() {
        return Ok(settings);
    }
    let keys: Vec<String> = missing.into_iter().filter_map(|p| p.key).collect();
    Err(keys.join(", "))
}

fn named(item: &Item<'_>, kinds: &[&'static Kind]) -> Option<&'static Kind> {
    let name = item.string()?;
    let found = kinds.iter().find(|kind| kind.name == name).copied();
    if found.is_none() {
        let known: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
        item.fault(format!(
            "unknown transport type `{}`{}",
            shown(&name),
            suggestion(&name, &known)
        ));
    }
    found
}

#[cfg(test)]
#[path = "incident_tests.rs"]
mod tests;
