//! What a tool says it saw of a storm.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::{Context, Result};
use serde_json::Value;

/// How a tool's output is read.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    /// `COMM PID …`, a line an exec or a line an exit.
    SecondColumn { exec: bool },
    /// `exec PID`, `exit PID`.
    Words,
    /// `TIME exec PID …`, `TIME exit PID …`.
    Times,
    /// The JSON lines of `sensor events`.
    Events,
    /// The JSON reports of `sensor run`: sums, no pids.
    Service,
}

/// Execs and exits of a storm that were seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    pub execs: u64,
    pub exits: u64,
}

/// Counts what the files say of these processes.
pub fn count<'a>(
    files: impl IntoIterator<Item = &'a (impl AsRef<Path> + 'a, Format)>,
    pids: &HashSet<u32>,
) -> Result<Seen> {
    let (mut execs, mut exits) = (HashSet::new(), HashSet::new());
    let mut sums = Seen::default();
    for (path, format) in files {
        let path = path.as_ref();
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        for line in BufReader::new(file).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            if let Format::Service = format {
                let report = serde_json::from_str(&line).ok();
                sums = report.and_then(|report| service(&report)).unwrap_or(sums);
                continue;
            }
            let Some((exec, pid)) = event(&line, *format) else {
                continue;
            };
            if pids.contains(&pid) {
                let seen = if exec { &mut execs } else { &mut exits };
                seen.insert(pid);
            }
        }
    }
    Ok(Seen {
        execs: sums.execs + execs.len() as u64,
        exits: sums.exits + exits.len() as u64,
    })
}

/// Whether it is an exec, else an exit; and of whom.
fn event(line: &str, format: Format) -> Option<(bool, u32)> {
    let mut words = line.split_ascii_whitespace();
    let kind = |word: &str| match word {
        "exec" => Some(true),
        "exit" => Some(false),
        _ => None,
    };
    match format {
        Format::SecondColumn { exec } => Some((exec, words.nth(1)?.parse().ok()?)),
        Format::Words => Some((kind(words.next()?)?, words.next()?.parse().ok()?)),
        Format::Times => Some((kind(words.nth(1)?)?, words.next()?.parse().ok()?)),
        Format::Events => {
            let event: Value = serde_json::from_str(line).ok()?;
            let kind = kind(event["event.name"].as_str()?.strip_prefix("process.")?)?;
            Some((kind, event["process.pid"].as_u64()?.try_into().ok()?))
        }
        Format::Service => None,
    }
}

/// The storm's service in a report: its starts, and its exits with code 0.
pub fn service(report: &Value) -> Option<Seen> {
    let service = report["services"]
        .as_array()?
        .iter()
        .find(|service| service["plugin"] == "storm")?;
    let sum = |name: &str| -> u64 {
        let metrics = service["metrics"].as_array().into_iter().flatten();
        metrics
            .filter(|metric| metric["name"] == name)
            .filter_map(|metric| metric["points"].as_array())
            .flatten()
            .filter_map(|point| point["value"].as_u64())
            .sum()
    };
    Some(Seen {
        execs: sum("sensor.process.starts"),
        exits: sum("sensor.process.exits"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_output_is_understood() {
        let name = super::super::workload::NAME;
        let snoop = format!("{name:<16} 4711   17     0 /tmp/{name}");
        let second = Format::SecondColumn { exec: true };
        let events = r#"{"event.name":"process.exit","process.pid":4711}"#;
        for (line, format, expected) in [
            (snoop.as_str(), second, Some((true, 4711))),
            ("PCOMM            PID    PPID", second, None),
            ("exec 4711", Format::Words, Some((true, 4711))),
            ("Attaching 2 probes...", Format::Words, None),
            (
                "23:32:25 exit  4711      0   0.028s /bin/true",
                Format::Times,
                Some((false, 4711)),
            ),
            ("Time     Event   PID Info", Format::Times, None),
            (events, Format::Events, Some((false, 4711))),
            (r#"{"event.name":"summary"}"#, Format::Events, None),
        ] {
            assert_eq!(event(line, format), expected, "{line}");
        }
    }

    #[test]
    fn a_report_tells_starts_and_exits_of_the_storm() {
        let report = r#"{"services":[
            {"plugin":"host","metrics":[]},
            {"plugin":"storm","metrics":[
                {"name":"sensor.process.starts","points":[{"value":7}]},
                {"name":"sensor.process.exits","points":[{"value":4},{"value":2}]}]}]}"#;
        let seen = Seen { execs: 7, exits: 6 };
        let report = serde_json::from_str(report).unwrap();
        assert_eq!(service(&report), Some(seen));
        assert_eq!(service(&Value::default()), None);
    }
}
