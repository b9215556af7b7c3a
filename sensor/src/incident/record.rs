//! The one record that everything becomes (errors.md, "The JSON of an
//! incident"). What is unknown is absent.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::exception::{Exception, Frame};
use crate::process::event::{End, Subject, Value};

/// One thing that went wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// `sensor.incident.id`: made when it is recognised, kept on repetition.
    pub id: Uuid,
    /// What it is.
    pub kind: Kind,
    /// When it happened, ns since 1970, where line or event say so.
    pub time: Option<u64>,
    /// When the sensor saw it, ns since 1970.
    pub observed: u64,
    /// How bad.
    pub severity: Severity,
    /// Message of the log line that reported it, without time, level, logger.
    pub body: Option<String>,
    /// The exception, where one was recognised.
    pub exception: Option<Exception>,
    /// Where it was found.
    pub origin: Origin,
    /// The process, where it is known by (pid, start).
    pub process: Option<Subject>,
    /// `process.pid` of the line, where the process itself is not known.
    pub pid: Option<u32>,
    /// Services that watch the process.
    pub services: Vec<std::sync::Arc<str>>,
    /// How the process ended.
    pub end: Option<End>,
    /// Who sent the signal that ended it.
    pub sender: Option<Sender>,
    /// `sensor.incident.cause`: one English line with the evidence.
    pub cause: Option<String>,
    /// `sensor.incident.last_words`: at most [`LAST_WORDS`] bytes.
    pub last_words: Option<String>,
    /// Same on every host for the same fault; see `fingerprint`.
    pub fingerprint: u64,
    /// How many times since the last record of this fingerprint.
    pub count: u64,
    /// What a request says about itself, from the receiver: attribute keys of
    /// semantic conventions.
    pub request: BTreeMap<&'static str, Value>,
    /// `sensor.context.<provider>.<key>`; the key here is `<provider>.<key>`.
    pub context: BTreeMap<String, Value>,
}

impl Incident {
    /// What happened, in one line where that is possible: the line that
    /// reported it, else the exception, else the cause.
    #[must_use]
    pub fn headline(&self) -> Option<String> {
        let exception =
            || Some(self.exception.as_ref()?.headline()).filter(|text| !text.is_empty());
        let body = self.body.clone().or_else(exception);
        body.or_else(|| self.cause.clone())
    }
}

/// The name of every incident as an event.
pub const EVENT_NAME: &str = "sensor.incident";

/// Most bytes of last words.
pub const LAST_WORDS: usize = 16 * 1024;

/// `sensor.incident.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An abnormal end, with or without an exception.
    Exit,
    /// Killed by the kernel for want of memory.
    Oom,
    /// An exception in text.
    Exception,
    /// An error line without an exception.
    Log,
    /// Reported by the application itself.
    Reported,
    /// A line of the kernel.
    Kernel,
}

impl Kind {
    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Oom => "oom",
            Self::Exception => "exception",
            Self::Log => "log",
            Self::Reported => "reported",
            Self::Kernel => "kernel",
        }
    }
}

/// OpenTelemetry's severity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Severity {
    /// 1 to 24: ERROR is 17, FATAL 21.
    pub number: u8,
    /// As it stood in the line.
    pub text: Option<String>,
}

/// Where an incident was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// `log.record.original`: the lines as they were, envelope included.
    pub original: Option<String>,
    /// `log.file.path`
    pub path: Option<String>,
    /// `log.iostream`: stdout or stderr.
    pub stream: Option<&'static str>,
    /// `sensor.log.format`
    pub format: Option<String>,
    /// `sensor.log.logger`
    pub logger: Option<String>,
    /// The place in the code that the line names; `code.*` where no frame is
    /// the application's.
    pub place: Option<Box<Frame>>,
}

/// Who sent a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Thread group id.
    pub pid: u32,
    /// Its name, where it is known.
    pub name: Option<String>,
}
