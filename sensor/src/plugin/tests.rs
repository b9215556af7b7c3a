use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

mod custom;
mod dialects;
mod legacy;
mod reference;

const GUIDE: &str = r#"
[plugin]
name = "myapp"
description = "MyApp process monitoring for Instana"
version = "1.0.0"

[service]
namespace = "MyCompany"
process_name = "MyApp"

[monitoring]
interval = 60
enabled = true

[dependencies]
python_version = ">=3.6"
packages = ["opentelemetry-api", "opentelemetry-sdk"]

[systemd]
service_name = "instana-myapp-monitor"
description = "MyApp monitoring service for Instana"
"#;

fn minimal(name: &str, process: &str) -> String {
    format!("[plugin]\nname = '{name}'\n[service]\nnamespace = 'N'\nprocess_name = '{process}'\n")
}

fn write(dir: &Path, name: &str, text: &str) {
    fs::create_dir_all(dir.join(name)).unwrap();
    fs::write(dir.join(name).join("plugin.toml"), text).unwrap();
}

fn load_text(text: &str) -> Loaded {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "p", text);
    load(&[dir.path().to_owned()], &[])
}

fn good(text: &str) -> Plugin {
    let mut loaded = load_text(text);
    assert!(loaded.failed.is_empty(), "{:#?}", loaded.failed);
    loaded.plugins.remove(0)
}

/// The problems of one broken plugin as `line key message` parts, in order.
#[track_caller]
fn check_problems(text: &str, expected: &[(Option<usize>, &str, &str)]) {
    let loaded = load_text(text);
    assert!(loaded.plugins.is_empty());
    let problems = &loaded.failed[0].problems;
    let shown: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(problems.len(), expected.len(), "{shown:#?}");
    for (problem, (line, key, message)) in problems.iter().zip(expected) {
        assert!(problem.file.ends_with("p/plugin.toml"));
        assert_eq!(problem.line, *line, "{problem}");
        assert_eq!(
            problem.key.as_deref().unwrap_or_default(),
            *key,
            "{problem}"
        );
        assert!(problem.message.contains(message), "{problem}");
    }
}

#[test]
fn the_plugin_of_the_guide_loads() {
    let loaded = load_text(GUIDE);
    let plugin = &loaded.plugins[0];
    assert_eq!(plugin.name, "myapp");
    assert_eq!(plugin.version.as_deref(), Some("1.0.0"));
    assert_eq!(plugin.interval, Some(Duration::from_secs(60)));
    assert!(plugin.enabled && plugin.capture_args);
    assert!(!plugin.scheduler && !plugin.events_enabled);
    assert_eq!(plugin.max_groups, 200);
    let service = &plugin.services[0];
    assert_eq!(service.service_name, "MyCompany.MyApp");
    assert_eq!(service.service_id, "mycompany_myapp");
    assert_eq!(service.display_name, "Mycompany Myapp");
    assert_eq!(service.namespace, "MyCompany");
    assert_eq!(service.pattern, "MyApp");
    let warned: Vec<_> = loaded
        .warnings
        .iter()
        .map(|w| (w.line, w.key.as_deref().unwrap()))
        .collect();
    assert_eq!(
        warned,
        [
            (Some(16), "dependencies.python_version"),
            (Some(17), "dependencies.packages"),
        ]
    );
}

#[test]
fn every_option_is_read() {
    let plugin = good(
        r#"
[plugin]
name = "my-app"
version = "1"
[service]
namespace = "Strategy₿"
process_names = ["Web", "^DB$"]
[monitoring]
interval = "500ms"
enabled = false
[otel_config]
service_name_template = "{plugin_name}/{process_name}/{group}"
[match]
on = "cmdline"
exclude = ["--test"]
capture_args = false
scheduler = true
group_by = "cgroup"
max_groups = 5
[metrics]
naming = "both"
prefix = true
per_process_top = 3
[attributes]
"deployment.environment" = "production"
"service.version" = "2"
[events]
enabled = true
"#,
    );
    assert!(!plugin.enabled);
    assert_eq!(plugin.interval, Some(Duration::from_millis(500)));
    let names: Vec<&str> = plugin
        .services
        .iter()
        .map(|s| s.service_name.as_str())
        .collect();
    assert_eq!(names, ["my-app/Web/{group}", "my-app/^DB$/{group}"]);
    assert_eq!(plugin.services[0].name.of_group("g"), "my-app/Web/g");
    assert_eq!(plugin.match_on, MatchOn::Cmdline);
    assert_eq!(plugin.exclude, ["--test"]);
    assert!(!plugin.capture_args && plugin.scheduler && plugin.events_enabled);
    assert_eq!((plugin.group_by, plugin.max_groups), (GroupBy::Cgroup, 5));
    assert_eq!(
        plugin.metrics,
        MetricsOptions {
            naming: Naming::Both,
            prefix: true,
            per_process_top: 3
        }
    );
    assert_eq!(plugin.version.as_deref(), Some("2"));
    assert_eq!(
        plugin.attributes,
        [("deployment.environment".to_owned(), "production".to_owned())]
    );
}

#[test]
fn all_problems_of_a_plugin_are_reported_together() {
    check_problems(
        r#"[plugin]
nam = "x"
[service]
namespace = 5
proces_name = "MyApp"
process_names = [
  "ok",
  "a(b",
  "",
  3,
]
[monitoring]
interval = 0
[match]
on = "comm"
group_by = ["x"]
[metrics]
naming = "old"
[attributes]
"host.name" = "x"
"count" = 3
deployment.environment = "x"
[events]
enable = true
[servce]
x = 1
"#,
        &[
            (Some(1), "plugin.name", "is missing"),
            (Some(2), "plugin.nam", "did you mean `name`?"),
            (
                Some(4),
                "service.namespace",
                "expected a string, found a whole number",
            ),
            (
                Some(5),
                "service.proces_name",
                "did you mean `process_name`?",
            ),
            (
                Some(8),
                "service.process_names",
                "position 2: unclosed group",
            ),
            (Some(9), "service.process_names", "must not be empty"),
            (Some(10), "service.process_names", "expected a string"),
            (Some(13), "monitoring.interval", "from 100ms to 24h"),
            (Some(15), "match.on", "name, exe, cmdline"),
            (
                Some(16),
                "match.group_by",
                "one of none, executable, cgroup, user, found an array",
            ),
            (Some(18), "metrics.naming", "semconv, instana, both"),
            (
                Some(20),
                "attributes.\"host.name\"",
                "set by the sensor itself",
            ),
            (Some(21), "attributes.count", "expected a string"),
            (Some(22), "attributes.deployment", "into quotes"),
            (Some(24), "events.enable", "did you mean `enabled`?"),
            (Some(25), "servce", "unknown table; did you mean `service`?"),
        ],
    );
}

#[test]
fn faults_of_names_patterns_and_templates() {
    let with = |extra: &str| format!("{}{extra}", minimal("p", "x"));
    for (text, line, key, message) in [
        (minimal("a/b", "x"), Some(2), "plugin.name", "no slash"),
        (minimal("..", "x"), Some(2), "plugin.name", "no leading dot"),
        (
            minimal("", "x"),
            Some(2),
            "plugin.name",
            "must not be empty",
        ),
        (
            minimal("p", ""),
            Some(5),
            "service.process_name",
            "an empty pattern",
        ),
        (
            minimal("p", "*x"),
            Some(5),
            "service.process_name",
            "at position 1",
        ),
        (
            with("process_names = ['y']"),
            Some(6),
            "service.process_names",
            "keep one",
        ),
        (
            with("[otel_config]\nservice_name_template = '{host}'"),
            Some(7),
            "otel_config.service_name_template",
            "unknown placeholder {host}",
        ),
        (
            with("[otel_config]\nservice_name_template = '{group}'"),
            Some(7),
            "otel_config.service_name_template",
            "group_by",
        ),
        (
            with("[otel_config]\nservice_name_template = ''"),
            Some(7),
            "otel_config.service_name_template",
            "no name",
        ),
        (
            with("[custom_metrics]\n"),
            Some(6),
            "custom_metrics",
            "write [[custom_metrics]]",
        ),
        (with("[plugin]\n"), Some(6), "plugin", "duplicate key"),
        (
            with("namespace = 'M'"),
            Some(6),
            "service.namespace",
            "duplicate key",
        ),
        (with("x = [\n"), Some(6), "", "not valid TOML"),
        (
            "[plugin]\nname='p'\n".to_owned(),
            None,
            "service.namespace",
            "is missing",
        ),
        (
            "[plugin]\nname='p'\n[service]\nnamespace='n'\nprocess_names=[]\n".to_owned(),
            Some(5),
            "service.process_names",
            "is empty",
        ),
    ] {
        let loaded = load_text(&text);
        let problem = &loaded.failed[0].problems[0];
        assert_eq!(problem.line, line, "{text}: {problem}");
        assert_eq!(
            problem.key.as_deref().unwrap_or_default(),
            key,
            "{text}: {problem}"
        );
        assert!(problem.message.contains(message), "{text}: {problem}");
    }
}

#[test]
fn one_broken_plugin_stops_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    write(path, "a", &minimal("a", "x"));
    write(path, "broken", "[");
    write(path, "latin1", "");
    fs::write(path.join("latin1/plugin.toml"), b"# ok\n\xff").unwrap();
    write(path, "large", &"#".repeat((1 << 20) + 1));
    fs::create_dir(path.join("empty")).unwrap();
    fs::create_dir(path.join("pipe")).unwrap();
    let fifo = path.join("pipe/plugin.toml");
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    fs::create_dir_all(path.join("folder/plugin.toml")).unwrap();
    fs::create_dir(path.join("link")).unwrap();
    symlink("nowhere", path.join("link/plugin.toml")).unwrap();
    symlink("nowhere", path.join("lost")).unwrap();
    // Passed over.
    for name in ["common", "tests", "docs", "logs", ".git"] {
        fs::create_dir(path.join(name)).unwrap();
    }
    write(path, ".hidden", "[");
    fs::write(path.join("README.md"), "x").unwrap();
    symlink("README.md", path.join("file-link")).unwrap();
    // Not passed over: a plugin by this name.
    fs::remove_dir(path.join("logs")).unwrap();
    write(path, "logs", &minimal("logs", "y"));
    symlink("logs", path.join("z-again")).unwrap();

    let loaded = load(&[path.to_owned()], &[]);
    let names: Vec<&str> = loaded.plugins.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["a", "logs"]);
    let failed: Vec<(&str, Option<usize>, &str)> = loaded
        .failed
        .iter()
        .map(|f| {
            (
                f.name.as_str(),
                f.problems[0].line,
                f.problems[0].message.as_str(),
            )
        })
        .collect();
    let expected = [
        ("broken", Some(1), "not valid TOML"),
        ("empty", None, "neither plugin.toml nor __init__.py"),
        ("folder", None, "a directory"),
        ("large", None, "1 MiB"),
        ("latin1", Some(2), "UTF-8"),
        ("link", None, "a dangling link to nowhere"),
        ("lost", None, "a dangling link to nowhere"),
        ("pipe", None, "a pipe"),
    ];
    assert_eq!(failed.len(), expected.len(), "{failed:#?}");
    for (found, expected) in failed.iter().zip(expected) {
        assert_eq!((found.0, found.1), (expected.0, expected.1));
        assert!(found.2.contains(expected.2), "{found:?}");
    }
}

#[test]
fn directories_are_plugins_or_hold_them() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a", &minimal("alpha", "x"));
    write(dir.path(), "b", "[");
    let one = dir.path().join("a");
    let missing = dir.path().join("missing");
    let file = one.join("plugin.toml");
    let loaded = load(&[one.clone(), missing, file, dir.path().to_owned()], &[]);
    assert_eq!(loaded.plugins.len(), 1);
    assert_eq!(loaded.plugins[0].directory, Some(one));
    let unreadable: Vec<&str> = loaded
        .unreadable
        .iter()
        .map(|p| p.message.as_str())
        .collect();
    assert_eq!(unreadable, ["does not exist", "is not a directory"]);

    let filter = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let loaded = load(&[dir.path().to_owned()], &names);
        (loaded.plugins.len(), loaded.failed.len(), loaded.unmatched)
    };
    assert_eq!(filter(&["alpha"]), (1, 0, vec![]));
    assert_eq!(filter(&["a"]), (1, 0, vec![]));
    assert_eq!(filter(&["b"]), (0, 1, vec![]));
    assert_eq!(filter(&["alpha", "c"]), (1, 0, vec!["c".to_owned()]));
}

#[test]
fn two_services_with_one_id_reject_both_plugins() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a", &minimal("a", "My-App"));
    write(dir.path(), "b", &minimal("b", "My.App"));
    write(dir.path(), "c", &minimal("c", "other"));
    write(dir.path(), "d", &minimal("d", "same"));
    write(dir.path(), "e", &minimal("e", "same"));
    let off = format!("{}[monitoring]\nenabled = false\n", minimal("f", "other"));
    write(dir.path(), "f", &off);
    let twice = "[plugin]\nname='g'\n[service]\nnamespace='G'\nprocess_names=[\n'x-y',\n'x.y']\n";
    write(dir.path(), "g", twice);
    let twice = "[plugin]\nname='h'\n[service]\nnamespace='H'\nprocess_names=['x','x']\n";
    write(dir.path(), "h", twice);
    let loaded = load(&[dir.path().to_owned()], &[]);
    let names: Vec<&str> = loaded.plugins.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["c", "f"]);
    let shown: Vec<String> = loaded
        .failed
        .iter()
        .flat_map(|failed| &failed.problems)
        .map(|p| p.to_string().replace(&*dir.path().to_string_lossy(), ""))
        .collect();
    assert_eq!(
        shown,
        [
            "/a/plugin.toml:5: service.process_name: the service names `N.My-App` and `N.My.App` of plugin `b` (/b/plugin.toml) have the same id `n_my_app`; rename one",
            "/b/plugin.toml:5: service.process_name: the service names `N.My.App` and `N.My-App` of plugin `a` (/a/plugin.toml) have the same id `n_my_app`; rename one",
            "/d/plugin.toml:5: service.process_name: the service name `N.same` is also that of plugin `e` (/e/plugin.toml); rename one",
            "/e/plugin.toml:5: service.process_name: the service name `N.same` is also that of plugin `d` (/d/plugin.toml); rename one",
            "/g/plugin.toml:6: service.process_names: the service names `G.x-y` and `G.x.y` of this plugin have the same id `g_x_y`; rename one",
            "/g/plugin.toml:7: service.process_names: the service names `G.x.y` and `G.x-y` of this plugin have the same id `g_x_y`; rename one",
            "/h/plugin.toml:5: service.process_names: the service name `H.x` is also that of this plugin; rename one",
        ]
    );
}

#[test]
fn variables_go_before_the_file() {
    let variables = [
        ("MY_APP_INTERVAL", "5"),
        ("MY_APP_PROCESS_FILTER", "^only$"),
        ("BAD_INTERVAL", "never"),
        ("BAD_PROCESS_FILTER", "("),
        ("MANY_PROCESS_FILTER", "x"),
    ];
    let lookup = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value))
    };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a", &minimal("my-app", "x"));
    write(dir.path(), "b", &minimal("bad", "y"));
    let many = "[plugin]\nname='many'\n[service]\nnamespace='G'\nprocess_names=['v', 'w']\n";
    write(dir.path(), "c", many);
    write(dir.path(), "d", &minimal("plain", "z"));
    let mut loaded = load(&[dir.path().to_owned()], &[]);
    loaded.apply_environment(&Environment::new(&lookup));
    let names: Vec<&str> = loaded.plugins.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["my-app", "plain"]);
    let plugin = &loaded.plugins[0];
    assert_eq!(plugin.services[0].pattern, "^only$");
    assert_eq!(plugin.services[0].service_name, "N.x");
    let named: Vec<&str> = loaded
        .failed
        .iter()
        .flat_map(|f| &f.problems)
        .filter_map(|p| p.key.as_deref())
        .collect();
    assert_eq!(
        named,
        ["BAD_INTERVAL", "BAD_PROCESS_FILTER", "MANY_PROCESS_FILTER"]
    );

    let (five, nine, sixty) = (
        Duration::from_secs(5),
        Duration::from_secs(9),
        Duration::from_secs(60),
    );
    assert_eq!(plugin.effective_interval(Some(nine), sixty), nine);
    assert_eq!(plugin.effective_interval(None, sixty), five);
    assert_eq!(loaded.plugins[1].effective_interval(None, sixty), sixty);
}

#[test]
fn the_built_in_plugin_groups_everything_by_executable() {
    let host = Plugin::host();
    assert_eq!(host.group_by, GroupBy::Executable);
    assert_eq!(host.services.len(), 1);
    assert_eq!(host.services[0].namespace, "host");
    assert_eq!(host.services[0].service_name, "{group}");
    assert_eq!(host.services[0].name.of_group("nginx"), "nginx");
}

proptest::proptest! {
    #[test]
    fn a_damaged_plugin_never_panics(at in 0..GUIDE.len(), with in ".{0,3}") {
        let mut text = GUIDE.to_owned();
        text.replace_range(at..=at, &with);
        let _ = load_text(&text);
    }
}
