//! manifest.toml: whatever is in it, it is read or its problems are told; and
//! what is made of it when it is written again is a valid one.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sensor::plugin::manifest::{Manifest, rewritten, with_modes};

fuzz_target!(|bytes: &[u8]| {
    let file = Path::new("manifest.toml");
    if let Err(problems) = Manifest::parse(file, bytes) {
        assert!(!problems.is_empty());
    }
    let _ = with_modes(bytes, 0o644);
    let new = rewritten(bytes);
    assert!(Manifest::parse(file, new.as_bytes()).is_ok(), "{new}");
});
