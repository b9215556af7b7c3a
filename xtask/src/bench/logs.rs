//! How fast logs are read, beside a reader in Python in the same run.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::{bars::Bar, target};
use crate::shell;

/// Lines of each text, and rounds of which the middle one counts.
const LINES: &str = "1000000";
const ROUNDS: &str = "7";
/// Times as many lines a second as the guide's project.
const TIMES: f64 = 10.0;
/// What that reads of traces, for each line of JSON: 295,000 and 417,000 a
/// second were measured together. The reader in Python does with JSON what it
/// does, so it tells how fast that would be here and now; with traces, it does
/// not: it puts nothing together.
const TRACES: f64 = 295.0 / 417.0;

/// The usual way: `json.loads` and a look at the level, line by line.
const REFERENCE: &str = r#"
import json, sys, time
LEVELS = {"ERROR", "CRITICAL", "FATAL"}
def read(lines):
    found = 0
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if str(record.get("level", "")).upper() in LEVELS:
            message = record.get("message", "")
            kind, _, text = message.partition(":")
            found += bool({"level": record["level"], "type": kind, "message": text.strip(),
                           "timestamp": record.get("timestamp"), "module": record.get("logger"), "raw_log": line})
    return found
with open(sys.argv[1]) as file:
    lines = file.read().splitlines()
figures = []
for _ in range(int(sys.argv[2])):
    start = time.perf_counter_ns()
    found = read(lines)
    figures.append(time.perf_counter_ns() - start)
print(json.dumps({"lines": len(lines), "incidents": found, "ns": sorted(figures)[len(figures) // 2]}))
"#;

/// A line of the example `logs`, or of the reader in Python.
#[derive(Deserialize)]
struct Figure {
    lines: u64,
    incidents: u64,
    ns: u64,
}

impl Figure {
    /// Million lines a second.
    fn rate(&self) -> f64 {
        self.lines as f64 * 1e3 / self.ns.max(1) as f64
    }
}

/// Measures and prints.
pub fn run() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    shell::run(Command::new(cargo).current_dir(shell::root()).args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "sensor",
        "--example",
        "logs",
    ]))?;
    let example = target().join("release/examples/logs");
    let dir = target().join("bench/logs");
    fs::create_dir_all(&dir)?;
    shell::run(Command::new(&example).arg("make").arg(&dir).arg(LINES))?;
    let python = figure(
        Command::new("python3")
            .args(["-c", REFERENCE])
            .arg(dir.join("json.log"))
            .arg("3"),
    )?;
    for (file, what, share) in [
        ("json.log", "JSON lines, 10 % errors", 1.0),
        ("traces.log", "cut traces of four languages", TRACES),
    ] {
        let text = dir.join(file);
        let theirs = python.rate() * share;
        let ours = figure(Command::new(&example).arg("read").arg(&text).arg(ROUNDS))?;
        let bar = Bar::at_least(what.to_owned(), ours.rate() / theirs, TIMES, " times");
        println!(
            "{}: {}, {} wanted: {} (ours {:.2} M lines/s, {} incidents; theirs {theirs:.2})",
            bar.name,
            bar.measured,
            bar.wanted,
            bar.verdict,
            ours.rate(),
            ours.incidents,
        );
    }
    let plain = figure(
        Command::new(&example)
            .arg("read")
            .arg(dir.join("plain.log"))
            .arg(ROUNDS),
    )?;
    println!(
        "plain logs without errors: {} false incidents in {} lines, 0 wanted ({:.2} M lines/s)",
        plain.incidents,
        plain.lines,
        plain.rate()
    );
    clean(&dir)
}

fn figure(command: &mut Command) -> Result<Figure> {
    let output = command.output().context("cannot run it")?;
    ensure!(
        output.status.success(),
        "{command:?} fails: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("a figure")
}

fn clean(dir: &Path) -> Result<()> {
    fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))
}
