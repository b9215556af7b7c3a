//! What a collector answers: whatever is in it, it is judged, and what is
//! shown of it is one line.
//!
//! `http STATUS` or `grpc`, headers to an empty line, and the body.
use sensor::export::otlp::{Outcome, Signal, foreign};

/// Longest reason, characters: 200 of the collector's, and our own.
const LONGEST: usize = 300;

/// Tries one input.
pub(super) fn run(input: &[u8]) {
    let mut rest = input;
    let mut line = || {
        let (line, behind) = match rest.iter().position(|&byte| byte == b'\n') {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = behind;
        line
    };
    let first = line();
    let mut headers = Vec::new();
    loop {
        let header = line();
        let Some(colon) = header.iter().position(|&byte| byte == b':') else {
            break;
        };
        let Ok(name) = std::str::from_utf8(&header[..colon]) else {
            return;
        };
        headers.push((name, header[colon + 1..].trim_ascii()));
    }
    let status = first.strip_prefix(b"http ").map(|status| {
        let status = std::str::from_utf8(status).ok();
        status.and_then(|status| status.parse().ok()).unwrap_or(200)
    });
    for signal in [Signal::Metrics, Signal::Logs] {
        let outcome = match status {
            Some(status) => foreign::http(signal, status, &headers, rest),
            None => foreign::grpc(signal, &headers, rest),
        };
        let shown = match outcome {
            Some(Outcome::Delivered { rejected, message }) => {
                assert!(rejected >= 0);
                message
            }
            Some(Outcome::Retry { reason, .. } | Outcome::Refused { reason }) => reason,
            None => return,
        };
        assert!(!shown.contains(char::is_control), "{shown:?}");
        assert!(shown.chars().count() <= LONGEST, "{shown:?}");
    }
}
