//! A value in the store: whatever is in it, it is read or refused.

/// Tries one input.
pub(super) fn run(bytes: &[u8]) {
    sensor::store::image::read_record(bytes);
}
