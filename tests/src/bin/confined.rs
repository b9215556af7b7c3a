//! Tries what must fail behind the daemon's fences: `confined calls`, or
//! `confined files ALLOWED FORBIDDEN`. One line a try: its name and `ok`, or the
//! number of the error.
#![allow(
    clippy::unwrap_used,
    reason = "what cannot be tried ends with the reason"
)]

use std::{env, fs, io, path::PathBuf, process, ptr, thread};

use sensor::privilege::{confine_thread, deny_unneeded};
use sensor_tests::process::dies_with_parent;

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["calls"] => calls(),
        ["files", allowed, forbidden] => files(allowed, forbidden),
        _ => process::exit(2),
    }
}

fn say<T>(name: &str, tried: io::Result<T>) {
    match tried {
        Ok(_) => println!("{name} ok"),
        Err(error) => println!("{name} {}", error.raw_os_error().unwrap_or_default()),
    }
}

/// What a system call answered.
fn answer(result: libc::c_long) -> io::Result<()> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// One call with numbers only.
macro_rules! call {
    ($number:expr, $($argument:expr),*) => {
        // SAFETY: pointers are null or of C strings that live; where the fence
        // is missing, the arguments are too wrong to change anything.
        answer(unsafe { libc::syscall($number, $($argument),*) })
    };
}

fn calls() {
    // SAFETY: there is one thread only, so the child has all of it.
    let other = unsafe { libc::fork() };
    if other == 0 {
        dies_with_parent().unwrap();
        loop {
            thread::park();
        }
    }
    deny_unneeded().unwrap();
    let none = ptr::null::<libc::c_void>();
    say("execve", process::Command::new("/bin/true").status());
    say("setuid", call!(libc::SYS_setuid, 0));
    say("setgroups", call!(libc::SYS_setgroups, 0, none));
    say(
        "ptrace",
        call!(libc::SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0),
    );
    say(
        "mount",
        call!(libc::SYS_mount, none, c"/nowhere".as_ptr(), none, 0, none),
    );
    say("unshare", call!(libc::SYS_unshare, 0));
    say(
        "init_module",
        call!(libc::SYS_init_module, none, 0, c"".as_ptr()),
    );
    say(
        "perf_event_open",
        call!(libc::SYS_perf_event_open, none, 0, -1, -1, 0),
    );
    say(
        "open_by_handle_at",
        call!(libc::SYS_open_by_handle_at, -1, none, 0),
    );
    say("signal another", call!(libc::SYS_kill, other, 0));
    say("signal oneself", call!(libc::SYS_kill, process::id(), 0));
    for (name, command) in [("map create", 0), ("prog load", 5), ("btf load", 18)] {
        say(
            &format!("bpf {name}"),
            call!(libc::SYS_bpf, command, none, 0),
        );
    }
    // Not refused by the fence: what is wrong are the arguments.
    for (name, command) in [("object pin", 6), ("object get", 7), ("link create", 28)] {
        say(
            &format!("bpf {name}"),
            call!(libc::SYS_bpf, command, none, 0),
        );
    }
    say("read", fs::read("/proc/self/stat"));
    say(
        "thread",
        thread::spawn(|| {})
            .join()
            .map_err(|_| io::Error::other("")),
    );
    println!("end ok");
}

fn files(allowed: &str, forbidden: &str) {
    let write = |directory: &str| {
        let path = PathBuf::from(directory).join("written");
        fs::write(&path, "x").and_then(|()| fs::rename(&path, path.with_extension("again")))
    };
    let (there, open) = (allowed.to_owned(), PathBuf::from(forbidden).join("open"));
    let open = fs::File::create(open).unwrap();
    say("before", write(forbidden));
    let confined = || {
        confine_thread(&[PathBuf::from(there)]);
        say("allowed", write(allowed));
        say("forbidden", write(forbidden));
        say(
            "deleted",
            fs::remove_file(PathBuf::from(forbidden).join("open")),
        );
        say("open already", io::Write::write_all(&mut &open, b"x"));
        say("read", fs::read("/etc/passwd"));
        say("execute", process::Command::new("/bin/true").status());
        let heir = || say("its threads", write(forbidden));
        thread::scope(|scope| scope.spawn(heir).join().unwrap());
    };
    thread::scope(|scope| scope.spawn(confined).join().unwrap());
    say("others", write(forbidden));
}
