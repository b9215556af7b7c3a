//! What the hooks cost: their run time, and the verifier's work.

use aya::sys::{Stats, enable_stats};

use super::{EbpfError, Kernel};
use crate::source::hook;

impl Kernel {
    /// Has the kernel count what its programs cost, all of them, for as long
    /// as this lives: about 20 ns a run.
    ///
    /// # Errors
    ///
    /// Without CAP_SYS_ADMIN, and before Linux 5.8.
    pub fn count_costs(&mut self) -> Result<(), EbpfError> {
        self.stats = Some(enable_stats(Stats::RunTime)?);
        Ok(())
    }

    /// Has it count no more, unless somebody else wants it to.
    pub fn stop_counting(&mut self) {
        self.stats = None;
    }

    /// Name, runs and run time (ns) of each hook that ran while the kernel
    /// counted: see [`Self::count_costs`], and `kernel.bpf_stats_enabled`.
    #[must_use]
    pub fn costs(&self) -> Vec<(&'static str, u64, u64)> {
        self.links
            .iter()
            .map(|(hook, _)| hook)
            .chain(&hook::ON_DEMAND)
            .filter_map(|hook| {
                let info = match (&self.programs, &self.pinned) {
                    (Some(programs), _) => programs.program(hook.name)?.info().ok()?,
                    (None, Some(pinned)) => pinned.program(hook.name)?,
                    (None, None) => return None,
                };
                let (runs, time) = (info.run_count(), info.run_time());
                let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                (runs > 0).then_some((hook.name, runs, ns))
            })
            .collect()
    }

    /// Name of each hook, and how many instructions the verifier went through
    /// to accept it; empty before Linux 5.16.
    #[must_use]
    pub fn verified(&self) -> Vec<(&'static str, u32)> {
        let programs = self.programs.iter();
        let each = programs.flat_map(|programs| {
            hook::ALL.iter().filter_map(|hook| {
                let info = programs.program(hook.name)?.info().ok()?;
                Some((hook.name, info.verified_instruction_count()?))
            })
        });
        each.collect()
    }
}
