//! A sensor that ends and comes back goes on where it was.

use std::collections::HashSet;

use sensor_tests::plugins::{points, sum};

use super::*;

fn exits(service: &Value) -> f64 {
    sum(service, "sensor.process.exits", None).unwrap_or(0.0)
}

/// Exits of which nobody knows how.
fn unknown(service: &Value) -> f64 {
    let points = points(service, "sensor.process.exits").unwrap().iter();
    let points = points.filter(|point| {
        point["attributes"]
            .as_object()
            .is_none_or(serde_json::Map::is_empty)
    });
    points.filter_map(|point| point["value"].as_f64()).sum()
}

fn goes_on(end: fn(Lines) -> String) {
    let collector = Collector::start();
    let host = Host::new();
    host.open(&collector);
    let (one, gone) = (host.plugins.watch(true), host.plugins.watch(true));
    let lives = member(&one);
    let mut ends = member(&one);
    let mut last = member(&gone);
    let lines = host.start();
    for number in 0..3 {
        short(&one, &format!("before-{number}"));
    }
    let before = wait_service(&lines, &one.name, "two members, three exits", |service| {
        service["process_count"] == 2 && exits(service) == 3.0
    });
    host.wait_written(&lines);
    end(lines);
    drop((ends.stdin(), last.stdin()));
    assert_eq!((ends.wait().status, last.wait().status), (0, 0));

    let lines = host.start();
    let after = wait_service(&lines, &one.name, "the service", |_| true);
    assert_eq!(after["process_count"], 1, "{after}");
    assert_eq!(after["pids"], serde_json::json!([lives.pid()]));
    assert_eq!(after["service.instance.id"], before["service.instance.id"]);
    // One ended meanwhile.
    assert_eq!((exits(&after), unknown(&after)), (4.0, 1.0), "{after}");
    assert_eq!(sum(&after, "sensor.process.starts", None), Some(3.0));
    for metric in ["sensor.process.lifetime", "sensor.process.memory.peak"] {
        assert_eq!(points(&after, metric), points(&before, metric));
    }
    // The member that lived has done nothing since, and counts once.
    let cpu = |service| sum(service, "process.cpu.time", None).unwrap();
    let more = cpu(&after) - cpu(&before);
    assert!((0.0..0.01).contains(&more), "{more} s more: {after}");
    let silent = wait_service(&lines, &gone.name, "the service that is gone", |_| true);
    assert_eq!(silent["process_count"], 0, "{silent}");
    assert_eq!(sum(&silent, "sensor.process.count", None), Some(0.0));
    assert_eq!(unknown(&silent), 1.0);

    // It goes on, with one start time and one id.
    short(&one, "after");
    wait_service(&lines, &one.name, "the next exit", |service| {
        exits(service) == 5.0
    });
    terminate(lines);
    wait_exit(&collector, "after");
    let received = wait_received(&collector, "the last figures", |received| {
        let mut points = received.of(&one.name, "sensor.process.exits");
        points.any(|point| point.value == 4.0)
    });
    for service in [&one.name, &gone.name] {
        let starts = ["sensor.process.exits", "process.cpu.time"].map(|metric| {
            let starts = received.of(service, metric).map(|point| point.start);
            starts.collect::<HashSet<_>>()
        });
        assert_eq!(starts[0].len(), 1, "{starts:?}");
        assert_eq!(starts[0], starts[1]);
        let points = received.of(service, "sensor.process.count");
        let ids: HashSet<_> = points
            .map(|point| point.of("service.instance.id"))
            .collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
    }
}

#[test]
fn series_go_on_after_a_stop() {
    goes_on(terminate);
}

#[test]
fn series_go_on_after_kill_9() {
    goes_on(kill);
}
