//! The tables of the current schema.

use std::fmt;

use redb::{ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::{StoreError, records};

/// The version of a schema; every change of tables, keys or meaning makes a
/// new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.0", self.0)
    }
}

/// What this release writes.
pub const CURRENT: Version = Version(3);

/// Every version the file ever had: number to [`records::Change`]. In every
/// schema, so that any sensor can tell what it has before it.
pub const HISTORY: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("schema_version");
/// `host.name` to [`records::Host`].
pub const HOSTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("hosts");
/// `service.namespace` to [`records::Namespace`].
pub const NAMESPACES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("namespaces");
/// [`service_key`] to [`records::Service`]: each service, and each of its
/// groups, that ever had a member.
pub const SERVICES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("service_instances");
/// Metric name to [`records::Metric`].
pub const METRICS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("metrics");
/// A word of a name to how people are shown it.
pub const FORMAT_RULES: TableDefinition<'_, &str, &str> = TableDefinition::new("format_rules");
/// [`service_key`] to [`records::Totals`]: where the series go on.
pub const TOTALS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("totals");
/// Name to value: what is true of the whole file.
pub const FACTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("facts");
/// Signal and number to a request that waits, as it will be sent.
pub const QUEUE: TableDefinition<'_, (u8, u64), &[u8]> = TableDefinition::new("queue");
/// Signal and number to bytes, records and time of acceptance of that request.
pub const QUEUE_INDEX: TableDefinition<'_, (u8, u64), (u64, u64, u64)> =
    TableDefinition::new("queue_index");
/// A number that grows to an incident as JSON: the last ones.
pub const INCIDENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("incidents");
/// Path of a log file to device, inode and offset: up to where it was read.
/// Stores that were begun before it lack the table until it is written.
pub const LOG_FILES: TableDefinition<'_, &[u8], (u64, u64, u64)> =
    TableDefinition::new("log_files");
/// The framework's id of a host to [`records::LegacyHost`], until the sensor
/// sees a host of that name.
pub const LEGACY_HOSTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("legacy_hosts");
/// The framework's id of a service to [`records::LegacyService`], until a
/// service takes the id over.
pub const LEGACY_SERVICES: TableDefinition<'_, &str, &[u8]> =
    TableDefinition::new("legacy_services");

/// The fact that is the `boot_id` of random(4) that the totals are of.
pub const BOOT_ID: &str = "boot_id";

/// The fact that says up to where the totals have a ring that stays in the
/// kernel: which ring (the boot clock when its hooks had been attached, ns)
/// and the position, 8 bytes each, little endian.
pub const RING: &str = "ring";
/// The fact that says how many bytes the incidents have, as a u64.
pub const INCIDENT_BYTES: &str = "incident_bytes";

/// How words are shown to people, at the beginning.
const RULES: [(&str, &str); 1] = [("cpu", "CPU")];

/// The key of a service, or of a group of it: namespace, name and group, a
/// NUL between each two; without a group the last part is empty.
#[must_use]
pub fn service_key(namespace: &str, name: &str, group: Option<&str>) -> Vec<u8> {
    [namespace, name, group.unwrap_or_default()]
        .join("\0")
        .into_bytes()
}

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Nothing yet.
    Empty,
    /// A store of this version.
    Version(Version),
    /// A redb file of somebody else, or of ours before it had versions.
    Unversioned,
}

/// Finds out what a database is.
pub fn identify(database: &dyn ReadableDatabase) -> Result<Identity, StoreError> {
    let read = database.begin_read()?;
    let newest = match read.open_table(HISTORY) {
        Ok(history) => history.last()?.map(|(version, _)| Version(version.value())),
        Err(TableError::TableDoesNotExist(_)) => None,
        // A table of that name with other types is not ours.
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Ok(Identity::Unversioned),
    };
    match newest {
        Some(version) => Ok(Identity::Version(version)),
        None if read.list_tables()?.next().is_none() => Ok(Identity::Empty),
        None => Ok(Identity::Unversioned),
    }
}

/// Makes the tables of the current schema in an empty database.
pub fn create(write: &redb::WriteTransaction) -> Result<(), StoreError> {
    write.open_table(HOSTS)?;
    write.open_table(NAMESPACES)?;
    write.open_table(METRICS)?;
    create_since_2(write)?;
    create_since_3(write)?;
    note(write, CURRENT)
}

/// Makes the tables that version 2 brought.
pub fn create_since_2(write: &redb::WriteTransaction) -> Result<(), StoreError> {
    write.open_table(SERVICES)?;
    write.open_table(TOTALS)?;
    write.open_table(FACTS)?;
    write.open_table(QUEUE)?;
    write.open_table(QUEUE_INDEX)?;
    write.open_table(LEGACY_HOSTS)?;
    write.open_table(LEGACY_SERVICES)?;
    let mut rules = write.open_table(FORMAT_RULES)?;
    for (word, shown) in RULES {
        rules.insert(word, shown)?;
    }
    Ok(())
}

/// Makes the tables that version 3 brought.
pub fn create_since_3(write: &redb::WriteTransaction) -> Result<(), StoreError> {
    write.open_table(INCIDENTS)?;
    write.open_table(LOG_FILES)?;
    Ok(())
}

/// The fact that says which release opened the file last.
const RELEASE: &str = "release";

/// Writes down which release opened the file.
pub fn note_release(database: &redb::Database) -> Result<(), StoreError> {
    let write = database.begin_write()?;
    {
        let mut facts = write.open_table(FACTS)?;
        facts.insert(RELEASE, env!("CARGO_PKG_VERSION").as_bytes())?;
    }
    write.commit()?;
    Ok(())
}

/// Adds a version to the history.
pub fn note(write: &redb::WriteTransaction, version: Version) -> Result<(), StoreError> {
    let change = records::Change {
        release: env!("CARGO_PKG_VERSION").to_owned(),
        time_ns: crate::clock::wall().0,
    };
    let mut history = write.open_table(HISTORY)?;
    history.insert(version.0, records::encode(&change).as_slice())?;
    Ok(())
}
