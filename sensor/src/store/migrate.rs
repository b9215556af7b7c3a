//! From an older schema to the current one, one version at a time.

use redb::WriteTransaction;

use super::{
    StoreError,
    schema::{self, CURRENT, Version},
};

/// The step to the next version.
type Step = fn(&WriteTransaction) -> Result<(), StoreError>;

/// Steps by the version that they begin at, from 1.
const STEPS: &[Step] = &[];

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
