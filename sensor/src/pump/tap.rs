//! The hook on system calls: attached while a plugin asks for it, and told
//! whose writes to copy.

use super::Pump;
use crate::{
    engine::scheduling::Change,
    source::{ebpf::EbpfError, hook},
};

/// What became of the hook.
#[derive(Debug, Default)]
pub(super) struct Follower {
    /// It is attached.
    taps: bool,
    /// It could not be: that is not tried again.
    failed: bool,
    /// Processes for which there was no room.
    pub(super) refused: u64,
}

impl Pump {
    /// Attaches the hook where a plugin asks for it, and detaches it where none
    /// does any more.
    ///
    /// # Errors
    ///
    /// Why it cannot be attached, once.
    pub fn follow_tap(&mut self) -> Result<(), EbpfError> {
        let wanted = self.engine.wants_taps();
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        if wanted == self.tap.taps || wanted && self.tap.failed {
            return Ok(());
        }
        if let Err(error) = kernel.follow_tap(wanted) {
            self.tap.failed = true;
            return Err(error);
        }
        self.tap.taps = wanted;
        self.engine.follow_taps(wanted);
        self.tell_tap();
        // Whoever reads that can rely on it.
        let now = if wanted { "attached" } else { "detached" };
        tracing::info!("hook {}: {now}", hook::TAP.name);
        Ok(())
    }

    /// Tells the hook whom to tap.
    pub(super) fn tell_tap(&mut self) {
        if !self.tap.taps {
            return;
        }
        let Some(kernel) = &mut self.kernel else {
            return;
        };
        let tap = kernel.tap();
        let before = self.tap.refused;
        for change in self.engine.take_tap_changes() {
            match change {
                Change::Watch(pid, watched) => {
                    self.tap.refused += u64::from(tap.watch(pid, watched).is_err());
                }
                Change::Forget(pid) => tap.forget(pid),
            }
        }
        if before == 0 && self.tap.refused > 0 {
            tracing::warn!(
                "the hook on system calls has no room for more processes; those above its limit \
                 have no last words by it"
            );
        }
    }
}
