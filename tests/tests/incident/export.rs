//! To a collector: once each, repeats counted, and nothing lost.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    time::{Instant, UNIX_EPOCH},
};

use sensor_tests::{
    collector::Collector,
    gate::Gate,
    received::{Received, Record},
    sensor::{LIMIT, Lines, sensor, store},
    stored::wait_written_since,
};

use super::*;

/// Longer than any test takes.
const LONG_WINDOW: &str = "1h";

fn start(plugins: &Plugins, window: &str, port: u16, path: &Path) -> Lines {
    let config = plugins.root().join("sensor.toml");
    fs::write(&config, format!("[incident]\nwindow = '{window}'\n")).unwrap();
    let mut command = sensor(["run", "--output", "json", "--metadata-db-path"]);
    command.arg(path).args(["--interval", "60s"]);
    command.args(["--plugins", &plugins.flag(), "--agent-host", "127.0.0.1"]);
    command.args(["--agent-port", &port.to_string()]);
    command.arg("--config").arg(config);
    let lines = Lines::start(&mut command);
    lines.wait("the first report", |said| {
        (!said.lines.is_empty()).then_some(())
    });
    lines
}

/// The incidents that the collector has printed.
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
    let path = store();
    let lines = start(&plugins, LONG_WINDOW, collector.ports().grpc, &path);
    let mut happened = BTreeMap::new();
    for code in [3, 4, 3, 3, 4, 3] {
        let _ = run(&mut watched.command(&["-c", &format!("exit {code}")]));
        *happened.entry(format!("exit code {code}")).or_insert(0) += 1;
    }
    // The first of each comes at once, the interval being a minute.
    let output = collector.wait_until("the first of each", LIMIT, |output| told(output).len() == 2);
    assert!(told(&output).iter().all(|one| count(one) == 1));
    let (ended, _) = lines.interrupt();
    assert_eq!(ended.status, 0);
    // What it could not deliver in the time for that is the next one's.
    let _next = start(&plugins, LONG_WINDOW, collector.ports().grpc, &path);
    collector.wait_until("the repeats", LIMIT, |output| told(output).len() >= 4);
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
    let _lines = start(&plugins, "1s", collector.ports().grpc, &store());
    for _ in 0..5 {
        let _ = run(&mut watched.command(&["-c", "exit 3"]));
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
    let lines = start(&plugins, LONG_WINDOW, gate.port(), &path);
    let items = || {
        let mut show = sensor(["store", "show", "--json", "--metadata-db-path"]);
        show.arg(&path);
        // None where the daemon was writing meanwhile.
        let shown = serde_json::from_slice(&show.output().unwrap().stdout);
        shown.map_or(0, |shown: Value| shown["queue"]["items"].as_u64().unwrap())
    };
    // The first report, which is printed before it is written.
    wait_written_since(&path, UNIX_EPOCH);
    let before = items();
    let _ = run(&mut watched.command(&["-c", "exit 3"]));
    // Written long before the end of the interval.
    let deadline = Instant::now() + LIMIT;
    while items() <= before {
        assert!(Instant::now() < deadline, "it is not written");
        std::thread::sleep(Duration::from_millis(20));
    }
    lines.signal(libc::SIGKILL);
    let (ended, _) = lines.end();
    assert_eq!(ended.status, libc::SIGKILL);

    let collector = Collector::start();
    gate.open(collector.ports().grpc);
    let _lines = start(&plugins, LONG_WINDOW, gate.port(), &path);
    let output = collector.wait_until("the incident", LIMIT, |output| !told(output).is_empty());
    let records = told(&output);
    assert_eq!(
        records[0].text("sensor.incident.cause"),
        Some("exit code 3")
    );
}

/// A named log file: what stood there before is not read, a line and the trace
/// behind it are one incident, and rotation loses nothing.
#[test]
fn errors_in_log_files_are_incidents_of_the_service() {
    let collector = Collector::start();
    let plugins = Plugins::new();
    let log = plugins.root().join("app.log");
    let append = |message: &str| {
        let file = OpenOptions::new().create(true).append(true).open(&log);
        let time = "2026-01-02 03:04:05,678";
        writeln!(file.unwrap(), "{time} - app.db - ERROR - {message}").unwrap();
    };
    append("of yesterday");
    let name = plugins.unique();
    let paths = format!(
        "[logs]\npaths = ['{}']\n",
        plugins.root().join("*.log").display()
    );
    plugins.plugin(&name, &format!("^{name}$"), &paths);
    let _lines = start(&plugins, LONG_WINDOW, collector.ports().grpc, &store());
    // What is written before it follows the file is of yesterday, too. Repeats
    // are folded.
    let deadline = Instant::now() + LIMIT;
    while told(&collector.output()).is_empty() {
        assert!(Instant::now() < deadline, "no line is seen");
        append("cannot connect");
        std::thread::sleep(Duration::from_millis(200));
    }
    fs::rename(&log, plugins.root().join("app.log.1")).unwrap();
    append("rotated");
    let output = collector.wait_until("both", LIMIT, |output| told(output).len() == 2);
    let records = told(&output);
    for record in &records {
        assert_eq!(record.text("sensor.incident.kind"), Some("log"));
        assert_eq!(record.text("log.file.path"), log.to_str());
        assert_eq!(record.text("sensor.log.logger"), Some("app.db"));
        assert!(record.attributes["service.name"].contains(&name));
    }
    assert!(!output.contains("of yesterday"), "{output}");
}
