//! Arguments of foreign processes: as many come out as went in, and what was
//! scrubbed stays as it is.
use std::sync::LazyLock;

use sensor::scrub::{ScrubConfig, Scrubber};

static SCRUBBER: LazyLock<Scrubber> =
    LazyLock::new(|| Scrubber::new(&ScrubConfig::default()).expect("the built-in rules"));

// Arguments as /proc has them, with a NUL between them.
/// Tries one input.
pub(super) fn run(bytes: &[u8]) {
    let args: Vec<&[u8]> = bytes.split(|&byte| byte == 0).collect();
    let once = SCRUBBER.scrub_args(&args);
    assert_eq!(once.len(), args.len());
    let again: Vec<&[u8]> = once.iter().map(Vec::as_slice).collect();
    assert_eq!(SCRUBBER.scrub_args(&again), once);
}
