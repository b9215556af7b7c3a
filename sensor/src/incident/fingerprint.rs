//! The same fault has the same fingerprint, on every host, after every start.
//!
//! It is XXH64 (seed 0, a specified hash) of the type and the application's
//! frames (module, function); where there are none, of the type, the logger's
//! nothing, and the message with its variable parts replaced: numbers, uuids,
//! addresses, hex, paths, dates and quoted values. Lines and columns are no
//! part of it: a fault stays the same when a line is added above it.

mod template;

use std::{borrow::Cow, hash::Hasher};

use twox_hash::XxHash64;

use super::{
    exception::{Exception, Frame},
    record::{Incident, Kind},
};
pub use template::template;

use crate::incident::find::Find;
use crate::process::event::Value;

/// Most frames that count; a recursion has many.
const FRAMES: usize = 32;

/// The fingerprint of an incident; shown as 16 hex digits.
#[must_use]
pub fn fingerprint(incident: &Incident) -> u64 {
    let mut hash = Hash(XxHash64::with_seed(0));
    if let Some(exception) = &incident.exception {
        hash.part("exception");
        hash.part(&exception.name);
        if !frames(exception, &mut hash) {
            hash.message(exception.message.as_deref().or(incident.body.as_deref()));
        }
        return hash.0.finish();
    }
    match incident.kind {
        Kind::Exit | Kind::Oom => {
            hash.part(incident.kind.as_str());
            hash.end(incident);
            hash.message(
                incident
                    .last_words
                    .as_deref()
                    .filter(|_| incident.end.is_none()),
            );
        }
        Kind::Reported if !incident.request.is_empty() => {
            hash.part(incident.kind.as_str());
            hash.request(incident);
        }
        _ => {
            hash.part("log");
            hash.message(incident.body.as_deref());
        }
    }
    hash.0.finish()
}

struct Hash(XxHash64);

impl Hash {
    fn part(&mut self, text: &str) {
        self.0.write(text.as_bytes());
        self.0.write(b"\0");
    }

    fn message(&mut self, text: Option<&str>) {
        self.part(&template(text.unwrap_or_default()));
    }

    /// What was asked for, and the answer. A route is the path without what
    /// varies; of a path, that is taken out.
    fn request(&mut self, incident: &Incident) {
        let text = |key| match incident.request.get(key) {
            Some(Value::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        self.part(text("http.request.method").unwrap_or_default());
        match text("http.route") {
            Some(route) => self.part(route),
            None => self.message(text("url.path")),
        }
        match incident.request.get("http.response.status_code") {
            Some(Value::Int(status)) => self.part(&status.to_string()),
            _ => self.part(""),
        }
        self.message(incident.body.as_deref());
    }

    /// The program and how it ended.
    fn end(&mut self, incident: &Incident) {
        if let Some(path) = incident
            .process
            .as_ref()
            .and_then(|process| process.executable_path.as_ref())
        {
            self.0.write(path);
        }
        self.part("");
        if let Some(end) = incident.end {
            self.part(&format!("{end:?}"));
        }
    }
}

/// Takes in the application's frames; says whether there are any.
fn frames(exception: &Exception, hash: &mut Hash) -> bool {
    let mut last = None;
    let mut count = 0;
    for frame in exception.frames.iter().filter(|frame| frame.in_app) {
        let Some(function) = &frame.function else {
            continue;
        };
        let name = (frame.module.as_deref(), function.as_str());
        // A recursion is as deep as it happens to be.
        if last == Some(name) {
            continue;
        }
        last = Some(name);
        count += 1;
        if count > FRAMES {
            break;
        }
        hash.part(&module(frame));
        hash.part(&stable(function));
    }
    count > 0
}

fn module(frame: &Frame) -> Cow<'_, str> {
    stable(frame.module.as_deref().unwrap_or_default())
}

/// A name without what a compiler or a run made up: `h0123456789abcdef`,
/// `0x7f…`, `$$Lambda$14`.
fn stable(name: &str) -> Cow<'_, str> {
    let name = name.cut("$$Lambda").map_or(name, |(name, _)| name);
    let hash = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = match name
        .len()
        .checked_sub(19)
        .and_then(|at| name.split_at_checked(at))
    {
        Some((before, last)) if last.strip_prefix("::h").is_some_and(hash) => before,
        _ => name,
    };
    match name.has("0x") {
        true => template(name).into(),
        false => name.into(),
    }
}
