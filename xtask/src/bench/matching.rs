//! What it costs to match a process that was never seen before.

use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::bars::Bar;
use crate::shell;

/// Most that one new process may cost against 200 patterns, us.
const MOST: f64 = 5.0;

/// A line of the example `matching`.
#[derive(Deserialize)]
struct Figure {
    on: String,
    processes: u64,
    patterns: u64,
    matched: u64,
    ns: u64,
}

/// Measures and prints.
pub fn run() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(shell::root())
        .args(["run", "--quiet", "--release", "--package", "sensor"])
        .args(["--example", "matching"])
        .output()
        .context("cannot run cargo")?;
    anyhow::ensure!(
        output.status.success(),
        "the example `matching` fails: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    for line in String::from_utf8(output.stdout)?.lines() {
        let figure: Figure = serde_json::from_str(line).context("a line of the example")?;
        let bar = Bar::at_most(
            format!("one new process by {}", figure.on),
            figure.ns as f64 / 1e3,
            MOST,
            " us",
        );
        println!(
            "{}: {}, at most {} wanted: {} ({} new processes, {} patterns, {} matched)",
            bar.name,
            bar.measured,
            bar.wanted.trim_start_matches("<= "),
            bar.verdict,
            figure.processes,
            figure.patterns,
            figure.matched
        );
    }
    println!("Following intervals match nobody: test `nothing_is_matched_but_what_is_new`.");
    Ok(())
}
