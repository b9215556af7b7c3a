//! One incident of a trace, and the request that the trace is about.

use opentelemetry_proto::tonic::trace::v1::Span;

use super::{
    Rules, TraceId, exception::last_component, keys::Keys, request::Request, spans::raised_in,
    trace_id,
};
use crate::{
    incident::{
        limit::{of_value, size},
        record::Incident,
    },
    process::event::Value,
};

/// One incident, and the trace that it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The trace.
    pub trace_id: TraceId,
    /// Whether it says why.
    pub weight: Weight,
    /// No span will say more about its request.
    pub is_complete: bool,
    /// Message of its exception as the stack trace has it.
    pub printed: Option<String>,
    /// Without process, services, context and fingerprint.
    pub incident: Incident,
}

/// What an incident says about its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// What went wrong: an exception, or a line of a log.
    Reason,
    /// Only that something did: a status, or a time.
    Status,
}

/// The request that a trace is about, in one process.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The trace.
    pub trace_id: TraceId,
    /// Nobody wants to hear of it.
    pub is_ignored: bool,
    name: Option<String>,
    attributes: Vec<(&'static str, Value)>,
}

impl Head {
    pub(in crate::receiver) fn of(span: &Span, rules: &Rules) -> Self {
        let request = Request::of(Keys(&span.attributes));
        Self {
            trace_id: trace_id(&span.trace_id),
            is_ignored: rules.ignores_path(request.path),
            name: request.name(),
            attributes: request
                .attributes(rules.capture_request_body)
                .into_iter()
                .collect(),
        }
    }

    /// Bytes that an incident takes more of memory once it is told with it.
    pub(in crate::receiver) fn size(&self) -> usize {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(_, value)| size_of::<&str>() + of_value(value));
        self.name.as_ref().map_or(0, String::len) + attributes.sum::<usize>()
    }
}

impl Found {
    /// Its request is known now: what it does not say itself is taken from
    /// there.
    pub fn complete(&mut self, head: &Head) {
        self.is_complete = true;
        let incident = &mut self.incident;
        if incident.exception.is_some() && !incident.request.contains_key("url.path") {
            incident.cause = Some(raised_in(head.name.as_deref()));
        }
        for (key, value) in &head.attributes {
            let value = || value.clone();
            incident.request.entry(key).or_insert_with(value);
        }
    }

    /// Bytes that it takes of memory.
    pub(in crate::receiver) fn size(&self) -> usize {
        let printed = self.printed.as_ref().map_or(0, String::capacity);
        size_of::<Self>() - size_of::<Incident>() + printed + size(&self.incident)
    }

    /// The other half of the same exception: of each, what it knows better.
    pub fn join(&mut self, mut other: Self) {
        let frames =
            |one: &Self| (one.incident.exception.as_ref()).map_or(0, |found| found.frames.len());
        let from_span = |one: &Self| one.incident.cause.is_some();
        if frames(&other) > frames(self)
            || frames(&other) == frames(self) && from_span(&other) && !from_span(self)
        {
            std::mem::swap(self, &mut other);
        }
        let Incident {
            body,
            origin,
            request,
            cause,
            severity,
            ..
        } = other.incident;
        let incident = &mut self.incident;
        self.is_complete |= other.is_complete;
        if incident.origin == Default::default() {
            incident.origin = origin;
            // What the log says is more than the status of a span.
            incident.body = body.or(incident.body.take());
        }
        incident.cause = incident.cause.take().or(cause);
        incident.severity.number = incident.severity.number.max(severity.number);
        incident.severity.text = incident.severity.text.take().or(severity.text);
        for (key, value) in request {
            incident.request.entry(key).or_insert(value);
        }
    }

    /// What its exception is called, in each of the ways that SDKs have: with
    /// the type's module in one signal, and without in the other.
    pub(in crate::receiver) fn names(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let exception = self.incident.exception.as_ref();
        let given = exception.map(|exception| exception.message.as_deref());
        let printed = exception.and(self.printed.as_deref()).map(Some);
        let name = exception.map_or("", |exception| last_component(&exception.name));
        given
            .into_iter()
            .chain(printed)
            .map(move |message| (name, message))
    }
}
