//! Syslog, RFC 3164 and 5424, with and without priority:
//! `<11>May 20 14:30:22 host app[12]: text`.

use std::borrow::Cow;

use super::{Envelope, Opened, start, word};
use crate::incident::log::{
    clean,
    level::{self, Level},
    time::{Civil, When},
};

/// The envelope.
#[derive(Debug)]
pub struct Syslog;

impl Envelope for Syslog {
    fn name(&self) -> &'static str {
        "syslog"
    }

    fn begins(&self, first: u8) -> bool {
        first == b'<' || first.is_ascii_alphanumeric()
    }

    fn open<'a>(&self, line: &'a [u8]) -> Option<Opened<'a>> {
        let Some((priority, rest)) = priority(line) else {
            return bsd(line, None);
        };
        let level = Level::syslog(priority & 7);
        let mut opened = match rest.strip_prefix(b"1 ").and_then(modern) {
            Some(opened) => opened,
            None => bsd(rest, Some(priority)).unwrap_or_else(|| Opened {
                // Of the kernel's ring, or without a time.
                text: rest.into(),
                source: [b"syslog".into(), b"".into()],
                ..Opened::default()
            }),
        };
        opened.level = level;
        opened.kernel |= priority >> 3 == 0 && opened.pid.is_none() && opened.logger.is_none();
        Some(opened)
    }
}

/// `<PRI>`, at most 191.
fn priority(line: &[u8]) -> Option<(u8, &[u8])> {
    let rest = line.strip_prefix(b"<")?;
    let digits = rest
        .iter()
        .take(4)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let number = start(rest.get(..digits)?)
        .parse::<u8>()
        .ok()
        .filter(|number| *number < 192)?;
    Some((number, rest.get(digits..)?.strip_prefix(b">")?))
}

/// RFC 5424 after its version.
fn modern(rest: &[u8]) -> Option<Opened<'_>> {
    let (time, rest) = word(rest)?;
    let (host, rest) = word(rest)?;
    let (app, rest) = word(rest)?;
    let (procid, rest) = word(rest)?;
    let (_msgid, rest) = word(rest)?;
    let when = When::read(start(time)).filter(|when| matches!(when, When::Civil(_)));
    if when.is_none() && time != b"-" {
        return None;
    }
    let text = match rest.strip_prefix(b"-") {
        Some(text) => text,
        None => structured(rest)?,
    };
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let text = text.strip_prefix(clean::MARK).unwrap_or(text);
    let known = |text: &[u8]| (text != b"-").then(|| String::from_utf8_lossy(text).into_owned());
    Some(Opened {
        text: unescaped(text),
        source: [host.into(), [app, procid].join(&b'\0').into()],
        time: when,
        logger: known(app).map(Cow::Owned),
        pid: start(procid).parse().ok().filter(|pid| *pid > 0),
        kernel: app == b"kernel",
        ..Opened::default()
    })
}

/// What follows the structured data `[id key="value"]…`.
fn structured(rest: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    while rest.get(at) == Some(&b'[') {
        let mut quoted = false;
        let mut escaped = false;
        let end = rest.get(at..)?.iter().position(|byte| {
            if quoted {
                quoted = escaped || *byte != b'"';
                escaped = *byte == b'\\' && !escaped;
                return false;
            }
            quoted = *byte == b'"';
            *byte == b']'
        })?;
        at += end + 1;
    }
    (at > 0).then(|| rest.get(at..))?
}

/// RFC 3164, and rsyslog's files, which begin with either kind of time.
fn bsd(line: &[u8], priority: Option<u8>) -> Option<Opened<'_>> {
    // Most lines have neither kind, which is seen at once.
    let may_be_time = match line.first()? {
        b'A'..=b'Z' => matches!(line.get(3), Some(b' ' | b',')),
        _ => line.get(10) == Some(&b'T'),
    };
    if !may_be_time {
        return None;
    }
    let head = start(line);
    let (civil, rest) = Civil::scan(head)?;
    // Its own time, or RFC 3339.
    let own = head.bytes().next()?.is_ascii_uppercase();
    civil.day?;
    if !own
        && (head.as_bytes().get(10) != Some(&b'T')
            || civil.offset.is_none()
            || is_of_container(line))
    {
        return None;
    }
    let rest = line.get(head.len() - rest.len()..)?;
    // Cisco puts a colon.
    let rest = rest.strip_prefix(b":").unwrap_or(rest).strip_prefix(b" ")?;
    let (host, after) = match word(rest) {
        // With no host, the tag follows at once.
        Some((first, after)) if priority.is_none() || !first.ends_with(b":") => (first, after),
        _ => (&b""[..], rest),
    };
    if host.ends_with(b":") || host.contains(&b'[') || !own && !is_host(host) {
        return None;
    }
    let found = tag(after);
    if found.is_none() && priority.is_none() {
        return None;
    }
    let (name, pid, text) = found.unwrap_or((b"", None, after));
    let kernel = name == b"kernel";
    Some(Opened {
        text: unescaped(text),
        source: [host.into(), after.get(..after.len() - text.len())?.into()],
        time: Some(When::Civil(civil)),
        logger: (!name.is_empty()).then(|| String::from_utf8_lossy(name)),
        pid,
        kernel,
        ..Opened::default()
    })
}

/// Container runtimes give nine digits of a second, whatever they are; what
/// follows is the program's line. Syslog has six at most.
fn is_of_container(line: &[u8]) -> bool {
    let fraction = line.get(19..).and_then(|rest| rest.strip_prefix(b"."));
    fraction.is_some_and(|digits| {
        digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
            == 9
    })
}

/// A name or an address, no word of a message such as `#0` or `a.rb:5:in`.
fn is_host(host: &[u8]) -> bool {
    // A head of its own: a time, a level, `ValueError: boom`.
    if level::word(start(host)).is_some() {
        return false;
    }
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    let address = |byte: &u8| byte.is_ascii_hexdigit() || b":.%".contains(byte);
    host.iter().all(name) || host.iter().all(address)
}

/// rsyslog writes control characters as `#` and three octal digits: `#011` for
/// a tab, `#012` for the end of a line within a message. A number behind a
/// blank is one: `order #012`.
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Vec::new();
    let mut from = 0;
    for at in memchr::memchr_iter(b'#', text) {
        let Some(
            [
                b'#',
                high @ b'0'..=b'1',
                middle @ b'0'..=b'7',
                low @ b'0'..=b'7',
            ],
        ) = text.get(at..at + 4)
        else {
            continue;
        };
        let value = (high - b'0') * 64 + (middle - b'0') * 8 + (low - b'0');
        let stands_alone = at.checked_sub(1).and_then(|before| text.get(before)) == Some(&b' ');
        if stands_alone && out.is_empty() || !matches!(value, b'\t' | b'\n' | b'\r' | 0x1b) {
            continue;
        }
        out.extend_from_slice(text.get(from..at).unwrap_or_default());
        out.push(value);
        from = at + 4;
    }
    if from == 0 {
        return text.into();
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
    out.into()
}

/// `app[12]: `, `app: `.
fn tag(text: &[u8]) -> Option<(&[u8], Option<u32>, &[u8])> {
    let end = text
        .iter()
        .take(64)
        .position(|byte| matches!(byte, b'[' | b':' | b' '))?;
    let name = text.get(..end).filter(|name| !name.is_empty())?;
    let rest = text.get(end..)?;
    let (pid, rest) = match rest.strip_prefix(b"[") {
        Some(rest) => {
            let close = rest.iter().take(64).position(|byte| *byte == b']')?;
            (
                start(rest.get(..close)?).parse().ok(),
                rest.get(close + 1..)?,
            )
        }
        None => (None, rest),
    };
    let rest = rest.strip_prefix(b":")?;
    Some((
        name,
        pid,
        rest.strip_prefix(b" ")
            .or_else(|| rest.is_empty().then_some(rest))?,
    ))
}
