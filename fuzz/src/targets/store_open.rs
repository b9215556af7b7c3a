//! The file of a store: whatever is in it, it is opened and read, or refused.
//!
//! A store has checksums, so what is made from nothing is seldom one. `r` and
//! the file; else a whole one is damaged: two bytes say how much is left, and
//! of every three others, two where a byte is put and the last which one.
use sensor::store::image::open_image;

static WHOLE: &[u8] = include_bytes!("../../../sensor/src/store/fixtures/store-1.0.redb");

/// Tries one input.
pub(super) fn run(input: &[u8]) {
    let bytes = match input {
        [b'r', bytes @ ..] => bytes.to_vec(),
        [_, low, high, changes @ ..] => damaged(u16::from_le_bytes([*low, *high]), changes),
        _ => Vec::new(),
    };
    let _ = open_image(bytes);
}

fn damaged(left: u16, changes: &[u8]) -> Vec<u8> {
    let mut bytes = WHOLE.to_vec();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]]));
        bytes[at % WHOLE.len()] = change[2];
    }
    bytes.truncate(left.into());
    bytes
}
