use super::*;
use proptest::prelude::*;

fn check(text: &str) -> Result<Config, Vec<Problem>> {
    Config::parse(Path::new("f"), text)
}

/// Every problem as `line: key: part of the message`, in order.
#[track_caller]
fn check_problems(text: &str, expected: &[(Option<usize>, &str, &str)]) {
    let problems = check(text).unwrap_err();
    let shown: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(problems.len(), expected.len(), "{shown:#?}");
    for (problem, (line, key, message)) in problems.iter().zip(expected) {
        assert_eq!(problem.file, Path::new("f"));
        assert_eq!(problem.line, *line, "{problem}");
        assert_eq!(
            problem.key.as_deref().unwrap_or_default(),
            *key,
            "{problem}"
        );
        assert!(problem.message.contains(message), "{problem}");
    }
}

const EVERY_KEY: &str = r#"
plugins = ["/a", "b"]
interval = 30
[host]
enabled = "never"
[kernel]
ebpf = "require"
ring_bytes = 0x10000
max_latency = "20ms"
pin = true
[limits]
processes = 1000
groups = 10
text_bytes = 100_000
collection = "50ms"
[args]
capture = false
max_bytes = 100
[store]
path = "/s"
strict = true
[queue]
max_bytes = 1_000_000
max_age = "1h"
[export.otlp]
endpoint = "https://collector:4317"
protocol = "http/protobuf"
compression = "none"
timeout = 2.5
headers = { Authorization = "Bearer x" }
[export.otlp.tls]
ca = "/ca"
certificate = "/cert"
key = "/key"
[scrub]
words = ["pin"]
patterns = ['\d{16}']
keep = ["token_count"]
[telemetry]
enabled = false
hook_cost = true
"#;

#[test]
fn an_empty_or_absent_file_is_the_default() {
    assert_eq!(check("").unwrap(), Config::default());
    assert_eq!(check("# nothing\n").unwrap(), Config::default());
    let absent = Path::new("/nonexistent/sensor.toml");
    assert_eq!(Config::load(absent, false).unwrap(), Config::default());
    let problems = Config::load(absent, true).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "/nonexistent/sensor.toml: does not exist"
    );
}

#[test]
fn every_key_is_read() {
    let config = check(EVERY_KEY).unwrap();
    assert_eq!(config.plugins, [PathBuf::from("/a"), "b".into()]);
    assert_eq!(config.interval, Duration::from_secs(30));
    assert_eq!(config.host, HostMode::Never);
    assert_eq!(
        config.kernel,
        Kernel {
            ebpf: EbpfMode::Require,
            ring_bytes: 65_536,
            max_latency: Duration::from_millis(20),
            pin: true,
        }
    );
    assert_eq!(
        config.limits,
        Limits {
            processes: 1000,
            groups: 10,
            text_bytes: 100_000,
            collection: Duration::from_millis(50),
        }
    );
    assert_eq!((config.args.capture, config.args.max_bytes), (false, 100));
    assert_eq!(config.store.path, Some("/s".into()));
    assert!(config.store.strict);
    assert_eq!(config.queue.max_bytes, 1_000_000);
    assert_eq!(config.queue.max_age, Duration::from_secs(3_600));
    let otlp = &config.otlp;
    assert_eq!(otlp.endpoint.as_deref(), Some("https://collector:4317"));
    assert_eq!(otlp.protocol, Some(Protocol::HttpProtobuf));
    assert_eq!(otlp.gzip, Some(false));
    assert_eq!(otlp.timeout, Some(Duration::from_millis(2_500)));
    let headers = otlp.headers.as_ref().unwrap();
    assert_eq!(headers.0["authorization"], "Bearer x");
    assert!(!format!("{config:?}").contains("Bearer"));
    assert_eq!(otlp.ca, Some("/ca".into()));
    assert_eq!(otlp.certificate, Some("/cert".into()));
    assert_eq!(otlp.key, Some("/key".into()));
    assert_eq!(config.scrub.words, ["pin"]);
    assert_eq!(config.scrub.patterns, [r"\d{16}"]);
    assert_eq!(config.scrub.keep, ["token_count"]);
    assert!(!config.telemetry.enabled && config.telemetry.hook_cost);
    assert_eq!(config.origin("interval"), Origin::File);
    assert_eq!(config.origin("export.otlp.tls.ca"), Origin::File);
    assert_eq!(config.origin("export.otlp.nothing"), Origin::Default);
}

#[test]
fn all_problems_of_a_file_are_reported_at_once_in_its_order() {
    check_problems(
        r#"
intervall = 10
interval = "soon"
plugins = "/etc"
[host]
enabled = "sometimes"
[kernal]
ebpf = "auto"
[kernel]
ring_bytes = 4095
max_latency = true
[limits]
processes = 99999999999999999999999999
groups = -1
[export.otlp]
endpoint = "ftp://x"
tls.caa = ""
headers = { a = 1, "b c" = "x" }
[scrub]
patterns = [
  'fine',
  '(',
  5,
]
"#,
        &[
            (Some(2), "intervall", "did you mean `interval`?"),
            (Some(3), "interval", "10s"),
            (Some(4), "plugins", "expected an array, found a string"),
            (Some(6), "host.enabled", "auto, always, never"),
            (Some(7), "kernal", "unknown table; did you mean `kernel`?"),
            (Some(10), "kernel.ring_bytes", "from 4096 to 1073741824"),
            (Some(11), "kernel.max_latency", "expected a duration"),
            (Some(13), "limits.processes", "out of range"),
            (Some(14), "limits.groups", "out of range"),
            (Some(16), "export.otlp.endpoint", "http and https"),
            (Some(17), "export.otlp.tls.caa", "did you mean `ca`?"),
            (Some(18), "export.otlp.headers.\"b c\"", "name of a header"),
            (Some(18), "export.otlp.headers.a", "expected a string"),
            (Some(22), "scrub.patterns", "position 1: unclosed group"),
            (Some(23), "scrub.patterns", "expected a string"),
        ],
    );
}

#[test]
fn a_value_of_another_type_is_told_the_possible_ones() {
    let message = "expected one of auto, always, never, found true or false";
    let problem = (Some(2), "host.enabled", message);
    check_problems("[host]\nenabled = true\n", &[problem]);
}

#[test]
fn tables_of_later_releases_are_unknown() {
    check_problems(
        "[replica]\nenabled = true\n[export.prometheus]\nlisten = ''",
        &[
            (Some(1), "replica", "unknown table"),
            (Some(3), "export.prometheus", "unknown table"),
        ],
    );
}

#[test]
fn a_duplicate_does_not_hide_other_problems() {
    check_problems(
        "interval = 1\ninterval = 2\n[host]\nenabled = 'auto'\n[kernel]\n[host]\nenabled = 3\nx = 1\n[export.otlp]\nheaders = {a = '', a = ''}\ntls.ca = ''\ntls.ca = ''\n",
        &[
            (Some(2), "interval", "duplicate key"),
            (Some(6), "host", "duplicate key"),
            (Some(7), "host.enabled", "duplicate key"),
            (Some(8), "host.x", "unknown key"),
            (Some(10), "export.otlp.headers.a", "duplicate key"),
            (Some(12), "export.otlp.tls.ca", "duplicate key"),
        ],
    );
}

#[test]
fn a_syntax_error_has_its_line_and_breeds_no_others() {
    for text in [
        "interval = \n[host]\n",
        "[host]\nenabled = auto\n",
        "\n\n[host\nenabled = 'never'\n",
        "interval = \"10s\nplugins = []\n",
        "= 5",
        "a b = 5",
        "interval = 1 2",
        "\u{0}",
        "interval = '''",
        "]",
        "[]",
        "[[host]",
        "plugins = [1",
        "headers = {a = ",
        "interval = 1979-13-45",
    ] {
        let problems = check(text).unwrap_err();
        assert!(problems[0].line.is_some(), "{text:?}: {problems:?}");
        let about_syntax = |problem: &Problem| problem.message.starts_with("not valid TOML");
        assert!(problems.iter().all(about_syntax), "{text:?}: {problems:#?}");
    }
    // Problems on other lines stay visible.
    check_problems(
        "interval = \nintervall = 1\n",
        &[
            (Some(1), "", "not valid TOML"),
            (Some(2), "intervall", "did you mean"),
        ],
    );
}

#[test]
fn no_depth_ends_the_process() {
    let dotted = vec!["a"; 100_000].join(".");
    let many = 100_000;
    for text in [
        format!("plugins = {}{}", "[".repeat(many), "]".repeat(many)),
        format!("plugins = {}", "[".repeat(many)),
        format!("host = {}", "{a=".repeat(many)),
        format!("host = {}1{}", "{a=".repeat(many), "}".repeat(many)),
        format!("{dotted} = 1"),
        format!("[{dotted}]\nx = 1"),
        format!("[[{dotted}]]\nx = 1"),
        format!("host = {}", "{a.a.a.a.a.a.a.a.a.a.a.a=".repeat(1_000)),
        format!("host = {}", "[{]a.b.c.d.e.f.g={]".repeat(1_000)),
        "[".repeat(many),
        "{".repeat(many),
        "]}".repeat(many),
        "[}".repeat(many),
    ] {
        let problems = check(&text).unwrap_err();
        assert!(problems[0].line.is_some(), "{problems:?}");
    }
}

#[test]
fn a_flood_of_faults_is_counted_not_listed() {
    let text: String = (0..5_000).map(|n| format!("k{n} = 1\n")).collect();
    let problems = check(&text).unwrap_err();
    assert_eq!(problems.len(), 201);
    assert_eq!(problems[200].message, "4800 more problems are not listed");
    let name = "x".repeat(500_000);
    let problems = check(&format!("{name} = 1")).unwrap_err();
    assert!(problems[0].to_string().len() < 500, "{}", problems[0]);
    // Many faults on many lines, and on one: neither takes quadratic time.
    for text in ["a=1\n", "\r", "[a]\n", "'''\n"] {
        assert!(check(&text.repeat(30_000)).is_err());
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, &bytes).unwrap();
        let _ = Config::load(&path, true);
    }

    #[test]
    fn no_text_like_toml_panics(parts in proptest::collection::vec(
        prop::sample::select(vec![
            "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "\n", "\r", " ", "\"", "'", "'''",
            "\"\"\"", "#", "host", "export", "otlp", "tls", "a", "enabled", "plugins", "1", "-",
            "1e400", "0x", "true", "1979-05-27", "é", "\u{feff}", "\\u12", "99999999999999999999",
        ]), 0..60)
    ) {
        let text = parts.concat();
        if let Err(problems) = check(&text) {
            let lines = text.split('\n').count();
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem}");
            }
        }
    }

    #[test]
    fn a_damaged_file_never_panics(at in 0..EVERY_KEY.len(), with in ".{0,3}") {
        let mut text = EVERY_KEY.to_owned();
        text.replace_range(at..=at, &with);
        let _ = check(&text);
    }
}
