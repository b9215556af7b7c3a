//! Opening: whatever lies there, there is a store afterwards, or a clear
//! refusal that changed nothing.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use redb::{ConcurrencyMode, Database, StorageBackend, backends::FileBackend};

use super::{
    Owner, StoreError,
    backend::Bolted,
    fresh::{fresh, succeed},
    guard::{close, guarded},
    known,
    legacy::{self, Found, Framework},
    migrate, place,
    schema::{self, CURRENT, Identity, Version},
};

/// Memory for pages of the file, bytes. The queue is read and written once,
/// in order, so a cache helps little.
pub(super) const CACHE_BYTES: usize = 1 << 20;
/// What the name of a store from before versions gets behind it.
pub(super) const LEGACY: &str = ".legacy";
/// What a store has behind its name until it is whole.
pub(super) const UNBORN: &str = ".new";

/// Which store, and how careful.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The file.
    pub path: PathBuf,
    /// Refuse what is not a usable store, rather than move it aside.
    pub strict: bool,
}

/// The store, open for writing.
#[derive(Debug)]
pub struct Store {
    pub(super) path: PathBuf,
    /// `None` after a failed [`reopen`](Self::reopen).
    pub(super) database: Option<Database>,
    /// The file that is open, whatever its name leads to by now.
    pub(super) file: Option<File>,
    pub(super) owner: Option<Owner>,
}

/// A store, and what there is to say about how it was opened.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// For people: what was moved, and why.
    pub warnings: Vec<String>,
}

impl Store {
    /// Opens the store of `config`; makes it where there is none, brings it to
    /// the current schema where it is older, and moves aside what is no store.
    ///
    /// # Errors
    ///
    /// Where it is held, newer, in an unsafe place, or cannot be made; with
    /// `strict` also where it is damaged.
    pub fn open(config: &StoreConfig) -> Result<Opened, StoreError> {
        let path = &config.path;
        place::prepare(path)?;
        let owner = Owner::take(path)?;
        let mut warnings = Vec::new();
        let database = match present(path, config.strict, &mut warnings) {
            Err(Fault::NoStore { what, reason }) => {
                if config.strict {
                    return Err(StoreError::Refused {
                        path: path.clone(),
                        reason,
                    });
                }
                let aside = set_aside(path, what).map_err(|source| StoreError::Open {
                    path: path.clone(),
                    source,
                })?;
                warnings.push(format!(
                    "{}: {reason}; it was kept as {}, and a fresh store was begun",
                    path.display(),
                    aside.display()
                ));
                None
            }
            other => other.map_err(|fault| fault.into_error(path))?,
        };
        let database = match database {
            Some(database) => database,
            None => {
                fresh(path, config.strict, &mut warnings).map_err(|fault| fault.into_error(path))?
            }
        };
        let mut store = Self {
            path: path.clone(),
            database: Some(database),
            file: None,
            owner: Some(owner),
        };
        store.file = store.hold()?;
        Ok(Opened { store, warnings })
    }

    /// A database in a file of the current schema, or in one that is empty.
    #[cfg(test)]
    pub(super) fn database_on(backend: impl StorageBackend) -> Result<Database, StoreError> {
        open_on(backend, Path::new("memory"), None)
            .map_err(|fault| fault.into_error(Path::new("memory")))
    }

    /// A store that nobody else can reach.
    #[cfg(test)]
    pub(super) fn without_owner(database: Database) -> Self {
        Self {
            path: PathBuf::from("memory"),
            database: Some(database),
            file: None,
            owner: None,
        }
    }

    pub(super) fn database(&self) -> Result<&Database, StoreError> {
        let closed = || StoreError::Database(redb::Error::DatabaseClosed);
        self.database.as_ref().ok_or_else(closed)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        close(self.database.take());
    }
}

/// Why a file was not opened.
pub(super) enum Fault {
    /// It is no store that can be used.
    NoStore {
        /// Decides what it is called from now on.
        what: What,
        /// For people.
        reason: String,
    },
    /// Any other reason.
    Other(StoreError),
}

/// What a file is that is no store.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// From before stores had versions.
    Legacy,
    /// Damaged, or something else.
    Corrupt,
    /// As before, with what SQLite has put beside it.
    Sqlite,
}

impl Fault {
    pub(super) fn corrupt(reason: impl Into<String>) -> Self {
        Self::NoStore {
            what: What::Corrupt,
            reason: reason.into(),
        }
    }

    pub(super) fn into_error(self, path: &Path) -> StoreError {
        match self {
            Self::NoStore { reason, .. } => StoreError::Refused {
                path: path.to_owned(),
                reason,
            },
            Self::Other(error) => error,
        }
    }
}

impl<E: Into<StoreError>> From<E> for Fault {
    fn from(error: E) -> Self {
        match error.into() {
            StoreError::Database(redb::Error::Corrupted(reason)) => {
                Self::corrupt(format!("is damaged: {reason}"))
            }
            other => Self::Other(other),
        }
    }
}

/// Opens what lies at `path`; `None` where nothing does. The framework's file
/// makes way for a store that has its ids.
fn present(
    path: &Path,
    strict: bool,
    warnings: &mut Vec<String>,
) -> Result<Option<Database>, Fault> {
    match fs::metadata(path) {
        // What a crash or a full disk leaves of a file.
        Ok(found) if found.is_file() && found.len() == 0 => {
            return Err(Fault::corrupt("is empty"));
        }
        _ if fs::symlink_metadata(path).is_err() => return Ok(None),
        _ => {}
    }
    match legacy::read(path)? {
        Found::Other => open_there(path).map(Some),
        Found::Foreign(reason) => Err(Fault::NoStore {
            what: What::Sqlite,
            reason,
        }),
        Found::Framework(framework) => succeed(path, path, &framework, strict, warnings).map(Some),
    }
}

fn open_there(path: &Path) -> Result<Database, Fault> {
    let file = place::open(path).map_err(|source| StoreError::Open {
        path: path.to_owned(),
        source,
    })?;
    let backend = FileBackend::new(file).map_err(redb::Error::from)?;
    open_on(backend, path, None)
}

pub(super) fn open_on(
    backend: impl StorageBackend,
    path: &Path,
    framework: Option<&Framework>,
) -> Result<Database, Fault> {
    // With all that is dropped on the way: closing may panic, too.
    guarded(|| {
        let (backend, bolt) = Bolted::new(backend);
        let database = start(backend, path)?;
        match schema::identify(&database)? {
            Identity::Empty => bolt.open(),
            Identity::Unversioned => {
                return Err(Fault::NoStore {
                    what: What::Legacy,
                    reason: "has no schema version".to_owned(),
                });
            }
            Identity::Version(found) if found > CURRENT => {
                return Err(Fault::Other(StoreError::Newer {
                    path: path.to_owned(),
                    found,
                    known: CURRENT,
                }));
            }
            Identity::Version(found) if found < CURRENT => {
                bolt.open();
                return migrated(database, path, found);
            }
            Identity::Version(_) => {
                // What is damaged is kept as it is, so it is read and written
                // once before anything of that reaches the file.
                known::all_is_readable(&database)?;
                schema::note_release(&database)?;
                bolt.open();
                return Ok(database);
            }
        }
        let write = database.begin_write()?;
        schema::create(&write)?;
        if let Some(framework) = framework {
            legacy::take_in(&write, framework)?;
        }
        write.commit()?;
        Ok(database)
    })
}

/// Opens a store of ours again, however full the disk is: what redb repairs
/// stays in memory until the next transaction.
pub(super) fn open_again(backend: impl StorageBackend, path: &Path) -> Result<Database, Fault> {
    guarded(|| {
        let (backend, bolt) = Bolted::new(backend);
        let database = start(backend, path)?;
        schema::identify(&database)?;
        bolt.open();
        Ok(database)
    })
}

/// Brings an older file to the current schema. A copy lies beside it until
/// the new one has been opened.
fn migrated(database: Database, path: &Path, from: Version) -> Result<Database, Fault> {
    let copy = place::beside(path, &format!(".before-{CURRENT}"));
    let io = |source: io::Error| {
        Fault::Other(StoreError::Open {
            path: copy.clone(),
            source,
        })
    };
    place::check(&copy)?;
    place::copy(path, &copy).map_err(io)?;
    let write = database.begin_write()?;
    migrate::migrate(&write, from)?;
    write.commit()?;
    drop(database);
    let database = start(
        FileBackend::new(place::open(path).map_err(io)?).map_err(redb::Error::from)?,
        path,
    )?;
    if schema::identify(&database)? == Identity::Version(CURRENT) {
        fs::remove_file(&copy).map_err(io)?;
    }
    Ok(database)
}

/// Starts redb on a file.
pub(super) fn start(backend: impl StorageBackend, path: &Path) -> Result<Database, Fault> {
    let opened = guarded(|| {
        Database::builder()
            .set_cache_size(CACHE_BYTES)
            .set_concurrency_mode(ConcurrencyMode::SingleWriter)
            .create_with_backend(backend)
            .map_err(StoreError::from)
    });
    opened.map_err(|error| match error {
        StoreError::Database(error) => match error {
            redb::Error::DatabaseAlreadyOpen => Fault::Other(StoreError::Held {
                path: path.to_owned(),
                pid: Owner::holder(path),
            }),
            redb::Error::UpgradeRequired(format) => {
                Fault::corrupt(format!("is a redb file of format {format}"))
            }
            redb::Error::Io(error) if is_content(&error) => {
                Fault::corrupt(format!("is no redb file: {error}"))
            }
            error => StoreError::Database(error).into(),
        },
        other => other.into(),
    })
}

/// Whether an error is about what a file holds, not about the disk.
fn is_content(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

/// Moves what is no store out of the way, its bytes unchanged.
fn set_aside(path: &Path, what: What) -> io::Result<PathBuf> {
    if let What::Legacy = what {
        return place::move_aside(path, LEGACY, false);
    }
    let seconds = crate::clock::wall().0 / 1_000_000_000;
    let is_sqlite = matches!(what, What::Sqlite);
    place::move_aside(path, &format!(".corrupt-{seconds}"), is_sqlite)
}
