//! The last incidents of this host, as JSON.

use redb::ReadableTable;

use super::{
    Reader, Store, StoreError,
    guard::guarded,
    schema::{FACTS, INCIDENT_BYTES, INCIDENTS},
};

/// Most bytes that the incidents of a store have together, however many they
/// may be; the youngest is kept in any case.
pub const MAX_HISTORY_BYTES: u64 = 64 << 20;

impl Store {
    /// Puts an incident behind the others; of these, the last `keep` stay, its
    /// own included.
    ///
    /// # Errors
    ///
    /// What failed; the store must be opened again after that.
    pub fn keep_incident(&self, json: &[u8], keep: u64) -> Result<(), StoreError> {
        guarded(|| {
            let write = self.database()?.begin_write()?;
            {
                let mut incidents = write.open_table(INCIDENTS)?;
                let mut facts = write.open_table(FACTS)?;
                let before = facts.get(INCIDENT_BYTES)?;
                let before = before.and_then(|bytes| bytes.value().try_into().ok());
                let mut bytes = u64::from_le_bytes(before.unwrap_or_default());
                let last = incidents.last()?.map_or(0, |(number, _)| number.value());
                incidents.insert(last + 1, json)?;
                bytes += json.len() as u64;
                let mut count = redb::ReadableTableMetadata::len(&incidents)?;
                while count > 1 && (count > keep || bytes > MAX_HISTORY_BYTES) {
                    let Some((_, gone)) = incidents.pop_first()? else {
                        break;
                    };
                    bytes = bytes.saturating_sub(gone.value().len() as u64);
                    count -= 1;
                }
                facts.insert(INCIDENT_BYTES, bytes.to_le_bytes().as_slice())?;
            }
            write.commit()?;
            Ok(())
        })
    }
}

impl Reader {
    /// The last incidents that were kept, `limit` at most, oldest first: one
    /// JSON object each.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn incidents(&self, limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        guarded(|| {
            let read = self.database()?.begin_read()?;
            let table = read.open_table(INCIDENTS)?;
            let mut last = Vec::new();
            for row in table.iter()?.rev().take(limit) {
                last.push(row?.1.value().to_vec());
            }
            last.reverse();
            Ok(last)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{StoreConfig, verify};

    #[test]
    fn the_last_ones_are_kept_within_count_and_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metadata.redb");
        let open = || {
            let wish = StoreConfig {
                path: path.clone(),
                strict: true,
            };
            Store::open(&wish).unwrap().store
        };
        let store = open();
        for number in 0..10 {
            store.keep_incident(&[number], 3).unwrap();
        }
        drop(store);
        let seen = |limit| Reader::open(&path).unwrap().incidents(limit).unwrap();
        assert_eq!(seen(9), [[7], [8], [9]]);
        assert_eq!(seen(2), [[8], [9]]);

        let store = open();
        let large = vec![b'x'; 24 << 20];
        for _ in 0..4 {
            store.keep_incident(&large, 3).unwrap();
        }
        store.keep_incident(b"{}", 3).unwrap();
        drop(store);
        let sizes: Vec<_> = seen(9).iter().map(Vec::len).collect();
        assert_eq!(sizes, [24 << 20, 24 << 20, 2]);
        assert!(verify(&path).unwrap().is_empty());
    }
}
