//! From the framework's file into the tables of the store.

use std::{
    fs,
    path::{Path, PathBuf},
};

use redb::WriteTransaction;

use super::{
    super::{StoreError, place, records, schema},
    Framework, MAGIC,
    source::Source,
    sqlite::{Files, SqliteError},
};

/// What the framework called its file.
const NAME: &str = "metadata.db";

/// What a file is to us.
#[derive(Debug)]
pub enum Found {
    /// No SQLite file.
    Other,
    /// An SQLite file that is of no use, and why.
    Foreign(String),
    /// The framework's.
    Framework(Framework),
}

/// The framework's file beside a store, where one of that name is there.
#[must_use]
pub fn find(store: &Path) -> Option<PathBuf> {
    let path = place::directory_of(store).join(NAME);
    let is_another = store.file_name().is_some_and(|name| name != NAME);
    (is_another && fs::symlink_metadata(&path).is_ok()).then_some(path)
}

/// Reads what is in a file, which stays as it is.
///
/// # Errors
///
/// Where it is in an unsafe place, or cannot be read.
pub fn read(path: &Path) -> Result<Found, StoreError> {
    look(path, place::check)
}

/// As [`read`], but whoever owns the file.
///
/// # Errors
///
/// Where it cannot be read.
pub fn peek(path: &Path) -> Result<Found, StoreError> {
    look(path, |_| Ok(()))
}

fn look(path: &Path, check: fn(&Path) -> Result<(), StoreError>) -> Result<Found, StoreError> {
    let open = |path: PathBuf| {
        check(&path)?;
        let io = |source| StoreError::Open {
            path: path.clone(),
            source,
        };
        match fs::symlink_metadata(&path) {
            Err(_) => Ok(None),
            Ok(_) => place::open_to_read(&path).map(Some).map_err(io),
        }
    };
    let Some(main) = open(path.to_owned())? else {
        return Ok(Found::Other);
    };
    let mut start = [0_u8; MAGIC.len()];
    if main.read_at(0, &mut start).is_err() || start != *MAGIC {
        return Ok(Found::Other);
    }
    let files = Files {
        main,
        wal: open(place::beside(path, "-wal"))?,
        journal: open(place::beside(path, "-journal"))?,
    };
    match Framework::read(files) {
        Ok(Some(framework)) => Ok(Found::Framework(framework)),
        Ok(None) => Ok(Found::Foreign(
            "is an SQLite file without the tables services and hosts".to_owned(),
        )),
        Err(SqliteError::Io(source)) => Err(StoreError::Open {
            path: path.to_owned(),
            source,
        }),
        Err(error) => Ok(Found::Foreign(format!(
            "is an SQLite file that is damaged: {error}"
        ))),
    }
}

/// Writes down whose ids the framework knew; until somebody takes one over.
pub fn take_in(write: &WriteTransaction, framework: &Framework) -> Result<(), StoreError> {
    let mut hosts = write.open_table(schema::LEGACY_HOSTS)?;
    for (id, host) in &framework.hosts {
        hosts.insert(id.as_str(), records::encode(host).as_slice())?;
    }
    let mut services = write.open_table(schema::LEGACY_SERVICES)?;
    for (id, service) in &framework.services {
        services.insert(id.as_str(), records::encode(service).as_slice())?;
    }
    Ok(())
}
