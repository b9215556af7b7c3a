//! What the store knows, read at the start and by `sensor store`.

use std::{collections::HashMap, ffi::OsStr, os::unix::ffi::OsStrExt};

use redb::{Database, ReadableDatabase, ReadableTable, TableError};

use super::{
    Indexed, Store, StoreError,
    guard::guarded,
    records::{self, Change, Host, LegacyHost, LegacyService, Metric, Namespace, Service, Totals},
    schema::{self, Version},
};
use crate::{incident::follow::Position, units::WallNanos};

/// Everybody who was ever seen.
#[derive(Debug, Default)]
pub struct Known {
    /// The versions of the file, oldest first.
    pub history: Vec<(Version, Change)>,
    /// Hosts by `host.name`.
    pub hosts: Vec<(String, Host)>,
    /// Namespaces by name.
    pub namespaces: Vec<(String, Namespace)>,
    /// Services and groups.
    pub services: Vec<Service>,
    /// Metrics by name.
    pub metrics: Vec<(String, Metric)>,
    /// Hosts that only the framework knew, by its ids.
    pub legacy_hosts: Vec<(String, LegacyHost)>,
    /// Services of the framework whose ids nobody has taken over yet, by these.
    pub legacy_services: Vec<(String, LegacyService)>,
}

/// Reads everybody.
pub fn known(database: &dyn ReadableDatabase) -> Result<Known, StoreError> {
    let read = database.begin_read()?;
    let mut known = Known::default();
    for row in read.open_table(schema::HISTORY)?.iter()? {
        let (version, change) = row?;
        let change = records::decode(change.value())?;
        known.history.push((Version(version.value()), change));
    }
    for row in read.open_table(schema::HOSTS)?.iter()? {
        let (name, host) = row?;
        let host = records::decode(host.value())?;
        known.hosts.push((name.value().to_owned(), host));
    }
    for row in read.open_table(schema::NAMESPACES)?.iter()? {
        let (name, namespace) = row?;
        let namespace = records::decode(namespace.value())?;
        known.namespaces.push((name.value().to_owned(), namespace));
    }
    for row in read.open_table(schema::SERVICES)?.iter()? {
        known.services.push(records::decode(row?.1.value())?);
    }
    for row in read.open_table(schema::METRICS)?.iter()? {
        let (name, metric) = row?;
        let metric = records::decode(metric.value())?;
        known.metrics.push((name.value().to_owned(), metric));
    }
    for row in read.open_table(schema::LEGACY_HOSTS)?.iter()? {
        let (id, host) = row?;
        let host = records::decode(host.value())?;
        known.legacy_hosts.push((id.value().to_owned(), host));
    }
    for row in read.open_table(schema::LEGACY_SERVICES)?.iter()? {
        let (id, service) = row?;
        let service = records::decode(service.value())?;
        known.legacy_services.push((id.value().to_owned(), service));
    }
    Ok(known)
}

/// Reads all that is read at the start, to find out whether it can be.
pub fn all_is_readable(database: &Database) -> Result<(), StoreError> {
    known(database)?;
    totals(database)?;
    index(database)?;
    log_files(database)?;
    Ok(())
}

/// Where series go on, by [`schema::service_key`].
pub fn totals(database: &dyn ReadableDatabase) -> Result<HashMap<Vec<u8>, Totals>, StoreError> {
    let read = database.begin_read()?;
    let totals = read.open_table(schema::TOTALS)?;
    let rows = totals.iter()?.map(|row| {
        let (key, value) = row?;
        Ok((key.value().to_owned(), records::decode(value.value())?))
    });
    rows.collect()
}

/// Every request that waits, oldest first, by signal.
pub fn index(database: &dyn ReadableDatabase) -> Result<Vec<Indexed>, StoreError> {
    let read = database.begin_read()?;
    let index = read.open_table(schema::QUEUE_INDEX)?;
    let rows = index.iter()?.map(|row| {
        let (place, row) = row?;
        let (bytes, records, since) = row.value();
        Ok(Indexed {
            place: place.value(),
            bytes,
            records,
            since: WallNanos(since),
        })
    });
    rows.collect()
}

/// Up to where named log files were read.
pub fn log_files(database: &dyn ReadableDatabase) -> Result<Vec<Position>, StoreError> {
    let read = database.begin_read()?;
    let files = match read.open_table(schema::LOG_FILES) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        files => files?,
    };
    let rows = files.iter()?.map(|row| {
        let (path, row) = row?;
        let (device, inode, offset) = row.value();
        Ok(Position {
            path: OsStr::from_bytes(path.value()).into(),
            device,
            inode,
            offset,
        })
    });
    rows.collect()
}

impl Store {
    /// Up to where named log files were read.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn log_files(&self) -> Result<Vec<Position>, StoreError> {
        guarded(|| log_files(self.database()?))
    }

    /// Everybody who was ever seen.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn known(&self) -> Result<Known, StoreError> {
        guarded(|| known(self.database()?))
    }

    /// Where series go on, by [`schema::service_key`].
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn totals(&self) -> Result<HashMap<Vec<u8>, Totals>, StoreError> {
        guarded(|| totals(self.database()?))
    }

    /// Every request that waits, oldest first, by signal.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn index(&self) -> Result<Vec<Indexed>, StoreError> {
        guarded(|| index(self.database()?))
    }
}
