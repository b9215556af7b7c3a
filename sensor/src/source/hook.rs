//! The hooks by name: what they attach to, and what is missed without them.

/// A kernel hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hook {
    /// Name in `doctor` and in the object file.
    pub name: &'static str,
    /// BTF tracepoint.
    pub tracepoint: &'static str,
    /// What a user misses without it.
    pub gives: &'static str,
}

/// Births of processes and threads.
pub const FORK: Hook = Hook {
    name: "fork",
    tracepoint: "sched_process_fork",
    gives: "processes that never exec, and thread counts",
};
/// New programs.
pub const EXEC: Hook = Hook {
    name: "exec",
    tracepoint: "sched_process_exec",
    gives: "starts of processes as they happen",
};
/// Ends of threads and processes.
pub const EXIT: Hook = Hook {
    name: "exit",
    tracepoint: "sched_process_exit",
    gives: "exit codes and what a process used until its end",
};
/// Processes that take another name.
pub const RENAME: Hook = Hook {
    name: "rename",
    tracepoint: "task_rename",
    gives: "members that take another name while they run",
};
/// Observations of the scheduler's clock.
pub const CLOCK: Hook = Hook {
    name: "clock",
    tracepoint: "itimer_state",
    gives: "CPU time at exit that is exact to more than a tick",
};
/// Switches away from a thread. Attached while a plugin asks for it.
pub const SCHED: Hook = Hook {
    name: "sched",
    tracepoint: "sched_switch",
    gives: "run-queue latency, time on the CPU, and preemptions",
};
/// Who sent a signal.
pub const SIGNAL: Hook = Hook {
    name: "signal",
    tracepoint: "signal_generate",
    gives: "who sent a deadly signal",
};
/// Victims of the OOM killer.
pub const OOM: Hook = Hook {
    name: "oom",
    tracepoint: "mark_victim",
    gives: "whether the kernel killed a process for want of memory",
};

/// System calls of tapped processes. Attached while a plugin asks for it.
pub const TAP: Hook = Hook {
    name: "tap",
    tracepoint: "sys_enter",
    gives: "last words of processes that write into a pipe, a terminal or a socket",
};

/// All hooks, in the order in which they attach: the end of a process first,
/// so that whatever is seen to begin is seen to end.
pub const ALL: [Hook; 9] = [EXIT, EXEC, FORK, CLOCK, RENAME, SCHED, SIGNAL, OOM, TAP];
/// The hooks without which there are no events.
pub const CORE: [Hook; 4] = [EXIT, EXEC, FORK, CLOCK];
/// Hooks that are loaded at start, and attached while a plugin asks for them.
pub const ON_DEMAND: [Hook; 2] = [SCHED, TAP];
/// Hooks that are attached where the kernel has them.
pub const EXTRA: [Hook; 3] = [RENAME, SIGNAL, OOM];
