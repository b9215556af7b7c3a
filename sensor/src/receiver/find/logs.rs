//! Log records: those that carry an exception, and errors.

use std::borrow::Cow;

use opentelemetry_proto::tonic::logs::v1::LogRecord;

use super::{
    Found, Rules, Weight, empty, exception,
    keys::{Keys, text_of},
    request::Request,
    trace_id,
};
use crate::incident::{
    exception::Frame,
    log::level::{ERROR, Level},
};

/// What a record is.
pub(super) enum Read {
    Found(Box<Found>),
    /// It would be an incident, but somebody wants to hear nothing of it.
    Ignored,
    Nothing,
}

/// The lowest bit of `flags`: the trace was kept, so its spans come, too
/// (W3C trace context).
const SAMPLED: u32 = 1;

/// The incident that a record is, if it is one.
pub(super) fn read(
    record: &LogRecord,
    logger: Option<&str>,
    language: Option<&str>,
    rules: &Rules,
    observed: u64,
) -> Read {
    let keys = Keys(&record.attributes);
    let told = exception::read(keys, language);
    let exception = told.as_ref().map(|told| &told.exception);
    let text = Some(record.severity_text.as_str()).filter(|text| !text.is_empty());
    let number = u8::try_from(record.severity_number).ok();
    let number = number.filter(|number| (1..=24).contains(number));
    let severity = number.or_else(|| text.and_then(Level::word).map(|level| level.number));
    if exception.is_none() && severity.is_none_or(|number| number < ERROR) {
        return Read::Nothing;
    }
    let request = Request::of(keys);
    if rules.ignores_path(request.path) || exception.is_some_and(|one| rules.ignores(one)) {
        return Read::Ignored;
    }
    let time = match record.time_unix_nano {
        0 => record.observed_time_unix_nano,
        time => time,
    };
    let mut incident = empty(time, observed);
    let of_exception = exception.map(|exception| exception.severity);
    incident.severity.number = severity.or(of_exception).unwrap_or(ERROR);
    incident.severity.text = text.map(str::to_owned);
    incident.body = record.body.as_ref().and_then(text_of).map(Cow::into_owned);
    let (exception, printed) = match told {
        Some(told) => (Some(told.exception), told.printed),
        None => (None, None),
    };
    incident.exception = exception;
    let owned = |key| keys.text(&[key]).map(str::to_owned);
    incident.origin.original = owned("log.record.original");
    incident.origin.path = owned("log.file.path");
    incident.origin.logger = logger.filter(|name| !name.is_empty()).map(str::to_owned);
    incident.origin.place = place(keys).map(Box::new);
    incident.request = request.attributes(rules.capture_request_body);
    Read::Found(Box::new(Found {
        trace_id: trace_id(&record.trace_id),
        weight: Weight::Reason,
        // Where no span will come, nothing is waited for.
        is_complete: request.path.is_some() || record.flags & SAMPLED == 0,
        printed,
        incident,
    }))
}

/// Where the record was written, by `code.*` of today and of before.
fn place(keys: Keys<'_>) -> Option<Frame> {
    let file = keys.text(&["code.file.path", "code.filepath"])?;
    let function = keys.text(&["code.function.name", "code.function"]);
    let line = keys.int(&["code.line.number", "code.lineno"]);
    Some(Frame {
        function: function.map(Into::into),
        module: None,
        file: Some(file.into()),
        line: line.and_then(|line| u64::try_from(line).ok()),
        column: None,
        in_app: true,
    })
}
