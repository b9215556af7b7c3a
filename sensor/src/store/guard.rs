//! redb panics on some files that somebody altered. Here that is an error.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use super::StoreError;

thread_local! {
    /// This thread expects that it may panic.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Turns a panic of redb into [`redb::Error::Corrupted`], without the message
/// of a crash. The hook is put in once, and is quiet for this thread only: a
/// panic of another one at the same time is told as ever.
pub fn guarded<T>(action: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    let outer = QUIET.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(action));
    QUIET.set(outer);
    result.unwrap_or_else(|_| {
        let what = "its pages contradict each other".to_owned();
        Err(StoreError::Database(redb::Error::Corrupted(what)))
    })
}
