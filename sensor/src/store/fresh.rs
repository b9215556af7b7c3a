//! Beginning a store where there is none.

use std::{fs, io, path::Path};

use redb::{Database, backends::FileBackend};

use super::{
    StoreError,
    legacy::{self, Found, Framework},
    open::{Fault, LEGACY, UNBORN, open_on},
    place,
};

/// Begins a store where none is; with the ids of the framework's file, where
/// that lies beside it.
pub(super) fn fresh(
    path: &Path,
    strict: bool,
    warnings: &mut Vec<String>,
) -> Result<Database, Fault> {
    let Some(old) = legacy::find(path) else {
        return begin(path, None);
    };
    match legacy::read(&old) {
        Ok(Found::Framework(framework)) => succeed(path, &old, &framework, strict, warnings),
        Ok(_) => begin(path, None),
        // It is not in the way.
        Err(error) => {
            let cause = std::error::Error::source(&error);
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            warnings.push(format!("no ids are taken over: {error}{cause}"));
            begin(path, None)
        }
    }
}

/// Begins a store with the ids of the framework's file, which gets another
/// name. At every moment one of the two has the ids and the name.
pub(super) fn succeed(
    path: &Path,
    old: &Path,
    framework: &Framework,
    strict: bool,
    warnings: &mut Vec<String>,
) -> Result<Database, Fault> {
    let damage = framework.damage;
    if let (true, Some(damage)) = (strict, damage) {
        return Err(Fault::Other(StoreError::Refused {
            path: old.to_owned(),
            reason: format!("can be read in part only: {damage}"),
        }));
    }
    let io = |source: io::Error| {
        Fault::Other(StoreError::Open {
            path: old.to_owned(),
            source,
        })
    };
    let database = unborn(path, Some(framework))?;
    let kept = place::second_name(old, LEGACY).map_err(io)?;
    let unborn = place::beside(path, UNBORN);
    if old == path && place::is_same(old, &kept) {
        place::take_name(&unborn, path).map_err(io)?;
    } else {
        place::give_name(&unborn, path).map_err(io)?;
    }
    place::drop_first_names(old, &kept, old != path).map_err(io)?;
    warnings.push(format!(
        "{}: the ids of {} services and {} hosts were taken over from it, and it was kept as {}{}",
        old.display(),
        framework.services.len(),
        framework.hosts.len(),
        kept.display(),
        damage.map_or_else(String::new, |damage| format!(
            "; it could be read in part only: {damage}"
        )),
    ));
    Ok(database)
}

/// Makes a store where nothing is.
fn begin(path: &Path, framework: Option<&Framework>) -> Result<Database, Fault> {
    let database = unborn(path, framework)?;
    place::give_name(&place::beside(path, UNBORN), path).map_err(|source| StoreError::Open {
        path: path.to_owned(),
        source,
    })?;
    Ok(database)
}

/// Makes a store that has not got its name yet; one that an earlier start did
/// not finish goes.
fn unborn(path: &Path, framework: Option<&Framework>) -> Result<Database, Fault> {
    let unborn = place::beside(path, UNBORN);
    let io = |source: io::Error| {
        Fault::Other(StoreError::Open {
            path: unborn.clone(),
            source,
        })
    };
    match fs::remove_file(&unborn) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let file = place::open(&unborn).map_err(io)?;
    let backend = FileBackend::new(file).map_err(redb::Error::from)?;
    open_on(backend, path, framework)
}
