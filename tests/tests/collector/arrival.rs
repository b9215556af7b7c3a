//! What is sent is what a collector reads.

use sensor_tests::{collector::Collector, faults::Recorder};

use super::*;

const CASES: [(Protocol, Compression, &str); 4] = [
    (Protocol::Grpc, Compression::None, "grpc-plain"),
    (Protocol::Grpc, Compression::Gzip, "grpc-gzip"),
    (Protocol::HttpProtobuf, Compression::None, "http-plain"),
    (Protocol::HttpProtobuf, Compression::Gzip, "http-gzip"),
];

fn endpoint(collector: &Collector, protocol: Protocol) -> String {
    match protocol {
        Protocol::Grpc => collector.grpc_endpoint(),
        Protocol::HttpProtobuf => collector.http_endpoint(),
    }
}

/// Every line, in this order, with others between them.
#[track_caller]
fn assert_in_order(output: &str, lines: &[&str]) {
    let mut printed = output.lines().map(str::trim);
    for line in lines {
        assert!(
            printed.any(|other| other == *line),
            "{line:?} is missing, or not in its place, in:\n{output}"
        );
    }
}

#[test]
fn metrics_arrive_complete_over_both_protocols_with_and_without_gzip() {
    let collector = Collector::start();
    for (protocol, compression, service) in CASES {
        let config = OtlpConfig {
            compression,
            ..config(endpoint(&collector, protocol), protocol)
        };
        assert_eq!(send_metrics(&config, service), delivered(), "{service}");
        // The last line of the last metric.
        let start = format!("-> service.name: Str({service})");
        let output = collector.wait_until(&start, SOON, |output| {
            output
                .split_once(&start)
                .is_some_and(|(_, output)| output.contains("Bucket (2, 4]"))
        });
        let (_, output) = output.split_once(&start).unwrap();
        assert_in_order(
            output,
            &[
                "-> service.namespace: Str(shop)",
                "-> service.instance.id: Str(00000000-0000-0000-0000-000000000007)",
                "-> service.version: Str(1.2)",
                "-> sensor.group: Str(/usr/bin/till)",
                "-> host.name: Str(till-7.example)",
                "-> host.id: Str(0123456789abcdef0123456789abcdef)",
                "-> os.type: Str(linux)",
                "-> deployment.environment: Str(production)",
                "ScopeMetrics SchemaURL: https://opentelemetry.io/schemas/1.44.0",
                concat!("InstrumentationScope sensor ", env!("CARGO_PKG_VERSION")),
                "-> Name: process.cpu.time",
                "-> Description: A sample.",
                "-> Unit: s",
                "-> DataType: Sum",
                "-> IsMonotonic: true",
                "-> AggregationTemporality: AGGREGATION_TEMPORALITY_CUMULATIVE",
                "-> cpu.mode: Str(user)",
                "StartTimestamp: 1767323040000000000",
                "Timestamp: 1767323045000000006",
                "Value: 1.25",
                "-> cpu.mode: Str(system)",
                "Value: 0.5",
                "-> Name: sensor.process.exits",
                "-> process.exit.code: Int(3)",
                "Value: 17",
                "-> Name: process.memory.usage",
                "-> IsMonotonic: false",
                "Value: 8388608",
                "-> Name: process.uptime",
                "-> DataType: Gauge",
                "StartTimestamp: 0",
                "Value: 4.75",
                "-> Name: sensor.process.lifetime",
                "-> DataType: ExponentialHistogram",
                "-> AggregationTemporality: AGGREGATION_TEMPORALITY_CUMULATIVE",
                "StartTimestamp: 1767323040000000000",
                "Count: 6",
                "Sum: 12.5",
                "Min: 0",
                "Max: 4",
                "Bucket [0, 0], Count: 1",
                "Bucket (0.5, 1], Count: 1",
                "Bucket (1, 2], Count: 0",
                "Bucket (2, 4], Count: 4",
            ],
        );
    }
}

#[test]
fn events_arrive_complete_over_both_protocols() {
    let collector = Collector::start();
    let background = Background::start();
    for (number, protocol) in [(1, Protocol::Grpc), (2, Protocol::HttpProtobuf)] {
        let otlp = config(endpoint(&collector, protocol), protocol)
            .check()
            .unwrap();
        for batch in wire::log_batches(
            &samples::events(number),
            &samples::host(),
            MAX_REQUEST_BYTES,
        ) {
            let mut sender = Sender::new(&otlp, Signal::Logs).unwrap();
            let outcome = background.wait(sender.send(batch.bytes));
            assert_eq!(outcome, delivered());
        }
        let last = format!("-> log.record.uid: Str(00000000-0000-0000-0000-0000000000{number}2)");
        let output = collector.wait_until(&last, SOON, |output| {
            output
                .split_once(&last)
                .is_some_and(|(_, output)| output.contains("-> service.name: "))
        });
        let pid = format!("-> process.pid: Int({})", 1_000_000 + number);
        let uid = format!("-> log.record.uid: Str(00000000-0000-0000-0000-0000000000{number}1)");
        assert_in_order(
            &output,
            &[
                "Resource SchemaURL: https://opentelemetry.io/schemas/1.44.0",
                "-> service.name: Str(sensor)",
                "-> service.instance.id: Str(00000000-0000-0000-0000-00000000a9e7)",
                "-> host.name: Str(till-7.example)",
                "-> os.type: Str(linux)",
                "ObservedTimestamp: 1767323045000000006",
                "Timestamp: 1767323045000000006",
                "SeverityText: INFO",
                "SeverityNumber: SEVERITY_NUMBER_INFO(9)",
                "EventName: process.exec",
                &uid,
                &pid,
                "-> process.creation.time: Str(2026-01-02T03:04:00.000000000Z)",
                "-> process.executable.path: Str(/usr/bin/till)",
                "-> process.user.id: Int(33)",
                "EventName: process.exit",
                &last,
                &pid,
                "-> process.exit.code: Int(3)",
                "-> sensor.threads: Int(2)",
            ],
        );
        assert!(output.contains(&format!("--number={number}")), "{output}");
    }
}

#[test]
fn requests_have_the_headers_of_the_specification_and_share_a_connection() {
    let recorder = Recorder::answering(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n",
    );
    let otlp = OtlpConfig {
        headers: Headers([("X-Tenant".to_owned(), "shop".to_owned())].into()),
        ..config(
            format!("{}/otlp", recorder.endpoint()),
            Protocol::HttpProtobuf,
        )
    }
    .check()
    .unwrap();
    let batches = wire::metric_batches(
        &samples::report("till"),
        &samples::host(),
        MAX_REQUEST_BYTES,
    );
    // One thread, so that the connection's task has its turn between sends.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut sender = Sender::new(&otlp, Signal::Metrics).unwrap();
        for _ in 0..5 {
            let outcome = sender.send(batches[0].bytes.clone()).await;
            assert_eq!(outcome, delivered());
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
    });
    let requests = recorder.requests();
    assert_eq!((requests.len(), recorder.connections()), (5, 1));
    let request = String::from_utf8_lossy(&requests[0]).to_ascii_lowercase();
    let (head, _) = request.split_once("\r\n\r\n").unwrap();
    for line in [
        "post /otlp/v1/metrics http/1.1".to_owned(),
        format!("host: {}", recorder.address()),
        "content-type: application/x-protobuf".to_owned(),
        "content-encoding: gzip".to_owned(),
        "x-tenant: shop".to_owned(),
        concat!("user-agent: sensor/", env!("CARGO_PKG_VERSION")).to_owned(),
    ] {
        assert!(head.lines().any(|other| other == line), "{line} in {head}");
    }
}
