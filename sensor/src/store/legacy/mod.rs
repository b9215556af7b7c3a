//! `metadata.db`, the SQLite file of the framework that came before: whose ids
//! it holds, so that dashboards keep their instances.

mod claim;
mod columns;
mod import;
mod overlay;
mod record;
mod source;
mod sqlite;
mod time;

use std::collections::HashMap;

pub use claim::Claimant;
pub use import::{Found, find, peek, read, take_in};
pub use record::Value;
use source::Source;
use sqlite::{Files, Sqlite};
pub use sqlite::{MAGIC, SqliteError};
pub use time::nanos;

use super::records::{LegacyHost, LegacyService};

/// Rows of a table that are taken over. No host has as many services.
const MAX_ROWS: usize = 10_000;
/// Longest text that is taken over, bytes.
const MAX_TEXT: usize = 4_096;

/// What the framework knew.
#[derive(Debug, Default, PartialEq)]
pub struct Framework {
    /// Hosts by their id.
    pub hosts: Vec<(String, LegacyHost)>,
    /// Services by their id.
    pub services: Vec<(String, LegacyService)>,
    /// What could not be read, where anything could not.
    pub damage: Option<&'static str>,
}

/// Reads a database out of memory, with the write-ahead log and the rollback
/// journal beside it, where they are.
///
/// # Errors
///
/// As for [`Framework::read`].
pub fn parse(
    main: &[u8],
    wal: Option<&[u8]>,
    journal: Option<&[u8]>,
) -> Result<Option<Framework>, SqliteError> {
    Framework::read(Files { main, wal, journal })
}

impl Framework {
    /// Reads a database; `None` where it has no tables `services` and `hosts`,
    /// so it is somebody else's.
    ///
    /// # Errors
    ///
    /// Where it is no SQLite file, or cannot be read.
    fn read<B: Source>(files: Files<B>) -> Result<Option<Self>, SqliteError> {
        let database = Sqlite::open(files)?;
        if database.table("hosts")?.is_none() || database.table("services")?.is_none() {
            return Ok(None);
        }
        let mut framework = Self::default();
        let mut namespaces = HashMap::new();
        framework.table(&database, "service_namespaces", |row| {
            namespaces.insert(row.text("id"), row.text("namespace"));
            namespaces.len()
        })?;
        let mut hosts = Vec::new();
        framework.table(&database, "hosts", |row| {
            let host = LegacyHost {
                host_name: row.text("hostname"),
                first_seen_ns: row.time("first_seen"),
                last_seen_ns: row.time("last_seen"),
            };
            hosts.push((row.text("id"), host));
            hosts.len()
        })?;
        let mut services = Vec::new();
        framework.table(&database, "services", |row| {
            let namespace = namespaces.get(&row.text("namespace_id"));
            let service = LegacyService {
                full_name: row.text("full_name"),
                display_name: row.text("display_name"),
                version: row.text("version"),
                description: row.text("description"),
                namespace: namespace.cloned().unwrap_or_default(),
                host_id: row.text("host_id"),
                first_seen_ns: row.time("first_seen"),
                last_seen_ns: row.time("last_seen"),
            };
            services.push((row.text("id"), service));
            services.len()
        })?;
        hosts.retain(|(id, _)| !id.is_empty());
        services.retain(|(id, _)| !id.is_empty());
        Ok(Some(Self {
            hosts,
            services,
            ..framework
        }))
    }

    /// Shows the rows of a table, where it is there, until `each` says that
    /// there are many.
    fn table<B: Source>(
        &mut self,
        database: &Sqlite<B>,
        name: &str,
        mut each: impl FnMut(Named) -> usize,
    ) -> Result<(), SqliteError> {
        let Some(table) = database.table(name)? else {
            return Ok(());
        };
        let columns = columns::columns(&table.sql);
        let mut taken = 0;
        let damage = database.rows(table.root, |(number, values)| {
            if taken >= MAX_ROWS {
                return;
            }
            let values = values.into_iter().chain(std::iter::repeat(Value::Null));
            let values = columns.iter().zip(values).map(|(column, value)| {
                let value = match column.is_row_number {
                    true => Value::Integer(number),
                    false => value,
                };
                (column.name.as_str(), value)
            });
            taken = each(Named(values.collect()));
        })?;
        let too_many = (taken >= MAX_ROWS).then_some("it has more than 10000 rows in a table");
        self.damage = self.damage.or(damage).or(too_many);
        Ok(())
    }
}

/// A row, column by column.
struct Named<'a>(HashMap<&'a str, Value>);

impl Named<'_> {
    /// A value as text; empty where there is none.
    fn text(&self, column: &str) -> String {
        match self.0.get(column) {
            Some(Value::Text(text)) => {
                let end = text.floor_char_boundary(MAX_TEXT);
                text[..end].to_owned()
            }
            Some(Value::Integer(number)) => number.to_string(),
            Some(Value::Real(number)) => number.to_string(),
            Some(Value::Null | Value::Blob) | None => String::new(),
        }
    }

    fn time(&self, column: &str) -> u64 {
        self.0.get(column).map_or(0, time::nanos)
    }
}

#[cfg(test)]
mod tests;
