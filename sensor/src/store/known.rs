//! What the store knows, read at the start and by `sensor store`.

use std::collections::HashMap;

use redb::{ReadableDatabase, ReadableTable};

use super::{
    Store, StoreError,
    records::{self, Change, Host, Metric, Namespace, Service, Totals},
    schema::{self, Version},
};

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
    Ok(known)
}

impl Store {
    /// Everybody who was ever seen.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn known(&self) -> Result<Known, StoreError> {
        known(self.database()?)
    }

    /// Where series go on, by [`schema::service_key`].
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn totals(&self) -> Result<HashMap<Vec<u8>, Totals>, StoreError> {
        let read = self.database()?.begin_read()?;
        let totals = read.open_table(schema::TOTALS)?;
        let rows = totals.iter()?.map(|row| {
            let (key, value) = row?;
            Ok((key.value().to_owned(), records::decode(value.value())?))
        });
        rows.collect()
    }
}
