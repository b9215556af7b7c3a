//! How fast logs are read: for `cargo xtask bench logs`, which builds it with
//! optimisation.
//!
//! `logs make DIR LINES` writes the texts that are measured: `json.log`, JSON
//! lines with 10 % errors; `traces.log`, cut traces of mixed languages;
//! `plain.log`, lines of other programs without an error. `logs read FILE
//! ROUNDS` prints a JSON line: `lines`, `incidents` and `ns` of the middle
//! round, one thread.

use std::{
    env, fs,
    io::{self, BufWriter, Write},
    path::Path,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use sensor::incident::log::{LogOptions, LogParser};

/// Traces that are complete; the others in `traces.log` are cut.
const TRACES: [&str; 4] = [
    "Traceback (most recent call last):\n  File \"/srv/shop/cart.py\", line #, in checkout\n    total = price(item)\n  File \"/srv/shop/price.py\", line 12, in price\n    return table[item]\nKeyError: 'item-#'\n",
    "Exception in thread \"main\" java.lang.IllegalStateException: order # is closed\n\tat com.shop.Order.close(Order.java:42)\n\tat com.shop.Main.main(Main.java:7)\nCaused by: java.io.IOException: disk full\n\tat com.shop.Disk.write(Disk.java:99)\n\t... 1 more\n",
    "panic: order # is closed\n\ngoroutine 1 [running]:\nmain.closeOrder(0x1)\n\t/srv/shop/main.go:12 +0x1d\nmain.main()\n\t/srv/shop/main.go:5 +0x25\nexit status 2\n",
    "/srv/shop/app.js:3\n    throw new TypeError('no order #');\n    ^\n\nTypeError: no order #\n    at checkout (/srv/shop/app.js:3:9)\n    at Object.<anonymous> (/srv/shop/app.js:7:1)\n    at node:internal/main/run_main_module:28:49\n",
];

/// Lines of other programs; frames, which may belong to a trace, stay out.
const PLAIN: &str = include_str!("../src/incident/log/tests/ordinary.txt");

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["make", dir, lines] => make(Path::new(dir), lines.parse().context("LINES")?),
        ["read", file, rounds] => read(Path::new(file), rounds.parse().context("ROUNDS")?),
        _ => bail!("logs make DIR LINES | logs read FILE ROUNDS"),
    }
}

fn make(dir: &Path, lines: usize) -> Result<()> {
    fs::create_dir_all(dir)?;
    let create = |name: &str| fs::File::create(dir.join(name)).map(BufWriter::new);
    let mut json = create("json.log")?;
    for line in 0..lines {
        let (level, message) = match line % 10 {
            7 => ("ERROR", "ValueError: cannot parse price"),
            _ => ("INFO", "order accepted"),
        };
        writeln!(
            json,
            r#"{{"timestamp":"2023-05-20T14:30:22.{:03}Z","level":"{level}","logger":"shop.cart","message":"{message}","order":{line},"host":"web-{}"}}"#,
            line % 1_000,
            line % 7
        )?;
    }
    let mut traces = create("traces.log")?;
    let mut written = 0;
    for number in 0_usize.. {
        if written >= lines {
            break;
        }
        let trace = TRACES[number % TRACES.len()].replace('#', &number.to_string());
        let all = trace.lines().count();
        let kept = if number % 3 == 0 {
            all
        } else {
            2 + number % (all - 1)
        };
        for line in trace.lines().take(kept) {
            writeln!(traces, "{line}")?;
            written += 1;
        }
    }
    let mut plain = create("plain.log")?;
    let ordinary: Vec<&str> = PLAIN
        .lines()
        .filter(|line| !line.starts_with([' ', '\t']))
        .collect();
    let mut at = 0;
    for line in 0..lines {
        // A walk in which the neighbours change.
        at = (at * 31 + line / 7 + 3) % ordinary.len();
        writeln!(plain, "{}", ordinary[at].replace('#', &line.to_string()))?;
    }
    for mut file in [json, traces, plain] {
        file.flush()?;
    }
    Ok(())
}

fn read(file: &Path, rounds: usize) -> Result<()> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    let options = LogOptions {
        now: 1_700_000_000_000_000_000,
        ..LogOptions::default()
    };
    let mut figures = Vec::new();
    let mut incidents = 0_u64;
    for _ in 0..rounds.max(1) {
        incidents = 0;
        let start = Instant::now();
        let mut parser = LogParser::new(&options);
        for block in text.chunks(64 << 10) {
            parser.feed(block, &mut |_| incidents += 1);
        }
        parser.finish(&mut |_| incidents += 1);
        figures.push(start.elapsed().as_nanos());
    }
    figures.sort_unstable();
    let ns = figures[figures.len() / 2];
    writeln!(
        io::stdout(),
        r#"{{"lines":{lines},"incidents":{incidents},"ns":{ns}}}"#
    )?;
    Ok(())
}
