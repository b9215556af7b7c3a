//! The file of a store: whatever is in it, it is opened and read, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = sensor::store::image::open_image(bytes.to_vec());
});
