//! What of a daemon's doings is in its store.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use sensor::store::Reader;

use crate::sensor::LIMIT;

/// When the store was written last with a report in it, as it says itself.
#[must_use]
pub fn written(store: &Path) -> Option<SystemTime> {
    let known = Reader::open(store).and_then(|reader| reader.known()).ok()?;
    let seen = known
        .hosts
        .iter()
        .map(|(_, host)| host.last_seen_ns)
        .max()?;
    Some(UNIX_EPOCH + Duration::from_nanos(seen))
}

/// Waits until every report that was printed by now is on the disk. The daemon
/// prints one without waiting for that; but the time in the store is that of
/// the moment when the writer took all that was there.
pub fn wait_written(store: &Path) {
    let (now, deadline) = (SystemTime::now(), Instant::now() + LIMIT);
    while written(store) < Some(now) {
        assert!(
            Instant::now() < deadline,
            "{} is not written",
            store.display()
        );
        thread::sleep(Duration::from_millis(20));
    }
}
