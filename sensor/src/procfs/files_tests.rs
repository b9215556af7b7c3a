//! Against the real /proc, and a directory that stands in for it.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::procfs::testing::{Process, fake_root, until};

fn me() -> u32 {
    std::process::id()
}

#[test]
fn the_tests_own_process() {
    let mut proc = Proc::open().unwrap();
    let stat = proc.stat(me()).unwrap();
    assert_eq!(stat.pid, me());
    assert!(stat.threads >= 1 && stat.virtual_bytes > 0 && stat.start_ticks > 0);
    let status = proc.status(me()).unwrap();
    assert_eq!(status.tgid, me());
    assert_eq!(status.ppid, stat.ppid);
    assert_eq!(status.effective_uid, rustix::process::geteuid().as_raw());
    assert!(proc.statm(me()).unwrap().resident_pages > 0);
    assert!(proc.io(me()).unwrap().rchar > 0);
    assert!(proc.schedstat(me()).unwrap().slices > 0);
    let exe = proc.exe(me()).unwrap().to_vec();
    assert_eq!(
        exe,
        std::env::current_exe()
            .unwrap()
            .as_os_str()
            .as_encoded_bytes()
    );
    let args = proc.args(me(), 4096).unwrap();
    assert_eq!(
        args.args.len(),
        std::env::args_os().len(),
        "one argument each"
    );
    let mut tids = Vec::new();
    proc.tids(me(), &mut tids).unwrap();
    assert!(tids.contains(&me()));
    let mut pids = Vec::new();
    proc.pids(&mut pids).unwrap();
    assert!(pids.contains(&me()) && pids.is_sorted());
    assert!(proc.boot_time_seconds().unwrap() > 1_500_000_000);
    assert!(proc.memory_total_bytes().unwrap() > 1 << 20);
    assert!(proc.uptime().unwrap().0 > 0);
    let counts = proc.counts();
    assert!(counts.reads >= 12);
    assert_eq!((counts.gone, counts.denied, counts.malformed), (0, 0, 0));
}

#[test]
fn hostile_names() {
    let mut proc = Proc::open().unwrap();
    for name in [
        &b"a) R (b\n"[..],
        b") Z 1 1 (",
        b"\xff\xfe caf\xc3",
        b"fifteen-bytes-x",
    ] {
        let process = Process::named(name);
        let pid = process.pid();
        until(|| *proc.comm(pid).unwrap() == *name);
        let stat = proc.stat(pid).unwrap();
        assert_eq!(&*stat.comm, name);
        assert_eq!((stat.pid, stat.ppid), (pid, me()));
        assert_eq!(proc.status(pid).unwrap().ppid, me());
    }
}

#[test]
fn an_executable_with_a_hostile_name_that_is_deleted() {
    let mut proc = Proc::open().unwrap();
    let dir = fake_root();
    let file = dir.path().join("a) S 0 0 (\n b");
    fs::copy("/bin/sh", &file).unwrap();
    let process = Process::start(
        Command::new(&file)
            .arg0("sh")
            .args(["-c", "read x", "", "x"]),
    );
    let pid = process.pid();
    until(|| {
        proc.exe(pid)
            .is_ok_and(|exe| exe == file.as_os_str().as_encoded_bytes())
    });
    fs::remove_file(&file).unwrap();
    assert_eq!(proc.exe(pid).unwrap(), file.as_os_str().as_encoded_bytes());
    assert_eq!(&*proc.stat(pid).unwrap().comm, b"a) S 0 0 (\n b");
    // The arguments come last in an exec.
    until(|| proc.args(pid, 4096).is_ok_and(|args| !args.args.is_empty()));
    let args = proc.args(pid, 4096).unwrap();
    assert_eq!(args.args, [&b"sh"[..], b"-c", b"read x", b"", b"x"]);
    assert!(!args.truncated);
}

#[test]
fn long_arguments_are_cut_or_read_whole() {
    let mut proc = Proc::open().unwrap();
    let long = "x".repeat(20_000);
    let process = Process::start(Command::new("sh").args(["-c", "read x", "a", &long, "b"]));
    let pid = process.pid();
    until(|| proc.args(pid, 4096).is_ok_and(|args| !args.args.is_empty()));
    let cut = proc.args(pid, 4096).unwrap();
    assert!(cut.truncated);
    assert_eq!(cut.args, [&b"sh"[..], b"-c", b"read x", b"a"]);
    let whole = proc.args(pid, 64 * 1024).unwrap();
    assert!(!whole.truncated);
    assert_eq!(whole.args[4].len(), 20_000);
    assert_eq!(whole.args.len(), 6);
}

#[test]
fn a_vanished_process_is_gone_and_counted() {
    let mut proc = Proc::open().unwrap();
    let mut process = Process::sleep();
    let pid = process.pid();
    assert!(proc.stat(pid).is_ok());
    process.end();
    let before = proc.counts();
    assert_eq!(proc.stat(pid), Err(ReadError::Gone));
    assert_eq!(proc.fd_count(pid), Err(ReadError::Gone));
    assert_eq!(proc.tids(pid, &mut Vec::new()), Err(ReadError::Gone));
    assert_eq!(proc.exe(pid), Err(ReadError::Gone));
    let after = proc.counts();
    assert_eq!(after.gone - before.gone, 4);
    assert_eq!(after.reads - before.reads, 4);
}

#[test]
fn the_number_of_descriptors_is_the_same_either_way() {
    let mut proc = Proc::open().unwrap();
    let process = Process::shell("exec 7</dev/null 8</dev/null 9>/dev/null; read x");
    let pid = process.pid();
    let entries = PathBuf::from(format!("/proc/{pid}/fd"));
    until(|| entries.join("9").exists());
    let expected = u64::try_from(fs::read_dir(entries).unwrap().count()).unwrap();
    assert!(expected >= 6);
    assert_eq!(proc.fd_count(pid), Ok(expected));
    proc.fd_size_known = false;
    assert_eq!(proc.fd_count(pid), Ok(expected));
}

#[test]
fn files_of_any_length_up_to_the_limit() {
    let root = fake_root();
    fs::create_dir(root.path().join("7")).unwrap();
    let mut proc = Proc::open_at(root.path()).unwrap();
    for length in [
        0,
        1,
        FIRST_CAPACITY - 1,
        FIRST_CAPACITY,
        FIRST_CAPACITY + 1,
        PROCESS_LIMIT,
    ] {
        fs::write(root.path().join("7/file"), vec![b'x'; length]).unwrap();
        assert_eq!(proc.read(7, "file").unwrap().len(), length);
        assert_eq!(proc.read_all(7, "file").unwrap().len(), length);
    }
    fs::write(root.path().join("7/file"), vec![b'x'; PROCESS_LIMIT + 1]).unwrap();
    let too_long = Err(ReadError::TooLong(PROCESS_LIMIT));
    assert_eq!(proc.read(7, "file"), too_long);
    assert_eq!(proc.read_all(7, "file"), too_long);
    assert_eq!(proc.counts().too_long, 2);
    fs::write(root.path().join("7/stat"), "no stat at all").unwrap();
    assert_eq!(proc.stat(7), Err(ReadError::Malformed));
    assert_eq!(proc.counts().malformed, 1);
}

#[test]
fn files_in_several_pieces() {
    let mut proc = Proc::open().unwrap();
    let maps = String::from_utf8(proc.read_all(me(), "maps").unwrap().to_vec()).unwrap();
    assert!(maps.contains("[stack]") && maps.ends_with('\n'));
}

#[test]
fn no_permission_is_told_from_gone() {
    // A link that leads to itself is an error of the third kind.
    let root = fake_root();
    fs::create_dir(root.path().join("7")).unwrap();
    symlink("io", root.path().join("7/io")).unwrap();
    let mut proc = Proc::open_at(root.path()).unwrap();
    assert_eq!(proc.io(7), Err(ReadError::Other(Errno::LOOP)));
    assert_eq!(proc.read(7, "a\0b"), Err(ReadError::Other(Errno::INVAL)));
    assert_eq!(proc.io(8), Err(ReadError::Gone));
    assert_eq!(ReadError::from(Errno::PERM), ReadError::Denied);
    // Of a process of root's, everybody may read all but a few files.
    if rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED in part: permission denied: root may read everything");
        return;
    }
    let mut proc = Proc::open().unwrap();
    assert_eq!(proc.io(1), Err(ReadError::Denied));
    assert_eq!(proc.counts().denied, 1);
}

#[test]
fn a_pipe_holds_nobody_up() {
    let dir = fake_root();
    let made = Command::new("mkfifo").arg(dir.path().join("pipe")).status();
    assert!(made.unwrap().success());
    let process = Process::start(
        Command::new("sh")
            .args(["-c", "read x"])
            .current_dir(dir.path()),
    );
    let mut proc = Proc::open().unwrap();
    let content = proc.read(process.pid(), "cwd/pipe").map(<[u8]>::len);
    assert_eq!(content, Ok(0));
}
