//! What a body is once it is decoded, before it is: two bytes of protobuf may
//! become a span of 264, so that bytes alone bound nothing.
//!
//! Numbers of fields are those of opentelemetry-proto 1.x.

use std::mem::size_of;

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status,
        span::{Event, Link},
    },
};
use prost::{
    DecodeError,
    encoding::{WireType, decode_key, decode_varint},
};

/// Most bytes of the messages in a body, without their text: nearly 50,000
/// spans, or more than 100,000 attributes.
const MOST: usize = 12 << 20;
/// Most objects and lists of a body in JSON, whatever they are: each might be
/// a span.
const MOST_OF_JSON: usize = 50_000;

/// Why a body is not decoded.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("there is too much in it")]
    TooMuch,
    #[error("it is cut off")]
    Cut,
    #[error("it has a group")]
    Group,
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

/// What a message of a request is decoded to.
pub(super) struct Shape {
    /// Bytes of it, without what its fields point to.
    size: usize,
    /// Those of its fields that hold messages, by number.
    fields: &'static [(u32, &'static Self)],
}

/// A request that is received.
pub(super) trait Shaped {
    /// Its shape.
    const SHAPE: &'static Shape;
}

impl Shaped for ExportTraceServiceRequest {
    const SHAPE: &'static Shape = &TRACES;
}

impl Shaped for ExportLogsServiceRequest {
    const SHAPE: &'static Shape = &LOGS;
}

const fn shape<T>(fields: &'static [(u32, &'static Shape)]) -> Shape {
    Shape {
        size: size_of::<T>(),
        fields,
    }
}

static TRACES: Shape = shape::<ExportTraceServiceRequest>(&[(1, &RESOURCE_SPANS)]);
static LOGS: Shape = shape::<ExportLogsServiceRequest>(&[(1, &RESOURCE_LOGS)]);
static RESOURCE_SPANS: Shape = shape::<ResourceSpans>(&[(1, &RESOURCE), (2, &SCOPE_SPANS)]);
static SCOPE_SPANS: Shape = shape::<ScopeSpans>(&[(1, &SCOPE), (2, &SPAN)]);
static SPAN: Shape = shape::<Span>(&[(9, &PAIR), (11, &EVENT), (13, &LINK), (15, &STATUS)]);
static EVENT: Shape = shape::<Event>(&[(3, &PAIR)]);
static LINK: Shape = shape::<Link>(&[(4, &PAIR)]);
static STATUS: Shape = shape::<Status>(&[]);
static RESOURCE_LOGS: Shape = shape::<ResourceLogs>(&[(1, &RESOURCE), (2, &SCOPE_LOGS)]);
static SCOPE_LOGS: Shape = shape::<ScopeLogs>(&[(1, &SCOPE), (2, &RECORD)]);
static RECORD: Shape = shape::<LogRecord>(&[(5, &VALUE), (6, &PAIR)]);
static RESOURCE: Shape = shape::<Resource>(&[(1, &PAIR), (3, &ENTITY)]);
static ENTITY: Shape = shape::<EntityRef>(&[(3, &TEXT), (4, &TEXT)]);
static TEXT: Shape = shape::<String>(&[]);
static SCOPE: Shape = shape::<InstrumentationScope>(&[(3, &PAIR)]);
static PAIR: Shape = shape::<KeyValue>(&[(2, &VALUE)]);
static VALUE: Shape = shape::<AnyValue>(&[(5, &LIST), (6, &MAP)]);
static LIST: Shape = shape::<ArrayValue>(&[(1, &VALUE)]);
static MAP: Shape = shape::<KeyValueList>(&[(1, &PAIR)]);

/// Whether a body in protobuf may be decoded.
pub(super) fn of_protobuf(body: &[u8], shape: &'static Shape) -> Result<(), Unfit> {
    let mut room = MOST;
    let mut open = vec![(body, shape)];
    while let Some((mut rest, shape)) = open.pop() {
        while !rest.is_empty() {
            let (field, kind) = decode_key(&mut rest)?;
            let length = match kind {
                WireType::Varint => {
                    decode_varint(&mut rest)?;
                    0
                }
                WireType::ThirtyTwoBit => 4,
                WireType::SixtyFourBit => 8,
                WireType::LengthDelimited => decode_varint(&mut rest)?,
                // OTLP has none, and what is in one would not be seen here.
                WireType::StartGroup | WireType::EndGroup => return Err(Unfit::Group),
            };
            let length = usize::try_from(length).map_err(|_| Unfit::Cut)?;
            let (part, after) = rest.split_at_checked(length).ok_or(Unfit::Cut)?;
            rest = after;
            let mut fields = shape.fields.iter();
            if kind == WireType::LengthDelimited
                && let Some((_, inner)) = fields.find(|(number, _)| *number == field)
            {
                room = room.checked_sub(inner.size).ok_or(Unfit::TooMuch)?;
                if !part.is_empty() {
                    open.push((part, inner));
                }
            }
        }
    }
    Ok(())
}

/// Whether a body in JSON may be decoded. What is between quotes is text.
pub(super) fn of_json(body: &[u8]) -> Result<(), Unfit> {
    let mut count = 0;
    let mut is_text = false;
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => is_text = !is_text,
            b'\\' if is_text => drop(bytes.next()),
            b'{' | b'[' if !is_text => count += 1,
            _ => {}
        }
    }
    match count > MOST_OF_JSON {
        true => Err(Unfit::TooMuch),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use prost::Message;

    use super::*;

    fn spans(spans: Vec<Span>) -> Vec<u8> {
        let scope_spans = vec![ScopeSpans {
            spans,
            ..ScopeSpans::default()
        }];
        let resource_spans = vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    fn fits_spans(body: &[u8]) -> Result<(), Unfit> {
        of_protobuf(body, ExportTraceServiceRequest::SHAPE)
    }

    fn value(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    #[test]
    fn what_is_nested_in_values_counts_too() {
        let values = vec![AnyValue::default(); 500_000];
        let list = value(Value::ArrayValue(ArrayValue { values }));
        let pair = KeyValue {
            value: Some(list),
            ..KeyValue::default()
        };
        let values = vec![pair];
        let body = value(Value::KvlistValue(KeyValueList { values }));
        let log_records = vec![LogRecord {
            body: Some(body),
            ..LogRecord::default()
        }];
        let scope_logs = vec![ScopeLogs {
            log_records,
            ..ScopeLogs::default()
        }];
        let resource_logs = vec![ResourceLogs {
            scope_logs,
            ..ResourceLogs::default()
        }];
        let body = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
        let fits = of_protobuf(&body, ExportLogsServiceRequest::SHAPE);
        assert!(matches!(fits, Err(Unfit::TooMuch)), "{fits:?}");
    }

    #[test]
    fn a_large_batch_is_taken() {
        let pair = KeyValue {
            key: "http.request.method".to_owned(),
            value: Some(value(Value::StringValue("GET".to_owned()))),
            ..KeyValue::default()
        };
        let span = Span {
            trace_id: vec![1; 16],
            start_time_unix_nano: 1,
            flags: 1,
            attributes: vec![pair; 20],
            status: Some(Status::default()),
            ..Span::default()
        };
        assert!(fits_spans(&spans(vec![span; 4_096])).is_ok());
    }

    #[test]
    fn what_is_no_protobuf_is_refused() {
        let body = spans(vec![Span::default(); 3]);
        assert!(fits_spans(&body).is_ok());
        assert!(fits_spans(&body[..body.len() - 1]).is_err());
        // A length beyond the end, a group, an endless number.
        for body in [&[0x0a, 0x7f][..], &[0x0b, 0x0c], &[0xff; 11]] {
            assert!(fits_spans(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn braces_in_the_text_of_json_are_text() {
        let braces = "{[".repeat(MOST_OF_JSON);
        let text = |text: &str| format!(r#"{{"a":"\"{text}\\"}}"#);
        assert!(of_json(text(&braces).as_bytes()).is_ok());
        assert!(of_json(braces.as_bytes()).is_err());
        assert!(of_json((text("") + &braces).as_bytes()).is_err());
    }
}
