//! Incidents: one JSON object each, the same everywhere; and for people.

use std::fmt::Write;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::terminal::{escaped, fitted};
use crate::{
    incident::{
        exception::{Cause, Frame, Relation},
        limit::{JSON_BYTES, STEPS, shrink},
        record::Incident,
    },
    process::event::Value,
};

/// Columns for people, unless a terminal is wider.
const WIDTH: usize = 80;

/// An incident as one line of JSON without its end, at most
/// [`JSON_BYTES`] long: texts are cut and frames left out where it would be
/// longer.
#[must_use]
pub fn json(incident: &Incident) -> Vec<u8> {
    let whole = line(incident);
    if whole.len() <= JSON_BYTES {
        return whole;
    }
    let mut small = incident.clone();
    for step in STEPS {
        shrink(&mut small, step);
        let line = line(&small);
        if line.len() <= JSON_BYTES {
            return line;
        }
    }
    // Only keys that somebody else chose can still be too many.
    small.context.clear();
    line(&small)
}

fn line(incident: &Incident) -> Vec<u8> {
    let mut out = Vec::with_capacity(1_024);
    // Keys are texts and writing to memory cannot fail.
    let _ = serde_json::to_writer(&mut out, &Line(incident));
    out
}

struct Line<'a>(&'a Incident);

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(incident) = self;
        let mut map = serializer.serialize_map(None)?;
        if let Some(time) = incident.time {
            map.serialize_entry("time_unix_nano", &time)?;
        }
        map.serialize_entry("observed_time_unix_nano", &incident.observed)?;
        if incident.severity.number > 0 {
            map.serialize_entry("severity_number", &incident.severity.number)?;
        }
        if let Some(text) = incident
            .severity
            .text
            .as_ref()
            .filter(|text| !text.is_empty())
        {
            map.serialize_entry("severity_text", text)?;
        }
        if let Some(body) = incident.body.as_ref().filter(|body| !body.is_empty()) {
            map.serialize_entry("body", body)?;
        }
        for (key, value) in incident.attributes() {
            match value {
                Value::Text(text) => map.serialize_entry(&key, &text)?,
                Value::Int(int) => map.serialize_entry(&key, &int)?,
                Value::Bool(bool) => map.serialize_entry(&key, &bool)?,
                Value::List(list) => map.serialize_entry(&key, &list)?,
            }
        }
        if let Some(exception) = &incident.exception {
            if !exception.frames.is_empty() {
                map.serialize_entry("frames", &frames(&exception.frames))?;
            }
            if !exception.causes.is_empty() {
                let causes: Vec<_> = exception.causes.iter().map(CauseLine).collect();
                map.serialize_entry("causes", &causes)?;
            }
        }
        map.end()
    }
}

fn frames(frames: &[Frame]) -> Vec<FrameLine<'_>> {
    frames.iter().map(FrameLine).collect()
}

struct FrameLine<'a>(&'a Frame);

impl Serialize for FrameLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Frame {
            function,
            module,
            file,
            line,
            column,
            in_app,
        } = self.0;
        let mut map = serializer.serialize_map(None)?;
        for (key, text) in [("function", function), ("module", module), ("file", file)] {
            if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
                map.serialize_entry(key, text)?;
            }
        }
        for (key, number) in [("line", line), ("column", column)] {
            if let Some(number) = number {
                map.serialize_entry(key, number)?;
            }
        }
        map.serialize_entry("in_app", in_app)?;
        map.end()
    }
}

struct CauseLine<'a>(&'a Cause);

impl Serialize for CauseLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Cause {
            name,
            message,
            frames,
            relation,
        } = self.0;
        let mut map = serializer.serialize_map(None)?;
        if !name.is_empty() {
            map.serialize_entry("exception.type", name)?;
        }
        if let Some(message) = message.as_ref().filter(|text| !text.is_empty()) {
            map.serialize_entry("exception.message", message)?;
        }
        map.serialize_entry("relation", relation_name(*relation))?;
        if !frames.is_empty() {
            map.serialize_entry("frames", &self::frames(frames))?;
        }
        map.end()
    }
}

fn relation_name(relation: Relation) -> &'static str {
    match relation {
        Relation::Cause => "cause",
        Relation::Context => "context",
        Relation::Suppressed => "suppressed",
        Relation::Member => "member",
    }
}

/// An incident for people: when, how bad, what; and where, below it.
#[must_use]
pub fn text(incident: &Incident, zone: &TimeZone, width: Option<usize>) -> String {
    let width = width.unwrap_or(WIDTH).max(40);
    let when = incident.time.and_then(|time| {
        let stamp = Timestamp::from_nanosecond(i128::from(time)).ok()?;
        Some(
            stamp
                .to_zoned(zone.clone())
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string(),
        )
    });
    let kind = incident.kind.as_str();
    let head = format!(
        "{:<19}  {:<8}  {kind:<9}  ",
        when.unwrap_or_default(),
        fitted(&severity(incident), 8)
    );
    let mut what = escaped(&what(incident));
    if incident.count > 1 {
        // The count stays, whatever the message.
        let times = format!("  ({} times)", incident.count);
        what = fitted(&what, width.saturating_sub(head.len() + times.len())) + &times;
    }
    let mut out = fitted(&format!("{head}{what}"), width);
    if let Some(place) = place(incident) {
        let _ = write!(
            out,
            "\n{}",
            fitted(&format!("{:<42}{}", "", escaped(&place)), width)
        );
    }
    out
}

fn severity(incident: &Incident) -> String {
    match &incident.severity.text {
        Some(text) => escaped(text).to_uppercase(),
        None if incident.severity.number >= 21 => "FATAL".to_owned(),
        None => "ERROR".to_owned(),
    }
}

/// Type and message, or the body; the first line of it.
fn what(incident: &Incident) -> String {
    let text = match &incident.exception {
        Some(exception) => exception.headline(),
        None => incident
            .body
            .clone()
            .or_else(|| incident.cause.clone())
            .unwrap_or_default(),
    };
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().to_owned();
    match lines.next() {
        Some(_) => first + " …",
        None => first,
    }
}

/// `in function (file:line)`
fn place(incident: &Incident) -> Option<String> {
    let frame = incident.place()?;
    let file = frame.file.as_ref().map(|file| match frame.line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_string(),
    });
    match (&frame.function, file) {
        (Some(function), Some(file)) => Some(format!("in {function} ({file})")),
        (Some(function), None) => Some(format!("in {function}")),
        (None, Some(file)) => Some(format!("at {file}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::{
        exception::{Exception, Language},
        log::{LogOptions, LogParser},
    };

    fn incident() -> Incident {
        let mut found = Vec::new();
        let mut parser = LogParser::new(&LogOptions::default());
        parser.feed(b"ERROR:db:a\x07b\n", &mut |incident| found.push(incident));
        parser.finish(&mut |incident| found.push(incident));
        found.remove(0)
    }

    #[test]
    fn an_object_never_exceeds_its_bound() {
        let mut incident = incident();
        let frame = |number: u64| Frame {
            function: Some("f\u{1}".repeat(20).into()),
            file: Some("/srv/a.py".into()),
            line: Some(number),
            in_app: true,
            ..Frame::default()
        };
        let cause = Cause {
            name: "\u{1}".repeat(10_000),
            message: Some("\u{1}".repeat(10_000)),
            frames: (0..200).map(frame).collect(),
            relation: Relation::Cause,
        };
        incident.exception = Some(Exception {
            language: Language::Python,
            name: "X".to_owned(),
            message: Some("\u{1}".repeat(1 << 20)),
            frames: (0..2_000).map(frame).collect(),
            causes: vec![cause; 100],
            severity: 17,
            text: "\u{1}".repeat(1 << 20),
            pid: None,
            frames_omitted: 0,
            causes_omitted: 0,
        });
        let line = json(&incident);
        assert!(line.len() <= JSON_BYTES);
        let object: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let frames = object["frames"].as_array().unwrap();
        assert_eq!(frames.first().unwrap()["line"], 0);
        assert_eq!(frames.last().unwrap()["line"], 1_999);
        assert!(object["sensor.incident.frames_omitted"].as_u64().unwrap() > 0);
        assert!(object["sensor.incident.causes_omitted"].as_u64().unwrap() > 0);
    }

    /// A trace that was cut before its last line, `throw 'text'` of Node.
    #[test]
    fn a_type_that_nobody_knows_is_absent() {
        let mut incident = incident();
        let cause = |name: &str| Cause {
            name: name.to_owned(),
            message: Some("why".to_owned()),
            frames: Vec::new(),
            relation: Relation::Cause,
        };
        incident.body = None;
        incident.exception = Some(Exception {
            language: Language::JavaScript,
            name: String::new(),
            message: Some("drawer stuck".to_owned()),
            frames: Vec::new(),
            causes: vec![cause(""), cause("Error")],
            severity: 17,
            text: "drawer stuck".to_owned(),
            pid: None,
            frames_omitted: 0,
            causes_omitted: 0,
        });
        let object: serde_json::Value = serde_json::from_slice(&json(&incident)).unwrap();
        assert_eq!(object.get("exception.type"), None);
        assert_eq!(object["exception.message"], "drawer stuck");
        assert_eq!(object["causes"][0].get("exception.type"), None);
        assert_eq!(object["causes"][1]["exception.type"], "Error");
        assert_eq!(incident.headline().as_deref(), Some("drawer stuck"));
        let shown = text(&incident, &TimeZone::UTC, None);
        assert!(shown.contains("  drawer stuck"), "{shown}");
    }

    #[test]
    fn people_see_no_control_characters() {
        let text = text(&incident(), &TimeZone::UTC, None);
        assert!(text.contains("a\\x07b"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }
}
