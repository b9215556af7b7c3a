//! The keys of an incident, in one list: JSON lines and OTLP records are both
//! made from it.

use std::borrow::Cow;

use super::{
    exception::{Exception, Frame, Language},
    record::{Incident, Origin},
};
use crate::process::event::{End, Value};

/// A key with its value.
pub type Attribute = (Cow<'static, str>, Value);

impl Incident {
    /// Every attribute: all but times, severity, body, frames and causes,
    /// which are no attributes on the wire. What is unknown, or empty, is left
    /// out.
    #[must_use]
    pub fn attributes(&self) -> Vec<Attribute> {
        let mut list = List(Vec::with_capacity(32));
        if let Some(exception) = &self.exception {
            list.exception(exception);
        }
        list.code(self.place());
        list.origin(&self.origin);
        if let Some(process) = &self.process {
            list.0.extend(
                process
                    .attributes()
                    .into_iter()
                    .map(|(key, value)| (key.into(), value)),
            );
        } else {
            list.int("process.pid", self.pid.map(u64::from));
        }
        if !self.services.is_empty() {
            let names = self.services.iter().map(|name| name.to_string()).collect();
            list.0.push(("service.name".into(), Value::List(names)));
        }
        match self.end {
            Some(End::Code(code)) => list.int("process.exit.code", Some(u64::from(code))),
            Some(End::Signal {
                signal,
                core_dumped,
            }) => {
                list.int("sensor.exit.signal", Some(u64::from(signal)));
                list.0
                    .push(("sensor.exit.core_dumped".into(), Value::Bool(core_dumped)));
            }
            None => {}
        }
        if let Some(sender) = &self.sender {
            list.int("sensor.signal.sender.pid", Some(u64::from(sender.pid)));
            list.text("sensor.signal.sender.name", sender.name.as_deref());
        }
        list.text("sensor.incident.id", Some(&self.id.to_string()));
        list.text("sensor.incident.kind", Some(self.kind.as_str()));
        list.text(
            "sensor.incident.fingerprint",
            Some(&format!("{:016x}", self.fingerprint)),
        );
        list.text("sensor.incident.cause", self.cause.as_deref());
        list.int("sensor.incident.count", Some(self.count));
        list.text("sensor.incident.last_words", self.last_words.as_deref());
        if let Some(exception) = &self.exception {
            list.int(
                "sensor.incident.frames_omitted",
                Some(exception.frames_omitted).filter(|left| *left > 0),
            );
            list.int(
                "sensor.incident.causes_omitted",
                Some(exception.causes_omitted).filter(|left| *left > 0),
            );
        }
        let request = self
            .request
            .iter()
            .map(|(key, value)| (Cow::Borrowed(*key), value.clone()));
        list.0.extend(request);
        let context = self.context.iter();
        list.0.extend(
            context.map(|(key, value)| (format!("sensor.context.{key}").into(), value.clone())),
        );
        list.0
            .retain(|(_, value)| !matches!(value, Value::Text(text) if text.is_empty()));
        list.0
    }

    /// The innermost frame of the application, else the place that the log
    /// line, or the message, names.
    #[must_use]
    pub fn place(&self) -> Option<&Frame> {
        let frames = self
            .exception
            .as_ref()
            .map(|exception| exception.frames.as_slice());
        let own = frames.and_then(|frames| frames.iter().find(|frame| frame.in_app));
        own.or(self.origin.place.as_deref())
    }
}

struct List(Vec<Attribute>);

impl List {
    fn text(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.0.push((key.into(), Value::Text(value.to_owned())));
        }
    }

    fn int(&mut self, key: &'static str, value: Option<u64>) {
        if let Some(value) = value {
            self.0.push((
                key.into(),
                Value::Int(i64::try_from(value).unwrap_or(i64::MAX)),
            ));
        }
    }

    fn exception(&mut self, exception: &Exception) {
        self.text("exception.type", Some(&exception.name));
        self.text("exception.message", exception.message.as_deref());
        self.text("exception.stacktrace", Some(&exception.text));
        self.text("language", exception.language.as_str());
    }

    fn code(&mut self, place: Option<&Frame>) {
        let Some(Frame {
            function,
            module,
            file,
            line,
            column,
            in_app: _,
        }) = place
        else {
            return;
        };
        // Qualified where the parts were split (semantic conventions, code.*).
        let function = match (module, function) {
            (Some(module), Some(function)) => Some(Cow::Owned(format!("{module}.{function}"))),
            (_, function) => function.as_deref().map(Cow::Borrowed),
        };
        self.text("code.function.name", function.as_deref());
        self.text("code.file.path", file.as_deref());
        self.int("code.line.number", *line);
        self.int("code.column.number", *column);
    }

    fn origin(&mut self, origin: &Origin) {
        let Origin {
            original,
            path,
            stream,
            format,
            logger,
            place: _,
        } = origin;
        self.text("log.record.original", original.as_deref());
        self.text("log.file.path", path.as_deref());
        self.text("log.iostream", *stream);
        self.text("sensor.log.format", format.as_deref());
        self.text("sensor.log.logger", logger.as_deref());
    }
}

impl Language {
    /// As in `language`; `None` where it is not known.
    #[must_use]
    pub fn as_str(self) -> Option<&'static str> {
        Some(match self {
            Self::Python => "python",
            Self::Java => "java",
            Self::Go => "go",
            Self::JavaScript => "javascript",
            Self::Rust => "rust",
            Self::Ruby => "ruby",
            Self::CSharp => "csharp",
            Self::Php => "php",
            Self::Cpp => "cpp",
            Self::Elixir => "elixir",
            Self::Dart => "dart",
            Self::Kernel => "kernel",
            Self::Unknown => return None,
        })
    }
}
