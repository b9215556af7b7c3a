//! `metadata.db` of the framework, with the logs of SQLite beside it: whatever
//! is in them, reading ends. The first two numbers say where the log and the
//! journal begin.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sensor::store::legacy::parse;

fuzz_target!(|input: (u16, u16, &[u8])| {
    let (wal, journal, bytes) = input;
    let (bytes, journal) = bytes.split_at(bytes.len().min(journal.into()));
    let (main, wal) = bytes.split_at(bytes.len().min(wal.into()));
    let _ = parse(main, Some(wal), Some(journal));
});
