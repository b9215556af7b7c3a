//! The corpus, both ways, and properties.

mod args;
mod config;
mod properties;
mod stream;
mod text;

use std::sync::LazyLock;

use super::{ScrubConfig, ScrubError, Scrubber};

/// Compiling the rules takes a while without optimisation.
fn scrubber() -> &'static Scrubber {
    static SCRUBBER: LazyLock<Scrubber> =
        LazyLock::new(|| Scrubber::new(&ScrubConfig::default()).unwrap());
    &SCRUBBER
}
