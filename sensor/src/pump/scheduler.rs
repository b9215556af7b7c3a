//! The scheduler's hook: attached while a plugin asks for it, told whom to
//! count, and asked what it has counted.

use super::Pump;
use crate::{
    engine::scheduling::Change,
    source::{ebpf::EbpfError, hook},
};

/// What became of the hook.
#[derive(Debug, Default)]
pub(super) struct Follower {
    /// It counts.
    counts: bool,
    /// It could not be attached: that is not tried again.
    failed: bool,
    /// Processes that the kernel had no room for.
    untold: u64,
    /// That was told.
    warned: bool,
}

impl Pump {
    /// Attaches the hook where a plugin asks for it, and detaches it where none
    /// does any more.
    ///
    /// # Errors
    ///
    /// Why it cannot be attached, once. Its figures are absent then.
    pub fn follow_scheduler(&mut self) -> Result<(), EbpfError> {
        let wanted = self.engine.specs().iter().any(|spec| spec.scheduler);
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        let was = self.scheduler.counts;
        if wanted == was || wanted && self.scheduler.failed {
            return Ok(());
        }
        if let Err(error) = kernel.follow_scheduler(wanted) {
            self.scheduler.failed = true;
            return Err(error);
        }
        self.scheduler.counts = wanted;
        let slots = if wanted {
            kernel.scheduler().slots()
        } else {
            0
        };
        self.engine.follow_scheduler(slots);
        self.tell_scheduler();
        // Whoever reads that can rely on it.
        let now = if wanted { "attached" } else { "detached" };
        tracing::info!("hook {}: {now}", hook::SCHED.name);
        Ok(())
    }

    /// Tells the hook whom to count.
    pub(super) fn tell_scheduler(&mut self) {
        if !self.scheduler.counts {
            return;
        }
        let Some(kernel) = &mut self.kernel else {
            return;
        };
        let scheduler = kernel.scheduler();
        for change in self.engine.take_scheduler_changes() {
            match change {
                Change::Watch(pid, watched) => {
                    let told = scheduler.watch(pid, watched);
                    self.scheduler.untold += u64::from(told.is_err());
                }
                Change::Forget(pid) => scheduler.forget(pid),
            }
        }
        if self.uncounted() > 0 && !self.scheduler.warned {
            self.scheduler.warned = true;
            tracing::warn!(
                "the scheduler's hook has no room for more processes or services; of those above \
                 its limits the turns on the CPU are not counted"
            );
        }
    }

    /// Takes in what the hook has counted.
    pub fn read_scheduler(&mut self) {
        if !self.scheduler.counts {
            return;
        }
        let Some(kernel) = &mut self.kernel else {
            return;
        };
        let scheduler = kernel.scheduler();
        for slot in self.engine.scheduler_slots() {
            if let Some(counts) = scheduler.counts(slot) {
                self.engine.scheduler_counts(slot, &counts);
            }
        }
        self.engine.free_scheduler_slots(|| scheduler.in_use());
    }

    /// Processes, as far as the daemon has to do with them, that the hook had
    /// no room for.
    #[must_use]
    pub fn uncounted(&self) -> u64 {
        let refused = self.engine.scheduling().refused();
        self.scheduler.untold.saturating_add(refused)
    }
}
