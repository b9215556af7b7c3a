//! A line that may be, or begin, an incident, as a record.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    clean,
    format::Entry,
    level::Level,
    options::LogOptions,
    time::{Clock, When},
};
use crate::incident::{
    exception::{Exception, Language},
    fingerprint::fingerprint,
    limit::{CAUSES, FRAMES, trim},
    record::{Incident, Kind, Origin, Severity},
};

/// Most bytes of `log.record.original`.
pub const ORIGINAL_MAX: usize = 128 << 10;

/// What the envelopes around a line say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// stdout or stderr.
    pub stream: Option<&'static str>,
    /// When.
    pub time: Option<When>,
    /// How bad.
    pub level: Option<&'a Level<'static>>,
    /// Who.
    pub logger: Option<&'a str>,
    /// The process on this host.
    pub pid: Option<u32>,
    /// Innermost envelope that has a name.
    pub envelope: Option<&'static str>,
    /// The kernel wrote it.
    pub kernel: bool,
}

impl Around<'_> {
    /// There is none.
    pub const NOTHING: &'static Around<'static> = &Around {
        stream: None,
        time: None,
        level: None,
        logger: None,
        pid: None,
        envelope: None,
        kernel: false,
    };
}

/// All that is known of a line.
#[derive(Debug)]
pub struct Facts<'a> {
    /// What its envelopes say.
    pub around: &'a Around<'a>,
    /// What it says itself, and the name of its format.
    pub entry: Option<(&'a Entry<'a>, &'a str)>,
    /// The line without envelopes.
    pub text: &'a [u8],
}

impl Facts<'_> {
    fn level(&self) -> Option<(&Level<'_>, bool)> {
        let own = self.entry.and_then(|(entry, _)| entry.level.as_ref());
        match own {
            Some(level) => Some((level, true)),
            None => self.around.level.map(|level| (level, false)),
        }
    }

    /// Whether its level makes it an incident.
    pub fn is_error(&self) -> bool {
        self.level().is_some_and(|(level, _)| level.is_error())
            && !self.text.trim_ascii().is_empty()
    }
}

/// A record in the making.
#[derive(Debug)]
pub struct Draft {
    /// What is known so far.
    pub incident: Box<Incident>,
    /// It is an incident by its level.
    pub is_error: bool,
    /// The level is the line's own, not that of an envelope.
    pub own_level: bool,
}

/// Makes records.
#[derive(Debug)]
pub struct Maker {
    /// What the parser was told.
    pub options: LogOptions,
    /// The same time and zone, for times of lines.
    pub clock: Clock,
    made: u64,
}

impl Maker {
    /// A maker that made none.
    pub fn new(options: LogOptions) -> Self {
        let clock = Clock {
            now: options.now,
            zone: options.zone.clone(),
        };
        Self {
            options,
            clock,
            made: 0,
        }
    }

    /// A draft of a line.
    pub fn draft(&mut self, facts: &Facts<'_>) -> Draft {
        let entry = facts.entry.map(|(entry, _)| entry);
        let around = facts.around;
        let is_error = facts.is_error();
        let level = facts.level();
        let own_level = level.is_some_and(|(_, own)| own);
        let severity = match level {
            Some((level, own)) if own || is_error => Severity {
                number: level.number,
                text: Some(level.text.trim().to_owned()),
            },
            _ => Severity {
                number: 0,
                text: None,
            },
        };
        let lossy = |text: &[u8]| clean::lossy(text).into_owned();
        let body = match entry {
            Some(entry) => entry.message.as_deref().map(str::to_owned),
            None => is_error.then(|| lossy(facts.text)),
        };
        let logger = entry
            .and_then(|entry| entry.logger.as_deref())
            .or(around.logger);
        let format = facts.entry.map(|(_, name)| name).or(around.envelope);
        let time = entry
            .and_then(|entry| entry.time)
            .and_then(|time| self.clock.nanos(time));
        let incident = Box::new(Incident {
            id: self.id(),
            kind: if around.kernel {
                Kind::Kernel
            } else {
                Kind::Log
            },
            time: time.or_else(|| around.time.and_then(|time| self.clock.nanos(time))),
            observed: self.clock.now,
            severity,
            body: body
                .map(|body| body.trim().to_owned())
                .filter(|body| !body.is_empty()),
            exception: None,
            origin: Origin {
                original: None,
                path: self.options.path.clone(),
                stream: around.stream.or(self.options.stream),
                format: format.map(str::to_owned),
                logger: logger.map(str::to_owned),
                place: entry.and_then(|entry| entry.place.clone()),
            },
            process: self.options.process.clone(),
            pid: entry.and_then(|entry| entry.pid).or(around.pid),
            services: self.options.services.clone(),
            end: None,
            sender: None,
            cause: None,
            last_words: None,
            fingerprint: 0,
            count: 1,
            request: BTreeMap::new(),
            context: BTreeMap::new(),
        });
        Draft {
            incident,
            is_error,
            own_level,
        }
    }

    fn id(&mut self) -> Uuid {
        let number = self.options.seed.wrapping_add(self.made);
        self.made += 1;
        let millis = self.clock.now / 1_000_000;
        // A UUID of version 7 without the random bits that its text allows to
        // leave out: the stage asks for no randomness.
        Uuid::from_u64_pair(millis << 16 | 0x7000, number & (u64::MAX >> 2) | 0b10 << 62)
    }
}

impl Draft {
    /// Puts the exception in that the line brought or that followed it.
    pub fn add(&mut self, mut exception: Box<Exception>) {
        trim(&mut exception, FRAMES, CAUSES);
        let incident = &mut self.incident;
        incident.kind = match (exception.language, exception.name.as_str()) {
            (Language::Kernel, "oom-kill") => Kind::Oom,
            (Language::Kernel, _) => Kind::Kernel,
            _ => Kind::Exception,
        };
        if incident.severity.number == 0 {
            incident.severity.number = exception.severity;
        }
        incident.pid = exception.pid.or(incident.pid);
        incident.exception = Some(*exception);
    }

    /// The record, with the lines as they were.
    pub fn finish(self, mut original: Vec<u8>) -> Box<Incident> {
        let mut incident = self.incident;
        let mut end = original.len().min(ORIGINAL_MAX);
        while end < original.len()
            && end > 0
            && original.get(end).is_some_and(|byte| byte & 0xc0 == 0x80)
        {
            end -= 1;
        }
        original.truncate(end);
        let original = String::from_utf8(original)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        incident.origin.original = Some(original).filter(|text| !text.is_empty());
        incident.fingerprint = fingerprint(&incident);
        incident
    }
}
