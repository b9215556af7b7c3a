//! `--run-once` with a store.

use super::*;

fn once(host: &Host, port: u16) -> (Option<i32>, String, String) {
    let mut command = sensor(["--run-once", "--output", "json", "--metadata-db-path"]);
    command.arg(&host.store);
    command.args(["--plugins", &host.plugins.flag()]);
    command.args(["--agent-host", "127.0.0.1"]);
    command.args(["--agent-port", &port.to_string()]);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    (output.status.code(), out, errors)
}

#[test]
fn a_report_that_could_not_be_sent_is_delivered_by_the_next_daemon() {
    let host = Host::new();
    let watched = host.plugins.watch(false);
    let mut lone = member(&watched);
    let away = sensor_tests::collector::Ports::free().grpc;
    let (code, out, errors) = once(&host, away);
    assert_eq!(code, Some(69), "{errors}");
    assert_eq!(times(&errors, "Failed to export metrics"), 1, "{errors}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let time = report["time_unix_nano"].as_u64();
    let id = service(&report, &watched.name).unwrap()["service.instance.id"].clone();
    drop(lone.stdin());
    assert_eq!(lone.wait().status, 0);

    let collector = Collector::start();
    host.open(&collector);
    let lines = host.start();
    let received = wait_received(&collector, "the report of --run-once", |received| {
        let mut points = received.of(&watched.name, "sensor.process.count");
        points.any(|point| point.value == 1.0)
    });
    let mut points = received.of(&watched.name, "sensor.process.count");
    let first = points.next().unwrap();
    assert_eq!(first.of("service.instance.id"), id.as_str());
    if let Some(time) = time {
        assert_eq!(first.time, time);
    }
    terminate(lines);
}

#[test]
fn beside_a_daemon_known_ids_are_used_and_one_warning_is_given() {
    let collector = Collector::start();
    let host = Host::new();
    host.open(&collector);
    let watched = host.plugins.watch(false);
    let _lone = member(&watched);
    let lines = host.start();
    let known = wait_service(&lines, &watched.name, "the service", |_| true);
    wait_reports(&lines, 2);
    let (code, out, errors) = once(&host, collector.ports().grpc);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(
        errors.contains(&format!("process {}", lines.pid())),
        "{errors}"
    );
    let report: Value = serde_json::from_str(&out).unwrap();
    let seen = service(&report, &watched.name).unwrap();
    assert_eq!(seen["service.instance.id"], known["service.instance.id"]);
    terminate(lines);
}
