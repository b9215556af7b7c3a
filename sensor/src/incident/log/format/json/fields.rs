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
                let time = match &value {
                    Node::Text(text) => When::read(text),
                    Node::Int(number) => When::number(&number.to_string()),
                    Node::Float(number) => When::number(&number.to_string()),
                    Node::Map(_) => value.first(&["$date"]).and_then(When::read),
                    _ => None,
                };
                self.time = self.time.or(time);
            }
            Meaning::Message(rank) => {
                if self.message.as_ref().is_none_or(|(_, best)| rank < *best)
                    && let Some(text) = value.into_text()
                {
                    self.message = Some((text, rank));
                }
            }
            Meaning::Logger => {
                if self.logger.is_none() {
                    self.logger = value.into_text();
                }
            }
            Meaning::Exception(part) => self.reported.put(part, value),
            Meaning::Caller => {
                if let Some((file, line)) = value.text().and_then(|text| text.rsplit_once(':')) {
                    self.place.file = Some(file.to_owned());
                    self.place.line = line.parse().ok();
                }
            }
            Meaning::File => self.place.file = value.text().map(str::to_owned),
            Meaning::Line => {
                self.place.line = value.number().and_then(|line| u64::try_from(line).ok());
            }
            Meaning::Function => self.place.function = value.text().map(str::to_owned),
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
    pub fn entry(self, sure: bool) -> Entry<'a> {
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
            logger: self.logger,
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
    Caller,
    File,
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
            | "Timestamp" | "eventTime" | "t" | "date" => Self::Time,
            "message" => Self::Message(0),
            "msg" => Self::Message(1),
            "@m" | "short_message" | "Message" => Self::Message(2),
            "event" => Self::Message(3),
            "@mt" => Self::Message(4),
            "logger" | "logger_name" | "loggerName" | "log.logger" | "name" | "SourceContext"
            | "category" | "channel" | "c" => Self::Logger,
            "exc_info" | "exception" | "err" | "error" | "error_details" | "thrown" | "exc"
            | "full_message" => Self::Exception(Part::Whole),
            "stack_trace"
            | "stacktrace"
            | "stackTrace"
            | "stack"
            | "exc_text"
            | "traceback"
            | "@x"
            | "err.stack"
            | "error.stack"
            | "error.stack_trace"
            | "exception.stacktrace"
            | "error_details.traceback" => Self::Exception(Part::Stack),
            "err.type"
            | "error.type"
            | "error.kind"
            | "exception.type"
            | "error_details.exception_type"
            | "exception_class"
            | "exc_type" => Self::Exception(Part::Type),
            "err.message" | "error.message" | "exception.message" | "error_details.message" => {
                Self::Exception(Part::Message)
            }
            "caller" => Self::Caller,
            "pathname" | "log.origin.file.name" => Self::File,
            "lineno" | "log.origin.file.line" => Self::Line,
            "funcName" | "log.origin.function" => Self::Function,
            "log" => Self::Log,
            "version" | "hostname" | "host" | "_SYSTEMD_UNIT" => Self::Context,
            _ => return None,
        })
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
            } else if key == "record" {
                // loguru's record lies below.
                let record: Node<'de> = map.next_value()?;
                if let Node::Map(entries) = record {
                    for (key, value) in entries {
                        fields.set(&key, || value);
                    }
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(fields)
    }
}
