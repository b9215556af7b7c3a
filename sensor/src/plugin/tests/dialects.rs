//! The dialect of the plugins that the framework shipped, and mixtures.

use super::*;

const SHIPPED: &str = r#"
[metadata]
plugin_name = "m8mulprc"
description = "M8MulPrc monitoring"
author = "somebody"
service_namespace = "Strategy₿"
process_name = "M8MulPrc"

[monitoring]
default_interval = 30
process_patterns = ["M8MulPrc"]
metric_types = ["cpu"]
supports_discovery = true
log_process_details = true

[dependencies]
python_min_version = "3.6"
additional_packages = []

[installation]
systemd_service_name = "instana-m8mulprc-monitor.service"
service_description = "Monitors M8MulPrc"
default_base_dir = "/opt"
requires_root = false
creates_logs_directory = true

[otel_config]
default_agent_host = "localhost"
default_agent_port = 4317
metrics_prefix = "strategy.m8mulprc"
service_name_template = "{service_namespace}.{process_name}"
"#;

#[test]
fn a_shipped_plugin_loads() {
    let loaded = load_text(SHIPPED);
    assert!(loaded.failed.is_empty(), "{:#?}", loaded.failed);
    let plugin = &loaded.plugins[0];
    assert_eq!(plugin.name, "m8mulprc");
    assert_eq!(plugin.description.as_deref(), Some("M8MulPrc monitoring"));
    assert_eq!(plugin.interval, Some(Duration::from_secs(30)));
    assert_eq!(plugin.services[0].service_name, "Strategy₿.M8MulPrc");
    assert_eq!(
        plugin.unit,
        Unit {
            name: Some("instana-m8mulprc-monitor".to_owned()),
            description: Some("Monitors M8MulPrc".to_owned()),
        }
    );
    let warned: Vec<&str> = loaded
        .warnings
        .iter()
        .map(|warning| warning.key.as_deref().unwrap())
        .collect();
    assert_eq!(
        warned,
        [
            "metadata.author",
            "monitoring.process_patterns",
            "monitoring.metric_types",
            "monitoring.supports_discovery",
            "monitoring.log_process_details",
            "dependencies.python_min_version",
            "dependencies.additional_packages",
            "installation.default_base_dir",
            "installation.requires_root",
            "installation.creates_logs_directory",
            "otel_config.default_agent_host",
            "otel_config.default_agent_port",
            "otel_config.metrics_prefix",
        ]
    );
}

#[test]
fn both_dialects_in_one_file_are_one_plugin() {
    let plugin = good(
        "[plugin]\nname = 'p'\nversion = '2'\n[metadata]\nplugin_name = 'p'\n\
         service_namespace = 'N'\nprocess_names = ['a', 'b']\n\
         [monitoring]\ninterval = 60\ndefault_interval = '1m'\n\
         [service]\nprocess_names = ['a', 'b']\n\
         [systemd]\nservice_name = 'u'\n[installation]\nsystemd_service_name = 'u.service'\n\
         service_description = 'd'\n",
    );
    assert_eq!(plugin.version.as_deref(), Some("2"));
    assert_eq!(plugin.interval, Some(Duration::from_secs(60)));
    assert_eq!(plugin.unit.name.as_deref(), Some("u"));
    assert_eq!(plugin.unit.description.as_deref(), Some("d"));
    let names: Vec<&str> = plugin.services.iter().map(|s| &*s.service_name).collect();
    assert_eq!(names, ["N.a", "N.b"]);
}

#[test]
fn what_the_dialects_contradict_each_other_in_is_named() {
    check_problems(
        "[plugin]\nname = 'p'\ndescription = 'x'\n[service]\nnamespace = 'N'\nprocess_name = 'a'\n\
         [metadata]\nplugin_name = 'q'\ndescription = 'y'\nservice_namespace = 'M'\n\
         process_names = ['a', 'b']\n[monitoring]\ninterval = 1\ndefault_interval = 2\n\
         [systemd]\nservice_name = 'u'\n[installation]\nsystemd_service_name = 'v'\n",
        &[
            (
                Some(8),
                "metadata.plugin_name",
                "contradicts plugin.name in line 2",
            ),
            (
                Some(9),
                "metadata.description",
                "contradicts plugin.description",
            ),
            (
                Some(10),
                "metadata.service_namespace",
                "contradicts service.namespace in line 5",
            ),
            (
                Some(11),
                "metadata.process_names",
                "contradicts service.process_name in line 6",
            ),
            (
                Some(14),
                "monitoring.default_interval",
                "contradicts monitoring.interval",
            ),
            (
                Some(18),
                "installation.systemd_service_name",
                "contradicts systemd.service_name",
            ),
        ],
    );
}

#[test]
fn one_name_and_several_are_both_looked_at() {
    check_problems(
        "[plugin]\nname = 'p'\n[service]\nnamespace = 'N'\nprocess_name = '('\n\
         process_names = ['a', '', '[']\n",
        &[
            (Some(5), "service.process_name", "unclosed group"),
            (Some(6), "service.process_names", "empty"),
            (
                Some(6),
                "service.process_names",
                "process_name is there too",
            ),
            (Some(6), "service.process_names", "unclosed character class"),
        ],
    );
}

#[test]
fn a_fault_of_several_names_is_told_once() {
    for (names, message) in [
        ("'x'", "expected an array"),
        ("[]", "is empty; name at least one process"),
        ("[5]", "expected a string"),
    ] {
        check_problems(
            &format!("[plugin]\nname = 'p'\n[service]\nnamespace = 'N'\nprocess_names = {names}\n"),
            &[(Some(5), "service.process_names", message)],
        );
    }
}

#[test]
fn what_is_missing_is_named_in_the_words_of_the_file() {
    check_problems(
        "[metadata]\nauthor = 'x'\n",
        &[
            (Some(1), "metadata.plugin_name", "is missing"),
            (
                Some(1),
                "metadata.process_name",
                "is missing (or process_names)",
            ),
            (Some(1), "metadata.service_namespace", "is missing"),
        ],
    );
    check_problems(
        "[metadata]\nplugin_nam = 'x'\n[plugin]\nversion = '1'\n[installation]\nsystemd_service_name = 'a/b'\n",
        &[
            (Some(1), "metadata.process_name", "is missing"),
            (Some(1), "metadata.service_namespace", "is missing"),
            (
                Some(2),
                "metadata.plugin_nam",
                "did you mean `plugin_name`?",
            ),
            (Some(3), "plugin.name", "is missing"),
            (
                Some(6),
                "installation.systemd_service_name",
                "no name of a unit",
            ),
        ],
    );
}

#[test]
fn variables_work_for_both_dialects_and_for_python() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a", SHIPPED);
    write(dir.path(), "b", GUIDE);
    fs::create_dir(dir.path().join("c")).unwrap();
    let python = "SERVICE_NAMESPACE = 'N'\nPROCESS_NAME = 'x'\nPLUGIN_NAME = 'old.one'\n";
    fs::write(dir.path().join("c/__init__.py"), python).unwrap();
    let lookup = |name: &str| match name {
        "M8MULPRC_INTERVAL" | "MYAPP_INTERVAL" | "OLD_ONE_INTERVAL" => Some("7".into()),
        "M8MULPRC_PROCESS_FILTER" | "OLD_ONE_PROCESS_FILTER" => Some("^y$".into()),
        _ => None,
    };
    let mut loaded = load(&[dir.path().to_owned()], &[]);
    loaded.apply_environment(&Environment::new(&lookup));
    let seen: Vec<_> = loaded
        .plugins
        .iter()
        .map(|plugin| {
            let service = &plugin.services[0];
            let seconds = plugin.interval.unwrap().as_secs();
            (seconds, &*service.pattern, &*service.service_name)
        })
        .collect();
    assert_eq!(
        seen,
        [
            (7, "^y$", "Strategy₿.M8MulPrc"),
            (7, "MyApp", "MyCompany.MyApp"),
            (7, "^y$", "N.x"),
        ]
    );
}
