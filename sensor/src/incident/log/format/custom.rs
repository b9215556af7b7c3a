//! Formats that the configuration declares by a regular expression.

use std::borrow::Cow;

use jiff::fmt::strtime::BrokenDownTime;
use regex::Regex;

use super::{Entry, LogFormat, bracket::named};
use crate::incident::log::{
    level::{self, Level},
    time::{Civil, When},
};

/// Names of groups that a pattern may have.
pub const GROUPS: [&str; 7] = [
    "time", "level", "logger", "message", "type", "thread", "pid",
];
/// Memory that a compiled pattern may take, bytes.
const COMPILED_BYTES: usize = 4 << 20;

/// A format that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CustomError {
    /// The pattern is no regular expression, or too large.
    #[error("`{pattern}` is no valid regular expression")]
    Pattern {
        /// As it was configured.
        pattern: String,
        /// What is wrong with it.
        source: Box<regex::Error>,
    },
}

/// A format by pattern.
#[derive(Debug)]
pub struct CustomFormat {
    name: String,
    pattern: Regex,
    time_format: Option<String>,
    levels: Vec<(String, u8)>,
}

impl CustomFormat {
    /// A format with named groups out of [`GROUPS`]. `time_format` is for
    /// strftime, `levels` are words with severity numbers; without them the
    /// usual times and words count.
    ///
    /// # Errors
    ///
    /// Where the pattern cannot be compiled.
    pub fn new(
        name: &str,
        pattern: &str,
        time_format: Option<&str>,
        levels: &[(String, u8)],
    ) -> Result<Self, CustomError> {
        let compiled = regex::RegexBuilder::new(pattern)
            .size_limit(COMPILED_BYTES)
            .build();
        let pattern = compiled.map_err(|source| CustomError::Pattern {
            pattern: pattern.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self {
            name: name.to_owned(),
            pattern,
            time_format: time_format.map(str::to_owned),
            levels: levels.to_vec(),
        })
    }

    fn level<'a>(&self, text: &'a str) -> Option<Level<'a>> {
        let number = if self.levels.is_empty() {
            let text = text.trim();
            level::word(text).or_else(|| match text.as_bytes() {
                [one] => level::letter(one.to_ascii_uppercase()),
                _ => None,
            })
        } else {
            let exact = self.levels.iter().find(|(word, _)| word == text);
            let any = || {
                self.levels
                    .iter()
                    .find(|(word, _)| word.eq_ignore_ascii_case(text))
            };
            exact
                .or_else(any)
                .map(|(_, number)| *number)
                .or_else(|| level::word(text.trim()))
        }?;
        Some(Level {
            number,
            text: Cow::Borrowed(text),
        })
    }

    fn time(&self, text: &str) -> Option<When> {
        let Some(format) = &self.time_format else {
            return When::read(text);
        };
        let time = BrokenDownTime::parse(format, text).ok()?;
        if let Some(stamp) = time.timestamp() {
            return u64::try_from(stamp.as_nanosecond()).ok().map(When::Nanos);
        }
        let part = |part: Option<i8>| part.unwrap_or(0);
        Some(When::Civil(Civil {
            year: time.year(),
            day: time.month().zip(time.day()),
            time: (part(time.hour()), part(time.minute()), part(time.second())),
            nanos: time.subsec_nanosecond().unwrap_or(0),
            offset: time.offset().map(jiff::tz::Offset::seconds),
        }))
    }
}

/// Whether a text can be a time format, with what is wrong where it cannot.
///
/// # Errors
///
/// What is wrong.
pub fn check_time_format(format: &str) -> Result<(), String> {
    // What a format writes, it must read.
    let epoch = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let text = jiff::fmt::strtime::format(format, &epoch).map_err(|error| error.to_string())?;
    if text == format {
        return Err("no part of a time is in it; a year is %Y".to_owned());
    }
    BrokenDownTime::parse(format, &text)
        .map(drop)
        .map_err(|error| error.to_string())
}

impl LogFormat for CustomFormat {
    fn name(&self) -> &str {
        &self.name
    }

    fn begins(&self, _first: u8) -> bool {
        true
    }

    fn is_own(&self) -> bool {
        true
    }

    fn read<'a>(&self, line: &'a str, _sure: bool) -> Option<Entry<'a>> {
        let groups = self.pattern.captures(line)?;
        let group = |name| groups.name(name).map(|found| found.as_str());
        let filled = |name| group(name).map(str::trim).filter(|text| !text.is_empty());
        let level = group("level").and_then(|text| self.level(text));
        let message = group("message");
        let is_error = level.as_ref().is_none_or(Level::is_error);
        let exception = filled("type").filter(|_| is_error);
        Some(Entry {
            time: filled("time").and_then(|text| self.time(text)),
            level,
            logger: filled("logger").map(Cow::Borrowed),
            message: message.map(Cow::Borrowed),
            exception: exception.map(|name| Box::new(named(name, message.unwrap_or_default()))),
            pid: filled("pid").and_then(|pid| pid.parse().ok()),
            place: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_till_of_the_reference() {
        let format = CustomFormat::new(
            "till",
            r"^(?P<time>\S+ \S+) till(?P<logger>\d+) (?P<level>[A-Z])! (?P<message>.*)$",
            Some("%Y/%m/%d %H:%M:%S"),
            &[("X".to_owned(), 17), ("N".to_owned(), 9)],
        )
        .unwrap();
        let entry = format
            .read("2023/05/20 14:30:22 till7 X! drawer stuck", true)
            .unwrap();
        assert_eq!(
            entry.level.unwrap(),
            Level {
                number: 17,
                text: "X".into()
            }
        );
        assert_eq!(entry.logger.as_deref(), Some("7"));
        assert_eq!(entry.message.as_deref(), Some("drawer stuck"));
        let Some(When::Civil(civil)) = entry.time else {
            panic!("{:?}", entry.time)
        };
        assert_eq!(
            (civil.year, civil.day, civil.time),
            (Some(2023), Some((5, 20)), (14, 30, 22))
        );
        assert!(format.read("something else", true).is_none());
    }

    #[test]
    fn time_formats_are_tried() {
        assert_eq!(check_time_format("%Y/%m/%d %H:%M:%S"), Ok(()));
        assert_eq!(check_time_format("%s"), Ok(()));
        assert!(check_time_format("%Q!%").is_err());
        assert!(check_time_format("time").is_err());
    }
}
