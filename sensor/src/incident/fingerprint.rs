//! The same fault has the same fingerprint, on every host, after every start.
//!
//! It is XXH64 (seed 0, a specified hash) of the type and the application's
//! frames (module, function); where there are none, of the type, the logger's
//! nothing, and the message with its variable parts replaced: numbers, uuids,
//! addresses, hex, paths, dates and quoted values. Lines and columns are no
//! part of it: a fault stays the same when a line is added above it. An end
//! without an exception is its program, its code and what it said of it.

mod template;

use std::borrow::Cow;

use twox_hash::XxHash64;

use super::{
    exception::{Exception, Frame},
    record::{Incident, Kind},
};
pub use template::template;

use crate::incident::find::{self, Find};
use crate::process::event::{End, Value};

/// Most frames that count; a recursion has many.
const FRAMES: usize = 32;

/// The fingerprint of an incident; shown as 16 hex digits.
#[must_use]
pub fn fingerprint(incident: &Incident) -> u64 {
    let mut hash = Hash(Vec::with_capacity(256));
    if let Some(exception) = &incident.exception {
        hash.part("exception");
        hash.part(&exception.name);
        if !frames(exception, &mut hash) {
            hash.message(exception.message.as_deref().or(incident.body.as_deref()));
        }
        return hash.finish();
    }
    match incident.kind {
        Kind::Exit | Kind::Oom => {
            hash.part(incident.kind.as_str());
            hash.end(incident);
            hash.message(said(incident));
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
    hash.finish()
}

/// What the process said of its end: its error line, else its last line, where
/// it ended by itself. Whoever was killed said something else.
fn said(incident: &Incident) -> Option<&str> {
    let words = incident.last_words.as_deref();
    let last = || words?.trim_end().lines().next_back();
    match incident.end {
        None => words,
        Some(End::Code(_)) => incident.body.as_deref().or_else(last),
        Some(End::Signal { .. }) => None,
    }
}

/// What is hashed: parts, each with a NUL behind it.
struct Hash(Vec<u8>);

impl Hash {
    fn part(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
    }

    fn finish(&self) -> u64 {
        XxHash64::oneshot(0, &self.0)
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
            self.0.extend_from_slice(path);
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

/// What libraries put before the name that a class has in this run only.
const MADE_UP: [&str; 6] = [
    "$$Lambda",
    "$MockitoMock$",
    "$HibernateProxy$",
    "$ByteBuddy$",
    "_$$_jvst",
    "_$$_javassist",
];

/// A name without what a compiler or a run made up: `h0123456789abcdef`,
/// `0x7f…`, `$$Lambda$14`, `Till$$EnhancerBySpringCGLIB$$a1b2c3d4`.
fn stable(name: &str) -> Cow<'_, str> {
    // Nearly all names.
    if name.len() < 19 && !find::any(name.as_bytes(), b'$', b'0') {
        return name.into();
    }
    let hash = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = match name
        .len()
        .checked_sub(19)
        .and_then(|at| name.split_at_checked(at))
    {
        Some((before, last)) if last.strip_prefix("::h").is_some_and(hash) => before,
        _ => name,
    };
    let name = match find::first(name.as_bytes(), b'$') {
        Some(_) => of_source(name),
        None => name.into(),
    };
    match name.has("0x") {
        true => template(&name).into(),
        false => name,
    }
}

/// A class as it is in the source: without what libraries put behind its name,
/// of cglib without its hash, of Java without its number:
/// `Till$$FastClassByGuice$$a1b2c3d4_2`, `$Proxy23`.
fn of_source(name: &str) -> Cow<'_, str> {
    let end = MADE_UP.iter().filter_map(|mark| name.place(mark)).min();
    let name = end.map_or(name, |end| &name[..end]);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((before, number)) = name.rcut("$Proxy")
        && digits(number)
    {
        return format!("{before}$Proxy").into();
    }
    let is_hash = |part: &str| {
        let (hash, number) = part.cut("_").unwrap_or((part, ""));
        (1..=8).contains(&hash.len())
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
            && digits(number)
    };
    let parts: Vec<&str> = name.split("$$").collect();
    // The class itself, `EnhancerByGuice`, the hash, and so on.
    let kept = parts.iter().enumerate().filter(|&(at, part)| {
        let made = at > 1 && parts[at - 1].has("By");
        !(made && is_hash(part))
    });
    let kept: Vec<&str> = kept.map(|(_, part)| *part).collect();
    kept.join("$$").into()
}

#[cfg(test)]
mod tests {
    use super::stable;

    #[track_caller]
    fn check(name: &str, expect: &str) {
        assert_eq!(stable(name), expect);
    }

    #[test]
    fn what_a_run_made_up_is_no_part_of_a_name() {
        for hash in ["a1b2c3d4", "5e6f7a8b", "7", "a1b2c3d4_2"] {
            for by in [
                "EnhancerBySpringCGLIB",
                "FastClassBySpringCGLIB",
                "EnhancerByGuice",
                "KeyFactoryByCGLIB",
            ] {
                check(&format!("com.x.Y$${by}$${hash}"), &format!("com.x.Y$${by}"));
            }
        }
        check(
            "Y$$EnhancerBySpringCGLIB$$ff01$$FastClassBySpringCGLIB$$5e6f7a8b",
            "Y$$EnhancerBySpringCGLIB$$FastClassBySpringCGLIB",
        );
        check("com.x.Y$MockitoMock$1234567", "com.x.Y");
        check("com.x.Y$HibernateProxy$Nh3Vkqxf", "com.x.Y");
        check("com.x.$Proxy23", "com.x.$Proxy");
        check("com.x.Y$$Lambda$14/0x00007f3a1c001200", "com.x.Y");
        check("till::take::h0123456789abcdef", "till::take");
    }

    #[test]
    fn what_the_source_says_is() {
        for name in [
            "com.x.Y$$SpringCGLIB$$0",
            "com.x.Y$Inner",
            "com.x.Y$1",
            "com.x.Y$$anonfun$1",
            "com.x.ByTheWay$$facade",
            "com.x.Y$ProxyOfTill",
            "lambda$take$0",
        ] {
            check(name, name);
        }
    }
}
