//! `metadata.db` of the framework, with the logs of SQLite beside it: whatever
//! is in them, reading ends.
//!
//! Two bytes say where the log begins, and two where the journal does; the
//! database is before both.
use sensor::store::legacy::parse;

/// Tries one input.
pub(super) fn run(input: &[u8]) {
    let Some((&[a, b, c, d], bytes)) = input.split_first_chunk() else {
        return;
    };
    let at = |low, high| usize::from(u16::from_le_bytes([low, high]));
    let (bytes, journal) = bytes.split_at(at(c, d).min(bytes.len()));
    let (main, wal) = bytes.split_at(at(a, b).min(bytes.len()));
    let some = |bytes| Some(bytes).filter(|bytes: &&[u8]| !bytes.is_empty());
    let _ = parse(main, some(wal), some(journal));
}
