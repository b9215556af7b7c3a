//! Looking into a store without changing it, also beside its owner.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use redb::{ConcurrencyMode, Database, ReadableDatabase, ReadableTable, backends::FileBackend};

use super::{
    Indexed, Known, Owner, StoreError,
    backend::Bolted,
    guard::{close, guarded},
    image::Image,
    known,
    legacy::{self, Found},
    migrate,
    open::{CACHE_BYTES, Fault, start},
    schema::{self, CURRENT, Identity},
};

/// A store, open for reading.
pub struct Reader {
    /// There until it is closed.
    database: Option<Box<dyn ReadableDatabase>>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        close(self.database.take());
    }
}

/// What waits in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Requests.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the oldest was accepted, ns since 1970.
    pub oldest_ns: Option<u64>,
}

impl Reader {
    /// Opens the store at `path`, whoever owns it.
    ///
    /// # Errors
    ///
    /// Where there is none, or it cannot be used.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = &there(path)?;
        let fault = |fault: Fault| fault.into_error(path);
        if Owner::holder(path).is_some() {
            return beside_owner(path).map_err(fault);
        }
        let database = unchanged(path).map_err(fault)?;
        Ok(Self::new(database))
    }

    fn new(database: impl ReadableDatabase + 'static) -> Self {
        Self {
            database: Some(Box::new(database)),
        }
    }

    pub(super) fn database(&self) -> Result<&dyn ReadableDatabase, StoreError> {
        let closed = || StoreError::Database(redb::Error::DatabaseClosed);
        self.database.as_deref().ok_or_else(closed)
    }

    /// Everybody who was ever seen.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn known(&self) -> Result<Known, StoreError> {
        guarded(|| known::known(self.database()?))
    }

    /// Every request that waits, oldest first, by signal.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn index(&self) -> Result<Vec<Indexed>, StoreError> {
        guarded(|| known::index(self.database()?))
    }

    /// What waits for the collector.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn waiting(&self) -> Result<Waiting, StoreError> {
        let mut waiting = Waiting::default();
        for entry in self.index()? {
            waiting.items += 1;
            waiting.bytes += entry.bytes;
            let oldest = waiting.oldest_ns.get_or_insert(entry.since.0);
            *oldest = entry.since.0.min(*oldest);
        }
        Ok(waiting)
    }
}

/// What is wrong with the store at `path`; every page and every record of it
/// is looked at, and nothing is written.
///
/// # Errors
///
/// Where there is none, or it cannot be looked into.
pub fn verify(path: &Path) -> Result<Vec<String>, StoreError> {
    let path = &there(path)?;
    let mut problems = Vec::new();
    let reader = match Owner::holder(path) {
        Some(_) => beside_owner(path),
        None => guarded(|| {
            let mut database = unchanged(path)?;
            if !database.check_integrity()? {
                problems.push("pages of the file did not have the content they should".to_owned());
            }
            Ok(Reader::new(database))
        }),
    }
    .map_err(|fault: Fault| fault.into_error(path))?;
    match guarded(|| records_are_sound(reader.database()?)).map_err(Fault::from) {
        Ok(()) => {}
        Err(Fault::NoStore { reason, .. }) => problems.push(reason),
        Err(Fault::Other(error)) => return Err(error),
    }
    Ok(problems)
}

fn records_are_sound(database: &dyn ReadableDatabase) -> Result<(), StoreError> {
    known::known(database)?;
    known::totals(database)?;
    let read = database.begin_read()?;
    for row in read.open_table(schema::INCIDENTS)?.iter()? {
        row?;
    }
    let corrupted = |text: &str| redb::StorageError::Corrupted(text.to_owned());
    let index = read.open_table(schema::QUEUE_INDEX)?;
    let bodies = read.open_table(schema::QUEUE)?;
    let mut bodies = bodies.iter()?;
    for row in index.iter()? {
        let (place, row) = row?;
        let Some(body) = bodies.next() else {
            return Err(corrupted("a request of the index is missing").into());
        };
        let (of, body) = body?;
        if of.value() != place.value() || body.value().len() as u64 != row.value().0 {
            return Err(corrupted("a request is not as the index says").into());
        }
    }
    match bodies.next() {
        Some(_) => Err(corrupted("a request is missing in the index").into()),
        None => Ok(()),
    }
}

/// Reads what the owner has committed.
fn beside_owner(path: &Path) -> Result<Reader, Fault> {
    let opened = guarded(|| {
        let backend = FileBackend::new(open(path)?.0)?;
        let database = redb::Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_concurrency_mode(ConcurrencyMode::SingleWriter)
            .open_read_only_with_backend(backend)?;
        Ok::<_, StoreError>(database)
    })?;
    Ok(Reader::new(opened))
}

/// Opens a file that nobody owns; what redb writes, and a migration, stay in
/// memory.
fn unchanged(path: &Path) -> Result<Database, Fault> {
    guarded(|| {
        let (mut file, is_writable) = open(path)?;
        let database = if is_writable {
            let backend = FileBackend::new(file).map_err(redb::Error::from)?;
            let (backend, _never_opened) = Bolted::new(backend);
            start(backend, path)?
        } else {
            // redb would lock it, which only a writer may.
            let mut bytes = Vec::new();
            let read = file.read_to_end(&mut bytes);
            read.map_err(redb::Error::from)?;
            start(Image::new(bytes), path)?
        };
        match schema::identify(&database)? {
            Identity::Version(version) if version > CURRENT => {
                Err(Fault::Other(StoreError::Newer {
                    path: path.to_owned(),
                    found: version,
                    known: CURRENT,
                }))
            }
            Identity::Version(version) => {
                if version < CURRENT {
                    let write = database.begin_write()?;
                    migrate::migrate(&write, version)?;
                    write.commit()?;
                }
                Ok(database)
            }
            Identity::Empty | Identity::Unversioned => Err(Fault::corrupt("is no store")),
        }
    })
}

/// Where a link leads: who looks only, may follow it. What is there is a
/// regular file, but not one of SQLite.
fn there(path: &Path) -> Result<PathBuf, StoreError> {
    let open = |source| StoreError::Open {
        path: path.to_owned(),
        source,
    };
    let real = fs::canonicalize(path).map_err(open)?;
    let kind = fs::metadata(&real).map_err(open)?;
    if kind.is_dir() {
        return Err(open(io::ErrorKind::IsADirectory.into()));
    }
    if !kind.is_file() {
        return Err(StoreError::Unsafe {
            path: path.to_owned(),
            reason: "is not a regular file".to_owned(),
        });
    }
    let reason = match legacy::peek(&real) {
        Ok(Found::Other) | Err(_) => return Ok(real),
        Ok(Found::Framework(_)) => {
            "is an SQLite file of the framework, whose ids `sensor run` takes over".to_owned()
        }
        Ok(Found::Foreign(reason)) => reason,
    };
    Err(StoreError::Refused {
        path: path.to_owned(),
        reason,
    })
}

/// Opens a file, and says whether it is open for writing too.
fn open(path: &Path) -> Result<(fs::File, bool), StoreError> {
    let io = |source| StoreError::Open {
        path: PathBuf::from(path),
        source,
    };
    // Locks on ranges need a descriptor that could write. Whatever has taken
    // the place of the file since must not make us wait.
    let wait = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(wait);
    match options.clone().write(true).open(path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            options.open(path).map(|file| (file, false))
        }
        other => other.map(|file| (file, true)),
    }
    .map_err(io)
}
