//! Error lines and the traces that follow them.

use super::*;

const TRACE: &str = "Traceback (most recent call last):\n  File \"/srv/a.py\", line 3, in f\n    g()\nKeyError: 'x'\n";

#[test]
fn an_error_line_and_its_trace_are_one() {
    for between in ["", "\n", "  more of the message\n", "more\n\n"] {
        let text = format!("ERROR:root:it failed\n{between}{TRACE}INFO:root:on\n");
        let found = parse(&text);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(
            shown(&found[0]),
            "python exception 17 ERROR [root] it failed {KeyError: 'x'} @-"
        );
        let original = found[0].origin.original.as_deref().unwrap();
        assert_eq!(format!("{original}\nINFO:root:on\n"), text);
    }
}

#[test]
fn only_the_last_error_line_has_the_trace() {
    check(
        &format!("ERROR:root:a\nERROR:root:b\n{TRACE}ERROR:root:c\n"),
        &[
            "python log 17 ERROR [root] a @-",
            "python exception 17 ERROR [root] b {KeyError: 'x'} @-",
            "python log 17 ERROR [root] c @-",
        ],
    );
}

#[test]
fn a_record_between_parts_them() {
    check(
        &format!("ERROR:root:a\nINFO:root:b\n{TRACE}"),
        &[
            "python log 17 ERROR [root] a @-",
            "- exception 17 {KeyError: 'x'} @-",
        ],
    );
}

#[test]
fn a_trace_in_the_message_of_a_line() {
    let found = parse(
        "2023-05-20 14:30:22 ERROR [main] com.a.B - java.lang.IllegalStateException: x\n\
         \tat com.a.B.c(B.java:3)\n\
         2023-05-20 14:30:22 INFO [main] com.a.B - on\n",
    );
    assert_eq!(found.len(), 1);
    assert!(
        shown(&found[0]).starts_with("log4j exception 17 ERROR [com.a.B]"),
        "{}",
        shown(&found[0])
    );
}

#[test]
fn a_trace_with_a_head_on_every_line() {
    let text: String = TRACE
        .lines()
        .map(|line| format!("ERROR:root:{line}\n"))
        .collect();
    let found = parse(&format!("{text}INFO:root:on\n"));
    assert_eq!(
        found.len(),
        1,
        "{:?}",
        found.iter().map(shown).collect::<Vec<_>>()
    );
    assert_eq!(found[0].exception.as_ref().unwrap().name, "KeyError");
}

#[test]
fn silence_ends_a_trace() {
    let mut parser = LogParser::new(&options());
    let mut found = Vec::new();
    parser.feed(b"ERROR:root:a\n", &mut |one| found.push(one));
    assert!(found.is_empty());
    parser.quiet(&mut |one| found.push(one));
    assert_eq!(found.len(), 1);
    parser.feed(TRACE.as_bytes(), &mut |one| found.push(one));
    parser.quiet(&mut |one| found.push(one));
    assert_eq!(found.len(), 2);
    parser.finish(&mut |one| found.push(one));
    assert_eq!(found.len(), 2);
}

#[test]
fn colours_and_carriage_returns() {
    check(
        "\x1b[31mERROR\x1b[0m:root:a\r\n",
        &["python log 17 ERROR [root] a @-"],
    );
    let dos = TRACE.replace('\n', "\r\n");
    check(&dos, &["- exception 17 {KeyError: 'x'} @-"]);
}

#[test]
fn ids_differ_and_fingerprints_don_t() {
    let found = parse("ERROR:root:user 17 is gone\nERROR:root:user 18 is gone\nERROR:root:other\n");
    assert_ne!(found[0].id, found[1].id);
    assert_eq!(found[0].fingerprint, found[1].fingerprint);
    assert_ne!(found[0].fingerprint, found[2].fingerprint);
    let later = format!(
        "x\n{}",
        TRACE.replace("line 3", "line 4").replace("'x'", "'y'")
    );
    assert_eq!(parse(TRACE)[0].fingerprint, parse(&later)[0].fingerprint);
    // A hash that is specified: the same everywhere and always.
    assert_eq!(format!("{:016x}", found[2].fingerprint), "53e08b643a09df7c");
}
