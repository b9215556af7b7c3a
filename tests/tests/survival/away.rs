//! A collector that is away, slow to come back, or does not want it.

use sensor_tests::faults::Recorder;

use super::*;

#[test]
fn what_waits_survives_a_restart_and_arrives_oldest_first() {
    let host = Host::new();
    let watched = host.plugins.watch(true);
    let lines = host.start();
    short(&watched, "first");
    wait_reports(&lines, 2);
    let errors = terminate(lines);
    assert_eq!(times(&errors, "wait in the store"), 1, "{errors}");
    let lines = host.start();
    short(&watched, "second");
    host.wait_written(&lines);
    kill(lines);
    let lines = host.start();
    short(&watched, "third");
    wait_reports(&lines, 2);
    let collector = Collector::start();
    host.open(&collector);
    for mark in ["third", "second", "first"] {
        wait_exit(&collector, mark);
    }
    terminate(lines);
    let output = collector.finish();
    let marks = ["first", "second", "third"];
    let places = marks.map(|mark| {
        let mark = format!("Str({mark})");
        exit_marks(&output).position(|args| args.contains(&mark))
    });
    assert!(places.is_sorted(), "{places:?}");
    wait_store(&host.store, "an empty queue", |shown| {
        shown["queue"]["items"] == 0
    });
}

#[test]
fn a_full_queue_drops_the_oldest_and_counts_them_by_signal() {
    // Half of it for each signal.
    let host = Host::with_config("[queue]\nmax_bytes = 65536\n");
    let watched = host.plugins.watch(true);
    let lines = host.start();
    for number in 0..60 {
        short(&watched, &format!("full-{number}"));
    }
    short(&watched, "newest");
    wait_reports(&lines, 2);
    let shown = wait_store(&host.store, "requests", |shown| {
        shown["queue"]["items"].as_u64() > Some(0)
    });
    assert!(
        shown["queue"]["bytes"].as_u64() <= Some(64 << 10),
        "{shown}"
    );
    let collector = Collector::start();
    host.open(&collector);
    wait_exit(&collector, "newest");
    wait_received(&collector, "what was dropped", |received| {
        ["logs", "metrics"].iter().all(|signal| {
            received.of("sensor", "sensor.queue.dropped").any(|point| {
                point.attributes.get("signal") == Some(&format!("Str({signal})"))
                    && point.value > 0.0
            })
        })
    });
    let errors = terminate(lines);
    assert_eq!(times(&errors, "panicked"), 0, "{errors}");
}

#[test]
fn what_is_too_old_is_dropped() {
    let host = Host::with_config("[queue]\nmax_age = \"1s\"\n");
    let watched = host.plugins.watch(true);
    let lines = host.start();
    short(&watched, "old");
    let waited = Instant::now();
    while waited.elapsed() < Duration::from_secs(2) {
        wait_reports(&lines, 1);
    }
    let collector = Collector::start();
    host.open(&collector);
    // The next try may be some seconds off.
    let deadline = Instant::now() + LIMIT;
    while exit_marks(&collector.output()).all(|args| !args.contains("Str(new)")) {
        assert!(Instant::now() < deadline, "nothing arrives");
        short(&watched, "new");
        wait_reports(&lines, 1);
    }
    terminate(lines);
    let output = collector.finish();
    assert!(!exit_marks(&output).any(|args| args.contains("Str(old)")));
}

#[test]
fn what_is_refused_is_not_tried_again_and_is_told_once() {
    const REFUSED: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    let recorder = Recorder::answering(REFUSED);
    let mut host = Host::new();
    host.gate.open(recorder.address().port());
    host.more = vec!["--protocol".to_owned(), "http/protobuf".to_owned()];
    let watched = host.plugins.watch(true);
    let lines = host.start();
    for number in 0..5 {
        short(&watched, &format!("refused-{number}"));
        wait_reports(&lines, 2);
    }
    let errors = terminate(lines);
    for signal in ["metrics", "logs"] {
        let text = format!("Failed to export {signal}");
        assert_eq!(times(&errors, &text), 1, "{errors}");
    }
    assert_eq!(times(&errors, "HTTP status 400"), 2, "{errors}");
    let requests = recorder.requests();
    assert!(requests.len() > 5, "{} requests", requests.len());
    for (number, request) in requests.iter().enumerate() {
        assert!(!requests[..number].contains(request), "request {number}");
    }
}

#[test]
fn a_pause_that_the_collector_asks_for_holds_over_intervals() {
    const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 600\r\n\
        content-length: 0\r\n\r\n";
    let recorder = Recorder::answering(BUSY);
    let mut host = Host::new();
    host.gate.open(recorder.address().port());
    host.more = vec!["--protocol".to_owned(), "http/protobuf".to_owned()];
    let watched = host.plugins.watch(true);
    let lines = host.start();
    short(&watched, "patient");
    wait_reports(&lines, 12);
    // One try a signal.
    assert!(recorder.requests().len() <= 2);
    kill(lines);
    // Who comes back knows nothing of it.
    let collector = Collector::start();
    host.gate.open(collector.ports().http);
    let lines = host.start();
    wait_exit(&collector, "patient");
    terminate(lines);
}
