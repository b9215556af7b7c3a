//! manifest.toml: whatever is in it, it is read or its problems are told; and
//! what is made of it when it is written again is a valid one.
use std::path::Path;

use sensor::plugin::manifest::{Manifest, rewritten, with_modes};

/// Tries one input.
pub(super) fn run(bytes: &[u8]) {
    let file = Path::new("manifest.toml");
    if let Err(problems) = Manifest::parse(file, bytes) {
        assert!(!problems.is_empty());
    }
    let _ = with_modes(bytes, 0o644);
    let new = rewritten(bytes);
    assert!(Manifest::parse(file, new.as_bytes()).is_ok(), "{new}");
}
