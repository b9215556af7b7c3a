//! Process 1 of the virtual machines of `cargo xtask test-vm`: mounts what a
//! host has, runs the tests that the image brings, and switches off. With
//! systemd as process 1 it is a service of it, `vm-init steps`.
#![expect(
    clippy::expect_used,
    reason = "process 1 has nobody to tell but the console"
)]

use std::{
    fs,
    path::Path,
    process::{self, Command, Stdio},
};

use sensor_tests::isolated;

/// Which tests to run: a program and its arguments a line.
const STEPS: &str = "/steps";

fn main() {
    if std::env::args().nth(1).as_deref() == Some("steps") {
        end(run_steps());
        return;
    }
    if process::id() != 1 {
        eprintln!("vm-init is process 1 of a virtual machine, see `cargo xtask test-vm`");
        process::exit(2);
    }
    // SAFETY: there is one thread.
    let child = unsafe { libc::fork() };
    if child == 0 {
        prepare();
        process::exit(run_steps());
    }
    end(reap_until(child));
}

/// Tells the host how it ended, and switches off.
fn end(status: i32) {
    println!("VM END {status}");
    // SAFETY: without arguments that could be wrong.
    unsafe {
        libc::sync();
        libc::reboot(libc::RB_POWER_OFF);
    }
}

/// Process 1 inherits every orphan, and tests count pids.
fn reap_until(child: libc::pid_t) -> i32 {
    loop {
        let mut status = 0;
        // SAFETY: the pointer is valid.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, 0) };
        if pid == child {
            return status;
        }
        if pid < 0 {
            return -1;
        }
    }
}

fn prepare() {
    for (what, target) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("tmpfs", "/tmp"),
        ("bpf", "/sys/fs/bpf"),
        ("cgroup2", "/sys/fs/cgroup"),
    ] {
        let target = Path::new(target);
        // A kernel that mounts /dev itself says EBUSY.
        let mounted =
            fs::create_dir_all(target).and_then(|()| isolated::mount(what, target, 0, ""));
        if let Err(error) = mounted {
            println!("VM cannot mount {what}: {error}");
        }
    }
    fs::set_permissions("/tmp", std::os::unix::fs::PermissionsExt::from_mode(0o1777))
        .expect("the mode of /tmp");
}

/// Runs every step, says how each ended; 0 where all did well.
fn run_steps() -> i32 {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    println!("VM KERNEL {}", release.trim());
    let steps = fs::read_to_string(STEPS).expect("/steps");
    let mut failed = 0;
    for step in steps.lines() {
        let mut words = step.split(' ');
        let program = words.next().unwrap_or_default();
        println!("VM STEP {step}");
        let status = Command::new(program)
            .args(words)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TMPDIR", "/tmp")
            .current_dir("/tmp")
            .stdin(Stdio::null())
            .status();
        let good = status.as_ref().is_ok_and(process::ExitStatus::success);
        println!(
            "VM DONE {} {step}: {status:?}",
            if good { "ok" } else { "FAILED" }
        );
        failed += i32::from(!good);
    }
    failed.min(1)
}
