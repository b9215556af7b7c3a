//! Looking into a store without changing it, also beside its owner.

use std::{
    fs::OpenOptions,
    io,
    path::{Path, PathBuf},
};

use redb::{ConcurrencyMode, Database, ReadableDatabase, ReadableTable, backends::FileBackend};

use super::{
    Known, Owner, StoreError,
    backend::Bolted,
    known, migrate,
    open::{CACHE_BYTES, Fault, guarded, start},
    records::{self, Totals},
    schema::{self, CURRENT, Identity},
};

/// A store, open for reading.
pub struct Reader {
    database: Box<dyn ReadableDatabase>,
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
        let fault = |fault: Fault| fault.into_error(path);
        if Owner::holder(path).is_some() {
            return beside_owner(path).map_err(fault);
        }
        let database = unchanged(path).map_err(fault)?;
        Ok(Self {
            database: Box::new(database),
        })
    }

    /// Everybody who was ever seen.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn known(&self) -> Result<Known, StoreError> {
        known::known(&*self.database)
    }

    /// What waits for the collector.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn waiting(&self) -> Result<Waiting, StoreError> {
        let read = self.database.begin_read()?;
        let mut waiting = Waiting::default();
        for row in read.open_table(schema::QUEUE_INDEX)?.iter()? {
            let (bytes, _, since) = row?.1.value();
            waiting.items += 1;
            waiting.bytes += bytes;
            let oldest = waiting.oldest_ns.get_or_insert(since);
            *oldest = since.min(*oldest);
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
    let mut problems = Vec::new();
    let database: Box<dyn ReadableDatabase> = match Owner::holder(path) {
        Some(_) => beside_owner(path).map(|reader| reader.database),
        None => unchanged(path).and_then(|mut database| {
            let sound = guarded(|| Ok(database.check_integrity()?))?;
            if !sound {
                problems.push("pages of the file did not have the content they should".to_owned());
            }
            Ok(Box::new(database) as Box<dyn ReadableDatabase>)
        }),
    }
    .map_err(|fault| fault.into_error(path))?;
    match guarded(|| records_are_sound(&*database)) {
        Ok(()) => {}
        Err(Fault::NoStore { reason, .. }) => problems.push(reason),
        Err(Fault::Other(error)) => return Err(error),
    }
    Ok(problems)
}

/// Reads what a sensor reads when it starts, so that damage in it is known
/// before the file is changed.
pub(super) fn read_at_start(database: &dyn ReadableDatabase) -> Result<(), StoreError> {
    known::known(database)?;
    let read = database.begin_read()?;
    for row in read.open_table(schema::TOTALS)?.iter()? {
        let _: Totals = records::decode(row?.1.value())?;
    }
    read.open_table(schema::FACTS)?.get(schema::BOOT_ID)?;
    for row in read.open_table(schema::QUEUE_INDEX)?.iter()? {
        row?;
    }
    read.open_table(schema::QUEUE)?;
    Ok(())
}

fn records_are_sound(database: &dyn ReadableDatabase) -> Result<(), StoreError> {
    known::known(database)?;
    let read = database.begin_read()?;
    for row in read.open_table(schema::TOTALS)?.iter()? {
        let _: Totals = records::decode(row?.1.value())?;
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
        let backend = FileBackend::new(open(path)?)?;
        let database = redb::Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_concurrency_mode(ConcurrencyMode::SingleWriter)
            .open_read_only_with_backend(backend)?;
        Ok(database)
    })?;
    Ok(Reader {
        database: Box::new(opened),
    })
}

/// Opens a file that nobody owns; what redb writes, and a migration, stay in
/// memory.
fn unchanged(path: &Path) -> Result<Database, Fault> {
    let backend = FileBackend::new(open(path)?).map_err(redb::Error::from)?;
    let (backend, _never_opened) = Bolted::new(backend);
    let database = start(backend, path)?;
    match guarded(|| schema::identify(&database))? {
        Identity::Version(version) if version > CURRENT => Err(Fault::Other(StoreError::Newer {
            path: path.to_owned(),
            found: version,
            known: CURRENT,
        })),
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
}

fn open(path: &Path) -> Result<std::fs::File, StoreError> {
    let io = |source| StoreError::Open {
        path: PathBuf::from(path),
        source,
    };
    // Locks on ranges need a descriptor that could write.
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = match file {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            OpenOptions::new().read(true).open(path)
        }
        other => other,
    }
    .map_err(io)?;
    match file.metadata().map_err(io)?.is_file() {
        true => Ok(file),
        false => Err(io(io::ErrorKind::InvalidInput.into())),
    }
}
