//! What it costs to look at processes, beside the least that it can cost.

use std::{fmt::Write as _, process::Command};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{bars::Bar, document, looking};
use crate::shell;

/// Most that a collection of 100 watched processes may cost, ms.
const COLLECTION: f64 = 3.0;
/// The same in floors of `comm`: on the machine that 3 ms were written down on
/// it was 27 ms.
const FLOORS: f64 = 0.11;
/// Most that `--run-once` may cost, in floors.
const ONCE: f64 = 2.0;

/// A line of the example `collection`.
#[derive(Deserialize)]
struct Figure {
    look: String,
    ms: f64,
    /// Of looks at watched processes.
    processes: Option<u64>,
    reads_each: Option<f64>,
    /// Of one pass over all: what the floor reads, and takes.
    file: Option<String>,
    floor_ms: Option<f64>,
}

/// Measures and prints.
pub fn run(rounds: u32, write: bool) -> Result<()> {
    super::as_root()?;
    let program = super::build()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(shell::root())
        .args(["run", "--quiet", "--release", "--package", "sensor"])
        .args(["--example", "collection"])
        .output()
        .context("cannot run cargo")?;
    anyhow::ensure!(
        output.status.success(),
        "the example `collection` fails: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout)?;
    let figures = lines.lines().map(serde_json::from_str);
    let figures: Vec<Figure> = figures
        .collect::<Result<_, _>>()
        .context("a line of the example")?;
    let floor = figures
        .iter()
        .find(|one| one.file.as_deref() == Some("comm"));
    let floor = floor.and_then(|one| one.floor_ms);
    let mut text = String::new();
    for figure in &figures {
        let (bar, facts) = of(figure);
        writeln!(text, "{}\n    {facts}", bar.line())?;
        // How fast a machine is plays no part in a ratio.
        if let (None, Some(floor)) = (&figure.file, floor) {
            let name = "    in floors of `comm`".to_owned();
            let bar = Bar::at_most(name, figure.ms / floor, FLOORS, "");
            writeln!(text, "{}", bar.line())?;
        }
    }
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    writeln!(text, "\n{}", looking::run(&program, rounds as usize)?)?;
    print!("{text}");
    match write {
        true => document::write(&document::section(
            "Collection",
            &text,
            &format!("bench collection --rounds {rounds} --write"),
        )),
        false => Ok(()),
    }
}

/// The bar of a line, and what else it says.
fn of(figure: &Figure) -> (Bar, String) {
    match (&figure.file, figure.floor_ms) {
        (Some(file), Some(floor)) => (
            Bar::at_most(
                format!("--run-once, floors of `{file}`"),
                figure.ms / floor,
                ONCE,
                "",
            ),
            format!("{:.1} ms, floor {floor:.1} ms", figure.ms),
        ),
        _ => (
            Bar::at_most(
                format!("a collection, processes: {}", figure.look),
                figure.ms,
                COLLECTION,
                " ms",
            ),
            format!(
                "{} processes, {:.2} reads each",
                figure.processes.unwrap_or(0),
                figure.reads_each.unwrap_or(0.0)
            ),
        ),
    }
}
