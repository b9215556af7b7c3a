//! The reference of plugin.toml in plugins/README.md: made of a table that is
//! compared, key by key, with what the readers do.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::*;
use crate::config::item::Choice;
use crate::config::reader::Document;
use crate::config::{GROUPS, INTERVALS, format_duration};

/// What a key wants, and what it is when it is not there.
enum Kind {
    /// Text or a whole number; none is empty.
    Any,
    /// Text; the default as TOML, or why there is none.
    Text(Default),
    Texts(&'static str),
    Bool(bool),
    /// One of these names; the first is the default.
    Choice(Vec<&'static str>),
    /// A whole number: its range and its default.
    Whole(String, usize),
    Number(&'static str),
    Duration,
    Map,
    /// A table or an array of tables, whose keys follow.
    Table,
    /// Accepted without effect.
    Ignored,
}

enum Default {
    Required,
    None,
    Is(&'static str),
}

use Default::{Is, None as Nothing, Required};
use Kind::{
    Any, Bool, Choice as OneOf, Duration as Time, Ignored, Map, Number, Table, Text, Texts, Whole,
};

fn names<C: Choice>() -> Kind {
    OneOf(C::NAMES.iter().map(|(name, _)| *name).collect())
}

/// Every key, in the order of the reference.
fn keys() -> Vec<(&'static str, Kind, &'static str)> {
    let groups = format!("{} to {}", GROUPS.start(), GROUPS.end());
    vec![
        ("plugin", Table, "What it is called."),
        (
            "plugin.name",
            Text(Required),
            "Its name; the directory should be called the same.",
        ),
        ("plugin.description", Text(Nothing), "For people."),
        ("plugin.version", Text(Nothing), "`service.version`."),
        ("plugin.author", Ignored, ""),
        ("service", Table, "What is watched."),
        (
            "service.namespace",
            Text(Required),
            "`service.namespace`; any text.",
        ),
        (
            "service.process_name",
            Text(Required),
            "A case-insensitive regular expression, searched anywhere; `^nginx$` is exact.",
        ),
        (
            "service.process_names",
            Texts("required"),
            "Several, instead of `process_name`; each is a service of its own.",
        ),
        ("monitoring", Table, "When."),
        (
            "monitoring.interval",
            Time,
            "Time between two collections: seconds, or `\"500ms\"`, `\"10s\"`, `\"2m\"`.",
        ),
        ("monitoring.enabled", Bool(true), "Whether it works at all."),
        ("monitoring.process_patterns", Ignored, ""),
        ("monitoring.metric_types", Ignored, ""),
        ("monitoring.supports_discovery", Ignored, ""),
        ("monitoring.log_process_details", Ignored, ""),
        ("otel_config", Table, "Names."),
        (
            "otel_config.service_name_template",
            Text(Is("\"{service_namespace}.{process_name}\"")),
            "`service.name`; also `{plugin_name}` and, with `group_by`, `{group}`.",
        ),
        ("otel_config.default_agent_host", Ignored, ""),
        ("otel_config.default_agent_port", Ignored, ""),
        ("otel_config.metrics_prefix", Ignored, ""),
        ("match", Table, "Which processes belong to it."),
        (
            "match.on",
            names::<MatchOn>(),
            "Where the patterns are searched: the process name, the path of the executable, or the arguments joined by blanks.",
        ),
        (
            "match.exclude",
            Texts("[]"),
            "Patterns on the same string; what one finds does not belong.",
        ),
        (
            "match.user",
            Any,
            "Only processes of this user, a name or a number.",
        ),
        (
            "match.cgroup",
            Text(Is("\"\"")),
            "Only processes whose cgroup path this pattern finds.",
        ),
        (
            "match.include_descendants",
            Bool(false),
            "All descendants of a member belong, whatever they are called.",
        ),
        (
            "match.group_by",
            names::<GroupBy>(),
            "Makes a service of each group of members.",
        ),
        (
            "match.max_groups",
            Whole(groups, DEFAULT_MAX_GROUPS),
            "More groups than this become one, `other`.",
        ),
        (
            "match.capture_args",
            Bool(true),
            "Export the members' arguments, scrubbed.",
        ),
        (
            "match.scheduler",
            Bool(false),
            "Count each wait of the members for a CPU, each time on it, and preemptions: `sensor.process.runqueue.latency`, `sensor.process.cpu.burst`, `sensor.process.preemptions`.",
        ),
        ("metrics", Table, "Figures."),
        (
            "metrics.naming",
            names::<Naming>(),
            "OpenTelemetry's names, the framework's 16, or both.",
        ),
        (
            "metrics.prefix",
            Bool(false),
            "Put `<service_id>.` before the framework's names.",
        ),
        (
            "metrics.per_process_top",
            Whole("0 to 1000".to_owned(), 0),
            "So many members have series of their own.",
        ),
        (
            "attributes",
            Map,
            "Resource attributes, such as `\"deployment.environment\" = \"production\"`.",
        ),
        (
            "custom_metrics",
            Table,
            "Numbers from files; several, each `[[custom_metrics]]`.",
        ),
        (
            "custom_metrics.name",
            Text(Required),
            "Name of the metric: a letter, then letters, digits and `_ . - /`.",
        ),
        (
            "custom_metrics.file",
            Text(Required),
            "`/proc/{pid}/…`, read for each member, or a path below `/proc`, `/sys`, `/run`, `/var/run` or `/var/lib`. Never smaps, never what leads elsewhere.",
        ),
        (
            "custom_metrics.field",
            Text(Required),
            "The number behind this name, as in `VmSwap:  12 kB`.",
        ),
        (
            "custom_metrics.regex",
            Text(Required),
            "Instead of `field`: a pattern with one capture; `^` and `$` are the ends of a line.",
        ),
        (
            "custom_metrics.unit",
            Text(Is("\"1\"")),
            "UCUM unit, such as `By` or `s`.",
        ),
        (
            "custom_metrics.scale",
            Number("1"),
            "What the number is multiplied by; not 0.",
        ),
        (
            "custom_metrics.instrument",
            names::<Instrument>(),
            "What it is on the wire.",
        ),
        (
            "custom_metrics.aggregate",
            names::<Aggregate>(),
            "How the members' numbers become one.",
        ),
        (
            "events",
            Table,
            "`process.exec` and `process.exit` as OTLP logs.",
        ),
        ("events.enabled", Bool(false), "Export them."),
        ("traces", Table, "Spans."),
        ("traces.enabled", Bool(false), "Export them."),
        ("logs", Table, "What members said before they ended."),
        ("logs.enabled", Bool(true), "Look for it."),
        (
            "logs.stderr_file",
            Bool(true),
            "In a regular file behind descriptor 1 or 2.",
        ),
        (
            "logs.journald",
            Bool(true),
            "In the journal, by the process's pid.",
        ),
        (
            "logs.paths",
            Texts("[]"),
            "In these files: absolute paths, `*` and `?` allowed within a name; read from their end at first sight.",
        ),
        (
            "logs.tap",
            Bool(false),
            "By a kernel tap on writes to standard error, for pipes, terminals and sockets; costs every system call of the host something.",
        ),
        (
            "examples",
            Table,
            "Processes that `sensor plugin check` tries; several, each `[[examples]]`.",
        ),
        (
            "examples.name",
            Text(Nothing),
            "Name of the process, not cut.",
        ),
        ("examples.exe", Text(Nothing), "Path of its executable."),
        (
            "examples.args",
            Texts("none"),
            "Its arguments, the program first.",
        ),
        (
            "examples.match",
            Bool(true),
            "Whether it must belong, or must not.",
        ),
        ("systemd", Table, "The unit that an installation writes."),
        (
            "systemd.service_name",
            Text(Is("\"instana-<plugin>-monitor\"")),
            "Name of the unit.",
        ),
        ("systemd.description", Text(Nothing), "Its description."),
        ("dependencies", Table, "What Python needed."),
        ("dependencies.packages", Ignored, ""),
        ("dependencies.additional_packages", Ignored, ""),
        (
            "metadata",
            Table,
            "The same as `[plugin]` and `[service]`, in the words of the plugins that the framework shipped.",
        ),
        ("metadata.plugin_name", Text(Nothing), "As `plugin.name`."),
        (
            "metadata.description",
            Text(Nothing),
            "As `plugin.description`.",
        ),
        (
            "metadata.service_namespace",
            Text(Nothing),
            "As `service.namespace`.",
        ),
        (
            "metadata.process_name",
            Text(Nothing),
            "As `service.process_name`.",
        ),
        (
            "metadata.process_names",
            Texts("none"),
            "As `service.process_names`.",
        ),
        ("metadata.author", Ignored, ""),
        (
            "monitoring.default_interval",
            Time,
            "As `monitoring.interval`.",
        ),
        (
            "installation",
            Table,
            "The same as `[systemd]`, in those words.",
        ),
        (
            "installation.systemd_service_name",
            Text(Nothing),
            "As `systemd.service_name`.",
        ),
        (
            "installation.service_description",
            Text(Nothing),
            "As `systemd.description`.",
        ),
        ("installation.default_base_dir", Ignored, ""),
        ("installation.requires_root", Ignored, ""),
        ("installation.creates_logs_directory", Ignored, ""),
    ]
}

/// A plugin with `key = value`, and what else must be there for it.
fn document(key: &str, value: Option<&str>) -> String {
    let mut lines = vec![
        ("plugin.name", "'p'"),
        ("service.namespace", "'N'"),
        ("service.process_name", "'x'"),
    ];
    if key.ends_with("process_names") || key == "metadata.process_name" {
        lines.pop();
    }
    if key.starts_with("custom_metrics.") {
        lines.push(("custom_metrics.name", "'m'"));
        lines.push(("custom_metrics.file", "'/proc/{pid}/io'"));
        if key != "custom_metrics.regex" {
            lines.push(("custom_metrics.field", "'f'"));
        }
    }
    if key.starts_with("examples.") && key != "examples.name" {
        lines.push(("examples.name", "'x'"));
    }
    lines.retain(|(known, _)| *known != key);
    lines.extend(value.map(|value| (key, value)));
    let mut text = String::new();
    let mut header = "";
    for (key, value) in lines {
        let array = ["custom_metrics", "examples"].iter().find(|array| {
            key.strip_prefix(**array)
                .is_some_and(|rest| rest.starts_with('.'))
        });
        match array {
            Some(array) => {
                if header != *array {
                    header = array;
                    let _ = writeln!(text, "[[{array}]]");
                }
                let _ = writeln!(text, "{} = {value}", &key[array.len() + 1..]);
            }
            None => {
                let _ = writeln!(text, "{key} = {value}");
            }
        }
    }
    text
}

fn parsed(text: &str) -> Result<Plugin, Vec<Problem>> {
    parse_toml(Path::new("/p/plugin.toml"), text)
}

/// The plugin without what only tells where something stood.
fn plugin(key: &str, value: Option<&str>) -> Plugin {
    let text = document(key, value);
    parsed(&text).unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"))
}

#[track_caller]
fn check_refused(key: &str, value: &str, message: &str) {
    let problems = parsed(&document(key, Some(value))).unwrap_err();
    let told = problems
        .iter()
        .any(|problem| problem.key.as_deref() == Some(key) && problem.message.contains(message));
    assert!(told, "{key} = {value}: {message}: {problems:#?}");
}

#[test]
fn the_reference_has_exactly_the_keys_that_are_read() {
    let text = format!(
        "{}{}",
        document("custom_metrics.unit", Some("'1'")),
        "[[examples]]\nname = 'x'\n"
    );
    let document = Document::parse(Path::new("p"), &text);
    let _ = read::read(&document, Path::new("d"));
    let asked = document.into_notes().asked;
    let known: BTreeSet<String> = keys().iter().map(|(key, _, _)| (*key).to_owned()).collect();
    assert_eq!(known, asked);
    let file = keys()
        .into_iter()
        .find(|(key, _, _)| *key == "custom_metrics.file");
    let (_, _, meaning) = file.unwrap();
    for root in custom_check::ALLOWED {
        assert!(meaning.contains(&format!("`{root}`")), "{root}");
    }
}

#[test]
fn types_and_defaults_of_the_reference_are_those_of_the_readers() {
    for (key, kind, _) in keys() {
        let same = |value: &str| assert_eq!(plugin(key, Some(value)), plugin(key, None), "{key}");
        match kind {
            Text(default) => {
                check_refused(key, "5", "expected a string");
                match default {
                    Is(value) if !value.contains('<') => same(value),
                    Required => assert!(parsed(&document(key, None)).is_err(), "{key}"),
                    Is(_) | Nothing => {}
                }
            }
            Any => {
                check_refused(key, "true", "expected a string or a whole number");
                same("''");
                assert_ne!(plugin(key, Some("7")), plugin(key, None), "{key}");
            }
            Texts(default) => {
                check_refused(key, "5", "expected an array");
                check_refused(key, "[5]", "expected a string");
                if default == "[]" {
                    same(default);
                }
            }
            Bool(value) => {
                check_refused(key, "'x'", "expected true or false");
                same(&value.to_string());
                let text = if value { "false" } else { "true" };
                assert_ne!(plugin(key, Some(text)), plugin(key, None), "{key}");
            }
            OneOf(names) => {
                check_refused(
                    key,
                    "'x'",
                    &format!("possible values: {}", names.join(", ")),
                );
                same(&format!("'{}'", names[0]));
            }
            Whole(range, default) => {
                check_refused(key, "-1", &format!("from {range}"));
                same(&default.to_string());
            }
            Number(default) => {
                check_refused(key, "'x'", "expected a number");
                same(default);
            }
            Time => check_refused(key, "'1ns'", &format!("from {}", interval_range())),
            Map => check_refused(key, "5", "expected a table"),
            Table => {
                let problems = parsed(&format!("{key} = 5\n")).unwrap_err();
                let told = problems.iter().any(|one| one.key.as_deref() == Some(key));
                assert!(told, "{key}");
            }
            Ignored => {
                for value in ["5", "'x'", "[]", "{}"] {
                    let _ = plugin(key, Some(value));
                }
            }
        }
    }
}

fn interval_range() -> String {
    let (least, most) = (*INTERVALS.start(), *INTERVALS.end());
    format!("{} to {}", format_duration(least), format_duration(most))
}

/// The reference as Markdown.
fn reference() -> String {
    let keys = keys();
    let mut text = String::new();
    let is_top = |key: &str| !key.contains('.');
    for (table, kind, meaning) in &keys {
        let prefix = format!("{table}.");
        let below = || keys.iter().filter(|(key, _, _)| key.starts_with(&prefix));
        let mut rows = below()
            .filter(|(_, kind, _)| !matches!(kind, Ignored))
            .peekable();
        if !is_top(table) || !matches!(kind, Map) && rows.peek().is_none() {
            continue;
        }
        let brackets = match *table {
            "custom_metrics" | "examples" => format!("[[{table}]]"),
            _ => format!("[{table}]"),
        };
        let _ = write!(text, "### `{brackets}`\n\n{meaning}\n\n");
        if rows.peek().is_none() {
            continue;
        }
        text.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
        for (key, kind, meaning) in rows {
            let key = &key[prefix.len()..];
            let (kind, default) = columns(kind);
            let _ = writeln!(text, "| `{key}` | {kind} | {default} | {meaning} |");
        }
        text.push('\n');
    }
    text.push_str(
        "### Without effect\n\nAccepted, with a warning, because Python plugins have them: ",
    );
    let ignored = keys.iter().filter(|(_, kind, _)| matches!(kind, Ignored));
    let ignored: Vec<String> = ignored.map(|(key, _, _)| format!("`{key}`")).collect();
    let _ = writeln!(text, "{}, `dependencies.python_*`.", ignored.join(", "));
    text
}

fn columns(kind: &Kind) -> (String, String) {
    let code = |text: &str| format!("`{text}`");
    let or_words = |text: &str| match text {
        "required" | "none" => text.to_owned(),
        text => code(text),
    };
    match kind {
        Text(Required) => ("text".to_owned(), "required".to_owned()),
        Text(Nothing) => ("text".to_owned(), "none".to_owned()),
        Text(Is(default)) => ("text".to_owned(), code(default)),
        Any => ("text or number".to_owned(), code("\"\"")),
        Texts(default) => ("texts".to_owned(), or_words(default)),
        Bool(default) => ("true or false".to_owned(), code(&default.to_string())),
        OneOf(names) => {
            let list: Vec<String> = names.iter().map(|name| format!("`\"{name}\"`")).collect();
            (list.join(", "), list[0].clone())
        }
        Whole(range, default) => (range.clone(), code(&default.to_string())),
        Number(default) => ("number".to_owned(), code(default)),
        Time => (interval_range(), "that of sensor.toml".to_owned()),
        Map | Table | Ignored => (String::new(), String::new()),
    }
}

const BEGIN: &str = "<!-- The reference begins here; a test writes it. -->\n";
const END: &str = "<!-- The reference ends here. -->\n";
const REGENERATE: &str = "REGENERATE=1 cargo nextest run -p sensor the_readme_has_the_reference";

#[test]
fn the_readme_has_the_reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("no begin of the reference");
    let (_, after) = rest.split_once(END).expect("no end of the reference");
    let fresh = format!("{before}{BEGIN}\n{}\n{END}{after}", reference());
    if std::env::var_os("REGENERATE").is_some() {
        fs::write(&path, &fresh).unwrap();
    } else {
        assert!(
            fresh == readme,
            "plugins/README.md is not up to date: {REGENERATE}"
        );
    }
}
