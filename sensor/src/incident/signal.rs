//! Names of signals (signal(7), on all architectures but alpha, mips, sparc
//! and parisc).

/// `SIGKILL` for 9; `None` for what is no signal.
#[must_use]
pub fn name(signal: u8) -> Option<String> {
    const NAMES: [&str; 31] = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    match signal {
        0 => None,
        1..=31 => Some(NAMES[usize::from(signal) - 1].to_owned()),
        // glibc keeps the first two, so that SIGRTMIN is 34.
        32 | 33 => Some(format!("SIGRTMIN-{}", 34 - signal)),
        34 => Some("SIGRTMIN".to_owned()),
        35..=49 => Some(format!("SIGRTMIN+{}", signal - 34)),
        50..=63 => Some(format!("SIGRTMAX-{}", 64 - signal)),
        64 => Some("SIGRTMAX".to_owned()),
        _ => None,
    }
}
