//! Collectors that are away, slow, silent, wrong or talk nonsense.

use std::{
    io::{Read, Write},
    sync::mpsc,
    thread,
};

use sensor::export::send_once;
use sensor_tests::{
    collector::{Collector, Ports},
    faults::{Faulty, Recorder},
};

use super::*;

const BOTH: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];

fn once(config: &OtlpConfig) -> Result<(), String> {
    let otlp = config.check().unwrap();
    let report = samples::report("till");
    Background::start()
        .wait(send_once(&otlp, &samples::host(), &report))
        .map_err(|error| error.to_string())
}

#[test]
fn an_absent_collector_is_named_in_one_line() {
    let port = Ports::free().grpc;
    for protocol in BOTH {
        for host in ["127.0.0.1", "localhost"] {
            let config = config(format!("http://{host}:{port}"), protocol);
            assert_eq!(
                once(&config).unwrap_err(),
                format!("Failed to export metrics: {host}:{port}: connection refused")
            );
        }
    }
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    // RFC 6761: .invalid never resolves.
    let config = config("http://no-such-host.invalid".to_owned(), Protocol::Grpc);
    let line = once(&config).unwrap_err();
    assert!(
        line.starts_with("Failed to export metrics: no-such-host.invalid:80: "),
        "{line}"
    );
    assert!(line.contains("name"), "{line}");
}

#[test]
fn a_silent_collector_costs_the_timeout_and_no_more() {
    let silent = Faulty::silent();
    for scheme in ["http", "https"] {
        for protocol in BOTH {
            let config = OtlpConfig {
                timeout: Duration::from_millis(300),
                ..config(format!("{scheme}://{}", silent.address()), protocol)
            };
            assert_eq!(
                once(&config).unwrap_err(),
                format!(
                    "Failed to export metrics: {}: timed out after 300 ms",
                    silent.address()
                )
            );
        }
    }
}

#[test]
fn one_try_of_run_once_is_ten_seconds_at_most() {
    let silent = Faulty::silent();
    let config = OtlpConfig {
        timeout: Duration::from_secs(60),
        ..config(silent.endpoint(), Protocol::Grpc)
    };
    let (done, wait) = mpsc::channel();
    thread::spawn(move || done.send(once(&config)));
    let line = wait.recv_timeout(LIMIT).expect("it gives up").unwrap_err();
    assert!(line.ends_with(": timed out after 10 s"), "{line}");
    assert_eq!(silent.connections(), 1);
}

#[test]
fn nonsense_is_called_by_its_name() {
    const CLOSED: &str = "connection closed before the answer was complete";
    const NOT_GRPC: &str = "the answer is not gRPC; is it a port for gRPC, with or without TLS?";
    const NOT_HTTP: &str = "the answer is not HTTP/1.1; is it a port for OTLP over HTTP?";
    // Over HTTP the 400 is an answer, and a test of its own.
    let bad_request = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    let cases: [(&'static [u8], &str, &str); 6] = [
        (b"", CLOSED, CLOSED),
        (b"x", NOT_GRPC, NOT_HTTP),
        (&[0xff; 5000], NOT_GRPC, NOT_HTTP),
        (settings, CLOSED, NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\ncontent-le", NOT_GRPC, CLOSED),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
            NOT_GRPC,
            CLOSED,
        ),
    ];
    for (answer, grpc, http) in cases {
        for (protocol, expected) in [(Protocol::Grpc, grpc), (Protocol::HttpProtobuf, http)] {
            let faulty = Faulty::answering(answer);
            let outcome = send_metrics(&config(faulty.endpoint(), protocol), "till");
            let text = String::from_utf8_lossy(answer);
            assert_eq!(retry_reason(outcome), expected, "{protocol:?}, {text:?}");
        }
    }
    let outcome = send_metrics(
        &config(Faulty::answering(bad_request).endpoint(), Protocol::Grpc),
        "till",
    );
    assert_eq!(retry_reason(outcome), NOT_GRPC);
}

#[test]
fn the_wrong_port_or_path_of_a_real_collector_is_reported() {
    let collector = Collector::start();
    let refused = |reason: &str| Outcome::Refused {
        reason: reason.to_owned(),
    };
    assert_eq!(
        send_metrics(&config(collector.http_endpoint(), Protocol::Grpc), "till"),
        refused("HTTP status 404 instead of a gRPC answer; is it a port for gRPC?")
    );
    assert_eq!(
        retry_reason(send_metrics(
            &config(collector.grpc_endpoint(), Protocol::HttpProtobuf),
            "till"
        )),
        "the answer is not HTTP/1.1; is it a port for OTLP over HTTP?"
    );
    let elsewhere = OtlpConfig {
        metrics_endpoint: Some(format!("{}/elsewhere", collector.http_endpoint())),
        ..config(collector.http_endpoint(), Protocol::HttpProtobuf)
    };
    assert_eq!(send_metrics(&elsewhere, "till"), refused("HTTP status 404"));
    assert_eq!(
        once(&elsewhere).unwrap_err(),
        format!(
            "Failed to export metrics: 127.0.0.1:{}: HTTP status 404",
            collector.ports().http
        )
    );
}

#[test]
fn an_answer_without_end_is_not_read() {
    const HEAD: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 9000000000\r\n\r\n";
    let faulty = Faulty::serving(|mut stream, _| {
        let mut chunk = [0; 65_536];
        // An answer comes after a request, or it is no HTTP.
        let mut sent = stream.read(&mut chunk).and_then(|_| stream.write_all(HEAD));
        while sent.is_ok() {
            sent = stream.write_all(&chunk);
        }
    });
    assert_eq!(
        send_metrics(&config(faulty.endpoint(), Protocol::HttpProtobuf), "till"),
        Outcome::Refused {
            reason: "HTTP status 200, but the answer is too long".to_owned()
        }
    );
}

/// `ExportMetricsServiceResponse { partial_success: { 2, "too old" } }`.
const TWO_REJECTED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\
    content-length: 13\r\n\r\n\x0a\x0b\x08\x02\x12\x07too old";
const ALL_REJECTED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\
    content-length: 13\r\n\r\n\x0a\x0b\x08\x06\x12\x07too old";

#[test]
fn partial_success_is_success_unless_nothing_is_left() {
    let recorder = Recorder::answering(TWO_REJECTED);
    let http = config(recorder.endpoint(), Protocol::HttpProtobuf);
    assert_eq!(
        send_metrics(&http, "till"),
        Outcome::Delivered {
            rejected: 2,
            message: "too old".to_owned()
        }
    );
    assert_eq!(once(&http), Ok(()));
    let recorder = Recorder::answering(ALL_REJECTED);
    assert_eq!(
        once(&config(recorder.endpoint(), Protocol::HttpProtobuf)).unwrap_err(),
        format!(
            "Failed to export metrics: {}: 6 of 6 data points rejected: too old",
            recorder.address()
        )
    );
}
