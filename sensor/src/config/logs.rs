//! `[[logs.format]]`: log formats that people declare by a pattern.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Value;

use super::item::{Item, shown};
use super::pattern::check_pattern;
use super::reader::{Table, suggestion};
use crate::incident::log::format::{
    CustomFormat, Formats, LogFormat,
    custom::{GROUPS, check_time_format},
};
use crate::incident::log::level;

/// Words for levels that a file may use.
const LEVELS: [&str; 12] = [
    "trace",
    "debug",
    "info",
    "notice",
    "warn",
    "warning",
    "error",
    "critical",
    "alert",
    "fatal",
    "panic",
    "emergency",
];

/// One format, as it was declared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogFormatFile {
    /// What it is called in `--format`.
    pub name: String,
    /// A regular expression with named groups.
    pub pattern: String,
    /// For strftime; `None`: the usual times are tried.
    pub time_format: Option<String>,
    /// Words of the format with the usual words for them.
    pub levels: BTreeMap<String, String>,
}

/// The built-in formats and those of the file.
///
/// # Errors
///
/// The name of a format whose pattern cannot be compiled; a checked
/// configuration has none.
pub fn formats(declared: &[LogFormatFile]) -> Result<Formats, String> {
    let custom = declared.iter().map(|format| {
        let levels: Vec<(String, u8)> = format
            .levels
            .iter()
            .filter_map(|(word, level)| Some((word.clone(), level::word(level)?)))
            .collect();
        CustomFormat::new(
            &format.name,
            &format.pattern,
            format.time_format.as_deref(),
            &levels,
        )
        .map(|format| Arc::new(format) as Arc<dyn LogFormat>)
        .map_err(|_| {
            format!(
                "logs.format `{}`: the pattern cannot be compiled",
                shown(&format.name)
            )
        })
    });
    Ok(Formats::with(custom.collect::<Result<Vec<_>, _>>()?))
}

/// Reads the table `logs`; faults are noted in the document.
pub(super) fn read(mut logs: Table<'_>) -> Vec<LogFormatFile> {
    let mut all: Vec<LogFormatFile> = Vec::new();
    for table in logs.tables("format") {
        if let Some(format) = one(table, &all) {
            all.push(format);
        }
    }
    logs.finish();
    all
}

fn one(mut table: Table<'_>, before: &[LogFormatFile]) -> Option<LogFormatFile> {
    let name = table.take("name");
    let pattern = table.take("pattern");
    let time_format = table.take("time_format");
    let levels = table.take("levels");
    for (key, item, example) in [
        ("name", &name, "name = \"till\""),
        (
            "pattern",
            &pattern,
            "pattern = '^(?P<level>\\w+) (?P<message>.*)$'",
        ),
    ] {
        if item.is_none() {
            table.missing(key, format!("is missing; write for example {example}"));
        }
    }
    table.finish();
    let name = name.as_ref().and_then(|item| read_name(item, before));
    let pattern = pattern.as_ref().and_then(read_pattern);
    let groups = pattern.as_ref().map(|(_, groups)| groups.as_slice());
    let has = |group: &str| groups.is_none_or(|groups| groups.iter().any(|known| known == group));
    let time = time_format.as_ref().and_then(|item| {
        let text = item.name()?;
        if let Err(reason) = check_time_format(&text) {
            item.fault(format!(
                "`{}` is no time format for strftime: {reason}",
                shown(&text)
            ));
            return None;
        }
        if !has("time") {
            item.fault("has no effect: the pattern has no group `time`".to_owned());
        }
        Some(text)
    });
    let words = levels.as_ref().map(read_levels).unwrap_or_default();
    if let Some(item) = &levels
        && !has("level")
    {
        item.fault("has no effect: the pattern has no group `level`".to_owned());
    }
    let (pattern, _) = pattern?;
    Some(LogFormatFile {
        name: name?,
        pattern,
        time_format: time,
        levels: words,
    })
}

fn read_name(item: &Item<'_>, before: &[LogFormatFile]) -> Option<String> {
    let name = item.name()?;
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if !plain || name.len() > 64 {
        item.fault(format!(
            "`{}` must be of at most 64 letters, digits, `_`, `-` and `.`",
            shown(&name)
        ));
        return None;
    }
    if Formats::default().names().contains(&name.as_str()) {
        item.fault(format!(
            "`{name}` is a built-in format; choose another name"
        ));
        return None;
    }
    if before.iter().any(|format| format.name == name) {
        item.fault(format!(
            "`{name}` is the name of an earlier format; each needs its own"
        ));
        return None;
    }
    Some(name)
}

/// The pattern and the names of its groups.
fn read_pattern(item: &Item<'_>) -> Option<(String, Vec<String>)> {
    let pattern = item.string()?;
    if let Err(message) = check_pattern(&pattern) {
        item.fault(message);
        return None;
    }
    let Ok(compiled) = regex::Regex::new(&pattern) else {
        item.fault(format!(
            "the pattern `{}` is no regular expression for text",
            shown(&pattern)
        ));
        return None;
    };
    let groups: Vec<String> = compiled
        .capture_names()
        .flatten()
        .map(str::to_owned)
        .collect();
    let mut good = true;
    for group in &groups {
        if !GROUPS.contains(&group.as_str()) {
            item.fault(format!(
                "unknown group `{}`{}",
                shown(group),
                suggestion(group, &GROUPS)
            ));
            good = false;
        }
    }
    if good
        && !groups
            .iter()
            .any(|group| group == "level" || group == "type")
    {
        item.fault(
            "needs a group (?P<level>…) or (?P<type>…): without them no line is an incident"
                .to_owned(),
        );
        good = false;
    }
    good.then_some((pattern, groups))
}

fn read_levels(item: &Item<'_>) -> BTreeMap<String, String> {
    let mut levels = BTreeMap::new();
    for (item, word, level) in item.string_map().unwrap_or_default() {
        if level::word(&level).is_none() {
            item.fault(format!(
                "`{}` is no level{}",
                shown(&level),
                suggestion(&level, &LEVELS)
            ));
        } else {
            levels.insert(word, level);
        }
    }
    levels
}

/// As `sensor config show` has it.
pub(super) fn show(declared: &[LogFormatFile]) -> Value {
    let tables = declared.iter().map(|format| {
        let LogFormatFile {
            name,
            pattern,
            time_format,
            levels,
        } = format;
        let mut table = toml::Table::new();
        table.insert("name".to_owned(), name.as_str().into());
        table.insert("pattern".to_owned(), pattern.as_str().into());
        if let Some(format) = time_format {
            table.insert("time_format".to_owned(), format.as_str().into());
        }
        if !levels.is_empty() {
            let levels = levels
                .iter()
                .map(|(word, level)| (word.clone(), Value::from(level.as_str())));
            table.insert("levels".to_owned(), Value::Table(levels.collect()));
        }
        Value::Table(table)
    });
    Value::Array(tables.collect())
}
