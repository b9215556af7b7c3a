//! What it costs to match a process that was never seen before: for
//! `cargo xtask bench matching`, which builds it with optimisation.
//!
//! Prints a JSON line for each kind of string: `on`, `processes`, `patterns`,
//! `matched` (processes that some pattern matched) and `ns`, nanoseconds a
//! process, the middle figure of the rounds.

use std::{
    env,
    hint::black_box,
    io::{self, Write},
    time::Instant,
};

use anyhow::{Context, Result};
use sensor::plugin::{Args, Candidate, MatchOn, Matcher, Plugin};

#[path = "../benches/paths/patterns.rs"]
mod patterns;

use patterns::{line, name, plugin};

fn main() -> Result<()> {
    let mut numbers = env::args().skip(1).map(|text| text.parse::<usize>());
    let mut number = |what: &'static str, default| {
        let number = numbers.next().transpose().context(what);
        Ok::<usize, anyhow::Error>(number?.unwrap_or(default))
    };
    let processes = number("processes", 10_000)?;
    let patterns = number("patterns", 200)?;
    let rounds = number("rounds", 15)?.max(1);
    let names: Vec<String> = (0..processes).map(name).collect();
    let lines: Vec<Vec<u8>> = names.iter().map(|name| line(name)).collect();
    let mut out = io::stdout().lock();
    for (on, label) in [(MatchOn::Name, "name"), (MatchOn::Cmdline, "cmdline")] {
        let plugins: Vec<Plugin> = (0..patterns).map(|index| plugin(on, index)).collect();
        let mut figures = Vec::new();
        let mut matched = 0;
        for _ in 0..rounds {
            // A new one, so that it remembers nothing.
            let matcher = Matcher::new(&plugins, u32::MAX)?;
            let start = Instant::now();
            matched = count(&matcher, &names, &lines);
            figures.push(start.elapsed().as_nanos() / processes.max(1) as u128);
        }
        figures.sort_unstable();
        let ns = figures[figures.len() / 2];
        writeln!(
            out,
            r#"{{"on":"{label}","processes":{processes},"patterns":{patterns},"matched":{matched},"ns":{ns}}}"#
        )?;
    }
    Ok(())
}

fn count(matcher: &Matcher, names: &[String], lines: &[Vec<u8>]) -> usize {
    let mut matched = 0;
    let mut out = Vec::new();
    for (name, line) in names.iter().zip(lines) {
        let candidate = Candidate {
            pid: 1,
            comm: name.as_bytes(),
            args: Some(Args::NulSeparated(line)),
            ..Candidate::default()
        };
        matcher.matches(black_box(&candidate), &mut out);
        matched += usize::from(!out.is_empty());
    }
    matched
}
