//! Abnormal ends become incidents, with cause and last words: real processes
//! on the real kernel. Needs root; some the collector rotel: `pip install
//! rotel==0.0.1a15`.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

#[path = "incident/cause.rs"]
mod cause;
#[path = "incident/export.rs"]
mod export;
#[path = "incident/journal.rs"]
mod journal;
#[path = "incident/named.rs"]
mod named;
#[path = "incident/oom.rs"]
mod oom;
#[path = "incident/tap.rs"]
mod tap;
#[path = "incident/words.rs"]
mod words;

use std::time::Duration;

use sensor_tests::{
    plugins::{Plugins, Watched},
    process::run,
    sensor::{Events, is, pid},
};
use serde_json::Value;

/// A program of the host that is watched, and `sensor events` that tells of it.
struct Desk {
    plugins: Plugins,
    watched: Watched,
    events: Events,
}

impl Desk {
    /// Watches a program under a name of its own.
    fn watching(program: &str) -> Self {
        let plugins = Plugins::new();
        let watched = plugins.watch_program(program, "");
        let events = Events::start(&["--plugins", &plugins.flag()]);
        Self {
            plugins,
            watched,
            events,
        }
    }

    /// The incident of a process.
    fn incident(&self, of: u32) -> Value {
        let lines = self.events.lines();
        lines.wait(&format!("the incident of {of}"), |said| {
            incidents(&said.lines).find(|one| pid(one) == of).cloned()
        })
    }

    /// All incidents, after everything that has happened went through.
    fn all(self) -> Vec<Value> {
        let last = run(&mut self.watched.command(&["-c", "exit 99"]));
        let _ = self.incident(last.pid);
        let summary = self.events.finish();
        let found = incidents(&summary.events);
        found.filter(|one| pid(one) != last.pid).cloned().collect()
    }
}

fn incidents(lines: &[Value]) -> impl Iterator<Item = &Value> {
    lines.iter().filter(|line| is(line, "sensor.incident"))
}
