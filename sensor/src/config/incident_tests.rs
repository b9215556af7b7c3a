use std::path::Path;

use super::*;
use crate::config::{Config, Problem};

fn check(text: &str) -> Result<Config, Vec<Problem>> {
    Config::parse(Path::new("f"), text)
}

/// Every problem as `line: key: part of the message`, in order.
#[track_caller]
fn check_problems(text: &str, expected: &[(usize, &str, &str)]) {
    let problems = check(text).unwrap_err();
    let shown: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(problems.len(), expected.len(), "{shown:#?}");
    for (problem, (line, key, message)) in problems.iter().zip(expected) {
        assert_eq!(problem.line, Some(*line), "{problem}");
        assert_eq!(problem.key.as_deref(), Some(*key), "{problem}");
        assert!(problem.message.contains(message), "{problem}");
    }
}

#[test]
fn every_key_is_read() {
    let config = check(
        r#"
[incident]
enabled = false
window = "5m"
context = ["git", "basic", "git"]
ignore_exits = ["SIGTERM", "int", 9, "34", "Sigpoll"]
[[incident.transport]]
type = "file"
path = "/x"
max_bytes = 5000
keep = 0
fallback = "http"
[[incident.transport]]
type = "http"
url = "https://hooks.example/x?y=z"
headers = { Authorization = "Bearer secret" }
template = '{"text": "{{exception.type}}"}'
timeout = "3s"
tls = { ca = "/ca" }
[[incident.transport]]
type = "kafka"
brokers = ["a", "b:9093", "::1", "[::2]:1"]
topic = "errors"
encoding = "otlp_proto"
tls = true
fallback = "store"
[receiver]
enabled = true
http = ""
grpc = "[::1]:5"
socket = ""
capture_404 = true
capture_request_body = true
ignore_exceptions = ["Http404"]
ignore_paths = ["/health"]
slow_request_threshold = "1.5s"
"#,
    )
    .unwrap();
    let incident = &config.incident;
    assert!(!incident.enabled);
    assert_eq!(incident.window, Duration::from_secs(300));
    assert_eq!(incident.context, ["git", "basic"]);
    let signals: Vec<u8> = incident.ignore_exits.iter().copied().collect();
    assert_eq!(signals, [2, 9, 15, 29, 34]);
    let shown: Vec<String> = incident
        .transports
        .iter()
        .map(|one| one.shown().to_string())
        .collect();
    assert_eq!(
        shown,
        [
            r#"{ fallback = "http", keep = 0, max_bytes = 5000, path = "/x", type = "file" }"#,
            r#"{ headers = { authorization = "(hidden)" }, template = '{"text": "{{exception.type}}"}', timeout = "3s", tls = { ca = "/ca" }, type = "http", url = "https://hooks.example/(hidden)" }"#,
            r#"{ brokers = ["a:9092", "b:9093", "[::1]:9092", "[::2]:1"], encoding = "otlp_proto", fallback = "store", tls = true, topic = "errors", type = "kafka" }"#,
        ]
    );
    let receiver = &config.receiver;
    assert!(receiver.enabled && receiver.capture_404 && receiver.capture_request_body);
    assert_eq!((receiver.http, &receiver.socket), (None, &None));
    assert_eq!(receiver.grpc, "[::1]:5".parse().ok());
    assert_eq!(receiver.ignore_exceptions, ["Http404"]);
    assert_eq!(receiver.ignore_paths, ["/health"]);
    assert_eq!(
        receiver.slow_request_threshold,
        Duration::from_millis(1_500)
    );
}

#[test]
fn without_a_word_it_is_otlp_with_the_store_behind_it() {
    for text in ["", "[incident]\n", "[[logs]]\n"] {
        let Ok(config) = check(text) else { continue };
        let [one] = config.incident.transports.as_slice() else {
            panic!("{:?}", config.incident.transports);
        };
        assert_eq!(one.kind.name, "otlp");
        assert_eq!(one.fallback.map(|kind| kind.name), Some("store"));
        assert_eq!(config.incident.context, ["basic", "process", "system"]);
        let exits: Vec<String> = config
            .incident
            .ignore_exits
            .iter()
            .map(|&signal| signal_name(signal))
            .collect();
        assert_eq!(exits, ["SIGHUP", "SIGINT", "SIGTERM"]);
    }
}

#[test]
fn all_problems_are_told_at_once() {
    check_problems(
        r#"
[incident]
windw = "1s"
window = "0s"
context = ["basic", "proces", 5]
ignore_exits = ["SIGTREM", 0, 65, true, "137"]
[[incident.transport]]
type = "fil"
path = "/x"
[[incident.transport]]
type = "file"
urls = ""
max_bytes = 1
fallback = "stor"
[[incident.transport]]
path = "/x"
fallback = "htp"
[[incident.transport]]
type = "http"
fallback = "http"
headers = { "b c" = "" }
template = "{{exception.typ}}"
[[incident.transport]]
type = "kafka"
brokers = ["http://a:1", "a:0", "a b"]
topic = "a/b"
encoding = "xml"
tls = { ca = "/x", keys = "/y", certificate = "/z" }
[receiver]
http = "0.0.0.0:4318"
grpc = "4317"
socket = "otlp.sock"
ignore_paths = ["health"]
ignore_path = []
"#,
        &[
            (3, "incident.windw", "did you mean `window`?"),
            (4, "incident.window", "from 1s to 24h"),
            (
                5,
                "incident.context",
                "unknown context provider `proces`; did you mean `process`?",
            ),
            (5, "incident.context", "expected a string"),
            (6, "incident.ignore_exits", "0 is not a signal, 1 to 64"),
            (6, "incident.ignore_exits", "137 is not a signal"),
            (6, "incident.ignore_exits", "65 is not a signal"),
            (6, "incident.ignore_exits", "did you mean `SIGTERM`?"),
            (6, "incident.ignore_exits", "wrong type"),
            (
                8,
                "incident.transport.type",
                "unknown transport type `fil`; did you mean `file`?",
            ),
            (12, "incident.transport.urls", "unknown key"),
            (13, "incident.transport.max_bytes", "from 4096"),
            (14, "incident.transport.fallback", "did you mean `store`?"),
            (15, "incident.transport.type", "is missing"),
            (17, "incident.transport.fallback", "did you mean `http`?"),
            (18, "incident.transport.url", "is missing"),
            (20, "incident.transport.fallback", "cannot be the fallback"),
            (21, "incident.transport.headers.\"b c\"", "name of a header"),
            (
                22,
                "incident.transport.template",
                "did you mean `exception.type`?",
            ),
            (25, "incident.transport.brokers", "`a b` is not a broker"),
            (25, "incident.transport.brokers", "`a:0` is not a broker"),
            (
                25,
                "incident.transport.brokers",
                "`http://a:1` is not a broker",
            ),
            (26, "incident.transport.topic", "`a/b` is not the name"),
            (27, "incident.transport.encoding", "json, otlp_proto"),
            (28, "incident.transport.tls", "set both"),
            (28, "incident.transport.tls.keys", "did you mean `key`?"),
            (30, "receiver.http", "127.0.0.1"),
            (31, "receiver.grpc", "127.0.0.1:4328"),
            (32, "receiver.socket", "absolute path"),
            (33, "receiver.ignore_paths", "begin with /"),
            (34, "receiver.ignore_path", "did you mean `ignore_paths`?"),
        ],
    );
}

#[test]
fn a_fallback_must_be_able_to_work() {
    check_problems(
        "[[incident.transport]]\ntype = 'file'\nfallback = 'http'\n",
        &[(
            3,
            "incident.transport.fallback",
            "http has no default url; add a",
        )],
    );
    check_problems(
        "[[incident.transport]]\ntype = 'file'\nfallback = 'store'\n\
         [[incident.transport]]\ntype = 'store'\nfallback = 'file'\n",
        &[(3, "incident.transport.fallback", "leads back to itself")],
    );
    check_problems(
        "[incident.transport]\ntype = 'file'\n",
        &[(1, "incident.transport", "[[incident.transport]]")],
    );
    let many = "[[incident.transport]]\ntype = 'file'\n".repeat(9);
    check_problems(&many, &[(17, "incident.transport", "at most 8")]);
}
