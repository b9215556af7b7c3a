//! plugin.toml to a plugin. The tables that the Python framework had are in
//! `dialects`; ours are here.

use std::path::Path;

use super::dialects::{self, Named};
use super::template::{DEFAULT_TEMPLATE, Values};
use super::{Example, GroupBy, LogsOptions, MetricsOptions, Plugin, ServiceSpec, custom};
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

/// A plugin as read, and where its services stand in the file.
pub(super) struct Draft {
    /// Complete only where the file has no problem.
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
    let named = dialects::read(&mut plugin, &mut root);
    matching(&mut plugin, root.table("match"));
    metrics(&mut plugin.metrics, root.table("metrics"));
    if let Some(item) = root.take("attributes") {
        attributes(&mut plugin, &item);
    }
    plugin.custom_metrics = custom::read(root.tables("custom_metrics"));
    switch(&mut plugin.events_enabled, root.table("events"));
    switch(&mut plugin.traces_enabled, root.table("traces"));
    logs(&mut plugin.logs, root.table("logs"));
    let examples = root.tables("examples").into_iter();
    plugin.examples = examples.filter_map(example).collect();
    root.finish();
    let places = services(&mut plugin, &named);
    Draft { plugin, places }
}

/// Checks a plugin's name, which is a directory's name too.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), String> {
    let harmless = |c: char| c != '/' && !c.is_control();
    if name.is_empty() {
        return Err("must not be empty".to_owned());
    }
    if name.starts_with('.') || !name.chars().all(harmless) {
        return Err("a plugin's name is a directory's name too: no leading dot, no slash, no control characters".to_owned());
    }
    Ok(())
}

/// Takes an attribute over.
///
/// # Errors
/// What is wrong with its key.
pub(super) fn attribute(plugin: &mut Plugin, key: String, value: String) -> Result<(), String> {
    if key.is_empty() {
        return Err("an attribute needs a name".to_owned());
    }
    if REFUSED_ATTRIBUTES.contains(&key.as_str()) {
        return Err("is set by the sensor itself and cannot be replaced".to_owned());
    }
    if key == "service.version" {
        plugin.version = Some(value);
    } else {
        plugin.attributes.push((key, value));
    }
    Ok(())
}

/// What keeps a process name from being a service.
pub(super) enum ServiceFault {
    /// The pattern of this process name.
    Pattern(usize, String),
    /// The template, for all of them.
    Template(String),
}

/// Makes a service of each process name; the answer has the index of the
/// name of each service, and the faults.
pub(super) fn make_services(
    plugin: &mut Plugin,
    namespace: &str,
    processes: &[&str],
    template: &str,
) -> (Vec<usize>, Vec<ServiceFault>) {
    let (mut made, mut faults) = (Vec::new(), Vec::new());
    for (index, process_name) in processes.iter().enumerate() {
        if let Err(message) = check_pattern(process_name) {
            faults.push(ServiceFault::Pattern(index, message));
            continue;
        }
        let values = Values {
            namespace,
            process_name,
            plugin: &plugin.name,
        };
        let service = ServiceSpec::new(template, &values).and_then(|service| {
            if service.name.has_group() && plugin.group_by == GroupBy::None {
                return Err("{group} needs [match] group_by".to_owned());
            }
            Ok(service)
        });
        match service {
            Ok(service) => {
                made.push(index);
                plugin.services.push(service);
            }
            Err(message) => {
                // The same for all process names: told once.
                faults.push(ServiceFault::Template(message));
                break;
            }
        }
    }
    (made, faults)
}

fn services(plugin: &mut Plugin, named: &Named<'_>) -> Vec<(usize, String)> {
    let text = named.template.as_ref().and_then(Item::string);
    let text = text.unwrap_or_else(|| DEFAULT_TEMPLATE.to_owned());
    let names: Vec<&str> = named.processes.iter().map(|(_, name)| &**name).collect();
    let (made, faults) = make_services(plugin, &named.namespace, &names, &text);
    for fault in faults {
        match fault {
            ServiceFault::Pattern(index, message) => named.processes[index].0.fault(message),
            ServiceFault::Template(message) => {
                let process = named.processes.first().map(|(item, _)| item);
                if let Some(item) = named.template.as_ref().or(process) {
                    item.fault(message);
                }
            }
        }
    }
    let places = made.into_iter().map(|index| &named.processes[index].0);
    places
        .map(|item| (item.line(), item.key().to_owned()))
        .collect()
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
    let number = table.take("max_groups");
    if let Some(number) = number.and_then(|item| item.integer(groups)) {
        plugin.max_groups = number;
    }
    boolean(
        &mut plugin.include_descendants,
        &mut table,
        "include_descendants",
    );
    boolean(&mut plugin.capture_args, &mut table, "capture_args");
    boolean(&mut plugin.scheduler, &mut table, "scheduler");
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
    boolean(&mut options.prefix, &mut table, "prefix");
    let top = table.take("per_process_top");
    if let Some(number) = top.and_then(|item| item.integer(0..=1_000)) {
        options.per_process_top = number;
    }
    table.finish();
}

fn attributes(plugin: &mut Plugin, item: &Item<'_>) {
    for (item, key, value) in item.string_map().unwrap_or_default() {
        if let Err(message) = attribute(plugin, key, value) {
            item.fault(message);
        }
    }
}

fn logs(options: &mut LogsOptions, mut table: Table<'_>) {
    boolean(&mut options.enabled, &mut table, "enabled");
    boolean(&mut options.stderr_file, &mut table, "stderr_file");
    boolean(&mut options.journald, &mut table, "journald");
    let paths = table.take("paths").and_then(|item| item.strings());
    for (item, path) in paths.unwrap_or_default() {
        if path.starts_with('/') && !path.contains('\0') {
            options.paths.push(path);
        } else {
            item.fault(
                "must be an absolute path; the sensor has no directory of its own".to_owned(),
            );
        }
    }
    boolean(&mut options.tap, &mut table, "tap");
    table.finish();
}

fn example(mut table: Table<'_>) -> Option<Example> {
    let mut text = |key| table.take(key).map(|item| item.name());
    let (name, exe) = (text("name"), text("exe"));
    let args = table.take("args").map(|item| {
        let elements = item.elements()?;
        elements
            .iter()
            .map(Item::string)
            .collect::<Option<Vec<_>>>()
    });
    let matches = table.take("match").map(|item| item.boolean());
    let line = table.line().unwrap_or_default();
    let said_nothing = name.is_none() && exe.is_none() && args.is_none();
    if said_nothing {
        table.fault("describes no process; give it a name, an exe or args".to_owned());
    }
    table.finish();
    let example = Example {
        name: name.unwrap_or(Some(String::new()))?,
        exe: exe.map_or(Some(None), |exe| exe.map(Some))?,
        args: args.map_or(Some(None), |args| args.map(Some))?,
        matches: matches.unwrap_or(Some(true))?,
        line,
    };
    (!said_nothing).then_some(example)
}

fn switch(place: &mut bool, mut table: Table<'_>) {
    boolean(place, &mut table, "enabled");
    table.finish();
}

fn boolean(place: &mut bool, table: &mut Table<'_>, key: &'static str) {
    if let Some(value) = table.take(key).and_then(|item| item.boolean()) {
        *place = value;
    }
}
