//! What a [`LogParser`](super::LogParser) is told about the text it gets.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::format::Formats;
use crate::process::event::Subject;

/// Where text comes from and how to read it. The default knows nothing: every
/// format is tried, and times without a zone are UTC.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The formats that are known, built in and configured.
    pub formats: Arc<Formats>,
    /// The only format, or envelope, that counts; `None`: found out per
    /// source. A name that [`Formats`] doesn't know is found out, too.
    pub format: Option<String>,
    /// The wall clock, ns since 1970: `observed` of every incident, and what
    /// "not in the future" refers to. See
    /// [`LogParser::set_now`](super::LogParser::set_now).
    pub now: u64,
    /// Zone of times that name none.
    pub zone: TimeZone,
    /// Random bits that ids of incidents are made of.
    pub seed: u64,
    /// `log.file.path`
    pub path: Option<String>,
    /// `log.iostream`, where the text itself names none.
    pub stream: Option<&'static str>,
    /// The process that wrote it, where it is known by (pid, start).
    pub process: Option<Subject>,
    /// Services that watch the process.
    pub services: Vec<Arc<str>>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            formats: Arc::new(Formats::default()),
            format: None,
            now: 0,
            zone: TimeZone::UTC,
            seed: 0,
            path: None,
            stream: None,
            process: None,
            services: Vec::new(),
        }
    }
}
