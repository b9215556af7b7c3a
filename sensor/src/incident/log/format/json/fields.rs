//! The keys that loggers have agreed on.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{
    super::Entry,
    exception::Reported,
    node::{Key, Node},
};
use crate::incident::{
    exception::Frame,
    log::{
        level::{self, Level, Scale},
        time::When,
    },
};

/// What is kept of a line. Lines are read once, so a key costs one comparison
/// by its length and letters.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    /// Level with the rank of its key: a word is better than a number.
    level: Option<(Level<'a>, u8)>,
    /// The level was a bare number, which may be anything.
    weak: Weak,
    time: Option<When>,
    message: Option<(Cow<'a, str>, u8)>,
    logger: Option<Cow<'a, str>>,
    reported: Reported<'a>,
    place: Frame,
    context: bool,
    /// tracing: the module, which is the logger where the fields lie below.
    target: Option<Cow<'a, str>>,
    /// loguru: the record as text, where the record itself lies below.
    formatted: Option<Node<'a>>,
    below: Option<Below>,
}

impl<'a> Fields<'a> {
    /// Takes in a pair; `value` is called only where the key matters. Says
    /// whether it was.
    pub fn set(&mut self, key: &str, value: impl FnOnce() -> Node<'a>) -> bool {
        let Some(meaning) = Meaning::of(key) else {
            return false;
        };
        self.put(meaning, value());
        true
    }

    fn put(&mut self, meaning: Meaning, value: Node<'a>) {
        match meaning {
            Meaning::Level(rank, scale) => self.level(rank, scale, value),
            Meaning::Time => {
                self.time = self.time.or_else(|| when(&value));
            }
            Meaning::Message(rank) => {
                let text = match value {
                    Node::Int(number) => Some(number.to_string().into()),
                    Node::Float(number) => Some(number.to_string().into()),
                    value => value.into_text(),
                };
                if self.message.as_ref().is_none_or(|(_, best)| rank < *best)
                    && let Some(text) = text
                {
                    self.message = Some((text, rank));
                }
            }
            Meaning::Logger => {
                if self.logger.is_none() {
                    self.logger = value.into_text();
                }
            }
            Meaning::Target => self.target = value.into_text(),
            Meaning::Formatted => self.formatted = Some(value),
            Meaning::Exception(part) => self.reported.put(part, value),
            Meaning::Caller => {
                if let Some((file, line)) = value.text().and_then(|text| text.rsplit_once(':')) {
                    self.place.file = Some(file.into());
                    self.place.line = line.parse().ok();
                }
            }
            Meaning::File => self.place.file = value.text().map(Into::into),
            Meaning::FileName => {
                let name = || value.text().map(Into::into);
                self.place.file = self.place.file.take().or_else(name);
            }
            Meaning::Line => {
                self.place.line = value.number().and_then(|line| u64::try_from(line).ok());
            }
            Meaning::Function => self.place.function = value.text().map(Into::into),
            Meaning::Log => {
                if let Node::Map(entries) = value {
                    for (key, value) in entries {
                        match &*key {
                            "level" => self.level(1, Scale::Level, value),
                            "logger" if self.logger.is_none() => self.logger = value.into_text(),
                            _ => {}
                        }
                    }
                }
            }
            Meaning::Context => self.context = true,
        }
    }

    fn level(&mut self, rank: u8, scale: Scale, value: Node<'a>) {
        if self.level.as_ref().is_some_and(|(_, best)| *best <= rank) {
            return;
        }
        match value {
            Node::Text(text) => {
                let trimmed = text.trim();
                let number = level::word(trimmed).or_else(|| match trimmed.as_bytes() {
                    [one] => level::letter(one.to_ascii_uppercase()),
                    _ => None,
                });
                if let Some(number) = number {
                    self.weak = Weak::No;
                    self.level = Some((Level { number, text }, rank));
                } else if let Ok(number) = trimmed.parse() {
                    self.number(rank, scale, number);
                }
            }
            Node::Int(number) => self.number(rank, scale, number),
            Node::Map(_) => {
                // loguru: {"name": "ERROR", "no": 40}
                if let Some(word) = value.first(&["name"])
                    && let Some(number) = level::word(word)
                {
                    let text = word.to_owned().into();
                    self.level = Some((Level { number, text }, rank));
                }
            }
            _ => {}
        }
    }

    fn number(&mut self, rank: u8, scale: Scale, value: i64) {
        // A word under another key says more.
        let rank = rank + 8;
        if self.level.as_ref().is_some_and(|(_, best)| *best <= rank) {
            return;
        }
        if let Some(number) = level::number(value, scale) {
            self.weak = match scale {
                Scale::Level if value < 8 => Weak::Yes,
                Scale::Level => Weak::WithoutMessage,
                _ => Weak::No,
            };
            let text = value.to_string().into();
            self.level = Some((Level { number, text }, rank));
        }
    }

    /// What the pairs say together. `sure`: they are a log line, whatever they
    /// look like.
    #[must_use]
    pub fn entry(mut self, sure: bool) -> Entry<'a> {
        let is_record = self.below == Some(Below::Record);
        if let Some(text) = self.formatted.take().filter(|_| is_record) {
            self.reported.put(Part::Whole, text);
        }
        let target = self.target.filter(|_| self.below == Some(Below::Fields));
        let likely = sure || self.context || self.time.is_some() && self.message.is_some();
        let level = self
            .level
            .map(|(level, _)| level)
            .filter(|_| match self.weak {
                Weak::No => true,
                Weak::WithoutMessage => sure || self.message.is_some() || !self.reported.is_empty(),
                Weak::Yes => likely,
            });
        let message = self.message.map(|(message, _)| message);
        let exception = self.reported.exception(level.as_ref(), message.as_deref());
        let place = self.place.file.is_some().then(|| Box::new(self.place));
        Entry {
            time: self.time,
            level,
            logger: self.logger.or(target),
            message: message.or_else(|| {
                let exception = exception.as_ref()?;
                exception.message.clone().map(Cow::Owned)
            }),
            exception,
            pid: None,
            place,
        }
    }
}

/// A time: text, a number of any unit, or an object of MongoDB (`$date`), of
/// loguru (`timestamp`), of log4j (seconds and nanoseconds).
fn when(value: &Node<'_>) -> Option<When> {
    match value {
        Node::Text(text) => When::read(text),
        Node::Int(number) => When::number(&number.to_string()),
        Node::Float(number) => When::number(&number.to_string()),
        Node::Map(_) => {
            if let Some(inner) = value.get("$date").or_else(|| value.get("timestamp")) {
                return match inner {
                    Node::Map(_) => None,
                    inner => when(inner),
                };
            }
            let whole = |key| u64::try_from(value.get(key)?.number()?).ok();
            let nanos = whole("epochSecond")?.checked_mul(1_000_000_000)?;
            Some(When::Nanos(
                nanos.checked_add(whole("nanoOfSecond").unwrap_or(0))?,
            ))
        }
        _ => None,
    }
}

/// Whether a level counts only where the line looks like a log's.
#[derive(Debug, Clone, Copy, Default)]
enum Weak {
    #[default]
    No,
    WithoutMessage,
    Yes,
}

/// What a key means.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    /// Lower ranks go first.
    Level(u8, Scale),
    Time,
    Message(u8),
    Logger,
    Exception(Part),
    /// tracing: the module.
    Target,
    /// loguru: the record as text, trace included.
    Formatted,
    Caller,
    File,
    /// The same without its directory, maybe.
    FileName,
    Line,
    Function,
    /// ECS: `log`
    Log,
    /// Says that the line is a log's, nothing more.
    Context,
}

/// Parts of an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A text with a trace, or an object.
    Whole,
    /// A text that is a trace only if it looks like one.
    Stack,
    /// Its type.
    Type,
    /// Its message.
    Message,
}

impl Meaning {
    fn of(key: &str) -> Option<Self> {
        Some(match key {
            "level" | "log.level" | "Level" | "LEVEL" => Self::Level(0, Scale::Level),
            "severity" | "levelname" | "level_name" | "Severity" | "SEVERITY" | "loglevel"
            | "log_level" | "logLevel" | "lvl" | "@l" | "severityText" | "severity_text"
            | "SeverityText" | "LogLevel" => Self::Level(1, Scale::Level),
            "priority" | "PRIORITY" => Self::Level(3, Scale::Syslog),
            "levelno" => Self::Level(4, Scale::Python),
            "severityNumber" | "severity_number" | "SeverityNumber" => Self::Level(4, Scale::Otlp),
            "level_value" => Self::Level(5, Scale::Level),
            "s" => Self::Level(6, Scale::Level),
            "timestamp" | "time" | "ts" | "@timestamp" | "asctime" | "@t" | "datetime"
            | "Timestamp" | "eventTime" | "t" | "date" | "instant" => Self::Time,
            "message" => Self::Message(0),
            "msg" => Self::Message(1),
            "@m" | "short_message" | "Message" | "RenderedMessage" => Self::Message(2),
            "event" => Self::Message(3),
            "@mt" | "MessageTemplate" => Self::Message(4),
            "logger" | "logger_name" | "loggerName" | "log.logger" | "name" | "SourceContext"
            | "category" | "Category" | "channel" | "c" => Self::Logger,
            "target" => Self::Target,
            "exc_info" | "exception" | "err" | "error" | "error_details" | "thrown" | "exc"
            | "full_message" => Self::Exception(Part::Whole),
            "text" => Self::Formatted,
            "stack_trace"
            | "stacktrace"
            | "stackTrace"
            | "stack"
            | "exc_text"
            | "traceback"
            | "@x"
            | "Exception"
            | "err.stack"
            | "error.stack"
            | "error.stack_trace"
            | "exception.stacktrace"
            | "error_details.traceback"
            | "exception_backtrace"
            | "exception_stacktrace"
            | "backtrace" => Self::Exception(Part::Stack),
            "err.type"
            | "error.type"
            | "error.kind"
            | "exception.type"
            | "error_details.exception_type"
            | "exception_class"
            | "exc_type" => Self::Exception(Part::Type),
            "err.message"
            | "error.message"
            | "exception.message"
            | "exception_message"
            | "error_details.message" => Self::Exception(Part::Message),
            "caller" => Self::Caller,
            "pathname" | "log.origin.file.name" => Self::File,
            "filename" => Self::FileName,
            "lineno" | "line_number" | "log.origin.file.line" => Self::Line,
            "funcName" | "log.origin.function" => Self::Function,
            "log" => Self::Log,
            "version" | "hostname" | "host" | "_SYSTEMD_UNIT" => Self::Context,
            _ => return None,
        })
    }
}

/// Objects that hold a part of what a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Below {
    /// loguru: all of it.
    Record,
    /// tracing: what was logged, and whatever else the program named.
    Fields,
    /// Serilog: whatever the program named, and the logger.
    Properties,
    /// Monolog: whatever the program named, and the exception.
    Context,
}

impl Below {
    fn of(key: &str) -> Option<Self> {
        Some(match key {
            "record" => Self::Record,
            "fields" => Self::Fields,
            "Properties" => Self::Properties,
            "context" => Self::Context,
            _ => return None,
        })
    }

    /// What a key below means; whatever the program named means nothing.
    fn meaning(self, key: &str, value: &Node<'_>) -> Option<Meaning> {
        let meaning = Meaning::of(key)?;
        let counts = match (self, meaning) {
            // What stands above goes first.
            (Self::Fields, Meaning::Message(rank)) => return Some(Meaning::Message(rank + 8)),
            (Self::Record, _) | (Self::Fields, Meaning::Exception(_)) => true,
            (Self::Fields, _) => false,
            (Self::Properties, _) => key == "SourceContext",
            (Self::Context, _) => key == "exception" && matches!(value, Node::Map(_)),
        };
        counts.then_some(meaning)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        while let Some(Key(key)) = map.next_key()? {
            if let Some(meaning) = Meaning::of(&key) {
                fields.put(meaning, map.next_value()?);
            } else if let Some(below) = Below::of(&key) {
                let record: Node<'de> = map.next_value()?;
                if let Node::Map(entries) = record {
                    fields.below = Some(below);
                    for (key, value) in entries {
                        if let Some(meaning) = below.meaning(&key, &value) {
                            fields.put(meaning, value);
                        }
                    }
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(fields)
    }
}
