//! To a collector: once each, repeats counted, and nothing lost.

use std::{collections::BTreeMap, fs};

use sensor_tests::{
    collector::Collector,
    gate::Gate,
    received::{Received, Record},
    sensor::{LIMIT, Lines, sensor, store},
};

use super::*;

/// Longer than any test takes.
const LONG_WINDOW: &str = "1h";

fn start(plugins: &Plugins, window: &str, port: u16, more: &[&str]) -> Lines {
    let config = plugins.root().join("sensor.toml");
    fs::write(&config, format!("[incident]\nwindow = '{window}'\n")).unwrap();
    let mut command = sensor(["run", "--output", "json", "--interval", "60s"]);
    command.args(["--plugins", &plugins.flag(), "--agent-host", "127.0.0.1"]);
    command.args(["--agent-port", &port.to_string()]);
    command.arg("--config").arg(config).args(more);
    let lines = Lines::start(&mut command);
    lines.wait("the first report", |said| {
        (!said.lines.is_empty()).then_some(())
    });
    lines
}

fn told(output: &str) -> Vec<Record> {
    let all = Received::parse(output).records.into_iter();
    all.filter(|one| one.name == "sensor.incident").collect()
}

fn count(record: &Record) -> u64 {
    let count = &record.attributes["sensor.incident.count"];
    let digits = count.trim_start_matches("Int(").trim_end_matches(')');
    digits.parse().unwrap()
}

#[test]
fn repeats_are_counted_and_the_counts_sum_up() {
    let collector = Collector::start();
    let plugins = Plugins::new();
    let watched = plugins.watch_program("/bin/sh", "");
    let lines = start(&plugins, LONG_WINDOW, collector.ports().grpc, &[]);
    let mut happened = BTreeMap::new();
    for code in [3, 4, 3, 3, 4, 3] {
        run(&mut watched.command(&["-c", &format!("exit {code}")]));
        *happened.entry(format!("exit code {code}")).or_insert(0) += 1;
    }
    // The first of each comes at once, the interval being a minute.
    let output = collector.wait_until("the first of each", SOON, |output| told(output).len() == 2);
    assert!(told(&output).iter().all(|one| count(one) == 1));
    let (ended, _) = lines.interrupt();
    assert_eq!(ended.status, 0);
    let records = told(&collector.finish());
    let mut counted = BTreeMap::new();
    for record in &records {
        let cause = record.text("sensor.incident.cause").unwrap().to_owned();
        *counted.entry(cause).or_insert(0) += count(record);
        assert_eq!(
            record.text("log.record.uid"),
            record.text("sensor.incident.id")
        );
    }
    assert_eq!((counted, records.len()), (happened, 4));
}

#[test]
fn the_end_of_a_window_tells_the_repeats() {
    let collector = Collector::start();
    let plugins = Plugins::new();
    let watched = plugins.watch_program("/bin/sh", "");
    let _lines = start(&plugins, "1s", collector.ports().grpc, &[]);
    for _ in 0..5 {
        run(&mut watched.command(&["-c", "exit 3"]));
    }
    collector.wait_until("five in all", LIMIT, |output| {
        told(output).iter().map(count).sum::<u64>() == 5
    });
}

#[test]
fn an_incident_that_was_accepted_survives_kill_9() {
    let gate = Gate::closed();
    let plugins = Plugins::new();
    let watched = plugins.watch_program("/bin/sh", "");
    let path = store();
    let path = path.to_str().unwrap();
    let more = ["--metadata-db-path", path];
    let lines = start(&plugins, LONG_WINDOW, gate.port(), &more);
    let items = || {
        let mut show = sensor(["store", "show", "--json", "--metadata-db-path", path]);
        let shown: Value = serde_json::from_slice(&show.output().unwrap().stdout).unwrap();
        shown["queue"]["items"].as_u64().unwrap()
    };
    let before = items();
    run(&mut watched.command(&["-c", "exit 3"]));
    // Written long before the end of the interval.
    let deadline = std::time::Instant::now() + SOON;
    while items() == before {
        assert!(std::time::Instant::now() < deadline, "it is not written");
        std::thread::sleep(Duration::from_millis(20));
    }
    lines.signal(libc::SIGKILL);
    let (ended, _) = lines.end();
    assert_eq!(ended.status, libc::SIGKILL);

    let collector = Collector::start();
    gate.open(collector.ports().grpc);
    let _lines = start(&plugins, LONG_WINDOW, gate.port(), &more);
    let output = collector.wait_until("the incident", LIMIT, |output| !told(output).is_empty());
    let records = told(&output);
    assert_eq!(
        records[0].text("sensor.incident.cause"),
        Some("exit code 3")
    );
}
