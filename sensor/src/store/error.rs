//! What can go wrong with the store.

use std::{io, path::PathBuf};

use super::schema::Version;

/// A fault of the store, with its remedy.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has it.
    #[error(
        "the store {} is held by {}; end that sensor, or give this one another store with \
         --metadata-db-path",
        path.display(),
        holder(*pid)
    )]
    Held {
        /// The file.
        path: PathBuf,
        /// The process that has it, where it is known.
        pid: Option<u32>,
    },
    /// A newer sensor wrote it.
    #[error(
        "the store {} has schema version {found}, this sensor knows versions up to {known}; \
         install the newer sensor again, or move the file away",
        path.display()
    )]
    Newer {
        /// The file, which was not changed.
        path: PathBuf,
        /// Its version.
        found: Version,
        /// The newest version that is known.
        known: Version,
    },
    /// It is there and is not a store, and must not be moved away.
    #[error(
        "{} is not a usable store ({reason}); move it away, or run without --strict-store",
        path.display()
    )]
    Refused {
        /// The file, which was not changed.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Something in the way belongs to somebody else, or leads elsewhere.
    #[error("{}: {reason}; nothing was changed", path.display())]
    Unsafe {
        /// What is in the way.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It cannot be made or opened.
    #[error("cannot open the store {}", path.display())]
    Open {
        /// The file or its directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Reading or writing failed.
    #[error("the store failed")]
    Database(#[from] redb::Error),
}

fn holder(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

/// redb has an error for each call; here they are one.
macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                Self::Database(error.into())
            }
        }
    )*};
}

from_redb!(
    redb::BackendError,
    redb::CommitError,
    redb::DatabaseError,
    redb::SetDurabilityError,
    redb::StorageError,
    redb::TableError,
    redb::TransactionError
);
