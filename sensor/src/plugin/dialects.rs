//! The tables that the framework had: in the words of its guide, and in those
//! of the plugins that it shipped.
//!
//! A file may mix them. What is there is read; where both say the same thing
//! in different words, they must agree.

use std::time::Duration;

use super::Plugin;
use super::read::check_name;
use crate::config::INTERVALS;
use crate::config::item::Item;
use crate::config::reader::Table;

const PYTHON_ONLY: &str = "it concerned the Python framework only";
const INSTALLER_ONLY: &str = "it concerned the Python framework's installer only";
/// The framework's guide calls the key removed and shows it; old files have it.
const SERVICE_ID: &str =
    "the prefix is the sanitized service name; `prefix = true` in [metrics] switches it on";
const HOST_MATTER: &str =
    "the endpoint is a matter of the host; set it in sensor.toml or with --agent-host";

/// What services are made of.
pub(super) struct Named<'d> {
    /// `service.namespace`.
    pub(super) namespace: String,
    /// The process names, each with its place.
    pub(super) processes: Vec<(Item<'d>, String)>,
    /// `[otel_config] service_name_template`.
    pub(super) template: Option<Item<'d>>,
}

/// Reads the tables of both dialects.
pub(super) fn read<'d>(plugin: &mut Plugin, root: &mut Table<'d>) -> Named<'d> {
    let mut about = root.table("plugin");
    let mut metadata = root.table("metadata");
    let mut service = root.table("service");

    name(plugin, &mut about, &mut metadata);
    plugin.version = about.take("version").and_then(|item| item.string());
    plugin.description = agree(
        text(about.take("description")),
        text(metadata.take("description")),
    );
    for table in [&mut about, &mut metadata] {
        table.ignore("author", PYTHON_ONLY);
    }
    let namespace = namespace(&mut service, &mut metadata);
    let processes = processes(&mut service, &mut metadata);
    for table in [about, metadata, service] {
        table.finish();
    }
    monitoring(plugin, root.table("monitoring"));
    dependencies(root.table("dependencies"));
    unit(plugin, root.table("systemd"), root.table("installation"));
    let mut otel = root.table("otel_config");
    let template = otel.take("service_name_template");
    otel.ignore("metrics_prefix", SERVICE_ID);
    otel.ignore("default_agent_host", HOST_MATTER);
    otel.ignore("default_agent_port", HOST_MATTER);
    otel.finish();
    Named {
        namespace,
        processes,
        template,
    }
}

/// A value with its place.
type Placed<'d, T> = Option<(Item<'d>, T)>;

fn text(item: Option<Item<'_>>) -> Placed<'_, String> {
    let item = item?;
    let text = item.string()?;
    Some((item, text))
}

/// One of two spellings of a value. Where both are there and differ, nobody
/// knows which is meant.
fn agree<T: PartialEq>(guide: Placed<'_, T>, python: Placed<'_, T>) -> Option<T> {
    if let (Some((first, one)), Some((second, other))) = (&guide, &python)
        && one != other
    {
        contradiction(first, second);
    }
    guide.or(python).map(|(_, value)| value)
}

fn contradiction(first: &Item<'_>, second: &Item<'_>) {
    second.fault(format!(
        "contradicts {} in line {}; keep one of the two",
        first.key(),
        first.line()
    ));
}

/// Where a person who forgot a key would look for it.
fn missing(guide: (&Table<'_>, &str), python: (&Table<'_>, &str), message: &str) {
    let (table, key) = match python.0.is_present() && !guide.0.is_present() {
        true => python,
        false => guide,
    };
    table.missing(key, message.to_owned());
}

fn name(plugin: &mut Plugin, about: &mut Table<'_>, metadata: &mut Table<'_>) {
    let (guide, python) = (about.take("name"), metadata.take("plugin_name"));
    if guide.is_none() && python.is_none() {
        missing((about, "name"), (metadata, "plugin_name"), "is missing");
    }
    plugin.name = agree(named(guide), named(python)).unwrap_or_default();
}

fn named(item: Option<Item<'_>>) -> Placed<'_, String> {
    let (item, name) = text(item)?;
    if let Err(message) = check_name(&name) {
        item.fault(message);
    }
    Some((item, name))
}

fn namespace(service: &mut Table<'_>, metadata: &mut Table<'_>) -> String {
    let guide = service.take("namespace");
    let python = metadata.take("service_namespace");
    if guide.is_none() && python.is_none() {
        missing(
            (service, "namespace"),
            (metadata, "service_namespace"),
            "is missing",
        );
    }
    agree(text(guide), text(python)).unwrap_or_default()
}

/// The process names, from `[service]` or `[metadata]` (contract P3).
fn processes<'d>(service: &mut Table<'d>, metadata: &mut Table<'d>) -> Vec<(Item<'d>, String)> {
    let names = |processes: &[(Item<'d>, String)]| -> Vec<String> {
        processes.iter().map(|(_, name)| name.clone()).collect()
    };
    match (process_keys(service), process_keys(metadata)) {
        (None, None) => {
            missing(
                (service, "process_name"),
                (metadata, "process_name"),
                "is missing (or process_names)",
            );
            Vec::new()
        }
        (Some((first, guide)), Some((second, python))) => {
            if names(&guide) != names(&python) {
                contradiction(&first, &second);
            }
            guide
        }
        (Some((_, processes)), None) | (None, Some((_, processes))) => processes,
    }
}

/// The process names of one table, and the key that has them.
fn process_keys<'d>(table: &mut Table<'d>) -> Placed<'d, Vec<(Item<'d>, String)>> {
    let one = table.take("process_name");
    let many = table.take("process_names");
    match (one, many) {
        (Some(one), Some(many)) => {
            many.fault("process_name is there too; keep one of the two".to_owned());
            // Both are read, so that what else is wrong with them is told.
            let names = one.string().map(|name| (one, name));
            let more = many.strings().unwrap_or_default();
            Some((many, names.into_iter().chain(more).collect()))
        }
        (Some(one), None) => {
            let names = one.string().map(|name| (one.clone(), name));
            Some((one, names.into_iter().collect()))
        }
        (None, Some(many)) => {
            let names = many.strings();
            // Not where an element is there that is none: that was told.
            if names.as_ref().is_some_and(Vec::is_empty) && many.is_empty_array() {
                many.fault("is empty; name at least one process".to_owned());
            }
            Some((many, names.unwrap_or_default()))
        }
        (None, None) => None,
    }
}

fn monitoring(plugin: &mut Plugin, mut table: Table<'_>) {
    let mut duration = |key| -> Placed<'_, Duration> {
        let item = table.take(key)?;
        let duration = item.duration(INTERVALS)?;
        Some((item, duration))
    };
    plugin.interval = agree(duration("interval"), duration("default_interval"));
    if let Some(enabled) = table.take("enabled").and_then(|item| item.boolean()) {
        plugin.enabled = enabled;
    }
    for key in [
        "process_patterns",
        "metric_types",
        "supports_discovery",
        "log_process_details",
    ] {
        table.ignore(key, PYTHON_ONLY);
    }
    table.finish();
}

fn dependencies(mut table: Table<'_>) {
    table.ignore_prefix("python_", PYTHON_ONLY);
    table.ignore("packages", PYTHON_ONLY);
    table.ignore("additional_packages", PYTHON_ONLY);
    table.finish();
}

/// What an installation is told: `[systemd]`, or the same in `[installation]`.
fn unit(plugin: &mut Plugin, mut systemd: Table<'_>, mut installation: Table<'_>) {
    let guide = unit_name(systemd.take("service_name"));
    let python = unit_name(installation.take("systemd_service_name"));
    plugin.unit.name = agree(guide, python);
    plugin.unit.description = agree(
        text(systemd.take("description")),
        text(installation.take("service_description")),
    );
    for key in [
        "default_base_dir",
        "requires_root",
        "creates_logs_directory",
    ] {
        installation.ignore(key, INSTALLER_ONLY);
    }
    systemd.finish();
    installation.finish();
}

/// The name of a unit, without `.service`.
fn unit_name(item: Option<Item<'_>>) -> Placed<'_, String> {
    let (item, name) = text(item)?;
    let bare = name.strip_suffix(".service").unwrap_or(&name);
    if let Err(message) = check_unit(bare) {
        item.fault(message);
    }
    Some((item, bare.to_owned()))
}

/// systemd.unit(5): letters, digits and `:-_.\@`, 255 bytes with the suffix.
/// A name becomes a file's name, so nothing else is let through.
fn check_unit(bare: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if bare.is_empty() || bare.starts_with('.') || !bare.chars().all(allowed) {
        return Err("is no name of a unit; use letters, digits, and any of : - _ . @".to_owned());
    }
    if bare.len() + ".service".len() > 255 {
        return Err("is longer than the 255 bytes of a unit's name".to_owned());
    }
    Ok(())
}
