//! Traces among other lines, whole and in pieces.

use proptest::prelude::*;

use super::{Out, assemble, assemble_text, fixtures};
use crate::incident::exception::{Exception, MAX_BYTES, MAX_LINES};

/// Lines that are no part of any trace.
const ORDINARY: [&str; 4] = [
    "2026-11-22 05:36:10 INFO till is open",
    "[05:36:11] GET /till 200 12ms",
    "INFO: 3 tills are open",
    r#"{"level":"info","msg":"till is closed"}"#,
];

fn all_traces() -> Vec<Exception> {
    fixtures::all()
        .iter()
        .flat_map(|fixture| super::traces(&fixture.text))
        .collect()
}

#[test]
fn every_line_comes_out_once_and_in_order() {
    for fixture in fixtures::all() {
        let mut lines = Vec::new();
        for out in assemble_text(&fixture.text) {
            let (text, mark) = match out {
                Out::Plain(line, mark) => (line, mark),
                Out::Trace(exception, mark) => (exception.text, mark),
            };
            assert_eq!(mark, lines.len());
            lines.extend(text.split('\n').map(str::to_owned));
        }
        let expected: Vec<&str> = fixture.text.lines().collect();
        assert_eq!(lines, expected, "{}", fixture.path.display());
    }
}

#[test]
fn traces_of_all_languages_behind_one_another_are_told_apart() {
    let expected = all_traces();
    assert!(expected.len() > 80);
    let text: Vec<&str> = expected.iter().map(|trace| trace.text.as_str()).collect();
    let found = super::traces(&text.join("\n"));
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn ordinary_lines_between_traces_are_no_part_of_them() {
    let expected = all_traces();
    for ordinary in ORDINARY {
        let mut text = String::new();
        for trace in &expected {
            text += &format!("{ordinary}\n{}\n{ordinary}\n", trace.text);
        }
        let found = assemble_text(&text);
        let mut found = found.into_iter();
        for expected in &expected {
            let line = |out| matches!(out, Some(Out::Plain(line, _)) if line == ordinary);
            assert!(line(found.next()), "{ordinary}: {expected:#?}");
            let Some(Out::Trace(found_trace, _)) = found.next() else {
                panic!("{ordinary}: {expected:#?}");
            };
            assert_eq!(&found_trace, expected);
            assert!(line(found.next()), "{ordinary}: {expected:#?}");
        }
        assert_eq!(found.next(), None);
    }
}

#[test]
fn a_trace_that_never_ends_is_cut() {
    let frame: &[u8] = b"\tat com.example.Till.take(Till.java:12)";
    let lines = 3 * MAX_LINES;
    let head: &[u8] = b"Exception in thread \"main\" java.lang.StackOverflowError";
    let out = assemble(std::iter::once(head).chain(std::iter::repeat_n(frame, lines)));
    let Out::Trace(exception, 0) = &out[0] else {
        panic!("{:?}", out[0]);
    };
    assert!(exception.text.len() <= MAX_BYTES);
    assert_eq!(exception.frames.len(), 1024);
    let kept = exception.text.lines().count() - 1;
    assert_eq!(exception.frames_omitted, kept as u64 - 1024);
    // The rest has no beginning.
    assert_eq!(out.len(), 1 + lines - kept);
}

#[test]
fn a_message_that_is_too_long_is_cut() {
    let start = "Traceback (most recent call last):\n  File \"/srv/a.py\", line 3, in f\n";
    for length in [MAX_BYTES - 200, MAX_BYTES, 2 * MAX_BYTES] {
        for letter in ["y", "ü"] {
            let message = letter.repeat(length / letter.len());
            let text = format!("{start}ValueError: {message}\nnext\n{start}KeyError: 'x'\n");
            let found = super::traces(&text);
            assert_eq!(found.len(), 2, "{length}");
            assert_eq!(found[0].name, "ValueError");
            assert_eq!(found[0].frames.len(), 1);
            let kept = found[0].message.as_deref().unwrap();
            assert!(
                kept.len() > MAX_BYTES - 400
                    && message.starts_with(kept.trim_end_matches("\nnext"))
            );
            assert!(found[0].text.len() <= MAX_BYTES);
            assert_eq!(found[1].name, "KeyError");
        }
    }
    // The first line is as long already.
    let message = "y".repeat(MAX_BYTES);
    let found = super::traces(&format!(
        "java.lang.IllegalStateException: {message}\n\tat a.B.c(B.java:3)\n"
    ));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name, "java.lang.IllegalStateException");
    assert!(found[0].text.len() <= MAX_BYTES);
    // A line of somebody else stays whole.
    let other = format!("2026-11-22 05:36:10 INFO {}", "z".repeat(MAX_BYTES));
    check(format!("{start}KeyError: 'x'\n{other}\nnext").as_bytes());
}

#[test]
fn a_trace_without_its_end_is_parsed_as_far_as_it_goes() {
    for fixture in fixtures::all() {
        for trace in super::traces(&fixture.text) {
            let lines: Vec<&str> = trace.text.lines().collect();
            let half = lines[..lines.len().div_ceil(2)].join("\n");
            let found = super::traces(&half);
            assert!(found.len() <= 1, "{half}");
            if let Some(found) = found.first() {
                assert_eq!(found.language, trace.language, "{half}");
            }
        }
    }
}

/// The bytes of some trace with a few of them changed, lines lost or doubled.
fn broken() -> impl Strategy<Value = Vec<u8>> {
    let fixtures = fixtures::all();
    let texts: Vec<Vec<u8>> = fixtures
        .into_iter()
        .map(|fixture| fixture.text.into_bytes())
        .filter(|text| text.len() < 8192)
        .collect();
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..6_u8);
    let changes = prop::collection::vec(change, 0..12);
    (prop::sample::select(texts), changes).prop_map(|(mut text, changes)| {
        for (at, byte, how) in changes {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => text.truncate(at),
                2 => text.insert(at, byte),
                3 => drop(text.drain(..at)),
                4 => text[at] = b'\n',
                _ => {
                    let end = (at + usize::from(byte)).min(text.len());
                    text.drain(at..end);
                }
            }
        }
        text
    })
}

/// Whether what comes out is what went in.
fn check(text: &[u8]) {
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    let mut next = 0;
    for out in assemble(lines.iter().copied()) {
        let (text, mark) = match out {
            Out::Plain(line, mark) => (line, mark),
            Out::Trace(exception, mark) => (exception.text, mark),
        };
        assert_eq!(mark, next);
        for line in text.split('\n') {
            assert_eq!(line, String::from_utf8_lossy(lines[next]));
            next += 1;
        }
    }
    assert_eq!(next, lines.len());
}

proptest! {
    #[test]
    fn broken_traces_lose_no_line(text in broken()) {
        check(&text);
    }

    #[test]
    fn arbitrary_lines_lose_no_line(text in any::<Vec<u8>>()) {
        check(&text);
    }

    #[test]
    fn lines_of_many_traces_lose_no_line(
        lines in prop::collection::vec(line(), 0..60),
    ) {
        check(lines.join("\n").as_bytes());
    }
}

/// Any line of any trace.
fn line() -> impl Strategy<Value = String> {
    let mut lines: Vec<String> = fixtures::all()
        .iter()
        .flat_map(|fixture| fixture.text.lines().map(str::to_owned))
        .collect();
    lines.sort();
    lines.dedup();
    prop::sample::select(lines)
}
