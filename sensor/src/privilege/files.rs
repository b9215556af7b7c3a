//! Landlock, for threads that need nothing of other processes.
//!
//! A thread under Landlock may not look at `io`, `exe` and `fd` of processes
//! outside of it (`hook_ptrace_access_check` in security/landlock/task.c, for
//! reading too): that is what the engine's thread lives on, and those of the
//! receiver and of incidents need it, too. So two are fenced: that of the
//! exporter, and the one that writes the store. Reading stays allowed: certificates, names of hosts, and users are
//! read again while the daemon runs.

use std::path::PathBuf;

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, path_beneath_rules,
};

/// The newest interface that is asked for; older kernels give what they have.
const NEWEST: ABI = ABI::V5;

/// From now on the calling thread, and those that it starts, write to files
/// below `writable` only, and execute nothing. What is open stays open.
pub fn confine_thread(writable: &[PathBuf]) {
    match confine(writable) {
        Ok(status) if status.ruleset == RulesetStatus::NotEnforced => {
            tracing::debug!("this kernel has no Landlock");
        }
        Ok(_) => {}
        Err(error) => tracing::debug!("no Landlock for a thread: {error}"),
    }
}

fn confine(writable: &[PathBuf]) -> Result<RestrictionStatus, RulesetError> {
    let writing = AccessFs::from_write(NEWEST);
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writing | AccessFs::Execute)?
        .create()?
        .add_rules(path_beneath_rules(writable, writing))?
        .restrict_self()
}
