//! Spans: exceptions in their events, statuses that matter, and slow ones.

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::{
    Span,
    span::{Event, SpanKind},
};

use super::{
    Found, Reported, Rules, Weight, empty,
    exception::{self, Told},
    keys::Keys,
    request::Request,
    trace_id,
};
use crate::incident::{log::level::Level, record::Incident};

pub(super) struct Reader<'a> {
    pub rules: &'a Rules,
    pub observed: u64,
    pub language: Option<&'a str>,
    pub to: &'a mut Reported,
}

impl Reader<'_> {
    /// One incident for each of its exceptions; without any, at most one.
    pub fn read(&mut self, span: &Span) {
        let request = Request::of(Keys(&span.attributes));
        let is_ignored = self.rules.ignores_path(request.path);
        let mut raised = span.events.iter().filter(|event| is_report(event));
        if is_ignored {
            if raised.next().is_some() {
                self.to.hushed.push(trace_id(&span.trace_id));
            }
            return;
        }
        let mut raised = raised.peekable();
        if raised.peek().is_none() {
            if let Some(cause) = self.why(span, &request) {
                let mut incident = empty(span.end_time_unix_nano, self.observed);
                incident.cause = Some(cause);
                self.keep(span, &request, incident, Weight::Status, None);
            }
            return;
        }
        // One at a time: parsed, it is larger than its text.
        for event in raised {
            if let Some(told) = exception::read(Keys(&event.attributes), self.language) {
                self.raised(span, &request, event.time_unix_nano, told);
            }
        }
    }

    fn raised(&mut self, span: &Span, request: &Request<'_>, time: u64, told: Told) {
        let Told { exception, printed } = told;
        if self.rules.ignores(&exception) {
            self.to.hushed.push(trace_id(&span.trace_id));
            return;
        }
        let mut incident = empty(time, self.observed);
        incident.cause = Some(raised_in(request.name().as_deref()));
        incident.severity.number = exception.severity;
        incident.exception = Some(exception);
        self.keep(span, request, incident, Weight::Reason, printed);
    }

    fn keep(
        &mut self,
        span: &Span,
        request: &Request<'_>,
        mut incident: Incident,
        weight: Weight,
        printed: Option<String>,
    ) {
        let said = span.status.as_ref().map(|status| status.message.as_str());
        incident.body = said.filter(|said| !said.is_empty()).map(str::to_owned);
        incident.request = request.attributes(self.rules.capture_request_body);
        self.to.keep(Found {
            trace_id: trace_id(&span.trace_id),
            weight,
            is_complete: request.path.is_some() || is_head(span),
            printed,
            incident,
        });
    }

    /// Why a span without an exception is an incident, if it is one.
    fn why(&self, span: &Span, request: &Request<'_>) -> Option<String> {
        let name = || request.name().unwrap_or_else(|| span.name.clone());
        if let Some(status) = request.status
            && is_request(span, request)
            && (status >= 500 || status == 404 && self.rules.capture_404)
        {
            return Some(format!("status {status} of {}", name()));
        }
        let limit = self.rules.slow_request_threshold;
        let took = span
            .end_time_unix_nano
            .checked_sub(span.start_time_unix_nano)?;
        let took = Duration::from_nanos(took);
        let is_slow = !limit.is_zero() && took > limit && is_request(span, request);
        is_slow.then(|| format!("{} took {took:?}, longer than {limit:?}", name()))
    }
}

/// Whether an event reports an exception. Conventions fix the name; the bridge
/// of Rust's `tracing` takes the message for it, and says how bad it is.
fn is_report(event: &Event) -> bool {
    let keys = Keys(&event.attributes);
    let level = || keys.text(&["level"]).and_then(Level::word);
    let is_bad = event.name == "exception" || level().is_none_or(|level| level.is_error());
    is_bad && exception::is_told(keys)
}

/// Whether a span stands for a whole request, not for a part of one: those
/// have the route or the status of the whole as well (Express, ASGI).
fn is_request(span: &Span, request: &Request<'_>) -> bool {
    match span.kind() {
        SpanKind::Server | SpanKind::Consumer => true,
        SpanKind::Internal => span.parent_span_id.is_empty() || request.method.is_some(),
        _ => request.is_some() || span.parent_span_id.is_empty(),
    }
}

/// Whether it is what a process was asked to do; all else of its trace there
/// is a part of it.
pub(super) fn is_head(span: &Span) -> bool {
    matches!(span.kind(), SpanKind::Server | SpanKind::Consumer) || span.parent_span_id.is_empty()
}

/// Why an exception is an incident.
pub(super) fn raised_in(request: Option<&str>) -> String {
    match request {
        Some(request) => format!("exception reported by the application in {request}"),
        None => "exception reported by the application".to_owned(),
    }
}
