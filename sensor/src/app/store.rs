//! `sensor store`: what the store holds.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::setup::{self, Stop};
use crate::{
    cli::store::{Command, IncidentsArgs, StoreArgs},
    clock,
    exit::Exit,
    output::terminal,
    plugin::sanitize,
    store::{Known, Owner, Reader, StoreError, Version, Waiting, default_path, verify},
    units::WallNanos,
};

/// Runs the command.
///
/// # Errors
///
/// Where there is no store, or it cannot be read.
pub fn run(command: &Command) -> Result<Exit, Stop> {
    match command {
        Command::Show(args) => show(args),
        Command::History(args) => history(args),
        Command::Incidents(args) => incidents(args),
        Command::Verify(args) => check(args),
    }
}

/// What to say, and how to end, where the store is of no use.
#[must_use]
pub fn stop(error: &StoreError) -> Stop {
    let exit = match error {
        StoreError::Held { .. } => Exit::TempFail,
        StoreError::Newer { .. } | StoreError::Refused { .. } => Exit::Data,
        StoreError::Unsafe { .. } | StoreError::Open { .. } => Exit::CannotCreate,
        StoreError::Database(redb::Error::Corrupted(_)) => Exit::Data,
        StoreError::Database(_) => Exit::Software,
    };
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        line.push_str(&format!(": {error}"));
        cause = error.source();
    }
    if exit == Exit::CannotCreate {
        line.push_str("; --metadata-db-path names another place");
    }
    Stop::new(exit, line)
}

/// What a store is, in a few words; `None` where there is none.
///
/// # Errors
///
/// Where it cannot be used.
pub fn look(path: &Path) -> Result<Option<String>, StoreError> {
    let known = match Reader::open(path).and_then(|reader| reader.known()) {
        Err(StoreError::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        other => other?,
    };
    let services = known.services.len();
    let mut what = format!("schema version {}, {services} services", current(&known));
    if let Some(pid) = Owner::holder(path) {
        what.push_str(&format!(", held by process {pid}"));
    }
    Ok(Some(what))
}

fn path_of(args: &StoreArgs) -> Result<PathBuf, Stop> {
    if let Some(path) = &args.metadata_db_path {
        return Ok(path.clone());
    }
    let config = setup::config(args.config.as_deref())?;
    Ok(config.store.path.unwrap_or_else(default_path))
}

/// As [`stop`], but a store that is not there is a missing input.
fn reading(path: &Path, error: &StoreError) -> Stop {
    match error {
        StoreError::Open { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            let line = format!(
                "there is no store at {}; `sensor run` makes one, --metadata-db-path names another",
                path.display()
            );
            Stop::new(Exit::NoInput, line)
        }
        StoreError::Open { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            Stop::new(Exit::NoPermission, format!("{}: {source}", path.display()))
        }
        StoreError::Refused { reason, .. } => {
            let line = format!(
                "{} is no usable store: it {reason}; `sensor run` keeps it beside a fresh one",
                path.display()
            );
            Stop::new(Exit::Data, line)
        }
        other => stop(other),
    }
}

fn show(args: &StoreArgs) -> Result<Exit, Stop> {
    let path = path_of(args)?;
    let read = || -> Result<(Known, Waiting), StoreError> {
        let reader = Reader::open(&path)?;
        Ok((reader.known()?, reader.waiting()?))
    };
    let (known, waiting) = read().map_err(|error| reading(&path, &error))?;
    let text = match args.json {
        true => format!("{}\n", shown(&path, &known, waiting)),
        false => table(&path, &known, waiting),
    };
    setup::print(&text)?;
    Ok(Exit::Done)
}

fn history(args: &StoreArgs) -> Result<Exit, Stop> {
    let path = path_of(args)?;
    let known = Reader::open(&path)
        .and_then(|reader| reader.known())
        .map_err(|error| reading(&path, &error))?;
    let text = match args.json {
        true => format!("{}\n", Value::Array(versions(&known))),
        false => known
            .history
            .iter()
            .map(|(version, change)| {
                let time = WallNanos(change.time_ns);
                let release = terminal::escaped(&change.release);
                format!("{version}  {}  by release {release}\n", day_and_time(time))
            })
            .collect(),
    };
    setup::print(&text)?;
    Ok(Exit::Done)
}

/// `--json`: one incident a line, as every transport has it.
fn incidents(args: &IncidentsArgs) -> Result<Exit, Stop> {
    let path = path_of(&args.store)?;
    let last = Reader::open(&path)
        .and_then(|reader| reader.incidents(args.limit))
        .map_err(|error| reading(&path, &error))?;
    let lines = last.iter().map(|json| match args.store.json {
        true => format!("{}\n", String::from_utf8_lossy(json)),
        false => incident_line(&serde_json::from_slice(json).unwrap_or_default()),
    });
    let text: String = lines.collect();
    let text = match text.is_empty() && !args.store.json {
        true => "no incident is kept\n".to_owned(),
        false => text,
    };
    setup::print(&text)?;
    Ok(Exit::Done)
}

/// `2026-01-02 03:04:05  exit       4711 worker: ValueError: no such thing`
fn incident_line(incident: &serde_json::Map<String, Value>) -> String {
    let text = |key: &str| incident.get(key).and_then(Value::as_str);
    let number = |key: &str| incident.get(key).and_then(Value::as_u64);
    let time = number("time_unix_nano").or(number("observed_time_unix_nano"));
    let time = time.map_or_else(|| "-".to_owned(), |time| day_and_time(WallNanos(time)));
    let pid = number("process.pid").map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let kind = text("sensor.incident.kind").unwrap_or("-");
    let what = [text("exception.type"), text("exception.message")];
    let what: Vec<&str> = what.into_iter().flatten().collect();
    let what = match what.is_empty() {
        true => text("sensor.incident.cause")
            .or(text("body"))
            .unwrap_or_default()
            .to_owned(),
        false => what.join(": "),
    };
    let first = what.lines().next().unwrap_or_default();
    let name = text("process.executable.name").map(|name| format!("{name}: "));
    let rest = format!("{}{first}", name.unwrap_or_default());
    let count = match number("sensor.incident.count") {
        Some(count) if count > 1 => format!(" ({count} times)"),
        _ => String::new(),
    };
    let (kind, rest) = (terminal::escaped(kind), terminal::escaped(&rest));
    format!("{time:19}  {kind:9}  {pid:>7}  {rest}{count}\n")
}

fn check(args: &StoreArgs) -> Result<Exit, Stop> {
    let path = path_of(args)?;
    let problems = match verify(&path) {
        Ok(problems) => problems,
        Err(StoreError::Refused { reason, .. }) => vec![reason],
        Err(error) => return Err(reading(&path, &error)),
    };
    let sound = problems.is_empty();
    let text = match (args.json, sound) {
        (true, _) => {
            let path = path.to_string_lossy();
            format!(
                "{}\n",
                json!({"path": path, "ok": sound, "problems": problems})
            )
        }
        (false, true) => format!("{}: sound\n", path.display()),
        (false, false) => problems
            .iter()
            .map(|problem| format!("{}: {problem}\n", path.display()))
            .collect(),
    };
    setup::print(&text)?;
    Ok(if sound { Exit::Done } else { Exit::Data })
}

fn versions(known: &Known) -> Vec<Value> {
    let versions = known.history.iter().map(|(version, change)| {
        json!({
            "version": version.0,
            "release": change.release,
            "time": WallNanos(change.time_ns).to_string(),
        })
    });
    versions.collect()
}

/// `--json` (contract Q5).
fn shown(path: &Path, known: &Known, waiting: Waiting) -> Value {
    let time = |ns: u64| WallNanos(ns).to_string();
    let hosts = known.hosts.iter().map(|(name, host)| {
        json!({
            "host.id": host.id,
            "host.name": name,
            "first_seen": time(host.first_seen_ns),
            "last_seen": time(host.last_seen_ns),
        })
    });
    let namespaces = known.namespaces.iter().map(|(name, namespace)| {
        json!({
            "service.namespace": name,
            "first_seen": time(namespace.first_seen_ns),
            "last_seen": time(namespace.last_seen_ns),
        })
    });
    // Whose id nobody has taken over yet: the framework's rows, marked.
    let legacy_hosts = known.legacy_hosts.iter().map(|(id, host)| {
        json!({
            "host.id": id,
            "host.name": host.host_name,
            "first_seen": time(host.first_seen_ns),
            "last_seen": time(host.last_seen_ns),
            "legacy": true,
        })
    });
    let legacy_services = known.legacy_services.iter().map(|(id, service)| {
        json!({
            "service.instance.id": id,
            "service.name": service.full_name,
            "service_id": sanitize(&service.full_name),
            "display_name": service.display_name,
            "service.namespace": service.namespace,
            "service.version": service.version,
            "description": service.description,
            "first_seen": time(service.first_seen_ns),
            "last_seen": time(service.last_seen_ns),
            "legacy": true,
        })
    });
    let services = known.services.iter().map(|service| {
        let mut shown = json!({
            "service.instance.id": service.instance_id,
            "service.name": service.name,
            "service_id": service.service_id,
            "display_name": service.display_name,
            "service.namespace": service.namespace,
            "service.version": service.version,
            "description": service.description,
            "first_seen": time(service.first_seen_ns),
            "last_seen": time(service.last_seen_ns),
        });
        if let Some(group) = &service.group {
            shown["sensor.group"] = json!(group);
        }
        shown
    });
    let metrics = known.metrics.iter().map(|(name, metric)| {
        json!({
            "name": name,
            "display_name": metric.display_name,
            "unit": metric.unit,
            "kind": metric.kind,
        })
    });
    json!({
        "path": path.to_string_lossy(),
        "schema_version": current(known).0,
        "history": versions(known),
        "hosts": hosts.chain(legacy_hosts).collect::<Vec<_>>(),
        "namespaces": namespaces.collect::<Vec<_>>(),
        "services": services.chain(legacy_services).collect::<Vec<_>>(),
        "metrics": metrics.collect::<Vec<_>>(),
        "queue": {
            "items": waiting.items,
            "bytes": waiting.bytes,
            "oldest_age_s": age_s(waiting).unwrap_or(0),
        },
    })
}

fn current(known: &Known) -> Version {
    known
        .history
        .last()
        .map_or(Version(0), |(version, _)| *version)
}

fn age_s(waiting: Waiting) -> Option<u64> {
    let age = clock::wall().0.saturating_sub(waiting.oldest_ns?);
    Some(age / 1_000_000_000)
}

fn table(path: &Path, known: &Known, waiting: Waiting) -> String {
    let mut text = format!(
        "{}\nschema version {}\n",
        terminal::escaped(&path.to_string_lossy()),
        current(known)
    );
    for (name, host) in &known.hosts {
        let id = if host.id.is_empty() {
            "no id"
        } else {
            &host.id
        };
        let (name, id) = (terminal::escaped(name), terminal::escaped(id));
        text.push_str(&format!("host {name} ({id})\n"));
    }
    for (id, host) in &known.legacy_hosts {
        let (name, id) = (terminal::escaped(&host.host_name), terminal::escaped(id));
        text.push_str(&format!("host {name} ({id}; metadata.db, not claimed)\n"));
    }
    text.push_str(&match age_s(waiting) {
        None => "nothing waits for the collector\n".to_owned(),
        Some(age) => format!(
            "{} requests wait for the collector ({} bytes, the oldest for {age} s)\n",
            waiting.items, waiting.bytes
        ),
    });
    if known.services.is_empty() && known.legacy_services.is_empty() {
        text.push_str("no service was seen yet\n");
        return text;
    }
    text.push_str("\nLAST SEEN            INSTANCE  SERVICE\n");
    for service in &known.services {
        let mut name = service.name.clone();
        if let Some(group) = &service.group
            && *group != name
        {
            name.push_str(&format!(" ({group})"));
        }
        text.push_str(&line(service.last_seen_ns, &service.instance_id, &name));
    }
    for (id, service) in &known.legacy_services {
        let name = format!("{} (metadata.db, not claimed)", service.full_name);
        text.push_str(&line(service.last_seen_ns, id, &name));
    }
    text
}

/// A service of the table.
fn line(last_seen_ns: u64, id: &str, name: &str) -> String {
    let seen = match last_seen_ns {
        0 => "-".to_owned(),
        ns => day_and_time(WallNanos(ns)),
    };
    let id: String = id.chars().take(8).collect();
    let (id, name) = (terminal::escaped(&id), terminal::escaped(name));
    format!("{seen:19}  {id:8}  {name}\n")
}

/// `2026-01-02 03:04:05`, UTC.
fn day_and_time(time: WallNanos) -> String {
    let text = time.to_string();
    let seconds: String = text.chars().take(19).collect();
    seconds.replace('T', " ")
}
