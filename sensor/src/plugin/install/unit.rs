//! The systemd unit that runs one plugin.

use std::path::Path;

use super::place::{Place, Scope};
use crate::{config::item::shown, plugin::Plugin};

/// The unit of the packages: what is good for it is good for a plugin's.
const PACKAGED: &str = include_str!("../../../../deploy/systemd/sensor.service");
/// Says which directory a unit is for; systemd passes over keys with `X-`.
const OWNER: &str = "X-Sensor-Plugin=";
/// What a user's manager can do without a user namespace of the unit's own.
/// In one, /proc would refuse io, fd and exe even of the user's own processes,
/// and a user's manager has no capabilities to give.
const FOR_USERS: [&str; 14] = [
    "Type",
    "WatchdogSec",
    "Restart",
    "RestartSec",
    "StateDirectory",
    "StateDirectoryMode",
    "NoNewPrivileges",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "MemoryMax",
];
const SUFFIX: &str = ".service";
/// systemd's limit for a whole name.
const MAX_NAME: usize = 255;

/// The file name of a plugin's unit: what the plugin says, else
/// `instana-<plugin>-monitor`, with `-` for what no unit may be called.
///
/// # Errors
/// What is wrong with the name that the plugin says.
pub fn file_name(plugin: &Plugin) -> Result<String, String> {
    let name = match &plugin.unit.name {
        None => {
            let safe = |c: char| if is_safe(c) { c } else { '-' };
            let plugin: String = plugin.name.chars().map(safe).collect();
            format!("instana-{plugin}-monitor")
        }
        Some(name) => name.strip_suffix(SUFFIX).unwrap_or(name).to_owned(),
    };
    let first = name.chars().next();
    let file = format!("{name}{SUFFIX}");
    if first.is_some_and(|c| c.is_ascii_alphanumeric())
        && name.chars().all(is_safe)
        && file.len() <= MAX_NAME
    {
        Ok(file)
    } else {
        Err(format!(
            "`{}` cannot be the name of a unit; use letters, digits and `-_.:`",
            shown(&name)
        ))
    }
}

/// The text of the unit.
///
/// # Errors
/// Where a path cannot stand in a unit.
pub fn text(
    plugin: &Plugin,
    sensor: &Path,
    place: &Place,
    target: &Path,
) -> Result<String, String> {
    let about = plugin
        .unit
        .description
        .as_ref()
        .or(plugin.description.as_ref());
    let about = about.map_or_else(|| format!("Watches {}", plugin.name), Clone::clone);
    // A name with a leading `-` would read as a flag.
    let named = match plugin.name.starts_with('-') {
        true => quoted(&format!("--plugin={}", plugin.name), true)?,
        false => format!("--plugin {}", quoted(&plugin.name, true)?),
    };
    // A store has one owner at a time, so each unit has its own. `%S` is where
    // its service manager makes the StateDirectory. In that key a colon parts
    // two names.
    let state = file_name(plugin)?.replace(':', "-");
    let state = state.strip_suffix(SUFFIX).unwrap_or(&state);
    // A user's manager has no capabilities to give, so there are no hooks.
    let pin = match place.scope {
        Scope::System => " --pin",
        Scope::User => "",
    };
    let start = format!(
        "{} run{pin} --plugins {} {named} --output none --metadata-db-path %S/{state}/metadata.redb",
        quoted(utf8(sensor)?, false)?,
        quoted(utf8(&place.base)?, true)?
    );
    let owner = owner(target)?;
    let mut lines =
        vec!["# Written by `sensor plugin install`; `uninstall` removes it.".to_owned()];
    for line in PACKAGED.lines() {
        let (key, _) = line.split_once('=').unwrap_or((line, ""));
        match (key, place.scope) {
            ("Description", _) => {
                lines.push(format!("Description={}", one_line(&about)));
                lines.push(owner.clone());
            }
            ("StateDirectory", _) => lines.push(format!("StateDirectory={state}")),
            ("ExecStart", _) => lines.push(format!("ExecStart={start}")),
            ("WantedBy", Scope::User) => lines.push("WantedBy=default.target".to_owned()),
            (_, Scope::System) => lines.push(line.to_owned()),
            (_, Scope::User) if FOR_USERS.contains(&key) || key.starts_with('[') => {
                // Without the blank lines around what is left out.
                if key.starts_with('[') && key != "[Unit]" {
                    lines.push(String::new());
                }
                lines.push(line.to_owned());
            }
            _ => {}
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// The line by which a unit is known to be for the plugin in `target`.
///
/// # Errors
/// Where the path cannot stand in a unit.
pub fn owner(target: &Path) -> Result<String, String> {
    Ok(format!("{OWNER}{}", quoted(utf8(target)?, false)?))
}

/// Whether a unit is one of ours, for whatever plugin.
#[must_use]
pub fn is_ours(text: &str) -> bool {
    text.lines().any(|line| line.starts_with(OWNER))
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':')
}

fn utf8(path: &Path) -> Result<&str, String> {
    let shown = || format!("{} cannot stand in a unit: it is not UTF-8", path.display());
    path.to_str().ok_or_else(shown)
}

/// One word of a command line (systemd.service(5), "Command lines"). In the
/// path of the program a `$` is a `$`, in an argument it is written twice.
fn quoted(word: &str, argument: bool) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return Ok(word.to_owned());
    }
    let mut out = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '%' => out.push_str("%%"),
            '$' if argument => out.push_str("$$"),
            c if c.is_control() => {
                let message = "cannot stand in a unit: it has a control character";
                return Err(format!("`{}` {message}", shown(word)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(out)
}

/// Text for people as a value: one line, no specifiers, and no backslash at
/// the end, which would take the next line in.
fn one_line(text: &str) -> String {
    let blank = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.chars().map(blank).collect();
    let end = |c: char| c == '\\' || c.is_whitespace();
    text.trim_start().trim_end_matches(end).replace('%', "%%")
}

#[cfg(test)]
#[path = "unit_tests.rs"]
mod tests;
