//! Applications that report over OTLP: what went wrong becomes an incident of
//! the process that sent it. Needs root and python3, and the
//! collector rotel: `pip install rotel==0.0.1a15`.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

use std::{
    fs,
    path::Path,
    process::Command,
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
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    let output = collector.finish();
    let received = Received::parse(&output);
    for (metric, value) in [
        ("sensor.receiver.accepted", 2.0),
        ("sensor.receiver.refused", 1.0),
        ("sensor.receiver.incidents", 2.0),
        ("sensor.receiver.unmatched", 1.0),
    ] {
        let last = received.of("sensor", metric).last();
        assert_eq!(
            last.map(|point| point.value),
            Some(value),
            "{metric}:\n{output}"
        );
    }
}
