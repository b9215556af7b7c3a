//! Who may read what the sensor makes, and whose files it takes.

use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
};

use sensor_tests::sensor::skipped;

use super::{show::is_root, *};

/// A user without any right, by convention.
const NOBODY: u32 = 65_534;

pub fn as_nobody(command: &mut Command) {
    command.uid(NOBODY).gid(NOBODY);
}

pub fn open_to_all(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn modes_are_700_and_600_whatever_the_umask() {
    let old = include_bytes!("../../../sensor/src/store/fixtures/store-1.0.redb");
    for umask in [0, 0o077, 0o277, 0o777] {
        let place = Place::new();
        let directory = place.path("a/b/c");
        let path = directory.join("metadata.redb");
        let mut command = place.run(&path);
        // SAFETY: umask is async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                libc::umask(umask);
                Ok(())
            });
        }
        place.work(&mut command);
        for made in ["a", "a/b", "a/b/c"] {
            assert_eq!(mode(&place.path(made)), 0o700, "{made}, umask {umask:o}");
        }
        assert_eq!(
            place.names("a/b/c"),
            ["metadata.redb", "metadata.redb.lock"]
        );
        for name in place.names("a/b/c") {
            assert_eq!(
                mode(&directory.join(&name)),
                0o600,
                "{name}, umask {umask:o}"
            );
        }
        // Migrated, in a directory that was there.
        let kept = place.path("kept");
        fs::create_dir(&kept).unwrap();
        fs::set_permissions(&kept, Permissions::from_mode(0o755)).unwrap();
        fs::write(kept.join("metadata.redb"), old).unwrap();
        place.work(&mut place.run(&kept.join("metadata.redb")));
        assert_eq!(mode(&kept), 0o755);
        assert_eq!(mode(&kept.join("metadata.redb.lock")), 0o600);
    }
}

#[test]
fn what_belongs_to_somebody_else_is_refused() {
    if !is_root() {
        skipped("what_belongs_to_somebody_else_is_refused", "needs root");
        return;
    }
    for name in ["", "metadata.redb", "metadata.redb.lock"] {
        let place = Place::new();
        let directory = place.path("state");
        fs::create_dir(&directory).unwrap();
        let theirs = directory.join(name);
        if !name.is_empty() {
            fs::write(&theirs, b"theirs").unwrap();
        }
        chown(&theirs, Some(NOBODY), None).unwrap();
        let before = place.names("state");
        let (code, _, stderr) = end(&mut place.run(&directory.join("metadata.redb")));
        assert_eq!(code, Some(73), "{name}: {stderr}");
        assert!(stderr.contains("belongs to user 65534"), "{stderr}");
        let mut after = place.names("state");
        after.retain(|name| !name.ends_with(".lock") || before.contains(name));
        assert_eq!(after, before, "{name}");
    }
}

#[test]
fn a_directory_that_is_closed_for_writing_ends_with_73() {
    if !is_root() {
        skipped(
            "a_directory_that_is_closed_for_writing_ends_with_73",
            "needs root",
        );
        return;
    }
    let place = Place::new();
    open_to_all(place.root.path());
    let directory = place.path("closed");
    fs::create_dir(&directory).unwrap();
    open_to_all(&directory);
    let mut command = sensor(["run", "--no-ebpf", "--metadata-db-path"]);
    command.arg(directory.join("metadata.redb"));
    as_nobody(&mut command);
    let (code, _, stderr) = end(&mut command);
    assert_eq!(code, Some(73), "{stderr}");
    assert_eq!(place.names("closed"), Vec::<String>::new());
}
