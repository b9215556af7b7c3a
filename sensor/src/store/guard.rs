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
pub fn guarded<T, E: From<StoreError>>(action: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
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
        Err(StoreError::Database(redb::Error::Corrupted(what)).into())
    })
}

/// Closes a database; one that is damaged may panic once more.
pub fn close<D>(database: D) {
    let _: Result<(), StoreError> = guarded(|| {
        drop(database);
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
        thread,
    };

    use super::*;

    #[test]
    fn only_the_panics_of_this_thread_are_quiet_and_only_inside() {
        // First, so that it is what the hook of this test goes on to.
        let told = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&told);
        panic::set_hook(Box::new(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        }));
        let result = guarded(|| -> Result<(), StoreError> {
            let other = thread::spawn(|| panic!("of another thread"));
            assert!(other.join().is_err());
            guarded(|| -> Result<(), StoreError> { panic!("inside") }).unwrap_err();
            panic!("after the inner one")
        });
        let Err(StoreError::Database(redb::Error::Corrupted(_))) = result else {
            panic!("{result:?}");
        };
        assert_eq!(told.load(Ordering::Relaxed), 1);
        assert!(panic::catch_unwind(|| panic!("outside")).is_err());
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }
}
