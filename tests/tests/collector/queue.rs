//! The export task while a collector comes and goes.

use std::time::Instant;

use sensor::export::{Exporter, ExporterConfig, ExporterHandle, Stats};
use sensor_tests::{
    collector::{Collector, Ports},
    faults::Faulty,
};

use super::*;

const DRAIN: Duration = LIMIT;

fn start(background: &Background, config: &OtlpConfig) -> ExporterHandle {
    let config = ExporterConfig::new(config.check().unwrap());
    Exporter::start(config, samples::host(), background.handle())
}

/// Waits for counters; they have no way to call.
#[track_caller]
fn wait_for_stats(exporter: &ExporterHandle, condition: impl Fn(&Stats) -> bool) -> Stats {
    let deadline = Instant::now() + SOON;
    loop {
        let stats = exporter.stats();
        if condition(&stats) {
            return stats;
        }
        assert!(Instant::now() < deadline, "{stats:#?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The places of these services in the collector's output.
fn places(output: &str, services: impl Iterator<Item = String>) -> Vec<Option<usize>> {
    services
        .map(|service| output.find(&format!("-> service.name: Str({service})\n")))
        .collect()
}

#[test]
fn both_signals_are_delivered_and_counted() {
    let collector = Collector::start();
    let background = Background::start();
    let exporter = start(
        &background,
        &config(collector.grpc_endpoint(), Protocol::Grpc),
    );
    exporter.enqueue_metrics(&samples::report("till"));
    exporter.enqueue_logs(&samples::events(1));
    exporter.enqueue_logs(&[]);
    let stats = background.wait(exporter.shutdown(DRAIN));
    for (signal, records) in [(stats.metrics, samples::POINTS), (stats.logs, 2)] {
        assert_eq!((signal.attempts, signal.failures), (1, 0));
        assert_eq!(signal.delivered_records, records);
        assert_eq!((signal.queue_items, signal.queue_bytes), (0, 0));
    }
    collector.wait_for("Str(till)", SOON);
    collector.wait_for("EventName: process.exit", SOON);
}

#[test]
fn what_waits_is_delivered_in_order_when_the_collector_comes_and_comes_back() {
    let ports = Ports::free();
    let background = Background::start();
    let endpoint = format!("http://127.0.0.1:{}", ports.grpc);
    let exporter = start(&background, &config(endpoint, Protocol::Grpc));
    for number in 0..5 {
        exporter.enqueue_metrics(&samples::report(&format!("early-{number}")));
    }
    let stats = wait_for_stats(&exporter, |stats| stats.metrics.failures > 0);
    assert_eq!(stats.metrics.queue_items, 5);
    assert!(stats.metrics.oldest_age.is_some());

    let collector = Collector::start_on(ports);
    let last = "Str(early-4)";
    let output = collector.wait_for(last, SOON);
    let early = places(&output, (0..5).map(|number| format!("early-{number}")));
    assert!(
        early.iter().all(Option::is_some) && early.is_sorted(),
        "{output}"
    );
    wait_for_stats(&exporter, |stats| stats.metrics.queue_items == 0);

    let ports = collector.stop();
    exporter.enqueue_metrics(&samples::report("late-0"));
    exporter.enqueue_metrics(&samples::report("late-1"));
    let failures = exporter.stats().metrics.failures;
    wait_for_stats(&exporter, |stats| stats.metrics.failures > failures);
    let collector = Collector::start_on(ports);
    let output = collector.wait_for("Str(late-1)", SOON);
    let late = places(&output, (0..2).map(|number| format!("late-{number}")));
    assert!(
        late.iter().all(Option::is_some) && late.is_sorted(),
        "{output}"
    );
    let stats = wait_for_stats(&exporter, |stats| stats.metrics.queue_items == 0);
    assert_eq!(stats.metrics.delivered_records, 7 * samples::POINTS);
    assert_eq!(stats.metrics.dropped_items, 0);
}

#[test]
fn a_collector_that_asks_for_a_pause_gets_it_and_then_the_data() {
    const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\n\
        connection: close\r\ncontent-length: 0\r\n\r\n";
    let collector = Collector::start();
    let busy = Faulty::first(&[BUSY], collector.ports().http);
    let background = Background::start();
    let exporter = start(
        &background,
        &config(busy.endpoint(), Protocol::HttpProtobuf),
    );
    let before = Instant::now();
    exporter.enqueue_metrics(&samples::report("patient"));
    collector.wait_for("Str(patient)", SOON);
    assert!(before.elapsed() >= Duration::from_secs(2));
    let stats = wait_for_stats(&exporter, |stats| stats.metrics.queue_items == 0);
    assert_eq!((stats.metrics.attempts, stats.metrics.failures), (2, 1));
}

#[test]
fn a_full_queue_drops_the_oldest_and_says_how_much() {
    let ports = Ports::free();
    let background = Background::start();
    let otlp = config(format!("http://127.0.0.1:{}", ports.grpc), Protocol::Grpc);
    let [batch] = wire::metric_batches(&samples::report("full-00"), &samples::host(), 1 << 20)
        .try_into()
        .unwrap();
    // Half of it is for metrics: four reports and a bit.
    let exporter = Exporter::start(
        ExporterConfig {
            queue_max_bytes: 2 * (4 * batch.bytes.len() + 10),
            ..ExporterConfig::new(otlp.check().unwrap())
        },
        samples::host(),
        background.handle(),
    );
    for number in 0..20 {
        exporter.enqueue_metrics(&samples::report(&format!("full-{number:02}")));
    }
    let stats = exporter.stats();
    assert_eq!(stats.metrics.queue_items, 4);
    assert_eq!(stats.metrics.dropped_items, 16);
    assert_eq!(stats.metrics.dropped_records, 16 * samples::POINTS);
    assert_eq!(stats.logs.dropped_items, 0);

    let collector = Collector::start_on(ports);
    let output = collector.wait_for("Str(full-19)", SOON);
    let newest = places(&output, (17..20).map(|number| format!("full-{number}")));
    assert!(
        newest.iter().all(Option::is_some) && newest.is_sorted(),
        "{output}"
    );
    let stats = wait_for_stats(&exporter, |stats| stats.metrics.queue_items == 0);
    assert_eq!(stats.metrics.delivered_records, 4 * samples::POINTS);
}

#[test]
fn shutdown_waits_for_a_silent_collector_no_longer_than_told() {
    let silent = Faulty::silent();
    let background = Background::start();
    // Longer than any test lives: it is not what ends the wait.
    let config = OtlpConfig {
        timeout: Duration::from_secs(3_600),
        ..config(silent.endpoint(), Protocol::Grpc)
    };
    let exporter = start(&background, &config);
    exporter.enqueue_metrics(&samples::report("till"));
    exporter.enqueue_logs(&samples::events(1));
    let stats = background.wait(exporter.shutdown(Duration::from_millis(500)));
    assert_eq!((stats.metrics.queue_items, stats.logs.queue_items), (1, 1));
}
