use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::*;

fn settings(
    flags: &ExportFlags,
    variables: &[(&str, &str)],
    file: &str,
) -> Result<Option<OtlpSettings>, Vec<Problem>> {
    let config = Config::parse(Path::new("f"), file).unwrap();
    let lookup = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value))
    };
    export_settings(flags, &Environment::new(&lookup), &config)
}

fn flags(host: Option<&str>, port: Option<u16>, protocol: Option<&str>, tls: bool) -> ExportFlags {
    ExportFlags {
        agent_host: host.map(|host| agent_host(host).unwrap()),
        agent_port: port,
        protocol: protocol.map(|name| protocol_of_flag(name).unwrap()),
        tls,
    }
}

const FILE: &str = "[export.otlp]\nendpoint = 'http://file:1'";
const OTEL: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:2");
const HOST: (&str, &str) = ("INSTANA_AGENT_HOST", "agent");
const PORT: (&str, &str) = ("INSTANA_AGENT_PORT", "3");
const TLS: (&str, &str) = ("USE_TLS", "true");
const NO_TLS: (&str, &str) = ("USE_TLS", "0");
const HTTP: (&str, &str) = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");

#[test]
fn flag_goes_before_variable_before_file() {
    let none = || flags(None, None, None, false);
    let host = || flags(Some("flag"), None, None, false);
    for (flags, variables, file, expected, origin) in [
        (none(), &[][..], "", None, None),
        (none(), &[TLS, HTTP], "", None, None),
        (none(), &[], FILE, Some("http://file:1"), Some(Origin::File)),
        (
            none(),
            &[OTEL],
            FILE,
            Some("http://otel:2"),
            Some(Origin::Environment),
        ),
        (
            none(),
            &[HOST],
            FILE,
            Some("http://agent:4317"),
            Some(Origin::Environment),
        ),
        (
            none(),
            &[HOST, HTTP],
            "",
            Some("http://agent:4318"),
            Some(Origin::Environment),
        ),
        (
            none(),
            &[HOST, PORT],
            "",
            Some("http://agent:3"),
            Some(Origin::Environment),
        ),
        (
            none(),
            &[PORT],
            "",
            Some("http://localhost:3"),
            Some(Origin::Environment),
        ),
        (
            none(),
            &[HOST, PORT, OTEL],
            "",
            Some("http://otel:2"),
            Some(Origin::Environment),
        ),
        (
            none(),
            &[HOST, TLS],
            "",
            Some("https://agent:4317"),
            Some(Origin::Environment),
        ),
        // The scheme stands beside the variable, above the file.
        (
            none(),
            &[OTEL, TLS],
            "",
            Some("http://otel:2"),
            Some(Origin::Environment),
        ),
        (
            none(),
            &[TLS],
            FILE,
            Some("https://file:1"),
            Some(Origin::File),
        ),
        (
            host(),
            &[OTEL, HOST],
            FILE,
            Some("http://flag:4317"),
            Some(Origin::Flag),
        ),
        (
            host(),
            &[PORT],
            "",
            Some("http://flag:3"),
            Some(Origin::Flag),
        ),
        (
            host(),
            &[HTTP],
            "",
            Some("http://flag:4318"),
            Some(Origin::Flag),
        ),
        (
            host(),
            &[TLS],
            "",
            Some("https://flag:4317"),
            Some(Origin::Flag),
        ),
        (
            flags(Some("::1"), None, Some("http"), true),
            &[NO_TLS],
            "",
            Some("https://[::1]:4318"),
            Some(Origin::Flag),
        ),
        (
            flags(None, Some(9), None, false),
            &[OTEL],
            "",
            Some("http://localhost:9"),
            Some(Origin::Flag),
        ),
        (
            flags(None, None, None, true),
            &[OTEL],
            "",
            Some("https://otel:2"),
            Some(Origin::Environment),
        ),
        (
            flags(None, None, Some("grpc"), false),
            &[HTTP, HOST],
            "",
            Some("http://agent:4317"),
            Some(Origin::Environment),
        ),
        (
            none(),
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector")],
            "",
            Some("http://collector:4317"),
            Some(Origin::Environment),
        ),
        (
            none(),
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "[::1]:5"), TLS],
            "",
            Some("https://[::1]:5"),
            Some(Origin::Environment),
        ),
        (
            none(),
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
            "",
            None,
            None,
        ),
    ] {
        let settings = settings(&flags, variables, file).unwrap();
        let endpoint = settings.as_ref().and_then(|found| found.endpoint.clone());
        assert_eq!(
            endpoint.as_deref(),
            expected,
            "{flags:?} {variables:?} {file}"
        );
        let found = settings.and_then(|found| found.origins.get("export.otlp.endpoint").copied());
        assert_eq!(found, origin, "{flags:?} {variables:?} {file}");
    }
}

#[test]
fn every_variable_is_read_and_beats_the_file() {
    let file = "[export.otlp]\nendpoint = 'http://f:1'\nprotocol = 'grpc'\ncompression = 'gzip'\ntimeout = '1s'\nheaders = {a = 'file'}\n[export.otlp.tls]\nca = 'fa'\ncertificate = 'fc'\nkey = 'fk'";
    let of_file = settings(&ExportFlags::default(), &[], file)
        .unwrap()
        .unwrap();
    assert_eq!(of_file.timeout, Duration::from_secs(1));
    assert_eq!(of_file.ca, Some("fa".into()));
    assert!(of_file.gzip);
    let variables = [
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m:2/x"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l:3"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_HEADERS", " B=x%20y%3D , c = d=e,"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "oa"),
        ("CA_CERT_PATH", "ia"),
        ("CLIENT_CERT_PATH", "ic"),
        ("CLIENT_KEY_PATH", "ik"),
    ];
    let found = settings(&ExportFlags::default(), &variables, file)
        .unwrap()
        .unwrap();
    assert_eq!(found.endpoint.as_deref(), Some("http://f:1"));
    assert_eq!(found.metrics_endpoint.as_deref(), Some("http://m:2/x"));
    assert_eq!(found.logs_endpoint.as_deref(), Some("http://l:3"));
    assert_eq!(found.protocol, Protocol::HttpProtobuf);
    assert!(!found.gzip);
    assert_eq!(found.timeout, Duration::from_millis(2_500));
    let headers: Vec<_> = found
        .headers
        .0
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(headers, [("b", "x y="), ("c", "d=e")]);
    assert_eq!(found.ca, Some("oa".into()));
    assert_eq!(found.certificate, Some("ic".into()));
    assert_eq!(found.key, Some("ik".into()));
    assert!(
        found
            .origins
            .values()
            .filter(|origin| **origin == Origin::Environment)
            .count()
            == 7
    );

    // A flag names one address for all signals.
    let flag = flags(Some("h"), None, None, false);
    let found = settings(&flag, &variables, file).unwrap().unwrap();
    assert_eq!((found.metrics_endpoint, found.logs_endpoint), (None, None));
    assert_eq!(found.endpoint.as_deref(), Some("http://h:4318"));
}

#[test]
fn one_signal_alone_may_have_an_address() {
    let variables = [("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l:3")];
    let found = settings(&ExportFlags::default(), &variables, "")
        .unwrap()
        .unwrap();
    assert_eq!(found.endpoint, None);
    assert_eq!(found.timeout, Duration::from_secs(10));
    assert!(found.gzip);
}

#[test]
fn every_bad_value_is_a_problem_that_names_it() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://x"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://user:secret@h"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
        ("INSTANA_AGENT_HOST", "a:4317"),
        ("INSTANA_AGENT_PORT", "70000"),
        ("USE_TLS", "maybe"),
        ("CLIENT_KEY_PATH", "k"),
    ];
    let problems = settings(&ExportFlags::default(), &variables, "").unwrap_err();
    let mut named: Vec<&str> = problems.iter().filter_map(|p| p.key.as_deref()).collect();
    named.sort_unstable();
    let mut expected: Vec<&str> = variables.map(|(name, _)| name).to_vec();
    expected.retain(|name| *name != "CLIENT_KEY_PATH");
    expected.push("export.otlp.tls");
    expected.sort_unstable();
    assert_eq!(named, expected);
    let text = format!("{problems:?}");
    assert!(!text.contains("secret"), "{text}");
    assert!(text.contains("http/json is not supported"), "{text}");
}

#[test]
fn a_variable_that_is_no_text_is_a_problem() {
    let lookup = |name: &str| (name == "USE_TLS").then(|| OsString::from_vec(vec![0xff]));
    let environment = Environment::new(&lookup);
    let problems =
        export_settings(&ExportFlags::default(), &environment, &Config::default()).unwrap_err();
    assert_eq!(problems[0].to_string(), "USE_TLS: is not UTF-8 text");
}

#[test]
fn headers_never_carry_a_line_break() {
    for text in ["a=x%0d%0aevil: 1", "a=%ff", "a b=c", "=x"] {
        let variables = [("OTEL_EXPORTER_OTLP_HEADERS", text), OTEL];
        let problems = settings(&ExportFlags::default(), &variables, "").unwrap_err();
        assert_eq!(problems.len(), 1, "{text}");
    }
}
