//! The file under redb, with a bolt: until it is opened, what redb writes (the
//! repair after a crash, say) stays in memory. So a file can be looked into
//! and then left as it was.

use std::{
    collections::BTreeMap,
    io,
    ops::Bound,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{BackendError, StorageBackend};

/// Bytes that are kept together.
const BLOCK: u64 = 4_096;

/// A backend whose writes stay in memory until the bolt is opened.
#[derive(Debug)]
pub struct Bolted<B> {
    below: B,
    bolt: Arc<Bolt>,
}

/// What has not been let through; shared with whoever opens the bolt.
#[derive(Debug, Default)]
pub struct Bolt {
    open: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The length as redb has set it.
    len: Option<u64>,
    /// Blocks by their number.
    blocks: BTreeMap<u64, Box<[u8]>>,
}

impl<B: StorageBackend> Bolted<B> {
    /// A backend above another one, closed.
    pub fn new(below: B) -> (Self, Arc<Bolt>) {
        let bolt = Arc::new(Bolt::default());
        let backend = Self {
            below,
            bolt: Arc::clone(&bolt),
        };
        (backend, bolt)
    }

    /// What is kept, while anything may be: nothing is after the bolt was
    /// opened and the first write has passed.
    fn kept(&self) -> Option<MutexGuard<'_, Kept>> {
        let kept = self.bolt.lock();
        let waits = kept.len.is_some() || !kept.blocks.is_empty();
        (waits || !self.bolt.open.load(Ordering::Acquire)).then_some(kept)
    }

    /// Writes what was kept, once the bolt is open.
    fn let_through(&self) -> io::Result<bool> {
        if !self.bolt.open.load(Ordering::Acquire) {
            return Ok(false);
        }
        let mut kept = self.bolt.lock();
        let end = match kept.len {
            Some(len) => {
                self.below.set_len(len)?;
                len
            }
            None => self.below.len()?,
        };
        for (number, block) in &kept.blocks {
            let at = number * BLOCK;
            let len = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
            self.below.write(at, &block[..block.len().min(len)])?;
        }
        *kept = Kept::default();
        Ok(true)
    }

    /// A block as it is below; zeros behind the end.
    fn block(&self, number: u64) -> io::Result<Box<[u8]>> {
        let mut block = vec![0_u8; usize::try_from(BLOCK).unwrap_or(0)].into_boxed_slice();
        let at = number * BLOCK;
        let there = self.below.len()?.saturating_sub(at).min(BLOCK);
        let there = usize::try_from(there).unwrap_or(0);
        if there > 0 {
            self.below.read(at, &mut block[..there])?;
        }
        Ok(block)
    }
}

impl Bolt {
    /// From now on writes go through, those that were kept first.
    pub fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parts of a range in blocks: number, place in the block, length.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let end = offset + len as u64;
    let mut at = offset;
    std::iter::from_fn(move || {
        (at < end).then(|| {
            let inside = at % BLOCK;
            let length = (BLOCK - inside).min(end - at);
            let part = (at / BLOCK, inside, length);
            at += length;
            part
        })
    })
    .map(|(number, inside, length)| {
        let narrow = |value| usize::try_from(value).unwrap_or(0);
        (number, narrow(inside), narrow(length))
    })
}

impl<B: StorageBackend> StorageBackend for Bolted<B> {
    fn len(&self) -> io::Result<u64> {
        match self.kept().and_then(|kept| kept.len) {
            Some(len) => Ok(len),
            None => self.below.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let Some(kept) = self.kept() else {
            return self.below.read(offset, out);
        };
        let len = match kept.len {
            Some(len) => len,
            None => self.below.len()?,
        };
        if offset + out.len() as u64 > len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut done = 0;
        for (number, inside, length) in parts(offset, out.len()) {
            let target = &mut out[done..done + length];
            match kept.blocks.get(&number) {
                Some(block) => target.copy_from_slice(&block[inside..inside + length]),
                None => {
                    target.copy_from_slice(&self.block(number)?[inside..inside + length]);
                }
            }
            done += length;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.let_through()? {
            return self.below.set_len(len);
        }
        let mut kept = self.bolt.lock();
        let first_gone = len.div_ceil(BLOCK);
        kept.blocks.retain(|&number, _| number < first_gone);
        kept.len = Some(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.let_through()? {
            true => self.below.sync_data(),
            false => Ok(()),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.let_through()? {
            return self.below.write(offset, data);
        }
        let mut kept = self.bolt.lock();
        let mut done = 0;
        for (number, inside, length) in parts(offset, data.len()) {
            let block = match kept.blocks.entry(number) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(self.block(number)?)
                }
            };
            block[inside..inside + length].copy_from_slice(&data[done..done + length]);
            done += length;
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.let_through()?;
        self.below.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.query_lock_range(start, end)
    }
}
