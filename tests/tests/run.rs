//! `sensor run` and `sensor --run-once` with plugins, against real processes,
//! /proc and a real collector. Most need root, for the kernel programs; the
//! collector is rotel: `pip install rotel==0.0.1a15`.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

#[path = "run/exit_codes.rs"]
mod exit_codes;
#[path = "run/kept.rs"]
mod kept;
#[path = "run/matching.rs"]
mod matching;
#[path = "run/names.rs"]
mod names;
#[path = "run/otlp.rs"]
mod otlp;
#[path = "run/proc.rs"]
mod proc;
#[path = "run/reload.rs"]
mod reload;
#[path = "run/top.rs"]
mod top;
#[path = "run/totals.rs"]
mod totals;
#[path = "run/unprivileged.rs"]
mod unprivileged;

use std::process::Stdio;

use sensor_tests::{
    plugins::{Plugins, Watched, service, wait_service},
    process::Running,
    sensor::{Lines, sensor},
};
use serde_json::Value;

/// `sensor run --output json` with these plugins, up to its first report.
fn start(plugins: &Plugins) -> Lines {
    let lines = Lines::start(&mut sensor([
        "run",
        "--plugins",
        &plugins.flag(),
        "--interval",
        "200ms",
        "--output",
        "json",
        "--pids",
    ]));
    lines.wait("the first report", |said| {
        (!said.lines.is_empty()).then_some(())
    });
    lines
}

/// Members that have done something and wait for the end of their input.
fn members(watched: &Watched, number: usize, threads: &str) -> Vec<Running> {
    let start = |_| {
        let mut command = watched.command(&["until-eof", threads, "5000"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::start(&mut command);
        running.wait_for_line("ready");
        running
    };
    (0..number).map(start).collect()
}

/// Their pids, in ascending order.
fn pids(members: &[Running]) -> Vec<u32> {
    let mut pids: Vec<u32> = members.iter().map(Running::pid).collect();
    pids.sort_unstable();
    pids
}
