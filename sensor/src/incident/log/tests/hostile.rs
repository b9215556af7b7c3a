//! Whatever comes in, memory is bounded, nothing panics, and where the text
//! was cut doesn't matter.

use proptest::prelude::*;

use super::*;

#[test]
fn a_long_line_is_cut_and_the_next_one_read() {
    let mut text = b"ERROR:root:".to_vec();
    text.resize(20 << 20, b'x');
    text.extend_from_slice(b"\nERROR:root:b\n");
    let mut parser = LogParser::new(&options());
    let mut found = Vec::new();
    for block in text.chunks(64 << 10) {
        parser.feed(block, &mut |one| found.push(one));
    }
    parser.finish(&mut |one| found.push(one));
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].body.as_ref().unwrap().len(), (1 << 20) - 11);
    assert_eq!(parser.skipped_bytes(), 19 << 20);
    assert!(crate::output::incident::json(&found[0]).len() <= 1 << 20);
}

#[test]
fn sources_are_bounded_and_none_is_lost() {
    let mut text = String::new();
    for pid in 1..=3_000 {
        text.push_str(&format!(
            "May 20 14:30:22 host a[{pid}]: ERROR:root:{pid}\n"
        ));
    }
    let found = parse(&text);
    let bodies: Vec<u32> = found
        .iter()
        .map(|one| one.body.as_ref().unwrap().parse().unwrap())
        .collect();
    assert_eq!(bodies, (1..=3_000).collect::<Vec<_>>());
}

#[test]
fn control_characters_of_every_kind() {
    let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    drop(parse_with(&options(), &bytes));
    let mut text = b"ERROR:root:".to_vec();
    text.extend(bytes.iter().filter(|byte| **byte != b'\n'));
    assert_eq!(parse_with(&options(), &text).len(), 1);
}

/// Lines as they may come, and rubbish.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("ERROR:root:a".to_owned()),
        Just("{\"level\":\"error\",\"msg\":\"b\"}".to_owned()),
        Just("{\"level\":\"info\",\"msg\":\"b\"}".to_owned()),
        Just("Traceback (most recent call last):".to_owned()),
        Just("  File \"/srv/a.py\", line 3, in f".to_owned()),
        Just("KeyError: 'x'".to_owned()),
        Just("java.lang.X: y".to_owned()),
        Just("\tat a.b.C.d(C.java:3)".to_owned()),
        Just("2023-05-20T14:30:22Z stderr P part".to_owned()),
        Just("2023-05-20T14:30:22Z stderr F whole".to_owned()),
        Just("<11>May 20 14:30:22 host a[1]: x".to_owned()),
        Just("__CURSOR=1".to_owned()),
        Just("MESSAGE".to_owned()),
        Just("MESSAGE=a=b".to_owned()),
        Just("\x03\0\0\0\0\0\0\0abc".to_owned()),
        Just("web-1  | ERROR:root:a".to_owned()),
        Just("\x1b[31mx\x1b[0m\0".to_owned()),
        Just(String::new()),
        "\\PC{0,40}",
    ]
}

fn keys(found: &[Incident]) -> Vec<String> {
    found
        .iter()
        .map(|one| format!("{} {:?}", shown(one), one.origin.original))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cuts_don_t_matter(lines in proptest::collection::vec(line(), 0..30), cuts in proptest::collection::vec(1_usize..40, 1..20)) {
        let text = lines.join("\n");
        let whole = parse(&text);
        let mut parser = LogParser::new(&options());
        let mut found = Vec::new();
        let mut rest = text.as_bytes();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            parser.feed(head, &mut |one| found.push(one));
            rest = tail;
        }
        parser.finish(&mut |one| found.push(one));
        prop_assert_eq!(keys(&found), keys(&whole));
    }

    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let options = LogOptions { now: NOW, ..LogOptions::default() };
        for incident in parse_with(&options, &bytes) {
            let line = crate::output::incident::json(&incident);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
        }
    }
}
