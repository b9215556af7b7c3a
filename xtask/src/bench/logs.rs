//! How fast logs are read, beside a reader in Python in the same run.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::{
    bars::{Bar, median},
    document, target,
};
use crate::shell;

/// Lines of each text, and rounds of which the middle one counts.
const LINES: &str = "1000000";
const ROUNDS: usize = 7;
/// Times as many lines a second as the guide's project.
const TIMES: f64 = 10.0;
/// What that reads on a machine of this class, million lines a second: of JSON
/// and of traces. The reader in Python does less with JSON, but tells how fast
/// this very machine is at the moment; with traces, it puts nothing together.
const NAMED: (f64, f64) = (0.417, 0.295);

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
pub fn run(write: bool) -> Result<()> {
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
    let read = |file: &str| {
        let mut command = Command::new(&example);
        figure(command.arg("read").arg(dir.join(file)).arg("1"))
    };
    // By turns, so that both meet the machine as it is.
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        eprintln!("logs, round {round} of {ROUNDS}");
        let mut python = Command::new("python3");
        python
            .args(["-c", REFERENCE])
            .arg(dir.join("json.log"))
            .arg("1");
        rounds.push((figure(&mut python)?, read("json.log")?, read("traces.log")?));
    }
    let plain = read("plain.log")?;
    let middle = |of: &dyn Fn(&Round) -> f64| median(&rounds.iter().map(of).collect::<Vec<_>>());
    let json = middle(&|(python, json, _)| json.rate() / python.rate());
    let traces = middle(&|(python, _, traces)| traces.rate() / (python.rate() * NAMED.1 / NAMED.0));
    let (json_rate, traces_rate) = (
        middle(&|(_, json, _)| json.rate()),
        middle(&|(_, _, traces)| traces.rate()),
    );
    let mut text = String::new();
    let bar = |what: &str, times| Bar::at_least(what.to_owned(), times, TIMES, " times");
    for bar in [
        bar("JSON lines, 10 % errors, of 417,000/s", json_rate / NAMED.0),
        bar("cut traces, of 295,000/s", traces_rate / NAMED.1),
        bar("JSON lines, of Python's here", json),
        bar("cut traces, of 0.71 of Python's here", traces),
        Bar::equal("false incidents, plain lines", plain.incidents as f64, 0.0),
    ] {
        writeln!(text, "{}", bar.line())?;
    }
    writeln!(
        text,
        "\nMillion lines a second: JSON {json_rate:.2}, traces {traces_rate:.2}, plain {:.2}; \
         Python: JSON {:.2}.\n\n\
         Times what the guide's project was measured to read on a machine of this class\n\
         (it is not here to be run), and times what a reader in Python does here, by\n\
         turns, the middle of {ROUNDS} rounds with {LINES} lines each, on one thread. The\n\
         reader does less than that project, but tells how fast the machine is at the\n\
         moment; of traces {:.2} of what it does with JSON, as that project does.",
        plain.rate(),
        middle(&|(python, _, _)| python.rate()),
        NAMED.1 / NAMED.0,
    )?;
    print!("{text}");
    clean(&dir)?;
    match write {
        true => document::write(&document::section("Logs", &text, "bench logs --write")),
        false => Ok(()),
    }
}

/// The reader in Python with JSON; ours with JSON, and with traces.
type Round = (Figure, Figure, Figure);

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
