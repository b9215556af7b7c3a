mod envelopes;
mod formats;
mod hostile;
mod json;
mod million;
mod ordinary;
mod traces;

use std::fmt::Write;

use super::*;

/// 2024-02-10T00:00:00Z
const NOW: u64 = 1_707_523_200_000_000_000;
/// 2023-05-20T14:30:22Z
const THEN: u64 = 1_684_593_022_000_000_000;

fn options() -> LogOptions {
    LogOptions {
        now: NOW,
        ..LogOptions::default()
    }
}

fn parse_with(options: &LogOptions, text: &[u8]) -> Vec<Incident> {
    let mut all = Vec::new();
    let mut parser = LogParser::new(options);
    parser.feed(text, &mut |incident| all.push(incident));
    parser.finish(&mut |incident| all.push(incident));
    all
}

fn parse(text: &str) -> Vec<Incident> {
    parse_with(&options(), text.as_bytes())
}

/// `format kind number text [logger] body {type: message} @time stream pid`,
/// each only where it is known.
fn shown(incident: &Incident) -> String {
    let mut out = String::new();
    let origin = &incident.origin;
    let mut word = |text: &str| {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(text);
    };
    word(origin.format.as_deref().unwrap_or("-"));
    word(incident.kind.as_str());
    word(&incident.severity.number.to_string());
    if let Some(text) = &incident.severity.text {
        word(text);
    }
    if let Some(logger) = &origin.logger {
        word(&format!("[{logger}]"));
    }
    if let Some(body) = &incident.body {
        word(body);
    }
    if let Some(exception) = &incident.exception {
        let message = exception.message.as_deref().unwrap_or("-");
        word(&format!("{{{}: {message}}}", exception.name));
    }
    match incident.time {
        Some(THEN) => {}
        Some(time) => {
            let _ = write!(out, " @{time}");
        }
        None => out.push_str(" @-"),
    }
    if let Some(stream) = origin.stream {
        let _ = write!(out, " {stream}");
    }
    if let Some(pid) = incident.pid {
        let _ = write!(out, " pid {pid}");
    }
    out
}

#[track_caller]
fn check(text: &str, expect: &[&str]) {
    let found: Vec<String> = parse(text).iter().map(shown).collect();
    assert_eq!(found, expect, "{text}");
}
