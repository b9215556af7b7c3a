//! Spans: exceptions in their events, statuses that matter, and slow ones.

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};

use super::{Found, Rules, empty, exception, keys::Keys, request::Request};
use crate::incident::{exception::Exception, record::Incident};

pub(super) struct Reader<'a> {
    pub rules: &'a Rules,
    pub observed: u64,
    pub language: Option<&'a str>,
    pub found: &'a mut Vec<Found>,
}

impl Reader<'_> {
    /// One incident for each of its exceptions; without any, at most one.
    pub fn read(&mut self, span: &Span) {
        let request = Request::of(Keys(&span.attributes));
        if self.rules.ignores_path(request.path.as_deref()) {
            return;
        }
        let mut exceptions = Vec::new();
        for event in &span.events {
            let keys = Keys(&event.attributes);
            // The name is fixed by the conventions; attributes without it are
            // nobody's intention to report.
            if event.name == "exception"
                && let Some(exception) = exception::read(keys, self.language)
            {
                exceptions.push((event.time_unix_nano, exception));
            }
        }
        if exceptions.is_empty() {
            if let Some(cause) = self.why(span, &request) {
                let mut incident = empty(span.end_time_unix_nano, self.observed);
                incident.cause = Some(cause);
                self.keep(span, &request, incident);
            }
            return;
        }
        for (time, exception) in exceptions {
            self.raised(span, &request, time, exception);
        }
    }

    fn raised(&mut self, span: &Span, request: &Request, time: u64, exception: Exception) {
        if self.rules.ignores(&exception) {
            return;
        }
        let mut incident = empty(time, self.observed);
        incident.cause = Some(match request.name() {
            Some(request) => format!("exception reported by the application in {request}"),
            None => "exception reported by the application".to_owned(),
        });
        incident.severity.number = exception.severity;
        incident.exception = Some(exception);
        self.keep(span, request, incident);
    }

    fn keep(&mut self, span: &Span, request: &Request, mut incident: Incident) {
        let said = span.status.as_ref().map(|status| status.message.as_str());
        incident.body = said.filter(|said| !said.is_empty()).map(str::to_owned);
        incident.request = request.attributes(self.rules.capture_request_body);
        self.found.push(Found {
            trace_id: span.trace_id.clone(),
            incident,
        });
    }

    /// Why a span without an exception is an incident, if it is one.
    fn why(&self, span: &Span, request: &Request) -> Option<String> {
        let name = || request.name().unwrap_or_else(|| span.name.clone());
        if let Some(status) = request.status
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

/// Whether a span stands for a whole request, not for a part of one.
fn is_request(span: &Span, request: &Request) -> bool {
    let kind = span.kind();
    request.is_some()
        || span.parent_span_id.is_empty()
        || matches!(kind, SpanKind::Server | SpanKind::Consumer)
}
