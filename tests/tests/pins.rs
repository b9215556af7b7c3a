//! `sensor run --pin`: hooks and ring outlive the daemon. Needs root.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

#[path = "pins/detach.rs"]
mod detach;
#[path = "pins/restarts.rs"]
mod restarts;

use std::{path::PathBuf, process::Command};

use sensor_tests::{
    bpffs::{own_bpffs, pins},
    plugins::{Plugins, service, sum},
    sensor::{Lines, sensor, store},
};
use serde_json::Value;

/// What a daemon is started with, again and again.
struct Host {
    plugins: Plugins,
    store: PathBuf,
    interval: &'static str,
    more: Vec<String>,
}

impl Host {
    fn new() -> Self {
        Self {
            plugins: Plugins::new(),
            store: store(),
            interval: "500ms",
            more: vec!["--pin".to_owned()],
        }
    }

    fn command(&self) -> Command {
        let mut command = sensor(["run", "--output", "json", "--pids", "--metadata-db-path"]);
        command.arg(&self.store);
        command.args(["--plugins", &self.plugins.flag()]);
        command.args(["--interval", self.interval]);
        command.args(&self.more);
        command
    }

    /// A daemon that has reported.
    fn start(&self) -> Lines {
        let lines = Lines::start(&mut self.command());
        lines.wait("the first report", |said| {
            (!said.lines.is_empty()).then_some(())
        });
        lines
    }
}

/// The last figures of a service that a daemon told: starts, and exits with 0,
/// 1, 2, and in any way.
fn told(lines: &[Value], name: &str) -> Option<[f64; 5]> {
    let mut last = lines.iter().rev();
    let service = last.find_map(|report| service(report, name))?;
    Some(figures(service))
}

fn figures(service: &Value) -> [f64; 5] {
    let exits = |code: Option<&str>| {
        let attribute = code.map(|code| ("process.exit.code", code));
        sum(service, "sensor.process.exits", attribute).unwrap_or(0.0)
    };
    [
        sum(service, "sensor.process.starts", None).unwrap_or(0.0),
        exits(Some("0")),
        exits(Some("1")),
        exits(Some("2")),
        exits(None),
    ]
}
