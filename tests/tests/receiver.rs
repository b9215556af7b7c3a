//! Applications that report over OTLP: what went wrong becomes an incident of
//! the process that sent it. Needs root and python3, and the
//! collector rotel: `pip install rotel==0.0.1a15`.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use sensor_tests::{
    collector::{Collector, Ports},
    plugins::Plugins,
    process::{python, run},
    received::Received,
    receiving::Receiving,
    sensor::LIMIT,
};
use serde_json::Value;

/// A request that failed, with the exception; TYPE is its type.
const SPAN: &str = r#"{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"spans":[{
"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331",
"name":"GET /price","kind":2,
"startTimeUnixNano":"1684593022000000000","endTimeUnixNano":"1684593022100000000",
"attributes":[{"key":"http.status_code","value":{"intValue":"500"}},
{"key":"http.target","value":{"stringValue":"/price?token=hunter2"}}],
"events":[{"name":"exception","timeUnixNano":"1684593022050000000","attributes":[
{"key":"exception.type","value":{"stringValue":"TYPE"}},
{"key":"exception.message","value":{"stringValue":"no price, password=hunter2"}}]}]
}]}]}]}"#;

/// What the unit allows, `MemoryMax`.
const MEMORY_KIB: u64 = 128 << 10;

/// Sends empty spans, packed, and prints the status: a few kilobytes of what
/// would be gibibytes.
const BOMB: &str = r#"
import gzip, http.client, sys
def field(number, value):
    length, out = len(value), bytes([number << 3 | 2])
    while length > 127:
        out, length = out + bytes([length & 127 | 128]), length >> 7
    return out + bytes([length]) + value
kind, count = sys.argv[2], int(sys.argv[3])
body = '{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}'
values = '{"attributes":[{"key":"x","value":{"arrayValue":{"values":[%s]}}}]}'
if kind == 'x-protobuf':
    body = field(1, field(2, b'\x12\0' * count))
elif kind == 'json':
    body = (body % ','.join(['{}'] * count)).encode()
else:
    body = (body % values % ','.join([kind] * count)).encode()
    kind = 'json'
body = gzip.compress(body)
to = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))
head = {'Content-Type': 'application/' + kind, 'Content-Encoding': 'gzip'}
to.request('POST', '/v1/traces', body, head)
print(len(body), to.getresponse().status)
"#;

/// Sends a body to an address, `unix:PATH` or a port, and prints the status.
const SEND: &str = r"
import socket, sys
where, body = sys.argv[1], open(sys.argv[2], 'rb').read()
if where.startswith('unix:'):
    s = socket.socket(socket.AF_UNIX)
    s.connect(where[5:])
else:
    s = socket.create_connection(('127.0.0.1', int(where)))
head = 'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
s.sendall((head + 'Content-Length: %d\r\n\r\n' % len(body)).encode() + body)
sys.exit(0 if b' 200 ' in s.recv(100) else 1)
";

/// The most memory that a process has had.
fn memory_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.unwrap().parse().unwrap()
}

fn wait_incident(file: &Path, kind: &str) -> Value {
    let deadline = Instant::now() + LIMIT;
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        let mut lines = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let found = lines.find(|line: &Value| line["exception.type"] == kind);
        if let Some(found) = found {
            return found;
        }
        assert!(Instant::now() < deadline, "no {kind} in {text:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_an_application_reports_is_an_incident_of_its_process() {
    let plugins = Plugins::new();
    let watched = plugins.watch_program(&python(), "");
    let path = |name: &str| plugins.root().join(name);
    let Receiving { lines, ports } = Receiving::start(&plugins, "", &[]);
    let http = ports.http.to_string();

    let socket = format!("unix:{}", path("otlp.sock").display());
    for (address, kind) in [(&http, "PriceError"), (&socket, "KeyError")] {
        fs::write(path("body.json"), SPAN.replace("TYPE", kind)).unwrap();
        let body = path("body.json").display().to_string();
        let sent = run(&mut watched.command(&["-c", SEND, address, &body]));
        assert_eq!(sent.status, 0, "{}", lines.said().errors);
        let found = wait_incident(&path("out.jsonl"), kind);
        assert_eq!(found["sensor.incident.kind"], "reported", "{found}");
        assert_eq!(found["process.pid"], sent.pid, "{found}");
        assert_eq!(found["http.response.status_code"], 500, "{found}");
        assert_eq!(found["url.path"], "/price", "{found}");
        assert!(!found.to_string().contains("hunter2"), "{found}");
    }
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    assert!(!path("otlp.sock").exists(), "the socket stays");
}

#[test]
fn a_small_body_of_empty_spans_takes_no_memory() {
    let plugins = Plugins::new();
    let Receiving { lines, ports } = Receiving::start(&plugins, "", &[]);
    let http = ports.http.to_string();
    for (kind, count, status) in [
        ("x-protobuf", "10000", "200"),
        ("x-protobuf", "1000000", "413"),
        ("x-protobuf", "100000000", "413"),
        ("json", "10000", "200"),
        ("json", "1000000", "413"),
        (r#"{"intValue":1}"#, "150000", "200"),
        (r#"{"intValue":1}"#, "250000", "413"),
        ("1", "2000000", "413"),
    ] {
        let sent = Command::new(python())
            .args(["-c", BOMB, &http, kind, count])
            .output()
            .unwrap();
        let said = String::from_utf8(sent.stdout).unwrap();
        let answered = said.split_whitespace().last();
        assert_eq!(answered, Some(status), "{kind} {count}: {said}");
    }
    let most = memory_kib(lines.pid());
    assert!(most < MEMORY_KIB, "{most} KiB");
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
}

#[test]
fn above_the_most_connections_others_wait_and_it_is_told_once() {
    // What there is of them where there are few descriptors.
    const MOST: usize = 64;
    let plugins = Plugins::new();
    let watched = plugins.watch_program(&python(), "");
    let Receiving { lines, ports } = Receiving::start_by(&plugins, "", |sensor| {
        let mut limited = Command::new("prlimit");
        limited.arg("--nofile=1024:1024").arg(sensor.get_program());
        limited.args(sensor.get_args()).env_clear();
        limited.env("PATH", "/usr/bin:/bin");
        limited.stdin(Stdio::null());
        limited
    });
    let http = ports.http.to_string();
    let connect = || TcpStream::connect(format!("127.0.0.1:{http}")).unwrap();
    let idle: Vec<_> = (0..2 * MOST).map(|_| connect()).collect();
    let warnings = || {
        let said = lines.said().errors.clone();
        said.matches("its most; others wait").count()
    };
    lines.wait("a warning", |said| {
        said.errors
            .contains("the receiver has 64 connections")
            .then_some(())
    });
    drop(idle);
    let path = |name: &str| plugins.root().join(name);
    fs::write(path("body.json"), SPAN.replace("TYPE", "LateError")).unwrap();
    let body = path("body.json").display().to_string();
    let sent = run(&mut watched.command(&["-c", SEND, &http, &body]));
    assert_eq!(sent.status, 0, "{}", lines.said().errors);
    let _ = wait_incident(&path("out.jsonl"), "LateError");
    assert_eq!(warnings(), 1);
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
}

#[test]
fn options_are_taken_over_and_addresses_wait_for_a_restart() {
    let plugins = Plugins::new();
    let watched = plugins.watch_program(&python(), "");
    let path = |name: &str| plugins.root().join(name);
    let Receiving { lines, ports } = Receiving::start(&plugins, "", &[]);
    let http = ports.http.to_string();
    let send = |kind: &str| {
        fs::write(path("body.json"), SPAN.replace("TYPE", kind)).unwrap();
        let body = path("body.json").display().to_string();
        let sent = run(&mut watched.command(&["-c", SEND, &http, &body]));
        assert_eq!(sent.status, 0, "{}", lines.said().errors);
    };
    send("EarlyError");
    let _ = wait_incident(&path("out.jsonl"), "EarlyError");

    let config = fs::read_to_string(path("sensor.toml")).unwrap();
    let other = config.replace(&format!(":{http}"), &format!(":{}", Ports::free().http));
    let options = "ignore_exceptions = [\"HushedError\"]\n";
    fs::write(path("sensor.toml"), other + options).unwrap();
    lines.signal(libc::SIGHUP);
    lines.wait("the reload", |said| {
        let text = &said.errors;
        let both = text.contains("`[receiver]` http will be as the file says after a restart")
            && text.contains("reloaded: the configuration has changed");
        both.then_some(())
    });
    // Where it listened before, by the new options.
    send("HushedError");
    send("LateError");
    let _ = wait_incident(&path("out.jsonl"), "LateError");
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    let out = fs::read_to_string(path("out.jsonl")).unwrap();
    assert!(!out.contains("HushedError"), "{out}");
}

#[test]
fn the_receiver_tells_of_itself() {
    let collector = Collector::start();
    let plugins = Plugins::new();
    let watched = plugins.watch_program(&python(), "");
    let port = collector.ports().grpc.to_string();
    let to = ["--agent-host", "127.0.0.1", "--agent-port", &port];
    let Receiving { lines, ports } = Receiving::start(&plugins, "", &to);
    let http = ports.http.to_string();
    let body = plugins.root().join("body.json").display().to_string();
    let args = ["-c", SEND, &http, &body];
    let mut stranger = Command::new(python());
    // What it says, its status, and who says it.
    for (text, is_taken, command) in [
        (
            SPAN.replace("TYPE", "OneError"),
            true,
            &mut watched.command(&args),
        ),
        (SPAN.replace("TYPE", "TwoError"), true, stranger.args(args)),
        ("{".to_owned(), false, &mut watched.command(&args)),
    ] {
        fs::write(&body, text).unwrap();
        assert_eq!(
            run(command).status == 0,
            is_taken,
            "{}",
            lines.said().errors
        );
    }
    let expected = [
        ("sensor.receiver.accepted", 2.0),
        ("sensor.receiver.refused", 1.0),
        ("sensor.receiver.incidents", 2.0),
        ("sensor.receiver.unmatched", 1.0),
    ];
    collector.wait_until("the figures", LIMIT, |output| {
        let received = Received::parse(output);
        expected.iter().all(|(metric, value)| {
            let mut points = received.of("sensor", metric);
            points.any(|point| point.value >= *value)
        })
    });
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    let output = collector.finish();
    let received = Received::parse(&output);
    for (metric, value) in expected {
        let last = received.of("sensor", metric).last();
        assert_eq!(
            last.map(|point| point.value),
            Some(value),
            "{metric}:\n{output}"
        );
    }
}
