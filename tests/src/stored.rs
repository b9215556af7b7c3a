//! What of a daemon's doings is in its store.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use sensor::store::Reader;

use crate::sensor::LIMIT;

/// When the store was written last with a report in it, as it says itself.
///
/// # Errors
///
/// Where it cannot be read, or there is none yet.
pub fn written(store: &Path) -> Result<SystemTime, String> {
    let known = Reader::open(store).and_then(|reader| reader.known());
    let known = known.map_err(|error| format!("{error:?}"))?;
    let seen = known.hosts.iter().map(|(_, host)| host.last_seen_ns).max();
    let seen = seen.ok_or_else(|| "no report was written".to_owned())?;
    Ok(UNIX_EPOCH + Duration::from_nanos(seen))
}

/// Waits until every report that was printed by now is on the disk. The daemon
/// prints one without waiting for that; but the time in the store is that of
/// the moment when the writer took all that was there.
pub fn wait_written(store: &Path) {
    wait_written_since(store, SystemTime::now());
}

/// Waits until the store has been written since then.
pub fn wait_written_since(store: &Path, since: SystemTime) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let last = written(store);
        if last.as_ref().is_ok_and(|last| *last >= since) {
            return;
        }
        let path = store.display();
        assert!(
            Instant::now() < deadline,
            "{path}, not since {since:?}: {last:?}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}
