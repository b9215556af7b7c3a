//! Disks that fill, that become read-only, and stores that somebody removes.

use std::{
    fs::{self, File},
    io::{self, Write},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use sensor_tests::{isolated, sensor::skipped};
use tempfile::TempDir;

use super::*;

const FAILS: &str = "going on from memory";
const WORKS: &str = "the store works again";

/// A tmpfs that only this test and what it starts can see.
struct Disk {
    directory: TempDir,
}

impl Disk {
    /// `None`, and said so, where it cannot be had.
    fn mount(test: &str, size: &str) -> Option<Self> {
        if !isolated::namespaces(test, 0) {
            return None;
        }
        let disk = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let size = format!("size={size}");
        if let Err(error) = isolated::mount("tmpfs", disk.path(), 0, &size) {
            skipped(test, &format!("needs a mount ({error})"));
            return None;
        }
        Some(disk)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Takes every byte that is left.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = File::create(&path).unwrap();
        let chunk = [1; 4_096];
        loop {
            match file.write_all(&chunk) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return path,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = isolated::unmount(self.path());
    }
}

/// Runs short processes until the daemon says `text`.
fn load_until(lines: &Lines, watched: &Watched, text: &str) {
    let deadline = Instant::now() + LIMIT;
    let mut number = 0;
    while !lines.said().errors.contains(text) {
        for _ in 0..20 {
            number += 1;
            short(watched, &format!("load-{number}"));
        }
        wait_reports(lines, 1);
        assert!(
            Instant::now() < deadline,
            "no {text:?} in {}",
            lines.said().errors
        );
    }
}

fn wait_said(lines: &Lines, text: &str) {
    lines.wait(text, |said| said.errors.contains(text).then_some(()));
}

/// The way of every fault: said once, exported from memory, said that it is
/// over, and what waits then is written.
fn survives(host: &Host, fault: impl FnOnce(&Lines, &Watched), remedy: impl FnOnce()) {
    let collector = Collector::start();
    host.open(&collector);
    let watched = host.plugins.watch(true);
    let lines = host.start();
    short(&watched, "before");
    wait_exit(&collector, "before");
    fault(&lines, &watched);
    load_until(&lines, &watched, FAILS);
    host.open(&collector);
    short(&watched, "meanwhile");
    wait_exit(&collector, "meanwhile");
    wait_reports(&lines, 3);
    let said = lines.said().errors.clone();
    assert_eq!((times(&said, FAILS), times(&said, WORKS)), (1, 0), "{said}");

    // What happens now waits for the collector, and for the disk.
    host.gate.close();
    short(&watched, "waits");
    wait_reports(&lines, 2);
    remedy();
    wait_said(&lines, WORKS);
    short(&watched, "after");
    host.wait_written(&lines);
    let said = kill(lines);
    assert_eq!((times(&said, FAILS), times(&said, WORKS)), (1, 1), "{said}");
    assert_eq!(times(&said, "panicked"), 0, "{said}");
    host.open(&collector);
    let lines = host.start();
    wait_exit(&collector, "waits");
    wait_exit(&collector, "after");
    terminate(lines);
}

#[test]
fn a_full_disk_is_survived() {
    let Some(disk) = Disk::mount("a_full_disk_is_survived", "8m") else {
        return;
    };
    let mut host = Host::new();
    host.store = disk.path().join("state/metadata.redb");
    let filler = disk.path().join("filler");
    survives(
        &host,
        |_, _| {
            // The store's own file may have room for some more.
            host.gate.close();
            let path = disk.fill();
            assert_eq!(path, filler);
        },
        || fs::remove_file(&filler).unwrap(),
    );
}

#[test]
fn a_read_only_file_system_is_survived() {
    let Some(disk) = Disk::mount("a_read_only_file_system_is_survived", "64m") else {
        return;
    };
    let mut host = Host::new();
    let state = disk.path().join("state");
    host.store = state.join("metadata.redb");
    // A file that is open for writing keeps the kernel from making its file
    // system read-only; one that lies over it is what the name leads to then.
    survives(
        &host,
        |_, _| isolated::mount("tmpfs", &state, libc::MS_RDONLY, "size=1m").unwrap(),
        || isolated::unmount(&state).unwrap(),
    );
}

#[test]
fn permission_that_is_taken_away_is_survived() {
    const TEST: &str = "permission_that_is_taken_away_is_survived";
    let host = Host::new();
    let chattr = |flag: &str, path: &Path| {
        let mut command = Command::new("chattr");
        let output = command.arg(flag).arg(path).output();
        output.is_ok_and(|output| output.status.success())
    };
    let probe = tempfile::NamedTempFile::new().unwrap();
    let mut file = probe.reopen().unwrap();
    let refused = chattr("+i", probe.path()) && file.write_all(b"x").is_err();
    chattr("-i", probe.path());
    if !refused {
        skipped(TEST, "needs chattr, and a file system where it counts");
        return;
    }
    // The mode of an open file does not matter; this does.
    let store = host.store.clone();
    survives(
        &host,
        |_, _| assert!(chattr("+i", &store)),
        || assert!(chattr("-i", &store)),
    );
}

#[test]
fn a_mode_that_is_taken_away_changes_nothing_for_an_open_store() {
    use std::os::unix::fs::PermissionsExt;

    let host = Host::new();
    let watched = host.plugins.watch(true);
    let lines = host.start();
    let directory = host.store.parent().unwrap();
    for path in [&*host.store, directory] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o0)).unwrap();
    }
    short(&watched, "hidden");
    host.wait_written(&lines);
    let said = kill(lines);
    assert_eq!(times(&said, FAILS), 0, "{said}");
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(&host.store, fs::Permissions::from_mode(0o600)).unwrap();
    let collector = Collector::start();
    host.open(&collector);
    let lines = host.start();
    wait_exit(&collector, "hidden");
    terminate(lines);
}

#[test]
fn a_store_that_is_removed_is_written_again() {
    let host = Host::new();
    let watched = host.plugins.watch(true);
    let lines = host.start();
    short(&watched, "before");
    host.wait_written(&lines);
    // In one step: the daemon may be writing it again meanwhile.
    let aside = host.plugins.root().join("removed");
    fs::rename(host.store.parent().unwrap(), &aside).unwrap();
    fs::remove_dir_all(&aside).unwrap();
    wait_said(&lines, "was removed");
    short(&watched, "after");
    host.wait_written(&lines);
    let said = kill(lines);
    assert_eq!(times(&said, "was removed"), 1, "{said}");
    assert_eq!(times(&said, FAILS), 0, "{said}");
    let collector = Collector::start();
    host.open(&collector);
    let lines = host.start();
    for mark in ["before", "after"] {
        wait_exit(&collector, mark);
    }
    terminate(lines);
}

#[test]
fn a_directory_that_became_a_file_is_survived() {
    let host = Host::new();
    let directory = host.store.parent().unwrap().to_owned();
    survives(
        &host,
        |_, _| {
            // In one step: the daemon may be writing it again meanwhile.
            let other = host.plugins.root().join("other");
            fs::write(&other, "in the way").unwrap();
            renameat_with(CWD, &directory, CWD, &other, RenameFlags::EXCHANGE).unwrap();
            fs::remove_dir_all(&other).unwrap();
        },
        || fs::remove_file(&directory).unwrap(),
    );
}
