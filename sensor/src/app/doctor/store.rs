//! Whether identities, counters and the queue have a place.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat, statvfs};

use super::{Check, Status};
use crate::{
    app::store,
    config::Config,
    store::{StoreError, default_path},
};

const NAME: &str = "store";
/// Less room than this is soon used up by the queue of a collector that is
/// away, bytes.
const ROOM: u64 = 16 << 20;

/// Looks at the store and its directory; changes nothing.
pub(super) fn check(config: &Config) -> Check {
    let path = config.store.path.clone().unwrap_or_else(default_path);
    let shown = path.display();
    // Where nobody named a place, the sensor works without a store.
    let unusable = match config.store.path {
        Some(_) => Status::Failed,
        None => Status::Degraded,
    };
    let check = match store::look(&path) {
        Ok(Some(what)) => Check::ok(NAME, format!("{shown}: {what}")),
        Ok(None) => Check::skipped(NAME, format!("none at {shown} yet; `sensor run` makes it")),
        Err(error) => {
            let status = match error {
                StoreError::Newer { .. } | StoreError::Unsafe { .. } => Status::Failed,
                StoreError::Open { .. } => unusable,
                _ => Status::Degraded,
            };
            let stop = store::stop(&error);
            return Check::new(NAME, status, stop.lines.join("; "))
                .remedy("`sensor store verify` says more; [store] path names another place");
        }
    };
    let Some(place) = place(&path) else {
        return check;
    };
    let at = place.display();
    if let Err(error) = may_write(&place) {
        let detail = format!("{shown}: cannot write to {at}: {error}");
        return Check::new(NAME, unusable, detail)
            .remedy("let the sensor's user write there; [store] path names another place");
    }
    match room(&place) {
        Some(free) if free < ROOM => {
            let detail = format!("{shown}: {} KiB are free on {at}", free >> 10);
            Check::new(NAME, Status::Degraded, detail)
                .remedy("make room: what does not fit waits in memory and is lost at the end")
        }
        _ => check,
    }
}

/// The nearest directory above the file that is there: the one in which
/// something would be made.
fn place(path: &Path) -> Option<PathBuf> {
    let mut above = path
        .ancestors()
        .skip(1)
        .map(|parent| match parent.as_os_str().is_empty() {
            true => Path::new("."),
            false => parent,
        });
    above.find(|parent| parent.exists()).map(Path::to_owned)
}

/// Asks the kernel: permissions, read-only mounts and immutable files.
fn may_write(place: &Path) -> rustix::io::Result<()> {
    if !place.is_dir() {
        return Err(rustix::io::Errno::NOTDIR);
    }
    let access = Access::WRITE_OK | Access::EXEC_OK;
    accessat(CWD, place, access, AtFlags::EACCESS)
}

/// Bytes that are left for this user.
fn room(place: &Path) -> Option<u64> {
    let about = statvfs(place).ok()?;
    // A file system without a size, such as one of memory, says 0 blocks.
    (about.f_blocks > 0).then(|| about.f_bavail.saturating_mul(about.f_frsize))
}
