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

/// Words that names of programs are made of.
const WORDS: [&str; 16] = [
    "nginx", "worker", "java", "agent", "sync", "proxy", "cache", "queue", "index", "auth", "mail",
    "batch", "shard", "relay", "audit", "store",
];

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

/// A name that no other number has, of at most 15 bytes.
fn name(number: usize) -> String {
    let word = WORDS[number % WORDS.len()];
    format!("{word}{number}")
}

/// Arguments of the usual length.
fn line(name: &str) -> Vec<u8> {
    format!(
        "/usr/lib/{name}/bin/{name}\0--config=/etc/{name}/main.conf\0--listen\0127.0.0.1:8080\0\
         --log-level=info\0"
    )
    .into_bytes()
}

/// The kinds of patterns that people write.
fn plugin(on: MatchOn, index: usize) -> Plugin {
    let word = WORDS[index % WORDS.len()];
    let pattern = match index % 4 {
        0 => format!("^{word}{index}$"),
        1 => format!("{word}-?{index}.*"),
        2 => format!("^(a|b)?{word}[0-9]+x{index}"),
        _ => format!("Srv{word}{index}"),
    };
    let mut plugin = Plugin::host();
    plugin.name = format!("p{index}");
    plugin.match_on = on;
    for service in &mut plugin.services {
        service.pattern.clone_from(&pattern);
    }
    plugin
}
