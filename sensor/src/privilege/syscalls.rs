//! A seccomp filter over the whole process.
//!
//! It is a list of what is refused, not of what is allowed: which calls a libc
//! makes changes from release to release, and a daemon that fails on the next
//! one protects nobody. What is on the list answers `EPERM`, as it would to a
//! user without privilege. (The packaged unit adds systemd's list of what
//! services need, which is maintained beside systemd and libc.)

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter_all_threads,
};

/// Calls that the daemon never makes.
const REFUSED: &[libc::c_long] = &[
    // Running other programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Being somebody else.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_personality,
    // Reaching into other processes; reading them in /proc is another thing.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kcmp,
    // Files past all permissions of the path: CAP_DAC_READ_SEARCH allows it.
    libc::SYS_open_by_handle_at,
    // Mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    // The kernel itself.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    // What is the way into the kernel most often, and not needed here.
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_vhangup,
    libc::SYS_fanotify_init,
    libc::SYS_mknodat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Commands of bpf(2) that make something new, or reach what belongs to others
/// (`enum bpf_cmd`): MAP_CREATE, PROG_LOAD, *_GET_FD_BY_ID, BTF_LOAD. Reading
/// maps, pins and links go on: plugins attach hooks while the daemon runs.
const BPF_COMMANDS: [u64; 7] = [0, 5, 13, 14, 18, 19, 30];

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
pub enum SyscallError {
    /// Not known on this processor.
    #[error("no filter for this processor")]
    Processor(#[source] seccompiler::BackendError),
    /// The kernel has none, or refuses it.
    #[error("the kernel takes no filter")]
    Kernel(#[source] seccompiler::Error),
}

/// Refuses, for the whole process and for good, every system call that it does
/// not need once it is set up. Signals reach this process only.
///
/// # Errors
///
/// Where the kernel or the processor has no such filter; nothing is refused
/// then.
pub fn deny_unneeded() -> Result<(), SyscallError> {
    let program = program().map_err(SyscallError::Processor)?;
    apply_filter_all_threads(&program).map_err(SyscallError::Kernel)
}

fn program() -> Result<BpfProgram, seccompiler::BackendError> {
    let argument = |operator, value| {
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator, value)?;
        SeccompRule::new(vec![condition])
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().map(|&call| (call, Vec::new())).collect();
    let commands = BPF_COMMANDS.map(|command| argument(SeccompCmpOp::Eq, command));
    rules.insert(
        libc::SYS_bpf,
        commands.into_iter().collect::<Result<_, _>>()?,
    );
    let me = u64::from(std::process::id());
    for call in [libc::SYS_kill, libc::SYS_tgkill] {
        rules.insert(call, vec![argument(SeccompCmpOp::Ne, me)?]);
    }
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let processor = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, refused, processor)?.try_into()
}
