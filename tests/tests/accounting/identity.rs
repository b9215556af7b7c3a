//! Who they were: executables, arguments, names, reused pids.

use std::{
    ffi::OsStr,
    fs, io,
    os::{
        fd::FromRawFd,
        unix::{
            ffi::OsStrExt,
            fs::{PermissionsExt, symlink},
            process::CommandExt,
        },
    },
    path::Path,
    process::{Command, Stdio},
};

use sensor_tests::{
    accounting::{Checker, Expected},
    process::{Ended, Running, built, run, wait4, workload},
    sensor::skipped,
};
use serde_json::{Value, json};

/// Notes where an event of `ended` has another path.
fn expect_path(checker: &mut Checker, name: &str, ended: &Ended, path: &Path) {
    checker.check(ended, Expected::new(name));
    for line in checker.events.of(ended.pid) {
        let base = path.file_name().unwrap().to_str();
        let good = line["process.executable.path"].as_str() == path.to_str()
            && line["process.executable.name"].as_str() == base;
        checker.note(name, good, || format!("not {}: {line}", path.display()));
    }
}

#[test]
fn the_executable_is_the_file_that_runs() {
    let mut checker = Checker::start();
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let program = directory.join("pro gram");
    fs::copy(built("workload"), &program).unwrap();
    fs::create_dir(directory.join("below")).unwrap();

    let ended = run(Command::new(&program).args(["exit", "0"]));
    expect_path(&mut checker, "an absolute path", &ended, &program);

    let ended = run(Command::new("../pro gram")
        .args(["exit", "0"])
        .current_dir(directory.join("below")));
    expect_path(&mut checker, "a relative path", &ended, &program);

    let link = directory.join("link");
    symlink("pro gram", &link).unwrap();
    let ended = run(Command::new(&link).args(["exit", "0"]));
    expect_path(&mut checker, "a symbolic link", &ended, &program);

    let ended = run(Command::new(&program).arg0("another").args(["exit", "0"]));
    expect_path(&mut checker, "another argv[0]", &ended, &program);

    let script = directory.join("script");
    fs::write(&script, "#!/bin/sh\nexit 3\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let ended = run(&mut Command::new(&script));
    let shell = Path::new("/bin/sh").canonicalize().unwrap();
    expect_path(&mut checker, "a script", &ended, &shell);
    let exit = checker.events.wait_exit(ended.pid);
    let args = json!(["/bin/sh", script.to_str()]);
    checker.note("a script", exit["process.command_args"] == args, || {
        exit.to_string()
    });

    // Long enough for every level of directories to matter.
    let mut deep = directory.clone();
    for _ in 0..12 {
        deep.push("a-directory-with-a-rather-long-name");
    }
    fs::create_dir_all(&deep).unwrap();
    deep.push("program");
    fs::copy(&program, &deep).unwrap();
    let ended = run(Command::new(&deep).args(["exit", "0"]));
    expect_path(&mut checker, "a deep path", &ended, &deep);
    checker.finish();
}

#[test]
fn executables_without_a_file_are_told() {
    let mut checker = Checker::start();
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().canonicalize().unwrap().join("gone");
    fs::copy(built("workload"), &program).unwrap();
    let mut command = Command::new(&program);
    command.args(["until-eof", "0", "0"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::spawn(&mut command);
    running.wait_for_line("ready");
    // Held open, so that its end does not pay for freeing the file, which comes
    // after the hook.
    let held = fs::File::open(&program).unwrap();
    fs::remove_file(&program).unwrap();
    drop(running.stdin());
    let ended = running.wait();
    drop(held);
    expect_path(
        &mut checker,
        "a file deleted while it runs",
        &ended,
        &program,
    );

    // SAFETY: a C string.
    let fd = unsafe { libc::memfd_create(c"in memory".as_ptr(), 0) };
    assert!(fd >= 0, "memfd_create: {}", io::Error::last_os_error());
    // SAFETY: the descriptor is new and nobody else's.
    let mut memory = unsafe { fs::File::from_raw_fd(fd) };
    io::copy(&mut fs::File::open(built("workload")).unwrap(), &mut memory).unwrap();
    let ended = run(Command::new(format!("/proc/self/fd/{fd}")).args(["exit", "4"]));
    let exit = checker.check(&ended, Expected::new("memfd"));
    let path = exit["process.executable.path"].as_str().unwrap_or_default();
    checker.note("memfd", path.contains("memfd:in memory"), || {
        exit.to_string()
    });
    checker.finish();
}

fn texts(args: &[&[u8]]) -> Value {
    let text = |arg: &&[u8]| String::from_utf8_lossy(arg).into_owned();
    args.iter().map(text).collect::<Vec<_>>().into()
}

#[test]
fn arguments_of_every_kind_arrive() {
    let mut checker = Checker::start();
    let program = built("workload");
    let program = program.as_os_str().as_bytes();
    // As many as an event has room for, 4 KiB with their NULs; the program's
    // path is as long as where it was built.
    let room = 4_096 - program.len() - "\0exit\0".len() - "0\0".len();
    let many = vec![b"argument".as_slice(); room / b"argument\0".len()];
    assert!(many.len() > 200, "{} arguments", many.len());
    let cases: [(&str, &[&[u8]]); 8] = [
        ("no more", &[]),
        ("empty ones", &[b"", b"", b"x", b""]),
        ("the last is empty", &[b"x", b""]),
        (
            "new lines",
            &[b"a\nb", b"\n", b"{\"event.name\":\"summary\"}\n"],
        ),
        (
            "escape sequences",
            &[b"\x1b[2J\x1b]0;title\x07", b"\r\t\x01\x7f"],
        ),
        ("quotes", &[b"\"'\\ $(reboot)"]),
        (
            "not UTF-8",
            &[b"\xff\xfe", b"caf\xe9", "Strategy₿".as_bytes()],
        ),
        ("many", &many),
    ];
    for (name, args) in cases {
        let mut all: Vec<&[u8]> = vec![program, b"exit", b"0"];
        all.extend(args);
        let rest = all[1..].iter().map(|arg| OsStr::from_bytes(arg));
        let ended = run(&mut workload(rest));
        checker.check(&ended, Expected::new(name));
        for line in checker.events.of(ended.pid) {
            let good = line["process.command_args"] == texts(&all)
                && line.get("sensor.command_args.truncated").is_none();
            checker.note(name, good, || line.to_string());
        }
    }
    checker.finish();
}

#[test]
fn long_arguments_are_whole_or_cut_at_the_last_whole_one() {
    let mut checker = Checker::start();
    let program = built("workload");
    let program = program.to_str().unwrap();
    // The longest that one argument may be (MAX_ARG_STRLEN, with its NUL).
    let long = "x".repeat(128 * 1024 - 1);
    let half = "y".repeat(3_000);
    for (name, args) in [
        ("128 KiB", vec![long.as_str()]),
        ("many of 3,000", vec![half.as_str(); 20]),
    ] {
        let mut all = vec![program, "spin", "0"];
        all.extend(&args);
        // It may be read while it lives.
        let mut command = workload(["until-eof", "0", "0"].iter().chain(&args));
        all[1..3].copy_from_slice(&["until-eof", "0"]);
        all.insert(3, "0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::spawn(&mut command);
        running.wait_for_line("ready");
        let of = running.pid();
        let exec = checker.events.lines().wait("the exec", |said| {
            let mut lines = said.lines.iter();
            lines.find(|line| line["process.pid"] == of).cloned()
        });
        let good = exec["process.command_args"] == json!(all)
            && exec.get("sensor.command_args.truncated").is_none();
        checker.note(name, good, || {
            let args = exec["process.command_args"].as_array();
            let lengths = args.map(|args| args.iter().map(|a| a.as_str().unwrap_or("").len()));
            let lengths: Option<Vec<usize>> = lengths.map(Iterator::collect);
            let cut = &exec["sensor.command_args.truncated"];
            format!("arguments of {lengths:?} bytes, truncated: {cut}")
        });
        drop(running.stdin());
        let ended = running.wait();
        checker.check(&ended, Expected::new(name));

        // It may be gone when anybody looks.
        let ended = run(&mut workload(["exit", "0"].iter().chain(&args)));
        checker.check(&ended, Expected::new(name));
        let mut all = vec![program, "exit", "0"];
        all.extend(&args);
        for line in checker.events.of(ended.pid) {
            let told = line["process.command_args"].as_array();
            let told: Vec<&str> = told
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let good = match line["sensor.command_args.truncated"].as_bool() {
                None => told == all,
                Some(cut) => cut && told.len() < all.len() && all.starts_with(&told),
            };
            checker.note(name, good, || {
                format!("{} of {} arguments", told.len(), all.len())
            });
        }
    }
    checker.finish();
}

#[test]
fn hostile_names_do_no_harm() {
    let mut checker = Checker::start();
    let names: [&[u8]; 6] = [
        b"a\nb",
        b"\x1b[31m",
        b"\xff\xfe\xfd",
        b") R 1 1 1",
        b"",
        b"0123456789abcdefghij",
    ];
    for name in names {
        let mut command = workload([OsStr::new("comm"), OsStr::from_bytes(name)]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::spawn(&mut command);
        running.wait_for_line("ready");
        drop(running.stdin());
        let ended = running.wait();
        checker.check(&ended, Expected::new("a hostile comm"));
    }
    // Names of files, too; those are what the events show.
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    for name in [
        b"new\nline".as_slice(),
        b"esc\x1b[2J",
        b"not\xffutf8",
        b" (deleted)",
    ] {
        let program = directory.join(OsStr::from_bytes(name));
        fs::copy(built("workload"), &program).unwrap();
        let ended = run(Command::new(&program).args(["exit", "0"]));
        let exit = checker.check(&ended, Expected::new("a hostile file name"));
        let base = String::from_utf8_lossy(name);
        let good = exit["process.executable.name"].as_str() == Some(&base);
        checker.note("a hostile file name", good, || exit.to_string());
    }
    checker.finish();
}

/// Forks a process with a chosen pid that ends with `code`. `None` where the
/// kernel does not let us.
fn fork_with_pid(pid: libc::pid_t, code: i32) -> io::Result<u32> {
    // SAFETY: all zero is a valid argument.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    let mut pids = [pid];
    arguments.exit_signal = libc::SIGCHLD as u64;
    if pid != 0 {
        arguments.set_tid = pids.as_mut_ptr() as u64;
        arguments.set_tid_size = 1;
    }
    // SAFETY: as fork(2); the child ends at once.
    let made = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw mut arguments,
            size_of::<libc::clone_args>(),
        )
    };
    match made {
        0 => {
            // SAFETY: ends the child.
            unsafe { libc::_exit(code) }
        }
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(u32::try_from(pid).unwrap()),
    }
}

#[test]
fn a_reused_pid_is_another_process() {
    let mut checker = Checker::start();
    let mut pid = 0;
    for code in 1..=4 {
        // Another process may have got the pid meanwhile: start again.
        let made = match fork_with_pid(pid, code) {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                skipped(
                    "a_reused_pid_is_another_process",
                    "the pid was taken meanwhile",
                );
                break;
            }
            Err(error) => {
                let why = format!("the kernel gives no chosen pid: {error}");
                skipped("a_reused_pid_is_another_process", &why);
                break;
            }
            Ok(made) => made,
        };
        let ended = wait4(made);
        assert_eq!(libc::WEXITSTATUS(ended.status), code);
        pid = libc::pid_t::try_from(made).unwrap();
    }
    checker.events.canary();
    let lines = checker.events.of(u32::try_from(pid).unwrap());
    let codes: Vec<u64> = lines
        .iter()
        .map(|line| line["process.exit.code"].as_u64().unwrap_or(99))
        .collect();
    let expected: Vec<u64> = (1..=codes.len() as u64).collect();
    checker.note("pid reuse", codes == expected && !codes.is_empty(), || {
        format!("{codes:?}")
    });
    let mut created: Vec<_> = lines
        .iter()
        .map(|line| line["process.creation.time"].as_str().unwrap_or_default())
        .collect();
    created.dedup();
    checker.note("pid reuse", created.len() == codes.len(), || {
        format!("{created:?}")
    });
    checker.finish();
}

#[test]
fn a_pid_is_reused_by_another_program() {
    // The number that the next process gets is set, where the kernel lets us;
    // somebody else's fork may take it, so it is tried often.
    const NAME: &str = "a_pid_is_reused_by_another_program";
    let mut checker = Checker::start();
    let mut second = None;
    for _ in 0..200 {
        // Another one each time: who took the pid has lines of its own.
        let first = run(&mut workload(["exit", "1"]));
        let before = (first.pid - 1).to_string();
        if let Err(error) = fs::write("/proc/sys/kernel/ns_last_pid", &before) {
            return skipped(NAME, &format!("/proc/sys/kernel/ns_last_pid: {error}"));
        }
        let ended = run(&mut workload(["spin", "100"]));
        if ended.pid == first.pid {
            second = Some(ended);
            break;
        }
    }
    let Some(second) = second else {
        return skipped(NAME, "other processes took the pid 200 times");
    };
    checker.events.canary();
    let lines = checker.events.of(second.pid);
    let what: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| {
            let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
            let name = text(&line["event.name"]);
            let kind = text(&line["process.command_args"][1]);
            let name = if name == "process.exec" {
                "exec"
            } else {
                "exit"
            };
            let kind = if kind == "spin" { "spin" } else { "exit 1" };
            (name, kind)
        })
        .collect();
    let expected = [
        ("exec", "exit 1"),
        ("exit", "exit 1"),
        ("exec", "spin"),
        ("exit", "spin"),
    ];
    checker.note(NAME, what == expected, || format!("{lines:?}"));
    let times: Vec<&Value> = lines.iter().map(|l| &l["process.creation.time"]).collect();
    let good =
        times.len() == 4 && times[0] == times[1] && times[2] == times[3] && times[1] != times[2];
    checker.note(NAME, good, || format!("{times:?}"));
    checker.finish();
}

#[test]
fn the_user_is_the_effective_one() {
    let mut checker = Checker::start();
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = directory.path().join("program");
    fs::copy(built("workload"), &program).unwrap();
    let ended = run(Command::new(&program)
        .args(["exit", "0"])
        .current_dir("/")
        .uid(65_534)
        .gid(65_534));
    checker.check(&ended, Expected::new("nobody"));
    for line in checker.events.of(ended.pid) {
        checker.note("nobody", line["process.user.id"] == 65_534, || {
            line.to_string()
        });
    }
    checker.finish();
}
