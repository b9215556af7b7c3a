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
/// Bytes of a key and a value of JSON that are held until their type is known.
const ENTRY: usize = 64;

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
                // What has no fields is text, or of a fixed size.
                if !part.is_empty() && !inner.fields.is_empty() {
                    open.push((part, inner));
                }
            }
        }
    }
    Ok(())
}

/// Whether a body in JSON may be decoded. Objects and lists are taken for the
/// largest message that can be so deep, which pays for its first entries too;
/// each further one for what is held of it. What is between quotes is text.
pub(super) fn of_json(body: &[u8]) -> Result<(), Unfit> {
    let mut room = MOST;
    let mut spend = |bytes| {
        room = room.checked_sub(bytes).ok_or(Unfit::TooMuch)?;
        Ok::<(), Unfit>(())
    };
    // What is left of the price of each that is open.
    let mut open: Vec<usize> = Vec::new();
    let mut is_text = false;
    let mut last = 0;
    let mut bytes = body.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => is_text = !is_text,
            b'\\' if is_text => drop(bytes.next()),
            _ if is_text => {}
            b'{' | b'[' => {
                let size = size_at(open.len());
                spend(size)?;
                open.push(size);
            }
            b'}' | b']' => {
                open.pop();
            }
            // It was paid when it was opened.
            b',' if matches!(last, b'}' | b']') => {}
            b',' => match open.last_mut() {
                Some(left) if *left >= ENTRY => *left -= ENTRY,
                _ => spend(ENTRY)?,
            },
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            last = byte;
        }
    }
    Ok(())
}

/// Bytes of the largest message that so many objects and lists are around:
/// the seventh is a span or a record, the ninth an event, a link or an
/// attribute.
const fn size_at(depth: usize) -> usize {
    match depth {
        0..7 => size_of::<Span>(),
        7..9 => size_of::<Link>(),
        _ => size_of::<KeyValue>(),
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
    fn the_text_of_a_list_is_no_message() {
        let entity = EntityRef {
            r#type: "service".to_owned(),
            id_keys: vec!["service.name".to_owned()],
            description_keys: vec!["service.version".to_owned(), String::new()],
            ..EntityRef::default()
        };
        let resource = |count| Resource {
            entity_refs: vec![entity.clone(); count],
            ..Resource::default()
        };
        let body = |count| {
            let resource_spans = vec![ResourceSpans {
                resource: Some(resource(count)),
                ..ResourceSpans::default()
            }];
            ExportTraceServiceRequest { resource_spans }.encode_to_vec()
        };
        let fits = fits_spans(&body(3));
        assert!(fits.is_ok(), "{fits:?}");
        let fits = fits_spans(&body(100_000));
        assert!(matches!(fits, Err(Unfit::TooMuch)), "{fits:?}");
    }

    /// A request for traces with these spans.
    fn in_json(spans: &str) -> String {
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#)
    }

    #[test]
    fn what_sdks_send_in_json_at_most_is_taken() {
        let pair = r#"{"key":"http.request.method","value":{"intValue":"7"}}"#;
        let attributes = vec![pair; 128].join(", ");
        let span = format!(
            r#"{{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331",
            "name":"GET /","kind":2,"startTimeUnixNano":"1","endTimeUnixNano":"2",
            "attributes":[{attributes}],"status":{{"code":2}}}}"#
        );
        let body = in_json(&vec![span; 512].join(","));
        assert!(body.len() <= 4 << 20, "{}", body.len());
        let fits = of_json(body.as_bytes());
        assert!(fits.is_ok(), "{fits:?}");
    }

    #[test]
    fn whatever_becomes_large_in_json_is_refused() {
        let value = |value: &str| {
            let pair = format!(r#"{{"key":"x","value":{{"arrayValue":{{"values":[{value}]}}}}}}"#);
            let resource = format!(r#"{{"attributes":[{pair}]}}"#);
            [
                in_json(&format!(r#"{{"attributes":[{pair}]}}"#)),
                format!(r#"{{"resourceSpans":[{{"resource":{resource}}}]}}"#),
            ]
        };
        let many = |one: &str, count| vec![one; count].join(",");
        let values = [
            many("1", 2_000_000),
            many("[1]", 1_000_000),
            many("{}", 1_000_000),
            many(r#"{"a":1}"#, 500_000),
            many("{} ", 1_000_000),
            format!("{{{}}}", many(r#""":1"#, 800_000)),
        ];
        let values = values.iter().flat_map(|one| value(one));
        for body in values.chain([in_json(&many("{}", 1_000_000)), "[".repeat(4 << 20)]) {
            assert!(body.len() <= 4 << 20, "{}", body.len());
            let fits = of_json(body.as_bytes());
            let begin = &body[..body.len().min(200)];
            assert!(matches!(fits, Err(Unfit::TooMuch)), "{begin}");
        }
    }

    #[test]
    fn braces_in_the_text_of_json_are_text() {
        let braces = "{[,".repeat(MOST / ENTRY);
        let text = |text: &str| format!(r#"{{"a":"\"{text}\\"}}"#);
        assert!(of_json(text(&braces).as_bytes()).is_ok());
        assert!(of_json(braces.as_bytes()).is_err());
        assert!(of_json((text("") + &braces).as_bytes()).is_err());
    }
}
