//! The corpus, both ways, and properties.

mod args;
mod text;

use std::sync::LazyLock;

use super::{ScrubConfig, Scrubber};

/// Compiling the rules takes a while without optimisation.
fn scrubber() -> &'static Scrubber {
    static SCRUBBER: LazyLock<Scrubber> =
        LazyLock::new(|| Scrubber::new(&ScrubConfig::default()).unwrap());
    &SCRUBBER
}
