//! What it costs to look for exceptions in text, with optimisation:
//! `cargo run --release -p sensor --example traces -- FILE…`.
//!
//! Prints a JSON line: `lines`, `traces`, and `ns`, nanoseconds a line, the
//! middle figure of the rounds. Without files, ordinary lines.

use std::{
    env, fs,
    hint::black_box,
    io::{self, Write},
    time::Instant,
};

use anyhow::Result;
use sensor::incident::exception::{Assembler, Piece};

/// Lines of a text, repeated.
const LINES: usize = 1_000_000;

const ORDINARY: &str = "\
2026-11-22T05:36:10.123Z INFO  shop::till: request served path=/till/3 status=200 duration=12ms
[2026-11-22 05:36:10,123] INFO in till: GET /till/3 took 12 ms for user 4711
10.0.0.7 - - [22/Nov/2026:05:36:10 +0000] \"GET /till/3 HTTP/1.1\" 200 512 \"-\" \"curl/8.5.0\"
{\"level\":\"info\",\"ts\":1795325770.123,\"msg\":\"served\",\"path\":\"/till/3\",\"status\":200}
Nov 22 05:36:10 shop till[4711]: accepted connection from 10.0.0.7 port 51234
";

fn main() -> Result<()> {
    let mut text = String::new();
    for path in env::args().skip(1) {
        text += &fs::read_to_string(path)?;
        text.push('\n');
    }
    if text.is_empty() {
        ORDINARY.clone_into(&mut text);
    }
    let lines: Vec<&[u8]> = text
        .lines()
        .map(str::as_bytes)
        .cycle()
        .take(LINES)
        .collect();
    let mut figures = Vec::new();
    let mut traces = 0_u64;
    for _ in 0..7 {
        traces = 0;
        let start = Instant::now();
        let mut assembler = Assembler::default();
        let mut out = |piece: Piece<'_, ()>| match piece {
            Piece::Plain(line, ()) => {
                black_box(line);
            }
            Piece::Trace(trace, (), _) => {
                black_box(trace);
                traces += 1;
            }
        };
        for line in &lines {
            assembler.line(line, (), &mut out);
        }
        assembler.close(&mut out);
        figures.push(start.elapsed().as_nanos() / LINES as u128);
    }
    figures.sort_unstable();
    let ns = figures[figures.len() / 2];
    writeln!(
        io::stdout(),
        r#"{{"lines":{LINES},"traces":{traces},"ns":{ns}}}"#
    )?;
    Ok(())
}
