use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value as Any},
    trace::v1::Span,
};

use super::*;
use crate::{
    process::event::Value,
    receiver::find::{Rules, tests::found},
};

const TRACE: [u8; 16] = [7; 16];

fn key() -> Key {
    (TRACE, 41)
}

fn exception(name: &str, is_complete: bool) -> Found {
    Found {
        is_complete,
        ..found(TRACE, name, "no room")
    }
}

fn status() -> Found {
    let mut one = found(TRACE, "", "");
    one.incident.exception = None;
    one.weight = Weight::Status;
    one
}

fn head(path: &str) -> Head {
    let attribute = KeyValue {
        key: "url.path".to_owned(),
        value: Some(AnyValue {
            value: Some(Any::StringValue(path.to_owned())),
        }),
        ..KeyValue::default()
    };
    let span = Span {
        trace_id: TRACE.to_vec(),
        attributes: vec![attribute],
        ..Span::default()
    };
    let rules = Rules {
        ignore_paths: vec!["/health".to_owned()],
        ..Rules::default()
    };
    Head::of(&span, &rules)
}

fn part(found: Vec<Found>, head: Option<Head>) -> Part {
    Part {
        found,
        head,
        hushed: false,
    }
}

/// Takes in a part, with room for everything.
fn take(traces: &mut Traces<()>, key: Key, part: Part, now: Instant) -> Vec<Found> {
    traces.take(key, part, Some(()), &mut usize::MAX.clone(), now)
}

#[test]
fn a_status_is_told_where_nothing_says_why() {
    let now = Instant::now();
    let mut traces = Traces::default();
    // Alone: it is told, if late.
    let first = take(
        &mut traces,
        key(),
        part(vec![status()], Some(head("/x"))),
        now,
    );
    assert_eq!(first, []);
    assert!(traces.due(Some(now)).is_empty());
    assert_eq!(traces.due(Some(now + REASON))[0].1.len(), 1);

    // The reason comes at once, later, or before.
    let reason = || exception("Full", true);
    for parts in [
        vec![vec![status(), reason()]],
        vec![vec![reason(), status()]],
        vec![vec![status()], vec![reason()]],
        vec![vec![reason()], vec![status()]],
    ] {
        let mut traces = Traces::default();
        let mut told = Vec::new();
        for found in parts {
            told.extend(take(&mut traces, key(), part(found, None), now));
        }
        told.extend(traces.due(None).into_iter().flat_map(|(_, found)| found));
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].weight, Weight::Reason);
    }

    // That of another process is another one's.
    let mut traces = Traces::default();
    let other = (TRACE, 42);
    let told = take(&mut traces, other, part(vec![reason()], None), now);
    assert_eq!(told.len(), 1);
    let _ = take(&mut traces, key(), part(vec![status()], None), now);
    assert_eq!(traces.due(None).len(), 1);
}

#[test]
fn what_lacks_its_request_waits_for_it() {
    let now = Instant::now();
    let mut traces = Traces::default();
    let inner = part(vec![exception("Full", false)], None);
    assert_eq!(take(&mut traces, key(), inner, now), []);
    assert!(traces.awaited().contains(&TRACE));
    let told = take(&mut traces, key(), part(Vec::new(), Some(head("/x"))), now);
    let path = Value::Text("/x".to_owned());
    assert_eq!(told[0].incident.request["url.path"], path);
    // The other half is known.
    let again = part(vec![exception("app.Full", true)], None);
    assert_eq!(take(&mut traces, key(), again, now), []);
    assert!(traces.due(None).is_empty());

    // It does not come.
    let mut traces = Traces::default();
    let inner = part(vec![exception("Full", false)], None);
    assert_eq!(take(&mut traces, key(), inner, now), []);
    assert!(traces.due(Some(now + REASON)).is_empty());
    assert_eq!(traces.due(Some(now + REQUEST)).len(), 1);
}

#[test]
fn a_request_that_is_ignored_takes_its_trace_along() {
    let now = Instant::now();
    let mut traces = Traces::default();
    let inner = || part(vec![exception("Full", false)], None);
    assert_eq!(take(&mut traces, key(), inner(), now), []);
    let ignored = part(Vec::new(), Some(head("/healthz")));
    assert_eq!(take(&mut traces, key(), ignored, now), []);
    assert_eq!(take(&mut traces, key(), inner(), now), []);
    assert!(traces.due(None).is_empty());

    let mut traces = Traces::default();
    let hushed = Part {
        found: vec![status()],
        head: Some(head("/x")),
        hushed: true,
    };
    assert_eq!(take(&mut traces, key(), hushed, now), []);
    assert_eq!(
        take(&mut traces, key(), part(vec![status()], None), now),
        []
    );
    assert!(traces.due(None).is_empty());
}

#[test]
fn without_a_trace_nothing_waits_or_is_joined() {
    let mut traces = Traces::default();
    let now = Instant::now();
    let found = vec![exception("Full", false), exception("Full", false)];
    let told = take(&mut traces, (NO_TRACE, 41), part(found, None), now);
    assert_eq!(told.len(), 2);
}

#[test]
fn it_is_bounded() {
    let mut traces = Traces::default();
    let now = Instant::now();
    for number in 0..2 * MOST as u128 {
        let trace = (number + 1).to_be_bytes();
        let mut one = exception("Full", false);
        one.trace_id = trace;
        let told = take(&mut traces, (trace, 41), part(vec![one], None), now);
        assert_eq!(told.len(), usize::from(number >= MOST as u128));
    }
}

#[test]
fn the_same_exception_of_two_processes_is_two() {
    let now = Instant::now();
    let mut traces = Traces::default();
    // The one that was called, and the one that called it.
    for pid in [41, 42] {
        let one = part(vec![exception("Full", true)], None);
        assert_eq!(take(&mut traces, (TRACE, pid), one, now).len(), 1);
        let again = part(vec![exception("app.Full", true)], None);
        assert_eq!(take(&mut traces, (TRACE, pid), again, now), []);
    }
}

#[test]
fn what_waits_is_bounded_by_its_bytes() {
    let now = Instant::now();
    let mut traces = Traces::default();
    let large = || {
        let mut one = exception("Full", false);
        one.incident.body = Some("x".repeat(MOST_BYTES / 4));
        one
    };
    for number in 1..10_u8 {
        let told = take(
            &mut traces,
            ([number; 16], 41),
            part(vec![large()], None),
            now,
        );
        assert_eq!(told.len(), usize::from(number > 3), "{number}");
    }
    // What is told makes room again.
    let head = || part(Vec::new(), Some(head("/x")));
    assert_eq!(take(&mut traces, ([1; 16], 41), head(), now).len(), 1);
    let told = take(&mut traces, ([9; 16], 42), part(vec![large()], None), now);
    assert_eq!(told, []);
    assert_eq!(traces.due(None).len(), 3);
    assert_eq!(traces.bytes, 0);
}

#[test]
fn thousands_of_exceptions_of_one_trace_are_joined_once_each() {
    const MANY: usize = 20_000;
    let mut traces = Traces::default();
    let found = |number: usize, name: &str| found(TRACE, name, &number.to_string());
    let one = (0..MANY).map(|number| found(number, "app.Full"));
    let all = one.chain((0..MANY).map(|number| found(number, "Full")));
    let part = part(all.collect(), None);
    let began = Instant::now();
    assert_eq!(take(&mut traces, key(), part, began).len(), MANY);
    // One by one it takes minutes.
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_request_that_finds_no_room_is_left_out_of_the_rest() {
    let now = Instant::now();
    let mut traces = Traces::default();
    let path = "/x".repeat(1_000);
    let found = (0..10).map(|number| found(TRACE, "Full", &number.to_string()));
    let found = found.map(|one| Found {
        is_complete: false,
        ..one
    });
    let all = part(found.collect(), Some(head(&path)));
    let mut room = 3 * head(&path).size() + 1;
    assert!(room > 3 * path.len());
    let told = traces.take(key(), all, Some(()), &mut room, now);
    assert_eq!((told.len(), room), (10, 1));
    let with_path = |one: &&Found| one.incident.request.contains_key("url.path");
    assert_eq!(told.iter().filter(with_path).count(), 3);
    assert!(traces.due(None).is_empty());
}

#[test]
fn without_room_for_its_sender_nothing_waits() {
    let now = Instant::now();
    let mut traces = Traces::<()>::default();
    let all = part(vec![exception("Full", false)], None);
    let told = traces.take(key(), all, None, &mut 0, now);
    assert_eq!(told.len(), 1);
    assert!(traces.due(None).is_empty());
}
