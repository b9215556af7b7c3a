//! Foreign text: as many lines come out as went in, the same from a stream,
//! and what was scrubbed stays as it is.
use std::sync::LazyLock;

use sensor::scrub::{ScrubConfig, Scrubber};

static SCRUBBER: LazyLock<Scrubber> =
    LazyLock::new(|| Scrubber::new(&ScrubConfig::default()).expect("the built-in rules"));

/// Tries one input.
pub(super) fn run(text: &[u8]) {
    let once = SCRUBBER.scrub_text(text);
    let ends = |text: &[u8]| text.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(ends(&once), ends(text));
    let mut streamed = Vec::new();
    SCRUBBER
        .scrub_stream(text, &mut streamed)
        .expect("memory neither fails to be read nor to be written");
    assert_eq!(streamed, once);
    assert_eq!(SCRUBBER.scrub_text(&once), once);
}
