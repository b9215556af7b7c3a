//! Hooks that somebody wants, and what people are told of those that cannot be
//! had.

use crate::{
    config::Config,
    pump::Pump,
    source::{
        capability,
        ebpf::{EbpfError, Kernel},
        hook,
    },
};

/// Lines that end a verifier's log.
const VERIFIER_STATISTICS: [&str; 4] = [
    "processed ",
    "verification time",
    "stack depth",
    "max_states",
];

/// Has the kernel count what the hooks cost, where somebody asked for it.
pub(super) fn count_costs(kernel: Option<&mut Kernel>, config: &Config) {
    let wanted = config.telemetry.enabled && config.telemetry.hook_cost;
    if let Some(kernel) = kernel.filter(|_| wanted)
        && let Err(error) = kernel.count_costs()
    {
        tracing::warn!(
            "{}: sensor.hook.runs and sensor.hook.mean are absent (CAP_SYS_ADMIN at start, \
             or the sysctl kernel.bpf_stats_enabled=1, would help)",
            chain(&error)
        );
    }
}

/// Attaches or detaches the scheduler's hook, as the plugins want it.
pub(super) fn follow_scheduler(pump: &mut Pump) {
    tell(pump.follow_scheduler(), "scheduler", hook::SCHED.gives);
}

/// The same with the one on system calls.
pub(super) fn follow_tap(pump: &mut Pump) {
    tell(pump.follow_tap(), "tap", hook::TAP.gives);
}

fn tell(followed: Result<(), EbpfError>, key: &str, gives: &str) {
    if let Err(error) = followed {
        let why = chain(&error);
        tracing::warn!("plugins with `{key} = true` have no {gives}: {why}");
    }
}

/// Why there are no kernel events, in one line that names the remedy.
#[must_use]
pub fn no_events(error: &EbpfError) -> String {
    let missing = capability::missing();
    if missing.is_empty() {
        return format!("no kernel events: {}", chain(error));
    }
    if !capability::count_here() {
        return format!(
            "no kernel events: {} of a user namespace do not count ({})",
            missing.join(" and "),
            capability::OUTSIDE
        );
    }
    format!(
        "no kernel events: {} {} missing (run as root, or give the process CAP_BPF and CAP_PERFMON)",
        missing.join(" and "),
        if missing.len() == 1 { "is" } else { "are" },
    )
}

/// An error and its causes in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // The verifier writes a log; what is wrong is in its last line, before
        // the statistics.
        let line = more
            .lines()
            .rfind(|line| !line.is_empty() && !is_statistics(line))
            .unwrap_or_default();
        if !line.is_empty() && !text.contains(line) {
            text.push_str(": ");
            text.push_str(line);
        }
        cause = error.source();
    }
    text
}

fn is_statistics(line: &str) -> bool {
    VERIFIER_STATISTICS
        .iter()
        .any(|start| line.starts_with(start))
}
