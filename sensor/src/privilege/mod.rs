//! What the daemon may no longer do once its hooks are attached (contract D3).
//!
//! Three fences, each for what the others cannot hold:
//!
//! - capabilities: all but those that reading other users' /proc takes;
//! - system calls: those that only an intruder would want;
//! - files: threads that need none of /proc write nowhere but where they must.
//!
//! A host that lacks one of them is no reason not to work.

mod files;
mod syscalls;

use crate::source::capability;

pub use self::{
    files::confine_thread,
    syscalls::{SyscallError, deny_unneeded},
};

/// Gives up what is not needed any more, for good, and says what is kept. To
/// be called before other threads start. `attached`: kernel programs run.
pub fn give_up(attached: bool) {
    let keep_bpf = attached && capability::maps_need_bpf();
    match capability::drop_unneeded(keep_bpf) {
        Ok(kept) if kept.is_empty() => tracing::info!("keeps no capabilities"),
        Ok(kept) => {
            let kept = kept.iter().map(|(name, why)| format!("{name} ({why})"));
            let kept = kept.collect::<Vec<_>>().join(", ");
            tracing::info!("keeps of its capabilities {kept}");
        }
        Err(error) => tracing::warn!("cannot give up capabilities: {error}"),
    }
    if let Err(error) = deny_unneeded() {
        tracing::info!("all system calls stay allowed: {error}");
    }
}
