//! What survives restarts, kill -9, disks that fail and collectors that are
//! away: the real program, real processes, a real collector, real faults.
//!
//! Needs root, and the collector rotel: `pip install rotel==0.0.1a15`.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

#[path = "survival/away.rs"]
mod away;
#[path = "survival/big.rs"]
mod big;
#[path = "survival/cgroup.rs"]
mod cgroup;
#[path = "survival/cost.rs"]
mod cost;
#[path = "survival/disk.rs"]
mod disk;
#[path = "survival/kill.rs"]
mod kill;
#[path = "survival/masses.rs"]
mod masses;
#[path = "survival/once.rs"]
mod once;
#[path = "survival/resolver.rs"]
mod resolver;
#[path = "survival/restart.rs"]
mod restart;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use sensor_tests::{
    collector::Collector,
    gate::Gate,
    plugins::{Plugins, Watched, service, wait_service},
    process::{Running, run},
    received::Received,
    sensor::{LIMIT, Lines, sensor, store},
    stored::wait_written,
};
use serde_json::Value;

/// A store, plugins, and a way to a collector: what stays while daemons come
/// and go.
struct Host {
    plugins: Plugins,
    gate: Gate,
    store: PathBuf,
    /// More arguments of the daemon.
    more: Vec<String>,
}

impl Host {
    /// The gate is closed.
    fn new() -> Self {
        Self {
            plugins: Plugins::new(),
            gate: Gate::closed(),
            store: store(),
            more: Vec::new(),
        }
    }

    /// With a sensor.toml.
    fn with_config(text: &str) -> Self {
        let mut host = Self::new();
        let path = host.plugins.root().join("sensor.toml");
        std::fs::write(&path, text).unwrap();
        host.more = vec!["--config".to_owned(), path.display().to_string()];
        host
    }

    /// Leads to the collector from now on.
    fn open(&self, collector: &Collector) {
        self.gate.open(collector.ports().grpc);
    }

    fn command(&self) -> Command {
        let mut command = sensor(["run", "--output", "json", "--pids", "--metadata-db-path"]);
        command.arg(&self.store);
        command.args(["--plugins", &self.plugins.flag()]);
        command.args(["--interval", "200ms", "--agent-host", "127.0.0.1"]);
        command.args(["--agent-port", &self.gate.port().to_string()]);
        command.args(&self.more);
        command
    }

    /// A daemon that is attached: it has reported.
    fn start(&self) -> Lines {
        let lines = Lines::start(&mut self.command());
        wait_reports(&lines, 1);
        lines
    }

    /// Waits until all that happened so far is in the store: it is in the
    /// second report from now at the latest.
    fn wait_written(&self, lines: &Lines) {
        wait_reports(lines, 2);
        wait_written(&self.store);
    }
}

/// Waits for so many more reports. They are printed before they are written.
fn wait_reports(lines: &Lines, more: usize) {
    let before = lines.said().lines.len();
    lines.wait("more reports", |said| {
        (said.lines.len() >= before + more).then_some(())
    });
}

/// Waits until a condition holds of the store as `sensor store show` sees it.
fn wait_store(path: &Path, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + LIMIT;
    loop {
        let mut command = sensor(["store", "show", "--json", "--metadata-db-path"]);
        let output = command.arg(path).output().unwrap();
        let shown = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        if condition(&shown) {
            return shown;
        }
        assert!(Instant::now() < deadline, "{what} did not come: {output:?}");
    }
}

/// Ends it at once; nothing of it runs after this.
fn kill(lines: Lines) -> String {
    lines.signal(libc::SIGKILL);
    lines.end().1.errors
}

/// Ends it as `systemctl stop` does.
#[track_caller]
fn terminate(lines: Lines) -> String {
    lines.signal(libc::SIGTERM);
    let (ended, said) = lines.end();
    assert_eq!(ended.status, 0, "{}", said.errors);
    said.errors
}

/// A short process that is told from all others by its last argument.
fn short(watched: &Watched, mark: &str) {
    let ended = run(&mut watched.command(&["exit", "0", mark]));
    assert_eq!(ended.status, 0);
}

/// Waits until the exit of the process with this mark has arrived.
fn wait_exit(collector: &Collector, mark: &str) {
    let mark = format!("Str({mark})");
    collector.wait_until(&format!("the exit of {mark}"), LIMIT, |output| {
        exit_marks(output).any(|args| args.contains(&mark))
    });
}

/// The arguments of processes whose exit is in the collector's output.
fn exit_marks(output: &str) -> impl Iterator<Item = &str> {
    let exits = output.split("EventName: process.exit").skip(1);
    exits.filter_map(|exit| {
        let args = exit.split_once("process.command_args: ")?.1;
        args.lines().next()
    })
}

/// Members that have done something and wait for the end of their input.
fn member(watched: &Watched) -> Running {
    let mut command = watched.command(&["until-eof", "2", "20000"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::start(&mut command);
    running.wait_for_line("ready");
    running
}

/// How often a text is in what a daemon said.
fn times(said: &str, text: &str) -> usize {
    said.matches(text).count()
}

/// What was received, once a condition holds of it.
fn wait_received(
    collector: &Collector,
    what: &str,
    condition: impl Fn(&Received) -> bool,
) -> Received {
    let output = collector.wait_until(what, LIMIT, |output| condition(&Received::parse(output)));
    Received::parse(&output)
}
