//! The tables that the framework did not have.

use super::*;

fn with(extra: &str) -> String {
    format!("{}{extra}", minimal("p", "x"))
}

#[test]
fn the_new_tables_are_read() {
    let plugin = good(&with(
        r#"
[match]
user = "www-data"
cgroup = "^/system.slice/"
include_descendants = true
[traces]
enabled = true
[logs]
enabled = false
stderr_file = false
journald = false
paths = ["/var/log/app/*.log"]
tap = true
[[custom_metrics]]
name = "myapp.cache.size"
file = "/proc/{pid}/status"
field = "VmSwap"
unit = "By"
scale = 1024
instrument = "updowncounter"
aggregate = "max"
[[custom_metrics]]
name = "heat"
file = "/sys/class/thermal/thermal_zone0/temp"
regex = '^(\d+)$'
scale = -0.001
[[examples]]
name = "x"
[[examples]]
exe = "/usr/bin/y"
args = ["y", "", "--z"]
match = false
"#,
    ));
    assert_eq!(plugin.user.as_deref(), Some("www-data"));
    assert_eq!(plugin.cgroup.as_deref(), Some("^/system.slice/"));
    assert!(plugin.include_descendants && plugin.traces_enabled);
    assert_eq!(
        plugin.logs,
        LogsOptions {
            enabled: false,
            stderr_file: false,
            journald: false,
            paths: vec!["/var/log/app/*.log".to_owned()],
            tap: true,
        }
    );
    assert_eq!(
        plugin.custom_metrics,
        [
            CustomMetric {
                name: "myapp.cache.size".to_owned(),
                file: "/proc/{pid}/status".to_owned(),
                find: Find::Field("VmSwap".to_owned()),
                unit: "By".to_owned(),
                scale: Scale::new(1024.0),
                instrument: Instrument::UpDownCounter,
                aggregate: Aggregate::Max,
            },
            CustomMetric {
                name: "heat".to_owned(),
                file: "/sys/class/thermal/thermal_zone0/temp".to_owned(),
                find: Find::Regex(r"^(\d+)$".to_owned()),
                unit: "1".to_owned(),
                scale: Scale::new(-0.001),
                instrument: Instrument::Gauge,
                aggregate: Aggregate::Sum,
            },
        ]
    );
    assert_eq!(
        plugin.examples,
        [
            Example {
                name: "x".to_owned(),
                matches: true,
                line: 32,
                ..Example::default()
            },
            Example {
                exe: Some("/usr/bin/y".to_owned()),
                args: Some(["y", "", "--z"].map(str::to_owned).to_vec()),
                matches: false,
                line: 34,
                ..Example::default()
            },
        ]
    );
    // What a plugin without these tables has (config.md).
    let plain = good(&minimal("p", "x"));
    assert_eq!((plain.user, plain.cgroup), (None, None));
    assert!(plain.logs.enabled && plain.logs.stderr_file && plain.logs.journald);
    assert!(!plain.logs.tap && !plain.traces_enabled && !plain.include_descendants);
}

#[test]
fn every_fault_of_a_custom_metric_is_named() {
    let metric = |lines: &str| with(&format!("[[custom_metrics]]\n{lines}"));
    let good_lines = "name = 'a.b'\nfile = '/proc/{pid}/io'\nfield = 'f'\n";
    good(&metric(good_lines));
    check_problems(
        &metric("unit = 5\n"),
        &[
            (Some(6), "custom_metrics.field", "is missing (or regex)"),
            (Some(6), "custom_metrics.file", "is missing"),
            (Some(6), "custom_metrics.name", "is missing"),
            (Some(7), "custom_metrics.unit", "expected a string"),
        ],
    );
    for (line, key, message) in [
        ("scale = 0", "scale", "other than 0"),
        ("scale = 0.0", "scale", "other than 0"),
        ("scale = nan", "scale", "not a finite number"),
        ("scale = -inf", "scale", "not a finite number"),
        ("scale = 1e999", "scale", "not a finite number"),
        ("scale = '2'", "scale", "expected a number"),
        ("instrument = 'counter'\nscale = -1", "scale", "above 0"),
        (
            "instrument = 'histogram'",
            "instrument",
            "gauge, counter, updowncounter",
        ),
        ("aggregate = 'mean'", "aggregate", "sum, avg, max, min"),
        ("regex = '(x)'", "regex", "keep one of the two"),
        ("unit = 'µs'", "unit", "ASCII"),
        ("agregate = 'sum'", "agregate", "did you mean `aggregate`?"),
    ] {
        let loaded = load_text(&metric(&format!("{good_lines}{line}\n")));
        let problem = &loaded.failed[0].problems[0];
        let wanted = format!("custom_metrics.{key}");
        assert_eq!(problem.key.as_deref(), Some(&*wanted), "{line}");
        let at = 9 + line.lines().count();
        assert_eq!(problem.line, Some(at), "{line}");
        assert!(problem.message.contains(message), "{problem}");
    }
    for name in ["1a", "a b", "", "ä", ".a", &"a".repeat(256)] {
        let text = good_lines.replace("a.b", name);
        assert!(!load_text(&metric(&text)).failed.is_empty(), "{name}");
    }
    for (regex, message) in [
        ("x", "into parentheses"),
        ("(a)(b)", "has 2 groups"),
        ("(", "unclosed group"),
        ("", "empty pattern"),
    ] {
        let text = good_lines.replace("field = 'f'", &format!("regex = '{regex}'"));
        let loaded = load_text(&metric(&text));
        let problem = &loaded.failed[0].problems[0];
        assert!(problem.message.contains(message), "{problem}");
    }
    let twice = format!(
        "{}[[custom_metrics]]\n{}",
        metric(good_lines),
        good_lines.replace("a.b", "A.B")
    );
    check_problems(
        &twice,
        &[(Some(11), "custom_metrics.name", "has this name")],
    );
}

#[test]
fn a_custom_metric_reads_only_what_is_harmless() {
    let file = |file: &str| {
        with(&format!(
            "[[custom_metrics]]\nname = 'a'\nfield = 'f'\nfile = '{file}'\n"
        ))
    };
    for allowed in [
        "/proc/{pid}/status",
        "/proc/{pid}/net/snmp",
        "/proc/meminfo",
        "/sys/fs/cgroup/system.slice/memory.current",
        "/sys/class/net/eth0/statistics/rx_bytes",
    ] {
        good(&file(allowed));
    }
    for refused in [
        "status",
        "/etc/passwd",
        "/proc",
        "/proc/",
        "/proc/{pid}",
        "/proc/{pid}/",
        "/proc/{pid}/../1/status",
        "/proc//meminfo",
        "/proc/./meminfo",
        "/process/x",
        "/tmp/x",
        "/proc/{pid}/smaps",
        "/proc/{pid}/smaps_rollup",
        "/proc/{pid}/task/1/smaps",
        "/proc/1/smaps",
        "/proc/{pid}/root/etc/passwd",
        "/proc/{pid}/cwd/x",
        "/proc/{pid}/fd/0",
        "/proc/{pid}/environ",
        "/proc/{pid}/mem",
        "/proc/self/status",
        "/proc/thread-self/status",
        "/proc/{tid}/status",
    ] {
        let loaded = load_text(&file(refused));
        let problem = loaded.failed.first().unwrap_or_else(|| panic!("{refused}"));
        let problem = &problem.problems[0];
        assert_eq!(
            problem.key.as_deref(),
            Some("custom_metrics.file"),
            "{refused}"
        );
    }
}

#[test]
fn faults_of_the_new_tables_are_named() {
    check_problems(
        &with(
            "[match]\nuser = true\ncgroup = '('\ninclude_descendants = 'yes'\n\
             [traces]\nenabled = 1\n[logs]\npaths = ['var/log', 3]\ntapp = true\n\
             [[examples]]\nmatch = true\n[[examples]]\nname = ''\nexe = 1\nargs = [1]\nmach = true\n",
        ),
        &[
            (Some(7), "match.user", "expected a string or a whole number"),
            (Some(8), "match.cgroup", "unclosed group"),
            (
                Some(9),
                "match.include_descendants",
                "expected true or false",
            ),
            (Some(11), "traces.enabled", "expected true or false"),
            (Some(13), "logs.paths", "an absolute path"),
            (Some(13), "logs.paths", "expected a string"),
            (Some(14), "logs.tapp", "did you mean `tap`?"),
            (Some(15), "examples", "describes no process"),
            (Some(18), "examples.name", "must not be empty"),
            (Some(19), "examples.exe", "expected a string"),
            (Some(20), "examples.args", "expected a string"),
            (Some(21), "examples.mach", "did you mean `match`?"),
        ],
    );
}

#[test]
fn examples_are_tried_on_the_matcher() {
    let broken = |text: &str| -> Vec<(Option<usize>, String)> {
        let problems = check_examples(&good(text), Path::new("f"));
        let told = problems
            .into_iter()
            .map(|problem| (problem.line, problem.message));
        told.collect()
    };
    let plugin = |process: &str, more: &str| format!("{}{more}", minimal("p", process));
    let right = "[monitoring]\nenabled = false\n[match]\nuser = 'nobody'\ncgroup = 'none'\n\
         [[examples]]\nname = 'containerd-shim-runc-v2'\n\
         [[examples]]\nname = 'containerd-shim-runc-v2'\nargs = ['/bin/containerd-shim-runc-v2', '-id']\n\
         [[examples]]\nexe = '/bin/containerd-shim-runc-v2'\n\
         [[examples]]\nname = 'containerd-shim'\nargs = ['other']\nmatch = false\n\
         [[examples]]\nname = 'spoof'\nargs = ['containerd-shim-runc-v2']\nmatch = false\n";
    assert_eq!(broken(&plugin("^containerd-shim-runc-v2$", right)), []);

    let wrong = "[[examples]]\nname = 'myapp'\nmatch = false\n[[examples]]\nname = 'other'\n";
    let told = broken(&plugin("^MyApp$", wrong));
    assert_eq!(
        told,
        [
            (
                Some(6),
                "must not match and does: the name `myapp`, the pattern `^MyApp$`".to_owned()
            ),
            (
                Some(9),
                "must match and does not: the name `other`, the pattern `^MyApp$`".to_owned()
            ),
        ]
    );

    let cmdline = "[match]\non = 'cmdline'\nexclude = ['--test']\n\
         [[examples]]\nname = 'python3'\nargs = ['python3', '-m', 'app']\n\
         [[examples]]\nargs = ['python3', '-m', 'app', '--test']\nmatch = false\n\
         [[examples]]\nname = 'app'\n";
    let told = broken(&plugin("-m app", cmdline));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains("the example has no args"), "{told:?}");
}
