//! The store as those who write and those who read share it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;

use crate::store::{Changes, Place, Store, StoreError};

/// The open store.
#[derive(Debug)]
pub struct Shelf {
    store: Mutex<Store>,
    writes: AtomicU64,
    failures: AtomicU64,
}

/// A request that was to be read.
#[derive(Debug)]
pub enum Found {
    /// Its bytes.
    Bytes(Bytes),
    /// It is not in the store, and never will be.
    Missing,
    /// Nothing can be read now.
    Unreadable,
}

impl Shelf {
    /// A shelf with a store on it.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store: Mutex::new(store),
            writes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// Looks for a request.
    pub fn request(&self, place: Place) -> Found {
        match self.lock().request(place) {
            Ok(Some(bytes)) => Found::Bytes(bytes),
            Ok(None) => Found::Missing,
            Err(error) => {
                tracing::debug!("a request cannot be read: {}", chain(&error));
                Found::Unreadable
            }
        }
    }

    /// Keeps an incident, of the last `keep` ones.
    ///
    /// # Errors
    ///
    /// In one line, where it could not be written.
    pub fn keep_incident(&self, json: &[u8], keep: u64) -> Result<(), String> {
        self.written(|store| store.keep_incident(json, keep))
    }

    /// Forgets requests that nobody will ever ask for.
    ///
    /// # Errors
    ///
    /// In one line, where it could not be written.
    pub fn forget(&self, gone: Vec<Place>) -> Result<(), String> {
        let changes = Changes {
            gone,
            ..Changes::default()
        };
        self.written(|store| store.commit(&changes))
    }

    fn written(
        &self,
        write: impl FnOnce(&mut Store) -> Result<(), StoreError>,
    ) -> Result<(), String> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let mut store = self.lock();
        let result = store.ensure_in_place().and_then(|()| write(&mut store));
        result.map_err(|error| {
            self.failures.fetch_add(1, Ordering::Relaxed);
            let _ = store.reopen();
            chain(&error)
        })
    }

    pub(super) fn counts(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.writes), load(&self.failures))
    }

    pub(super) fn commit(&self, changes: &Changes, failed_before: bool) -> Result<(), StoreError> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let result = Self::try_commit(&mut self.lock(), changes, failed_before);
        if result.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    fn try_commit(
        store: &mut Store,
        changes: &Changes,
        failed_before: bool,
    ) -> Result<(), StoreError> {
        store.ensure_in_place()?;
        let mut result = Ok(());
        if failed_before && !changes.gone.is_empty() {
            // On a disk that is full, what goes makes room for what comes.
            result = store.commit(&Changes {
                time: changes.time,
                gone: changes.gone.clone(),
                ..Changes::default()
            });
        }
        let result = result.and_then(|()| store.commit(changes));
        if result.is_err()
            // What is in the store can often be read all the same.
            && let Err(error) = store.reopen()
        {
            tracing::debug!("{}", chain(&error));
        }
        result
    }

    /// The place that nobody but the store's thread writes to: the directory
    /// above the store's, which may be removed and made again.
    pub(super) fn place(&self) -> PathBuf {
        let path = std::path::absolute(self.lock().path());
        let place = path
            .ok()
            .and_then(|path| path.ancestors().nth(2).map(Path::to_owned));
        place.unwrap_or_else(|| PathBuf::from("/"))
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
