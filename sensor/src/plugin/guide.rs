//! plugin.toml in the dialect of the guide.

use std::path::Path;

use super::template::{DEFAULT_TEMPLATE, Values};
use super::{GroupBy, MetricsOptions, Plugin, ServiceSpec};
use crate::config::check_pattern;
use crate::config::item::Item;
use crate::config::reader::{Document, Table};

/// Resource attributes that the sensor itself answers for (contract P8).
const REFUSED_ATTRIBUTES: [&str; 6] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "host.name",
    "host.id",
    "os.type",
];

const PYTHON_ONLY: &str = "it concerned the Python framework only";
const HOST_MATTER: &str =
    "the endpoint is a matter of the host; set it in sensor.toml or with --agent-host";

/// A plugin as read, and where its services stand in the file.
pub(super) struct Draft {
    /// Complete only where the document has no problem.
    pub(super) plugin: Plugin,
    /// Line and key of each service.
    pub(super) places: Vec<(usize, String)>,
}

/// Reads a plugin; every fault is noted in the document.
pub(super) fn read(document: &Document<'_>, directory: &Path) -> Draft {
    let mut root = document.root();
    let mut plugin = Plugin {
        directory: Some(directory.to_owned()),
        ..Plugin::default()
    };
    about(&mut plugin, root.table("plugin"));
    let (namespace, processes) = service(root.table("service"));
    monitoring(&mut plugin, root.table("monitoring"));
    without_effect(&mut root);
    let mut otel = root.table("otel_config");
    let template = otel.take("service_name_template");
    otel.ignore("default_agent_host", HOST_MATTER);
    otel.ignore("default_agent_port", HOST_MATTER);
    otel.finish();
    matching(&mut plugin, root.table("match"));
    metrics(&mut plugin.metrics, root.table("metrics"));
    if let Some(item) = root.take("attributes") {
        attributes(&mut plugin, &item);
    }
    let mut events = root.table("events");
    if let Some(enabled) = events.take("enabled").and_then(|item| item.boolean()) {
        plugin.events_enabled = enabled;
    }
    events.finish();
    root.finish();
    let places = services(&mut plugin, &namespace, processes, template.as_ref());
    Draft { plugin, places }
}

fn about(plugin: &mut Plugin, mut table: Table<'_>) {
    if let Some(item) = table.require("name") {
        plugin.name = item.name().unwrap_or_default();
        let harmless = |c: char| c != '/' && !c.is_control();
        if plugin.name.starts_with('.') || !plugin.name.chars().all(harmless) {
            item.fault("a plugin's name is a directory's name too: no leading dot, no slash, no control characters".to_owned());
        }
    }
    plugin.version = table.take("version").and_then(|item| item.string());
    plugin.description = table.take("description").and_then(|item| item.string());
    table.ignore("author", PYTHON_ONLY);
    table.finish();
}

/// The namespace, and the process names with their places.
fn service<'d>(mut table: Table<'d>) -> (String, Vec<(Item<'d>, String)>) {
    let namespace = table.require("namespace").and_then(|item| item.string());
    let one = table.take("process_name");
    let many = table.take("process_names");
    let processes = match (one, many) {
        (Some(_), Some(many)) => {
            many.fault("process_name is there too; keep one of the two".to_owned());
            Vec::new()
        }
        (Some(one), None) => one.string().map(|name| (one, name)).into_iter().collect(),
        (None, Some(many)) => {
            if many.elements().is_some_and(|elements| elements.is_empty()) {
                many.fault("is empty; name at least one process".to_owned());
            }
            many.strings().unwrap_or_default()
        }
        (None, None) => {
            table.missing("process_name", "is missing (or process_names)".to_owned());
            Vec::new()
        }
    };
    table.finish();
    (namespace.unwrap_or_default(), processes)
}

fn monitoring(plugin: &mut Plugin, mut table: Table<'_>) {
    plugin.interval = table
        .take("interval")
        .and_then(|item| item.duration(crate::config::INTERVALS));
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

/// Tables that are of use to Python or to the installation only.
fn without_effect(root: &mut Table<'_>) {
    let mut dependencies = root.table("dependencies");
    dependencies.ignore_prefix("python_", PYTHON_ONLY);
    dependencies.ignore("packages", PYTHON_ONLY);
    dependencies.ignore("additional_packages", PYTHON_ONLY);
    dependencies.finish();
    let mut systemd = root.table("systemd");
    for key in ["service_name", "description"] {
        // The type is checked here, the value is read by the installation.
        let _ = systemd.take(key).and_then(|item| item.string());
    }
    systemd.finish();
}

fn matching(plugin: &mut Plugin, mut table: Table<'_>) {
    if let Some(on) = table.take("on").and_then(|item| item.choice()) {
        plugin.match_on = on;
    }
    let exclude = table.take("exclude").and_then(|item| item.strings());
    for (item, pattern) in exclude.unwrap_or_default() {
        match check_pattern(&pattern) {
            Ok(()) => plugin.exclude.push(pattern),
            Err(message) => item.fault(message),
        }
    }
    if let Some(item) = table.take("user") {
        plugin.user = user(&item);
    }
    let cgroup = table.take("cgroup");
    let cgroup = cgroup.and_then(|item| Some((item.string()?, item)));
    // Empty is how the reference shows "any".
    if let Some((pattern, item)) = cgroup.filter(|(pattern, _)| !pattern.is_empty()) {
        match check_pattern(&pattern) {
            Ok(()) => plugin.cgroup = Some(pattern),
            Err(message) => item.fault(message),
        }
    }
    if let Some(group_by) = table.take("group_by").and_then(|item| item.choice()) {
        plugin.group_by = group_by;
    }
    let groups = crate::config::GROUPS;
    if let Some(number) = table
        .take("max_groups")
        .and_then(|item| item.integer(groups))
    {
        plugin.max_groups = number;
    }
    for (key, place) in [
        ("capture_args", &mut plugin.capture_args),
        ("scheduler", &mut plugin.scheduler),
        ("include_descendants", &mut plugin.include_descendants),
    ] {
        if let Some(value) = table.take(key).and_then(|item| item.boolean()) {
            *place = value;
        }
    }
    table.finish();
}

/// A user by name or number; empty is how the reference shows "any".
fn user(item: &Item<'_>) -> Option<String> {
    let name = item.string_or_integer().filter(|name| !name.is_empty())?;
    match super::user::id_of(&name) {
        Ok(_) => Some(name),
        Err(error) => {
            item.fault(error.to_string());
            None
        }
    }
}

fn metrics(options: &mut MetricsOptions, mut table: Table<'_>) {
    if let Some(naming) = table.take("naming").and_then(|item| item.choice()) {
        options.naming = naming;
    }
    if let Some(prefix) = table.take("prefix").and_then(|item| item.boolean()) {
        options.prefix = prefix;
    }
    let top = table.take("per_process_top");
    if let Some(number) = top.and_then(|item| item.integer(0..=1_000)) {
        options.per_process_top = number;
    }
    table.finish();
}

fn attributes(plugin: &mut Plugin, item: &Item<'_>) {
    for (item, key, value) in item.string_map().unwrap_or_default() {
        if key.is_empty() {
            item.fault("an attribute needs a name".to_owned());
        } else if REFUSED_ATTRIBUTES.contains(&key.as_str()) {
            item.fault("is set by the sensor itself and cannot be replaced".to_owned());
        } else if key == "service.version" {
            plugin.version = Some(value);
        } else {
            plugin.attributes.push((key, value));
        }
    }
}

fn services(
    plugin: &mut Plugin,
    namespace: &str,
    processes: Vec<(Item<'_>, String)>,
    template: Option<&Item<'_>>,
) -> Vec<(usize, String)> {
    let text = template.and_then(|item| item.string());
    let text = text.unwrap_or_else(|| DEFAULT_TEMPLATE.to_owned());
    let mut places = Vec::new();
    for (item, process_name) in processes {
        if let Err(message) = check_pattern(&process_name) {
            item.fault(message);
            continue;
        }
        let values = Values {
            namespace,
            process_name: &process_name,
            plugin: &plugin.name,
        };
        let service = ServiceSpec::new(&text, &values).and_then(|service| {
            if service.name.has_group() && plugin.group_by == GroupBy::None {
                return Err("{group} needs [match] group_by".to_owned());
            }
            Ok(service)
        });
        match service {
            Ok(service) => {
                places.push((item.line(), item.key().to_owned()));
                plugin.services.push(service);
            }
            Err(message) => {
                // The same for all process names: told once.
                template.unwrap_or(&item).fault(message);
                break;
            }
        }
    }
    places
}
