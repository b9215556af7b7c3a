//! How processes ended.

use std::{os::unix::process::CommandExt, process::Stdio};

use sensor_tests::{
    accounting::{Checker, Expected},
    process::{Running, run, workload},
};

/// Lets the kernel write core dumps of this size.
fn core_limit(bytes: u64) -> std::io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the pointer is valid.
    match unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[test]
fn exit_codes_are_told_as_wait_has_them() {
    let mut checker = Checker::start();
    for code in ["0", "1", "3", "127", "128", "137", "255"] {
        let ended = run(&mut workload(["exit", code]));
        let exit = checker.check(&ended, Expected::new("exit code"));
        let told = exit["process.exit.code"].to_string();
        checker.note("exit code", told == code, || format!("{told}, not {code}"));
    }
    checker.finish();
}

#[test]
fn signals_are_told_with_and_without_a_core_dump() {
    let mut checker = Checker::start();
    let directory = tempfile::tempdir().unwrap();
    let mut dumps = 0;
    for core in [0, libc::RLIM_INFINITY] {
        for signal in [libc::SIGKILL, libc::SIGTERM, libc::SIGSEGV, libc::SIGABRT] {
            for threads in [0, 3] {
                let arguments = [signal, threads, 2_000].map(|number| number.to_string());
                let [signal, threads_text, micros] = &arguments;
                let mut command = workload(["signal", signal, threads_text, micros]);
                command.current_dir(directory.path()).stderr(Stdio::null());
                // SAFETY: setrlimit is safe between fork and exec.
                unsafe { command.pre_exec(move || core_limit(core)) };
                let ended = run(&mut command);
                assert!(libc::WIFSIGNALED(ended.status), "{ended:?}");
                dumps += u32::from(libc::WCOREDUMP(ended.status));
                let name = format!("signal {signal}, {threads} threads, core limit {core}");
                let threads = u64::try_from(threads).unwrap() + 1;
                checker.check(&ended, Expected::new(&name).threads(threads));
            }
        }
    }
    if dumps == 0 {
        sensor_tests::sensor::skipped("core dumps", "this host writes none");
    }
    checker.finish();
}

#[test]
fn a_process_that_its_parent_kills_is_told() {
    let mut checker = Checker::start();
    for (count, micros) in [("0", "0"), ("4", "2000"), ("31", "100")] {
        let mut command = workload(["hang", count, micros]);
        command.stdout(Stdio::piped());
        let mut running = Running::spawn(&mut command);
        running.wait_for_line("ready");
        running.signal(libc::SIGKILL);
        let ended = running.wait();
        let name = format!("killed by its parent, {count} threads");
        let threads = count.parse::<u64>().unwrap() + 1;
        checker.check(&ended, Expected::new(&name).threads(threads));
    }
    checker.finish();
}
