//! A value in the store: whatever is in it, it is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| sensor::store::image::read_record(bytes));
