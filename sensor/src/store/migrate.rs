//! From an older schema to the current one, one version at a time.

use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::{
    StoreError,
    records::{self, Service},
    schema::{self, CURRENT, Version, service_key},
};

/// The step to the next version.
type Step = fn(&WriteTransaction) -> Result<(), StoreError>;

/// Steps by the version that they begin at, from 1.
const STEPS: &[Step] = &[to_2, schema::create_since_3];

/// Brings the tables from `from` to the current version, all in the caller's
/// one transaction.
pub fn migrate(write: &WriteTransaction, from: Version) -> Result<(), StoreError> {
    for version in from.0..CURRENT.0 {
        let step = usize::try_from(version).ok().and_then(|v| v.checked_sub(1));
        if let Some(step) = step.and_then(|index| STEPS.get(index)) {
            step(write)?;
        }
        schema::note(write, Version(version + 1))?;
    }
    Ok(())
}

/// Until version 1: sanitized service name to [`Service`].
const SERVICES_1: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("services");

/// Services are known by what they are called, not by the sanitized name, so
/// that groups have a place; counters and the queue are new.
fn to_2(write: &WriteTransaction) -> Result<(), StoreError> {
    schema::create_since_2(write)?;
    {
        let old = write.open_table(SERVICES_1)?;
        let mut new = write.open_table(schema::SERVICES)?;
        for row in old.iter()? {
            let (id, value) = row?;
            let mut service: Service = records::decode(value.value())?;
            service.service_id = id.value().to_owned();
            let key = service_key(&service.namespace, &service.name, None);
            new.insert(key.as_slice(), records::encode(&service).as_slice())?;
        }
    }
    write.delete_table(SERVICES_1)?;
    Ok(())
}
