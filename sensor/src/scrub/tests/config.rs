//! The configuration.

use super::{ScrubConfig, ScrubError, Scrubber};

fn scrubbed(words: &[&str], patterns: &[&str], keep: &[&str], text: &str) -> String {
    let owned = |list: &[&str]| list.iter().map(|item| (*item).to_owned()).collect();
    let scrubber = Scrubber::new(&ScrubConfig {
        words: owned(words),
        patterns: owned(patterns),
        keep: owned(keep),
    })
    .unwrap();
    String::from_utf8(scrubber.scrub_text(text.as_bytes())).unwrap()
}

#[test]
fn own_words_hit_like_built_in_ones() {
    let words = ["kundennummer", "tan", "pass-code", "schlüssel", "k8s"];
    for (text, expected) in [
        ("KUNDEN_NUMMER=1 x", "KUNDEN_NUMMER=******** x"),
        ("meinetan: 5 x", "meinetan: 5 x"),
        ("meineTan: 5 x=1", "meineTan: ******** x=1"),
        ("tangent=5", "tangent=5"),
        ("passCode=5", "passCode=********"),
        ("schlüssel=5", "schlüssel=********"),
        ("k8s_x=5", "k8s_x=********"),
    ] {
        assert_eq!(scrubbed(&words, &[], &[], text), expected);
    }
}

#[test]
fn own_patterns_are_masked_whole() {
    let patterns = [r"DE\d{20}", r"\bEMP-(\d+)\b"];
    assert_eq!(
        scrubbed(&[], &patterns, &[], "to DE12345678901234567890, EMP-77"),
        "to ********, ********"
    );
}

#[test]
fn kept_words_are_harmless() {
    assert_eq!(
        scrubbed(&[], &[], &["session"], "session=5 session_token=6"),
        "session=5 session_token=********"
    );
    assert_eq!(
        scrubbed(&[], &[], &["session-token"], "session_token=5 token=6"),
        "session_token=5 token=********"
    );
}

#[test]
fn errors_name_what_is_wrong() {
    let broken = ScrubConfig {
        patterns: vec!["a(b".into()],
        ..ScrubConfig::default()
    };
    let error = Scrubber::new(&broken).unwrap_err();
    assert!(matches!(error, ScrubError::Pattern { .. }));
    assert_eq!(
        error.to_string(),
        "scrub pattern `a(b` is no valid regular expression"
    );
    let empty = ScrubConfig {
        words: vec!["--".into()],
        ..ScrubConfig::default()
    };
    assert!(matches!(Scrubber::new(&empty), Err(ScrubError::Word(word)) if word == "--"));
}
