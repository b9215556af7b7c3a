//! Incidents in what an application exports. Pure: no I/O, no clock.

mod exception;
mod found;
mod keys;
mod logs;
mod request;
mod spans;
#[cfg(test)]
pub(super) mod tests;

use std::{collections::HashSet, time::Duration};

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    resource::v1::Resource,
    trace::v1::ResourceSpans,
};
use uuid::Uuid;

pub use self::found::{Found, Head, Weight};
use self::keys::Keys;
use crate::{
    config,
    incident::{
        exception::Exception,
        limit::{self, CAUSES, FRAMES, shrink},
        record::{Incident, Kind, Origin, Severity},
    },
};

/// Most bytes of memory that the incidents of one request take; others are
/// counted only.
const MOST: usize = 8 << 20;
/// What is kept of one incident, as of [`shrink`].
const KEPT: (usize, usize, usize) = (128 << 10, FRAMES, CAUSES);

/// Longest name of a service, bytes.
const MAX_NAME: usize = 1 << 10;

/// A trace; [`NO_TRACE`] where there is none.
pub type TraceId = [u8; 16];

/// What W3C trace context calls invalid.
pub const NO_TRACE: TraceId = [0; 16];

/// What is an incident, from `[receiver]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// A request answered with 404 is one.
    pub capture_404: bool,
    /// The body of a request belongs to it.
    pub capture_request_body: bool,
    /// Exception types that are none; the last component is enough.
    pub ignore_exceptions: Vec<String>,
    /// Prefixes of `url.path` whose requests are none.
    pub ignore_paths: Vec<String>,
    /// A request that takes longer is one; zero: none is.
    pub slow_request_threshold: Duration,
}

impl From<&config::Receiver> for Rules {
    fn from(receiver: &config::Receiver) -> Self {
        Self {
            capture_404: receiver.capture_404,
            capture_request_body: receiver.capture_request_body,
            ignore_exceptions: receiver.ignore_exceptions.clone(),
            ignore_paths: receiver.ignore_paths.clone(),
            slow_request_threshold: receiver.slow_request_threshold,
        }
    }
}

/// Incidents of one resource.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reported {
    /// `process.pid` as the application says it: that of its own namespace.
    pub pid: Option<u32>,
    /// `service.name`, where the application has been given one.
    pub service: Option<String>,
    /// In the order in which they were written.
    pub found: Vec<Found>,
    /// Requests that traces are about: of those with incidents, and of those
    /// that are waited for.
    pub heads: Vec<Head>,
    /// Traces with an exception that is ignored: their status says no more.
    pub hushed: Vec<TraceId>,
    /// Incidents that found no room.
    pub omitted: u64,
    /// Bytes that are left for incidents of the request.
    pub(in crate::receiver) room: usize,
}

/// The incidents among the spans of a request. `observed`: now, ns since 1970.
/// `awaited`: whether the request that a trace is about is waited for.
#[must_use]
pub fn in_spans(
    request: &ExportTraceServiceRequest,
    rules: &Rules,
    observed: u64,
    awaited: &HashSet<TraceId>,
) -> Vec<Reported> {
    let mut room = MOST;
    let each = request.resource_spans.iter().map(|resource| {
        let mut reported = Reported::of(resource.resource.as_ref(), room);
        let language = keys_of(resource.resource.as_ref()).text(&["telemetry.sdk.language"]);
        for scope in &resource.scope_spans {
            for span in &scope.spans {
                let mut reader = spans::Reader {
                    rules,
                    observed,
                    language,
                    to: &mut reported,
                };
                reader.read(span);
            }
        }
        reported.heads = heads(resource, &reported, rules, awaited);
        room = reported.room;
        reported
    });
    each.filter(Reported::says_anything).collect()
}

/// The incidents among the log records of a request.
#[must_use]
pub fn in_logs(request: &ExportLogsServiceRequest, rules: &Rules, observed: u64) -> Vec<Reported> {
    let mut room = MOST;
    let each = request.resource_logs.iter().map(|resource| {
        let mut reported = Reported::of(resource.resource.as_ref(), room);
        let language = keys_of(resource.resource.as_ref()).text(&["telemetry.sdk.language"]);
        for scope in &resource.scope_logs {
            let logger = scope.scope.as_ref().map(|scope| scope.name.as_str());
            for record in &scope.log_records {
                match logs::read(record, logger, language, rules, observed) {
                    logs::Read::Found(found) => reported.keep(*found),
                    logs::Read::Ignored => reported.hushed.push(trace_id(&record.trace_id)),
                    logs::Read::Nothing => {}
                }
            }
        }
        room = reported.room;
        reported
    });
    each.filter(Reported::says_anything).collect()
}

/// The requests that the traces are about which something is said of.
fn heads(
    resource: &ResourceSpans,
    reported: &Reported,
    rules: &Rules,
    awaited: &HashSet<TraceId>,
) -> Vec<Head> {
    let spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
    let found = reported.found.iter().map(|one| one.trace_id);
    let spoken: HashSet<_> = found.chain(reported.hushed.iter().copied()).collect();
    let heads = spans.filter(|span| spans::is_head(span));
    let heads = heads.filter(|span| {
        let trace = trace_id(&span.trace_id);
        trace != NO_TRACE && (awaited.contains(&trace) || spoken.contains(&trace))
    });
    heads.map(|span| Head::of(span, rules)).collect()
}

/// A trace by its bytes; of another length they are invalid.
fn trace_id(bytes: &[u8]) -> TraceId {
    bytes.try_into().unwrap_or(NO_TRACE)
}

fn keys_of(resource: Option<&Resource>) -> Keys<'_> {
    Keys(resource.map_or(&[], |resource| &resource.attributes))
}

impl Reported {
    fn of(resource: Option<&Resource>, room: usize) -> Self {
        let keys = keys_of(resource);
        let pid = keys.int(&["process.pid"]);
        let service = keys.text(&["service.name"]);
        Self {
            pid: pid.and_then(|pid| u32::try_from(pid).ok().filter(|&pid| pid > 0)),
            // What SDKs say where nobody gave a name (semantic conventions,
            // service.name).
            service: service
                .filter(|name| !name.is_empty() && !name.starts_with("unknown_service"))
                .map(|name| request::cut(name, MAX_NAME).to_owned()),
            found: Vec::new(),
            heads: Vec::new(),
            hushed: Vec::new(),
            omitted: 0,
            room,
        }
    }

    /// Adds an incident, cut to what is kept of one.
    fn keep(&mut self, mut found: Found) {
        shrink(&mut found.incident, KEPT);
        if let Some(printed) = &mut found.printed {
            limit::cut(printed, KEPT.0);
        }
        match self.room.checked_sub(found.size()) {
            Some(left) => {
                self.room = left;
                self.found.push(found);
            }
            None => self.omitted += 1,
        }
    }

    fn says_anything(&self) -> bool {
        let is_empty = self.found.is_empty() && self.heads.is_empty() && self.hushed.is_empty();
        !is_empty || self.omitted > 0
    }
}

/// An incident about which nothing is known yet.
fn empty(time: u64, observed: u64) -> Incident {
    Incident {
        id: Uuid::now_v7(),
        kind: Kind::Reported,
        time: Some(time).filter(|&time| time > 0),
        observed,
        severity: Severity {
            number: 17,
            text: None,
        },
        body: None,
        exception: None,
        origin: Origin::default(),
        process: None,
        pid: None,
        services: Vec::new(),
        end: None,
        sender: None,
        cause: None,
        last_words: None,
        fingerprint: 0,
        count: 1,
        request: Default::default(),
        context: Default::default(),
    }
}

impl Rules {
    fn ignores(&self, exception: &Exception) -> bool {
        let mut ignored = self.ignore_exceptions.iter();
        ignored.any(|name| exception::is_type(&exception.name, name))
    }

    fn ignores_path(&self, path: Option<&str>) -> bool {
        let begins = |path: &str| self.ignore_paths.iter().any(|one| path.starts_with(one));
        path.is_some_and(begins)
    }
}
