//! Log formats: one file each behind one trait.

/// The formats that are known.
#[derive(Debug, Default)]
pub struct Formats {}
