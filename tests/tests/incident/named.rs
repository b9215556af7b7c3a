//! Log files that a plugin names: what is written there becomes incidents.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
};

use sensor_tests::{
    sensor::{Lines, sensor, store},
    stored::wait_written,
};

use super::*;

/// Times that name no zone are nine hours ahead.
const ZONE: (&str, &str) = ("TZ", "JST-9");
const CONFIG: &str = r#"
[[incident.transport]]
type = "file"
path = "OUT"

[[logs.format]]
name = "till"
pattern = '^(?P<time>\S+ \S+) till\d+ (?P<level>[A-Z])! (?P<message>.*)$'
time_format = "%Y/%m/%d %H:%M:%S"
levels = { X = "error" }
"#;

/// A plugin that names a log, and a daemon that writes incidents to a file.
struct Till {
    plugins: Plugins,
    store: PathBuf,
}

impl Till {
    fn new() -> Self {
        let plugins = Plugins::new();
        let log = plugins.root().join("till.log");
        let more = format!("[logs]\nenabled = true\npaths = ['{}']\n", log.display());
        let _ = plugins.watch_program("/bin/sh", &more);
        let till = Self {
            plugins,
            store: store(),
        };
        let config = CONFIG.replace("OUT", &till.path("out.jsonl").display().to_string());
        fs::write(till.path("sensor.toml"), config).unwrap();
        till
    }

    fn path(&self, name: &str) -> PathBuf {
        self.plugins.root().join(name)
    }

    fn write(&self, name: &str, message: &str) {
        let mut options = OpenOptions::new();
        let log = options.create(true).append(true).open(self.path(name));
        writeln!(log.unwrap(), "2023/05/20 14:30:22 till7 X! {message}").unwrap();
    }

    fn start(&self) -> Lines {
        let mut command = sensor(["run", "--output", "json", "--metadata-db-path"]);
        command.arg(&self.store).args(["--interval", "1s"]);
        command.args(["--plugins", &self.plugins.flag(), "--config"]);
        command.arg(self.path("sensor.toml")).env(ZONE.0, ZONE.1);
        let lines = Lines::start(&mut command);
        lines.wait("the first report", |said| {
            (!said.lines.is_empty()).then_some(())
        });
        lines
    }

    /// What was told, by any daemon so far.
    fn told(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("out.jsonl")).unwrap_or_default();
        // The last line may not be whole yet.
        let lines = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let lines = lines.map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    fn bodies(&self) -> Vec<String> {
        let told = self.told();
        let bodies = told.iter().filter_map(|one| one["body"].as_str());
        bodies.map(str::to_owned).collect()
    }

    /// Waits until so many were told.
    fn wait(&self, lines: &Lines, count: usize) -> Vec<Value> {
        lines.wait(&format!("{count} incidents"), |_| {
            let told = self.told();
            (told.len() >= count).then_some(told)
        })
    }
}

#[test]
fn formats_and_zone_are_those_of_the_configuration() {
    let till = Till::new();
    till.write("till.log", "of yesterday");
    let lines = till.start();
    till.write("till.log", "drawer stuck");
    let told = till.wait(&lines, 1);
    assert_eq!(lines.interrupt().0.status, 0);
    assert_eq!(told[0]["body"], "drawer stuck");
    assert_eq!(told[0]["sensor.log.format"], "till");
    assert_eq!(told[0]["sensor.incident.kind"], "log");
    // 2023-05-20T05:30:22Z
    assert_eq!(told[0]["time_unix_nano"], 1_684_560_622_000_000_000_u64);
    let log = till.path("till.log");
    assert_eq!(told[0]["log.file.path"], log.to_str().unwrap());
    assert_eq!(till.bodies(), ["drawer stuck"]);
}

#[test]
fn what_was_written_while_no_sensor_ran_is_told_once() {
    let till = Till::new();
    till.write("till.log", "of yesterday");
    let lines = till.start();
    till.write("till.log", "one");
    till.wait(&lines, 1);
    assert_eq!(lines.interrupt().0.status, 0);

    till.write("till.log", "two");
    fs::rename(till.path("till.log"), till.path("till.log.1")).unwrap();
    till.write("till.log", "three");
    let lines = till.start();
    till.wait(&lines, 3);
    assert_eq!(lines.interrupt().0.status, 0);

    let lines = till.start();
    till.write("till.log", "four");
    till.wait(&lines, 4);
    assert_eq!(lines.interrupt().0.status, 0);
    assert_eq!(till.bodies(), ["one", "two", "three", "four"]);
}

/// Lines are rather told twice than never.
#[test]
fn a_crash_loses_no_line() {
    let till = Till::new();
    till.write("till.log", "of yesterday");
    let lines = till.start();
    lines.wait("two more reports", |said| {
        (said.lines.len() > 2).then_some(())
    });
    // The end of the log is in the store.
    wait_written(&till.store);
    till.write("till.log", "one");
    lines.signal(9);
    let _ = lines.end();
    till.write("till.log", "two");
    let lines = till.start();
    let told = lines.wait("the second one", |_| {
        let bodies = till.bodies();
        bodies.contains(&"two".to_owned()).then_some(bodies)
    });
    assert!(told.contains(&"one".to_owned()), "{told:?}");
    assert!(!told.contains(&"of yesterday".to_owned()), "{told:?}");
    assert_eq!(lines.interrupt().0.status, 0);
}
