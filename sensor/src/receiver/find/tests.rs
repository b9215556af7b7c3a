use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value as Any},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, span::Event},
};

use super::*;
use crate::{incident::exception::Language, process::event::Value};

const TRACE: &str = "Traceback (most recent call last):\n  File \"/srv/app/views.py\", line 7, in \
                     show\n    return items[key]\nKeyError: 'id'\n";

/// An incident with an exception, of a trace.
pub(in crate::receiver) fn found(trace_id: TraceId, name: &str, message: &str) -> Found {
    let mut incident = empty(1, 2);
    let mut exception = Exception::new(Language::Unknown, name);
    exception.message = Some(message.to_owned());
    incident.exception = Some(exception);
    Found {
        trace_id,
        weight: Weight::Reason,
        is_complete: true,
        printed: None,
        incident,
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Any::StringValue(value.to_owned()))
}

fn int(key: &str, value: i64) -> KeyValue {
    pair(key, Any::IntValue(value))
}

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn exception(name: &str, message: &str, stack: &str) -> Vec<KeyValue> {
    let keys = [
        "exception.type",
        "exception.message",
        "exception.stacktrace",
    ];
    let pairs = keys.into_iter().zip([name, message, stack]);
    let pairs = pairs.filter(|(_, value)| !value.is_empty());
    pairs.map(|(key, value)| text(key, value)).collect()
}

fn span(attributes: Vec<KeyValue>, events: Vec<Vec<KeyValue>>) -> Span {
    let events = events.into_iter().map(|attributes| Event {
        time_unix_nano: 15,
        name: "exception".to_owned(),
        attributes,
        ..Event::default()
    });
    Span {
        trace_id: vec![1; 16],
        parent_span_id: vec![2; 8],
        name: "GET /x".to_owned(),
        start_time_unix_nano: 10,
        end_time_unix_nano: 20,
        attributes,
        events: events.collect(),
        ..Span::default()
    }
}

fn spans(resource: Vec<KeyValue>, spans: Vec<Span>, rules: &Rules) -> Vec<Reported> {
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: resource,
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    in_spans(&request, rules, 99, &HashSet::new())
}

/// The incidents of one span.
fn of_span(span: Span, rules: &Rules) -> Vec<Incident> {
    let reported = spans(Vec::new(), vec![span], rules);
    let found = reported.into_iter().flat_map(|one| one.found);
    found.map(|one| one.incident).collect()
}

fn of_record(record: LogRecord, rules: &Rules) -> Option<Incident> {
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: vec![record],
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    };
    let mut reported = in_logs(&request, rules, 99);
    Some(reported.pop()?.found.pop()?.incident)
}

#[test]
fn an_exception_of_a_span_is_an_incident_with_frames() {
    let resource = vec![int("process.pid", 41), text("service.name", "shop")];
    let attributes = vec![
        text("http.method", "GET"),
        text("http.target", "/items/7?token=x"),
        text("http.route", "/items/<id>"),
        int("http.status_code", 500),
        text("http.request.body", "secret"),
    ];
    let raised = exception("KeyError", "'id'", TRACE);
    let reported = spans(
        resource,
        vec![span(attributes, vec![raised])],
        &Rules::default(),
    );
    let [one] = &reported[..] else {
        panic!("{reported:?}");
    };
    assert_eq!((one.pid, one.service.as_deref()), (Some(41), Some("shop")));
    let [
        Found {
            trace_id, incident, ..
        },
    ] = &one.found[..]
    else {
        panic!("{one:?}");
    };
    assert_eq!(trace_id, &[1; 16]);
    assert_eq!(incident.kind, Kind::Reported);
    assert_eq!((incident.time, incident.severity.number), (Some(15), 17));
    let exception = incident.exception.as_ref().unwrap();
    assert_eq!(exception.language, Language::Python);
    assert_eq!(exception.frames[0].function.as_deref(), Some("show"));
    assert_eq!(exception.text, TRACE);
    let request = [
        ("http.request.method", Value::Text("GET".to_owned())),
        ("http.response.status_code", Value::Int(500)),
        ("http.route", Value::Text("/items/<id>".to_owned())),
        ("url.path", Value::Text("/items/7".to_owned())),
    ];
    assert_eq!(incident.request, request.into());
}

#[test]
fn names_and_messages_are_as_the_sdk_says_them() {
    let only_type = exception("app.Full", "", "");
    let found = of_span(span(Vec::new(), vec![only_type]), &Rules::default());
    let one = found[0].exception.as_ref().unwrap();
    assert_eq!((one.name.as_str(), &one.message), ("app.Full", &None));

    // The type with its module, the text without; and a cause in front.
    let chained = format!(
        "{TRACE}\nDuring handling of the above exception, another exception occurred:\n\n{}",
        TRACE.replace("KeyError: 'id'", "Full: no room")
    );
    let raised = exception("app.Full", "no room", &chained);
    let found = of_span(span(Vec::new(), vec![raised]), &Rules::default());
    let one = found[0].exception.as_ref().unwrap();
    assert_eq!(one.name, "app.Full");
    assert_eq!(one.causes[0].name, "KeyError");

    let stack = "goroutine 1 [running]:\nmain.load(...)\n\t/srv/app/main.go:12 +0x1d\n";
    let raised = exception("*errors.errorString", "boom", stack);
    let found = of_span(span(Vec::new(), vec![raised]), &Rules::default());
    let one = found[0].exception.as_ref().unwrap();
    assert_eq!(
        (one.language, one.name.as_str()),
        (Language::Go, "*errors.errorString")
    );
    assert_eq!(one.frames[0].line, Some(12));
    assert_eq!(one.text, stack);
}

#[test]
fn an_event_of_another_name_reports_where_it_is_an_error() {
    for (name, level, is_one) in [
        ("exception", "WARN", true),
        ("no price", "ERROR", true),
        ("no price", "", true),
        ("no price", "WARN", false),
    ] {
        let mut raised = exception("", "unknown item", "");
        raised.push(text("level", level));
        let mut span = span(Vec::new(), vec![raised]);
        span.events[0].name = name.to_owned();
        let found = of_span(span, &Rules::default());
        assert_eq!(found.len(), usize::from(is_one), "{name} {level}");
    }
}

#[test]
fn a_part_of_a_request_is_none_itself() {
    let rules = Rules {
        slow_request_threshold: Duration::from_nanos(1),
        ..Rules::default()
    };
    // As Express' middleware and ASGI's `http send` have them.
    for attributes in [
        vec![text("http.route", "/items/:item")],
        vec![int("http.status_code", 500)],
    ] {
        let mut part = span(attributes, Vec::new());
        part.kind = 1;
        assert!(of_span(part.clone(), &rules).is_empty());
        part.kind = 2;
        assert_eq!(of_span(part, &rules).len(), 1);
    }
}

#[test]
fn a_status_is_an_incident_where_it_matters() {
    let count = |status: i64, key: &str, rules: &Rules| {
        let attributes = vec![int(key, status), text("url.path", "/x")];
        of_span(span(attributes, Vec::new()), rules).len()
    };
    let plain = Rules::default();
    let with_404 = Rules {
        capture_404: true,
        ..Rules::default()
    };
    for key in ["http.response.status_code", "http.status_code"] {
        for (status, without, with) in [
            (200, 0, 0),
            (403, 0, 0),
            (404, 0, 1),
            (499, 0, 0),
            (500, 1, 1),
            (503, 1, 1),
            (599, 1, 1),
        ] {
            assert_eq!(count(status, key, &plain), without, "{key} {status}");
            assert_eq!(count(status, key, &with_404), with, "{key} {status}");
        }
    }
    let attributes = vec![
        int("http.status_code", 500),
        text("http.url", "http://h:1/a/b?c=d"),
    ];
    let found = of_span(span(attributes, Vec::new()), &plain);
    assert_eq!(found[0].request["url.path"], Value::Text("/a/b".to_owned()));
    assert_eq!(found[0].cause.as_deref(), Some("status 500 of /a/b"));
    assert_eq!(found[0].time, Some(20));
}

#[test]
fn only_requests_are_slow_and_only_above_the_threshold() {
    let rules = |limit| Rules {
        slow_request_threshold: Duration::from_nanos(limit),
        ..Rules::default()
    };
    let request = || span(vec![text("http.request.method", "GET")], Vec::new());
    assert_eq!(of_span(request(), &rules(9)).len(), 1);
    assert_eq!(of_span(request(), &rules(10)).len(), 0);
    assert_eq!(of_span(request(), &rules(0)).len(), 0);
    // A part of a request: its parent tells.
    assert_eq!(of_span(span(Vec::new(), Vec::new()), &rules(9)).len(), 0);
    let mut root = span(Vec::new(), Vec::new());
    root.parent_span_id.clear();
    assert_eq!(of_span(root, &rules(9)).len(), 1);
    // An end before the start is a clock that was set.
    let mut strange = request();
    strange.end_time_unix_nano = 1;
    assert_eq!(of_span(strange, &rules(9)).len(), 0);
}

#[test]
fn what_is_ignored_is_none() {
    let ignoring = |name: &str| Rules {
        ignore_exceptions: vec![name.to_owned()],
        ..Rules::default()
    };
    let raised = |name: &str| {
        span(
            vec![int("http.status_code", 500)],
            vec![exception(name, "m", "")],
        )
    };
    for (name, ignored, is_ignored) in [
        ("django.http.Http404", "Http404", true),
        ("django.http.Http404", "http.Http404", true),
        ("django.http.Http404", "django.http.Http404", true),
        ("Http404", "Http404", true),
        ("NotHttp404", "Http404", false),
        ("Http404", "django.http.Http404", false),
        ("app::Error", "Error", true),
        ("App\\NotFound", "NotFound", true),
        ("java.lang.IllegalStateException", "Exception", false),
    ] {
        let found = of_span(raised(name), &ignoring(ignored));
        assert_eq!(found.is_empty(), is_ignored, "{name} {ignored}");
    }
    let rules = Rules {
        ignore_paths: vec!["/health".to_owned()],
        ..Rules::default()
    };
    for (key, path, is_ignored) in [
        ("url.path", "/health/db", true),
        ("http.target", "/healthz?x", true),
        ("url.path", "/a/health", false),
    ] {
        let attributes = vec![text(key, path), int("http.status_code", 500)];
        let found = of_span(span(attributes, Vec::new()), &rules);
        assert_eq!(found.is_empty(), is_ignored, "{path}");
    }
}

#[test]
fn a_body_of_a_request_is_kept_only_where_it_is_wished() {
    let attributes = || {
        vec![
            int("http.status_code", 500),
            text("http.request.body", "{\"a\":1}"),
        ]
    };
    let kept = |capture_request_body| {
        let rules = Rules {
            capture_request_body,
            ..Rules::default()
        };
        let found = of_span(span(attributes(), Vec::new()), &rules);
        found[0].request.get("http.request.body").cloned()
    };
    assert_eq!(kept(false), None);
    assert_eq!(kept(true), Some(Value::Text("{\"a\":1}".to_owned())));
}

#[test]
fn log_records_are_incidents_from_error_on_or_with_an_exception() {
    let record = |number, word: &str, attributes| LogRecord {
        observed_time_unix_nano: 7,
        severity_number: number,
        severity_text: word.to_owned(),
        body: Some(AnyValue {
            value: Some(Any::StringValue("went wrong".to_owned())),
        }),
        attributes,
        ..LogRecord::default()
    };
    let rules = Rules::default();
    let severity = |number, word, attributes| {
        let incident = of_record(record(number, word, attributes), &rules)?;
        assert_eq!(incident.body.as_deref(), Some("went wrong"));
        assert_eq!(incident.time, Some(7));
        Some(incident.severity.number)
    };
    assert_eq!(severity(17, "ERROR", Vec::new()), Some(17));
    assert_eq!(severity(21, "", Vec::new()), Some(21));
    assert_eq!(severity(16, "", Vec::new()), None);
    assert_eq!(severity(0, "", Vec::new()), None);
    assert_eq!(severity(0, "ERROR", Vec::new()), Some(17));
    assert_eq!(severity(13, "WARN", exception("E", "m", "")), Some(13));
    assert_eq!(severity(0, "", exception("E", "m", "")), Some(17));
}

#[test]
fn a_service_that_nobody_named_has_no_name() {
    for (name, known) in [
        ("shop", true),
        ("unknown_service:python", false),
        ("", false),
    ] {
        let resource = vec![text("service.name", name), int("process.pid", -1)];
        let wrong = span(vec![int("http.status_code", 500)], Vec::new());
        let reported = spans(resource, vec![wrong], &Rules::default());
        assert_eq!(reported[0].service.is_some(), known, "{name}");
        assert_eq!(reported[0].pid, None);
    }
}

#[test]
fn an_exception_is_seen_without_reading_it() {
    let pairs = [
        vec![],
        exception("", "", ""),
        exception("KeyError", "", ""),
        exception("", "'id'", ""),
        exception("", "", TRACE),
        vec![text("exception.type", ""), text("level", "ERROR")],
    ];
    for pairs in &pairs {
        let is_read = exception::read(Keys(pairs), None).is_some();
        assert_eq!(exception::is_told(Keys(pairs)), is_read, "{pairs:?}");
    }
}
