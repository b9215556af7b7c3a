//! Up to where a log file was read.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

/// Files beside a log that are looked at.
const BESIDE: usize = 4_096;

/// Up to where a log file was read. The file is known by device and inode: its
/// name may lead to another one by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The name it is followed by.
    pub path: PathBuf,
    /// `st_dev`; 0 where there was no file.
    pub device: u64,
    /// `st_ino`; 0 where there was no file.
    pub inode: u64,
    /// Bytes that were read and told.
    pub offset: u64,
}

/// The name that a file has now in its directory.
pub(super) fn renamed(before: &Position) -> Option<PathBuf> {
    if before.inode == 0 {
        return None;
    }
    let beside = fs::read_dir(before.path.parent()?).ok()?;
    let is_it = |found: &fs::Metadata| (found.dev(), found.ino()) == (before.device, before.inode);
    let mut entries = beside.flatten().take(BESIDE);
    let found = entries.find(|entry| entry.metadata().is_ok_and(|found| is_it(&found)));
    found.map(|entry| entry.path())
}
