//! Where the bytes of a file come from: the file itself, or memory.

use std::{fs::File, io, os::unix::fs::FileExt};

/// Bytes that can be read at any place.
pub trait Source {
    /// How many there are.
    fn size(&self) -> io::Result<u64>;

    /// Fills `out` with the bytes from `at`; fewer are an error.
    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()>;
}

impl Source for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(out, at)
    }
}

impl Source for &[u8] {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(at).unwrap_or(usize::MAX);
        let part = start
            .checked_add(out.len())
            .and_then(|end| self.get(start..end));
        out.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A big-endian number of 2 bytes; `None` behind the end.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let part = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(part.try_into().ok()?))
}

/// A big-endian number of 4 bytes; `None` behind the end.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let part = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(part.try_into().ok()?))
}
