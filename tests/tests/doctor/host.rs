//! What the kernel has not, and what an administrator has set.

use std::{fs, io, path::Path};

use sensor_tests::{bpffs, isolated, sensor::skipped};

use super::*;

fn isolated(test: &str) -> bool {
    isolated::namespaces(test, 0)
}

fn hide(path: &str) {
    isolated::mount("tmpfs", Path::new(path), 0, "").unwrap();
}

#[test]
fn a_kernel_without_types_is_named() {
    if !isolated("a_kernel_without_types_is_named") {
        return;
    }
    hide("/sys/kernel/btf");
    let answer = Desk::new().ask(&[], as_it_is);
    answer.says(
        "btf",
        "failed",
        &["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"],
    );
    answer.says("hook.fork", "skipped", &["needs btf"]);
    answer.says("hook.oom", "skipped", &["needs btf"]);
}

#[test]
fn types_that_are_damaged_are_named() {
    if !isolated("types_that_are_damaged_are_named") {
        return;
    }
    hide("/sys/kernel/btf");
    fs::write("/sys/kernel/btf/vmlinux", "nonsense").unwrap();
    let answer = Desk::new().ask(&[], as_it_is);
    answer.says("btf", "failed", &["is not valid BTF"]);
}

#[test]
fn processes_that_are_hidden_are_named() {
    const TEST: &str = "processes_that_are_hidden_are_named";
    if !isolated(TEST) {
        return;
    }
    let proc = Path::new("/proc");
    if let Err(error) = isolated::mount("proc", proc, 0, "hidepid=2") {
        return skipped(TEST, &format!("needs to mount /proc ({error})"));
    }
    let desk = Desk::new();
    let answer = desk.ask(&[], as_nobody);
    answer.says(
        "proc",
        "degraded",
        &["hidepid=", "hidden", "CAP_SYS_PTRACE"],
    );
    answer.says("proc", "degraded", &["remount,hidepid=0"]);
    // Nothing is hidden from root.
    desk.ask(&[], as_it_is).says("proc", "ok", &[]);
}

#[test]
fn a_host_without_proc_is_named() {
    if !isolated("a_host_without_proc_is_named") {
        return;
    }
    let desk = Desk::new();
    let mut command = desk.command(&["--json"]);
    hide("/proc");
    let (code, out, errors) = end(&mut command);
    let json: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{errors}"));
    assert_eq!(code, Some(1));
    let mut checks = json["checks"].as_array().unwrap().iter();
    let proc = checks.find(|check| check["name"] == "proc").unwrap();
    assert_eq!(proc["status"], "failed", "{proc}");
    assert_eq!(proc["remedy"], "mount /proc");
}

#[test]
fn a_clock_that_cannot_be_corrected_is_named() {
    if !isolated("a_clock_that_cannot_be_corrected_is_named") {
        return;
    }
    let desk = Desk::new();
    let source = desk.plugins.root().join("source");
    fs::write(&source, "hpet\n").unwrap();
    let current = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    isolated::bind(&source, Path::new(current)).unwrap();
    let answer = desk.ask(&[], as_it_is);
    answer.says("hook.exit", "degraded", &["hpet", "to a tick only", "tsc"]);
}

#[test]
fn a_clock_of_its_own_is_named() {
    const TEST: &str = "a_clock_of_its_own_is_named";
    let shifted = |command: &mut Command| {
        let shift = || {
            // SAFETY: no memory is involved; there is one thread here.
            if unsafe { libc::unshare(libc::CLONE_NEWTIME) } != 0 {
                return Err(io::Error::last_os_error());
            }
            fs::write("/proc/self/timens_offsets", "boottime 3600 0")
        };
        // SAFETY: system calls only; a file is written without an allocation
        // that another thread could hold.
        unsafe { command.pre_exec(shift) };
    };
    let desk = Desk::new();
    let mut probe = desk.command(&[]);
    shifted(&mut probe);
    if let Err(error) = probe.output() {
        return skipped(TEST, &format!("needs a time namespace ({error})"));
    }
    let answer = desk.ask(&[], shifted);
    answer.says("kernel", "degraded", &["time namespace", "start times"]);
}

#[test]
fn a_kernel_that_is_locked_down_is_named() {
    if !isolated("a_kernel_that_is_locked_down_is_named") {
        return;
    }
    hide("/sys/kernel/security");
    let file = "/sys/kernel/security/lockdown";
    fs::write(file, "none integrity [confidentiality]\n").unwrap();
    let answer = Desk::new().ask(&[], as_it_is);
    answer.says(
        "kernel",
        "degraded",
        &["confidentiality", "lockdown=integrity"],
    );
}

#[test]
fn pins_without_a_place_are_named() {
    if !bpffs::no_bpffs("pins_without_a_place_are_named") {
        return;
    }
    let desk = Desk::new();
    let why = "no BPF file system at /sys/fs/bpf";
    desk.ask(&[], as_it_is).says("kernel", "ok", &[why]);
    desk.configure("[kernel]\npin = true\n");
    let answer = desk.ask(&[], as_it_is);
    answer.says("kernel", "degraded", &[why, "mount -t bpf bpf /sys/fs/bpf"]);
}
