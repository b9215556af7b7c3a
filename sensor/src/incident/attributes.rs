//! The keys of an incident that have one value each, in the order of
//! errors.md. Log records of OTLP are made from this list.

use std::borrow::Cow;

use super::record::Incident;
use crate::process::event::{Attributes, Value};

impl Incident {
    /// Every attribute but time, severity, body, frames and causes; what is
    /// unknown is left out.
    #[must_use]
    pub fn attributes(&self) -> Vec<(Cow<'static, str>, Value)> {
        let mut list = Attributes(Vec::with_capacity(32));
        list.text("sensor.incident.id", Some(self.id.to_string()));
        list.text("sensor.incident.kind", Some(self.kind.as_str().to_owned()));
        list.text(
            "sensor.incident.fingerprint",
            Some(format!("{:016x}", self.fingerprint)),
        );
        list.text("sensor.incident.cause", self.cause.clone());
        list.int("sensor.incident.count", Some(self.count));
        self.exception_attributes(&mut list);
        if let Some(process) = &self.process {
            list.subject(process);
        } else {
            list.int("process.pid", self.pid.map(u64::from));
        }
        list.end(self.end);
        if let Some(sender) = &self.sender {
            list.int("sensor.signal.sender.pid", Some(u64::from(sender.pid)));
            list.text("sensor.signal.sender.name", sender.name.clone());
        }
        list.services(&self.services);
        let origin = &self.origin;
        list.text("log.file.path", origin.path.clone());
        list.text("log.iostream", origin.stream.map(str::to_owned));
        list.text("log.record.original", origin.original.clone());
        list.text("sensor.log.format", origin.format.clone());
        list.text("sensor.log.logger", origin.logger.clone());
        list.text("sensor.incident.last_words", self.last_words.clone());
        let request = self.request.iter();
        list.0
            .extend(request.map(|(key, value)| (*key, value.clone())));
        let fixed = list.0.into_iter();
        let fixed = fixed.map(|(key, value)| (Cow::Borrowed(key), value));
        let context = self.context.iter().map(|(key, value)| {
            let key = format!("sensor.context.{key}");
            (Cow::Owned(key), value.clone())
        });
        fixed.chain(context).collect()
    }

    fn exception_attributes(&self, list: &mut Attributes) {
        let Some(exception) = &self.exception else {
            return;
        };
        list.text("exception.type", Some(exception.name.clone()));
        list.text("exception.message", exception.message.clone());
        list.text("exception.stacktrace", Some(exception.text.clone()));
        let mut frames = exception.frames.iter();
        let top = frames.find(|frame| frame.in_app);
        if let Some(frame) = top.or(exception.frames.first()) {
            list.text("code.function.name", frame.function.clone());
            list.text("code.file.path", frame.file.clone());
            list.int("code.line.number", frame.line);
            list.int("code.column.number", frame.column);
        }
    }
}
