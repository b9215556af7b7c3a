//! Levels: words and numbers as programs print them, as OpenTelemetry's
//! severity numbers (logs data model, "Mapping of SeverityNumber").

use std::borrow::Cow;

use crate::incident::find::Find;

/// From here on a line is an incident.
pub const ERROR: u8 = 17;
const WARN: u8 = 13;
const INFO: u8 = 9;

/// The level of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level<'a> {
    /// 1 to 24.
    pub number: u8,
    /// As it stood there.
    pub text: Cow<'a, str>,
}

impl<'a> Level<'a> {
    /// The level that a word names, in any case.
    #[must_use]
    pub fn word(text: &'a str) -> Option<Self> {
        let number = word(text)?;
        Some(Self {
            number,
            text: Cow::Borrowed(text),
        })
    }

    /// Syslog's severities, 0 to 7 (RFC 5424, table 2), by their usual names.
    #[must_use]
    pub fn syslog(severity: u8) -> Option<Level<'static>> {
        let (number, text) = match severity {
            0 => (21, "emerg"),
            1 => (19, "alert"),
            2 => (18, "crit"),
            3 => (ERROR, "err"),
            4 => (WARN, "warning"),
            5 => (10, "notice"),
            6 => (INFO, "info"),
            7 => (5, "debug"),
            _ => return None,
        };
        Some(Level {
            number,
            text: Cow::Borrowed(text),
        })
    }

    /// Whether a line with it is an incident.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.number >= ERROR
    }

    /// With text of its own.
    #[must_use]
    pub fn into_owned(self) -> Level<'static> {
        Level {
            number: self.number,
            text: Cow::Owned(self.text.into_owned()),
        }
    }
}

/// The number of a word, in any case.
#[must_use]
pub fn word(text: &str) -> Option<u8> {
    if text.len() < 3 {
        return None;
    }
    let mut lower = [0_u8; 13];
    let lower = lower.get_mut(..text.len())?;
    lower.copy_from_slice(text.as_bytes());
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"trace" | b"trc" | b"finest" | b"finer" | b"verbose" | b"silly" => 1,
        b"debug" | b"dbg" | b"fine" | b"config" => 5,
        b"info" | b"inf" | b"information" | b"informational" | b"log" | b"success" | b"http" => {
            INFO
        }
        b"notice" => 10,
        b"warn" | b"warning" | b"wrn" => WARN,
        b"error" | b"err" | b"severe" => ERROR,
        b"critical" | b"crit" | b"dpanic" => 18,
        b"alert" => 19,
        b"fatal" | b"ftl" | b"panic" | b"pnc" | b"emerg" | b"emergency" => 21,
        _ => return above(text),
    })
}

/// The number of `ERROR+2`, as Go's slog prints what lies between two levels.
#[cold]
fn above(text: &str) -> Option<u8> {
    let (base, more) = text.cut("+")?;
    let more = more.parse::<u8>().ok().filter(|more| *more < 24)?;
    Some((word(base)? + more).min(24))
}

/// The number of a single letter, as in `E0520` or `"s":"E"`.
#[must_use]
pub fn letter(letter: u8) -> Option<u8> {
    Some(match letter {
        b'T' | b'V' => 1,
        b'D' => 5,
        b'I' => INFO,
        b'N' => 10,
        b'W' => WARN,
        b'E' => ERROR,
        b'C' => 18,
        b'A' => 19,
        b'F' | b'P' => 21,
        _ => return None,
    })
}

/// What a number means depends on whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// `level` and the like: bunyan's and pino's tens, Monolog's hundreds,
    /// logback's ten thousands, syslog's 0 to 7.
    Level,
    /// Python's `levelno`.
    Python,
    /// OpenTelemetry's 1 to 24.
    Otlp,
    /// Syslog's 0 to 7.
    Syslog,
}

/// The number on OpenTelemetry's scale.
#[must_use]
pub fn number(value: i64, scale: Scale) -> Option<u8> {
    let small = u8::try_from(value).ok();
    let number = match scale {
        Scale::Otlp => return small.filter(|number| (1..=24).contains(number)),
        Scale::Syslog => return small.and_then(Level::syslog).map(|level| level.number),
        Scale::Python => match value {
            ..10 => 1,
            10..20 => 5,
            20..30 => INFO,
            30..40 => WARN,
            40..50 => ERROR,
            50.. => 18,
        },
        // Only the numbers that loggers use: others are anything.
        Scale::Level => match value {
            0..=7 => return small.and_then(Level::syslog).map(|level| level.number),
            10 | 5_000 => 1,
            20 | 100 | 10_000 => 5,
            30 | 200 | 20_000 => INFO,
            250 => 10,
            40 | 300 | 30_000 => WARN,
            50 | 400 | 40_000 => ERROR,
            500 => 18,
            550 => 19,
            60 | 600 | 50_000 => 21,
            _ => return None,
        },
    };
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_any_case() {
        for (text, expect) in [
            ("ERROR", Some(17)),
            ("Error", Some(17)),
            ("err", Some(17)),
            ("CRITICAL", Some(18)),
            ("fatal", Some(21)),
            ("Warning", Some(13)),
            ("INFO", Some(9)),
            ("ERROR+4", Some(21)),
            ("WARN+3", Some(16)),
            ("ERROR+", None),
            ("a+b", None),
            ("errors", None),
            ("", None),
            ("a word that is longer than all", None),
        ] {
            assert_eq!(word(text), expect, "{text}");
        }
    }

    #[test]
    fn a_number_counts_on_its_own_scale() {
        assert_eq!(number(50, Scale::Level), Some(17));
        assert_eq!(number(40, Scale::Level), Some(13));
        assert_eq!(number(40, Scale::Python), Some(17));
        assert_eq!(number(3, Scale::Level), Some(17));
        assert_eq!(number(400, Scale::Level), Some(17));
        assert_eq!(number(17, Scale::Otlp), Some(17));
        assert_eq!(number(-4, Scale::Level), None);
    }
}
