//! Capabilities that are missing.

use std::{fs, io, process::Stdio};

use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use sensor_tests::{process::Running, sensor::skipped};

use super::*;

/// As root, but without these: what root executes has what the bounding set
/// has.
fn without(lost: CapabilitySet) -> impl Fn(&mut Command) {
    move |command| {
        let take = move || -> io::Result<()> {
            for capability in lost.iter() {
                remove_capability_from_bounding_set(capability)?;
            }
            Ok(())
        };
        // SAFETY: system calls only, which are safe between fork and exec.
        unsafe { command.pre_exec(take) };
    }
}

#[test]
fn a_capability_that_the_hooks_need_is_named() {
    for (lost, name, other) in [
        (CapabilitySet::BPF, "CAP_BPF missing", "CAP_PERFMON missing"),
        (
            CapabilitySet::PERFMON,
            "CAP_PERFMON missing",
            "CAP_BPF missing",
        ),
    ] {
        // That one is all of them together.
        let answer = Desk::new().ask(&[], without(lost | CapabilitySet::SYS_ADMIN));
        answer.says("capabilities", "failed", &[name, "AmbientCapabilities="]);
        assert!(!answer.text.contains(other), "{}", answer.text);
        answer.says("hook.fork", "skipped", &["needs capabilities"]);
    }
}

#[test]
fn a_user_without_privileges_learns_of_each() {
    let answer = Desk::new().ask(&[], as_nobody);
    answer.says("capabilities", "failed", &["CAP_BPF, CAP_PERFMON missing"]);
    let both = "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH missing";
    answer.says("proc", "degraded", &["closed", both]);
}

#[test]
fn a_capability_that_reading_proc_needs_is_named() {
    let desk = Desk::new();
    let answer = desk.ask(&[], without(CapabilitySet::SYS_PTRACE));
    answer.says("proc", "degraded", &["closed: CAP_SYS_PTRACE missing"]);

    // The files of another user.
    let program = desk.plugins.copy("workload", "foreign");
    let mut command = Command::new(program);
    command
        .args(["until-eof", "0", "0"])
        .uid(NOBODY)
        .gid(NOBODY);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut foreign = Running::start(&mut command);
    foreign.wait_for_line("ready");
    let reading = CapabilitySet::DAC_READ_SEARCH | CapabilitySet::DAC_OVERRIDE;
    let answer = desk.ask(&[], without(reading));
    answer.says("proc", "degraded", &["closed: CAP_DAC_READ_SEARCH missing"]);
    // Half of it is enough.
    let answer = desk.ask(&[], without(CapabilitySet::DAC_READ_SEARCH));
    answer.says("proc", "ok", &[]);
}

/// Root of a user namespace, with all capabilities there, as in a rootless
/// container.
fn root_of_its_own(command: &mut Command) {
    let unshare = || {
        // SAFETY: no memory is involved; there is one thread here.
        if unsafe { libc::unshare(libc::CLONE_NEWUSER) } != 0 {
            return Err(io::Error::last_os_error());
        }
        fs::write("/proc/self/uid_map", "0 0 1")
    };
    // SAFETY: system calls only; a file is written without an allocation that
    // another thread could hold.
    unsafe { command.pre_exec(unshare) };
}

#[test]
fn a_rootless_container_is_named() {
    let desk = Desk::new();
    let mut probe = desk.command(&[]);
    root_of_its_own(&mut probe);
    if let Err(error) = probe.output() {
        let why = format!("needs a user namespace ({error})");
        return skipped("a_rootless_container_is_named", &why);
    }
    let answer = desk.ask(&[], root_of_its_own);
    let words = ["CAP_BPF, CAP_PERFMON missing", "rootless container"];
    answer.says("capabilities", "failed", &words);
    answer.says("hook.fork", "skipped", &["needs capabilities"]);
    answer.says("proc", "degraded", &["closed", "rootless container"]);
    let program = desk.plugins.root().join("sensor");
    let mut events = Command::new(program);
    root_of_its_own(events.args(["events", "--duration", "1"]).env_clear());
    let (code, _, errors) = end(&mut events);
    assert_eq!(code, Some(77), "{errors}");
    let why = "CAP_BPF and CAP_PERFMON of a user namespace do not count";
    assert!(errors.contains(why), "{errors}");
}

/// bpf(2) answers EPERM, as in a container.
fn filtered(command: &mut Command) {
    let filter = || {
        let code = |code: u32| u16::try_from(code).unwrap_or_default();
        let step = |what: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
            code: code(what),
            jt,
            jf,
            k,
        };
        let bpf = u32::try_from(libc::SYS_bpf).unwrap_or_default();
        let refuse = libc::SECCOMP_RET_ERRNO | 1;
        let mut steps = [
            // The number of the call is what a seccomp_data begins with.
            step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, bpf, 0, 1),
            step(libc::BPF_RET | libc::BPF_K, refuse, 0, 0),
            step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
        ];
        let program = libc::sock_fprog {
            len: 4,
            filter: steps.as_mut_ptr(),
        };
        // SAFETY: the program lives; the kernel copies it.
        let set = unsafe {
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            )
        };
        match set {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: system calls only, which are safe between fork and exec.
    unsafe { command.pre_exec(filter) };
}

#[test]
fn a_container_that_forbids_bpf_is_named() {
    let answer = Desk::new().ask(&[], filtered);
    answer.says("capabilities", "ok", &[]);
    answer.says("hook.fork", "failed", &["no kernel events", "seccomp"]);
}
