//! `[[custom_metrics]]`: a number from a file of the plugin's choice.

use super::{CustomMetric, Find, Instrument, Scale};
use crate::config::check_pattern;
use crate::config::reader::Table;

/// Where files outside /proc/{pid}/ may be.
const ALLOWED: [&str; 3] = ["/proc", "/sys/fs/cgroup", "/sys/class"];
/// Names in a path below /proc that are refused: they cost the watched
/// process time, hold its memory or secrets, or lead to other places.
const REFUSED: [&str; 14] = [
    "smaps",
    "smaps_rollup",
    "pagemap",
    "mem",
    "kcore",
    "kmsg",
    "environ",
    "auxv",
    "root",
    "cwd",
    "exe",
    "fd",
    "map_files",
    "self",
];
/// Longest name of an instrument and longest unit (OpenTelemetry
/// specification, metrics API, "Instrument name syntax" and "Instrument unit").
const MAX_NAME: usize = 255;
const MAX_UNIT: usize = 63;

/// Reads all of them.
pub(super) fn read(tables: Vec<Table<'_>>) -> Vec<CustomMetric> {
    let mut metrics: Vec<CustomMetric> = Vec::new();
    for mut table in tables {
        let name = checked(&mut table, "name", check_name);
        let file = checked(&mut table, "file", check_file);
        let find = find(&mut table);
        let unit = match table.take("unit") {
            Some(item) => item.string().filter(|unit| match check_unit(unit) {
                Ok(()) => true,
                Err(message) => {
                    item.fault(message);
                    false
                }
            }),
            None => Some("1".to_owned()),
        };
        let instrument = table.take("instrument");
        let instrument = instrument.map_or(Some(Instrument::default()), |item| item.choice());
        let scale = scale(&mut table, instrument);
        let aggregate = table.take("aggregate");
        let aggregate = aggregate.map_or(Some(super::Aggregate::default()), |item| item.choice());
        let same = |known: &&CustomMetric| {
            name.as_ref()
                .is_some_and(|name| known.name.eq_ignore_ascii_case(name))
        };
        if let Some(known) = metrics.iter().find(same) {
            // Names of instruments are compared without case.
            table.fault(format!(
                "the metric `{}` is already there; rename one",
                known.name
            ));
        }
        table.finish();
        let metric = || {
            Some(CustomMetric {
                name: name?,
                file: file?,
                find: find?,
                unit: unit?,
                scale: scale?,
                instrument: instrument?,
                aggregate: aggregate?,
            })
        };
        metrics.extend(metric());
    }
    metrics
}

/// Compiles the pattern of [`Find::Regex`].
///
/// # Errors
/// What is wrong with it.
pub(super) fn compile(pattern: &str) -> Result<regex::bytes::Regex, String> {
    check_pattern(pattern)?;
    let compiled = regex::bytes::RegexBuilder::new(pattern)
        .multi_line(true)
        .build()
        .map_err(|_| "the pattern is too large when compiled".to_owned())?;
    match compiled.captures_len() - 1 {
        1 => Ok(compiled),
        0 => Err("needs one capture around the number, such as (\\d+)".to_owned()),
        several => Err(format!(
            "has {several} captures and needs one; write the others as (?:…)"
        )),
    }
}

fn checked(
    table: &mut Table<'_>,
    key: &'static str,
    check: fn(&str) -> Result<(), String>,
) -> Option<String> {
    let item = table.require(key)?;
    let text = item.name()?;
    check(&text).map_err(|message| item.fault(message)).ok()?;
    Some(text)
}

fn find(table: &mut Table<'_>) -> Option<Find> {
    let (field, regex) = (table.take("field"), table.take("regex"));
    match (field, regex) {
        (Some(_), Some(regex)) => {
            regex.fault("field is there too; keep one of the two".to_owned());
            None
        }
        (Some(field), None) => field.name().map(Find::Field),
        (None, Some(item)) => {
            let pattern = item.string()?;
            compile(&pattern)
                .map_err(|message| item.fault(message))
                .ok()?;
            Some(Find::Regex(pattern))
        }
        (None, None) => {
            let message = "is missing (or regex): where in the file the number stands";
            table.missing("field", message.to_owned());
            None
        }
    }
}

fn scale(table: &mut Table<'_>, instrument: Option<Instrument>) -> Option<Scale> {
    let Some(item) = table.take("scale") else {
        return Some(Scale::new(1.0));
    };
    let factor = item.number()?;
    if factor == 0.0 {
        item.fault("0 would make every number 0".to_owned());
        return None;
    }
    if factor < 0.0 && instrument == Some(Instrument::Counter) {
        item.fault("a counter cannot fall; use a factor above 0, or a gauge".to_owned());
        return None;
    }
    Some(Scale::new(factor))
}

fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !begins_well || !name.chars().all(allowed) || name.len() > MAX_NAME {
        return Err(format!(
            "is no name of a metric: a letter, then letters, digits and _ . - /, {MAX_NAME} at most"
        ));
    }
    Ok(())
}

fn check_unit(unit: &str) -> Result<(), String> {
    if !unit.is_ascii() || unit.len() > MAX_UNIT || unit.chars().any(char::is_control) {
        return Err(format!(
            "is no unit: at most {MAX_UNIT} ASCII characters, such as By, s or {{request}}"
        ));
    }
    Ok(())
}

fn check_file(file: &str) -> Result<(), String> {
    let parts: Vec<&str> = file.split('/').skip(1).collect();
    let plain =
        |part: &&str| !part.is_empty() && !matches!(*part, "." | "..") && !part.contains('\0');
    if !file.starts_with('/') || !parts.iter().all(plain) {
        return Err("must be an absolute path without `..`, such as /proc/{pid}/status".to_owned());
    }
    if file.contains(['*', '?', '[']) {
        return Err("names one file; * ? [ are not expanded".to_owned());
    }
    let braces = |part: &&&str| part.contains(['{', '}']);
    let of_process = parts.first() == Some(&"proc") && parts.get(1) == Some(&"{pid}");
    if parts.iter().filter(braces).count() != usize::from(of_process) {
        return Err("{pid} may only stand as in /proc/{pid}/…, nothing else in braces".to_owned());
    }
    let allowed = |root: &&str| {
        let rest = file.strip_prefix(*root);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    if !ALLOWED.iter().any(allowed) || of_process && parts.len() < 3 {
        return Err(format!(
            "must be below /proc/{{pid}}/, or below one of {}",
            ALLOWED.join(", ")
        ));
    }
    let below_proc = parts.first() == Some(&"proc");
    let refused = |part: &&&str| below_proc && (REFUSED.contains(part) || **part == "thread-self");
    if let Some(part) = parts.iter().find(refused) {
        return Err(match *part {
            "smaps" | "smaps_rollup" => {
                "smaps stops the process while it is read; take status or statm".to_owned()
            }
            "self" | "thread-self" => "that is the sensor itself; write /proc/{pid}/".to_owned(),
            part => format!("`{part}` is never read for metrics"),
        });
    }
    Ok(())
}
