//! Pages that count instead of those in the database file: what was committed
//! to a write-ahead log, or what a rollback journal says was there before a
//! transaction that never ended. Both are read as SQLite would recover them,
//! and nothing is written.

use std::{collections::HashMap, io};

use super::source::{Source, u32_at};

/// A log or journal larger than this is not read: it is walked as a whole.
const MAX_BYTES: u64 = 256 << 20;

const WAL_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The two magic numbers differ in the order of bytes of the checksums.
const WAL_MAGIC: u32 = 0x377f_0682;
const WAL_VERSION: u32 = 3_007_000;

const JOURNAL_HEADER: usize = 28;
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Pages, by number, and where their bytes are in the source.
pub struct Overlay<B> {
    source: B,
    at: HashMap<u32, u64>,
}

impl<B: Source> Overlay<B> {
    /// The pages that were committed to a write-ahead log.
    pub fn of_wal(source: B, page_size: usize) -> io::Result<Self> {
        let at = within(&source)?
            .then(|| committed(&source, page_size))
            .transpose()?
            .ok_or_else(too_large)?;
        Ok(Self { source, at })
    }

    /// The pages as they were before the transaction of a rollback journal.
    pub fn of_journal(source: B, page_size: usize) -> io::Result<Self> {
        let at = within(&source)?
            .then(|| originals(&source, page_size))
            .transpose()?
            .ok_or_else(too_large)?;
        Ok(Self { source, at })
    }

    /// How many pages.
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Reads a page, where this has it.
    pub fn read(&self, page: u32, out: &mut [u8]) -> io::Result<bool> {
        match self.at.get(&page) {
            None => Ok(false),
            Some(&at) => self.source.read_at(at, out).map(|()| true),
        }
    }
}

fn within(source: &impl Source) -> io::Result<bool> {
    Ok(source.size()? <= MAX_BYTES)
}

fn too_large() -> io::Error {
    io::Error::other("the log beside it is larger than 256 MiB")
}

/// Frames up to the last commit. Reading ends, as SQLite's does, at the first
/// frame whose salt or checksum is not right: it is of an earlier life.
fn committed(source: &impl Source, page_size: usize) -> io::Result<HashMap<u32, u64>> {
    let mut committed = HashMap::new();
    let size = source.size()?;
    if size < WAL_HEADER as u64 {
        return Ok(committed);
    }
    let mut header = [0_u8; WAL_HEADER];
    source.read_at(0, &mut header)?;
    let field = |at| u32_at(&header, at).unwrap_or(0);
    let big = field(0) & 1 == 1;
    let mut sums = checksum((0, 0), &header[..24], big);
    if field(0) & !1 != WAL_MAGIC
        || field(4) != WAL_VERSION
        || usize::try_from(field(8)).ok() != Some(page_size)
        || sums != (field(24), field(28))
    {
        return Ok(committed);
    }
    let salts = (field(16), field(20));
    let mut frame = vec![0_u8; FRAME_HEADER + page_size];
    let length = frame.len() as u64;
    let mut pending = HashMap::new();
    let mut at = WAL_HEADER as u64;
    while at + length <= size {
        source.read_at(at, &mut frame)?;
        let field = |at| u32_at(&frame, at).unwrap_or(0);
        sums = checksum(sums, &frame[..8], big);
        sums = checksum(sums, &frame[FRAME_HEADER..], big);
        if (field(8), field(12)) != salts || sums != (field(16), field(20)) {
            break;
        }
        pending.insert(field(0), at + FRAME_HEADER as u64);
        // The size of the database after it: the end of a transaction.
        if field(4) != 0 {
            committed.extend(pending.drain());
        }
        at += length;
    }
    Ok(committed)
}

/// The checksum of a write-ahead log, continued over `bytes`.
fn checksum(sums: (u32, u32), bytes: &[u8], big: bool) -> (u32, u32) {
    let (mut first, mut second) = sums;
    let word = |bytes: &[u8]| {
        let bytes = bytes.try_into().unwrap_or_default();
        match big {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        }
    };
    for pair in bytes.chunks_exact(8) {
        first = first.wrapping_add(word(&pair[..4])).wrapping_add(second);
        second = second.wrapping_add(word(&pair[4..])).wrapping_add(first);
    }
    (first, second)
}

/// The records of a journal, segment by segment; nothing where it has none,
/// which is how SQLite leaves one that is done with.
fn originals(source: &impl Source, page_size: usize) -> io::Result<HashMap<u32, u64>> {
    let mut originals = HashMap::new();
    let size = source.size()?;
    let mut at = 0;
    while at + JOURNAL_HEADER as u64 <= size {
        let mut header = [0_u8; JOURNAL_HEADER];
        source.read_at(at, &mut header)?;
        let field = |at| u32_at(&header, at).unwrap_or(0);
        let sector = u64::from(field(20));
        if header[..8] != JOURNAL_MAGIC
            || usize::try_from(field(24)).ok() != Some(page_size)
            || !(JOURNAL_HEADER as u64..=65_536).contains(&sector)
        {
            break;
        }
        let start = at + sector;
        let Some(end) = segment(source, start, &header, page_size, &mut originals)? else {
            break;
        };
        at = end.next_multiple_of(sector).max(start);
    }
    Ok(originals)
}

/// Takes in one segment; where it ends, or `None` where the journal does.
fn segment(
    source: &impl Source,
    start: u64,
    header: &[u8],
    page_size: usize,
    originals: &mut HashMap<u32, u64>,
) -> io::Result<Option<u64>> {
    let field = |at| u32_at(header, at).unwrap_or(0);
    let (count, nonce) = (field(8), field(12));
    let size = source.size()?;
    let mut record = vec![0_u8; page_size + 8];
    let length = record.len() as u64;
    let mut at = start;
    for _ in 0..count {
        if at + length > size {
            return Ok(None);
        }
        source.read_at(at, &mut record)?;
        let page = u32_at(&record, 0).unwrap_or(0);
        let content = &record[4..4 + page_size];
        // Every 200th byte, from behind, is in the sum.
        let sum = (1..)
            .map_while(|step: usize| page_size.checked_sub(step * 200))
            .take_while(|&at| at > 0)
            .fold(nonce, |sum, at| sum.wrapping_add(u32::from(content[at])));
        if u32_at(&record, 4 + page_size) != Some(sum) {
            return Ok(None);
        }
        originals.entry(page).or_insert(at + 4);
        at += length;
    }
    Ok(Some(at))
}
