//! What the hooks cost on this host, while somebody asks.

use std::process::{Command, Stdio};

use crate::source::{
    ebpf::{Kernel, observe_clock},
    hook::Hook,
};

/// Processes that are started to see what the hooks cost.
const PROCESSES: usize = 32;

/// Name, runs and run time (ns) of a hook.
pub(super) type Cost = (&'static str, u64, u64);

/// Lets the hooks run, counted. The kernel counts no longer than this takes.
/// Empty where it will not count: that is no fault of the hooks.
pub(super) fn measure(kernel: &mut Kernel) -> Vec<Cost> {
    if let Err(error) = kernel.count_costs() {
        tracing::debug!("{error}: needs CAP_SYS_ADMIN");
    }
    for _ in 0..PROCESSES {
        // This very program, as it is certainly there.
        let started = Command::new("/proc/self/exe")
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if started.is_err() {
            break;
        }
        observe_clock();
        while kernel.read().is_some() {}
    }
    kernel.stop_counting();
    kernel.costs()
}

/// What a hook costs, to be put behind what else there is to say; empty where
/// it did not run.
pub(super) fn shown(hook: Hook, costs: &[Cost]) -> String {
    let Some((_, runs, ns)) = costs.iter().find(|(name, ..)| *name == hook.name) else {
        return String::new();
    };
    let mean = ns.checked_div(*runs);
    mean.map_or_else(String::new, |mean| {
        format!("; mean {mean} ns of {runs} runs")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::hook;

    #[test]
    fn a_hook_that_did_not_run_has_no_cost() {
        let costs = [("fork", 0, 0), ("exec", 3, 1_000)];
        assert_eq!(shown(hook::FORK, &costs), "");
        assert_eq!(shown(hook::OOM, &costs), "");
        assert_eq!(shown(hook::EXEC, &costs), "; mean 333 ns of 3 runs");
    }
}
