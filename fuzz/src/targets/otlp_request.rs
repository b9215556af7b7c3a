//! What an application sends: it is refused, or its incidents are within
//! bounds.
//!
//! `traces` or `logs`, `json` or `protobuf`, and `gzip` in the first line; then
//! the body.
use std::time::Duration;

use sensor::{
    incident::limit::size,
    receiver::{
        find::Rules,
        foreign::{self, Form},
    },
};

/// Most bytes of the incidents of one request.
const MOST: usize = 8 << 20;
/// Longest text of one, and the sign that it was cut.
const LONGEST: usize = (128 << 10) + '…'.len_utf8();

/// Tries one input.
pub(super) fn run(input: &[u8]) {
    let end = input.iter().position(|&byte| byte == b'\n');
    let Some((first, body)) = end.and_then(|end| input.split_at_checked(end)) else {
        return;
    };
    let body = &body[1..];
    let mut words = first.split(|&byte| byte == b' ');
    let has = |word: &[u8]| words.clone().any(|one| one == word);
    let form = Form {
        is_json: has(b"json"),
        is_packed: has(b"gzip"),
    };
    let rules = Rules {
        capture_404: true,
        capture_request_body: true,
        ignore_exceptions: vec!["Http404".to_owned()],
        ignore_paths: vec!["/health".to_owned()],
        slow_request_threshold: Duration::from_secs(1),
    };
    let found = match words.next() {
        Some(b"logs") => foreign::logs(body, form, &rules),
        _ => foreign::traces(body, form, &rules),
    };
    let found = found.into_iter().flatten().flat_map(|one| one.found);
    let mut bytes = 0;
    for one in found {
        let incident = one.incident;
        bytes += size(&incident);
        let stack = incident.exception.as_ref().map(|one| &one.text);
        for text in [incident.body.as_ref(), incident.cause.as_ref(), stack] {
            assert!(text.is_none_or(|text| text.len() <= LONGEST));
        }
    }
    assert!(bytes <= MOST, "{bytes}");
}
