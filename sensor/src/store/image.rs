//! A file in memory in the place of a store: what cannot be written, and
//! foreign bytes, which fuzzing and property tests look at by the way that a
//! real file goes.

use std::{
    io,
    ops::Bound,
    path::Path,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use prost::Message;
use redb::{BackendError, StorageBackend};

use super::{
    StoreError,
    guard::guarded,
    open::open_on,
    records::{self, Change, Host, Metric, Namespace, Service, Totals},
    totals,
};

/// As far as a file may grow, bytes.
const LONGEST: u64 = 64 << 20;

/// Opens a file with these bytes, in memory, and reads all that a sensor reads
/// when it starts.
///
/// # Errors
///
/// Why it is no store that can be used; every other way to fail is a fault.
pub fn open_image(bytes: Vec<u8>) -> Result<(), StoreError> {
    let path = Path::new("image");
    let opened = open_on(Image::new(bytes), path, None);
    // redb writes when it closes, and may find damage by that.
    let closed = opened.and_then(|database| {
        guarded(|| {
            drop(database);
            Ok(())
        })
    });
    closed.map_err(|fault| fault.into_error(path))
}

/// Reads bytes as each kind of record.
///
/// # Panics
///
/// Where a record that was read is another one after it was written again: a
/// fault.
pub fn read_record(bytes: &[u8]) {
    fn read<R: Message + Default>(bytes: &[u8]) -> Option<R> {
        let record: R = records::decode(bytes).ok()?;
        let again = records::encode(&record);
        let same = records::decode::<R>(&again).map(|record| records::encode(&record));
        assert!(same.is_ok_and(|same| same == again));
        Some(record)
    }
    read::<Change>(bytes);
    read::<Host>(bytes);
    read::<Namespace>(bytes);
    read::<Service>(bytes);
    read::<Metric>(bytes);
    if let Some(totals) = read::<Totals>(bytes) {
        totals::check(&totals);
    }
}

/// A file in memory, which nobody else can reach: its locks are always free.
#[derive(Debug)]
pub(super) struct Image(RwLock<Vec<u8>>);

impl Image {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(RwLock::new(bytes))
    }

    fn bytes(&self) -> RwLockReadGuard<'_, Vec<u8>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes_mut(&self) -> RwLockWriteGuard<'_, Vec<u8>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn range(offset: u64, len: usize, of: usize) -> io::Result<std::ops::Range<usize>> {
    let start = usize::try_from(offset).map_err(io::Error::other)?;
    match start.checked_add(len) {
        Some(end) if end <= of => Ok(start..end),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

impl StorageBackend for Image {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes();
        out.copy_from_slice(&bytes[range(offset, out.len(), bytes.len())?]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > LONGEST.max(self.len()?) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.bytes_mut().resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.bytes_mut();
        let range = range(offset, data.len(), bytes.len())?;
        bytes[range].copy_from_slice(data);
        Ok(())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::store::{Changes, Request, Store, StoreConfig, service_key};

    /// The file of a small store: cleanly closed, or as kill -9 leaves it.
    fn file(is_closed: bool) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metadata.redb");
        let config = StoreConfig {
            path: path.clone(),
            strict: true,
        };
        let store = Store::open(&config).unwrap().store;
        let totals = Totals {
            counted: vec![7; 9],
            ..Totals::default()
        };
        let changes = Changes {
            accepted: vec![Request {
                place: (1, 1),
                records: 1,
                since: crate::units::WallNanos(1),
                bytes: vec![1; 6_000].into(),
            }],
            totals: vec![(service_key("n", "s", None), totals)],
            ..Changes::default()
        };
        store.commit(&changes).unwrap();
        let alive = std::fs::read(&path).unwrap();
        drop(store);
        match is_closed {
            true => std::fs::read(&path).unwrap(),
            false => alive,
        }
    }

    #[test]
    fn a_whole_file_opens() {
        for is_closed in [true, false] {
            open_image(file(is_closed)).unwrap();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_record_is_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
            read_record(&bytes);
        }

        #[test]
        fn a_damaged_file_is_read_or_refused(
            is_closed: bool,
            // Most of the file is empty; its beginning is what counts.
            flips in vec((any::<prop::sample::Index>(), 1_u8..), 1..20),
            most in prop::sample::select(vec![512_usize, 65_536, usize::MAX]),
            cut in proptest::option::of(any::<prop::sample::Index>()),
        ) {
            let mut bytes = file(is_closed);
            let within = bytes.len().min(most);
            for (at, flip) in flips {
                bytes[at.index(within)] ^= flip;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            // redb is trusted to end, not to like it.
            let _ = open_image(bytes);
        }

        #[test]
        fn no_file_is_read_or_refused(bytes in vec(any::<u8>(), 0..10_000)) {
            let _ = open_image(bytes);
        }
    }
}
