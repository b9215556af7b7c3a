//! `sensor store` on whatever a path may lead to, and how it ends.

use std::{fs, os::unix::fs::PermissionsExt};

use sensor_tests::sensor::skipped;
use serde_json::Value;

use super::*;

#[test]
fn exit_codes_say_what_is_wrong() {
    let place = Place::new();
    let path = place.path("metadata.redb");
    place.work(&mut place.run(&path));
    let garbage = place.path("garbage");
    fs::write(&garbage, b"not a store").unwrap();
    let directory = place.path("directory");
    fs::create_dir(&directory).unwrap();
    let link = place.path("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let fifo = place.path("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    for what in ["show", "history", "verify"] {
        for (path, expected) in [
            (&path, 0),
            // Who only looks may follow a link.
            (&link, 0),
            (&garbage, 65),
            (&place.path("missing"), 66),
            (&directory, 73),
            (&fifo, 73),
        ] {
            for json in [&[][..], &["--json"]] {
                let (code, stdout, stderr) = store(what, path, json);
                let told = format!("{what} {path:?} {json:?}: {stdout}{stderr}");
                assert_eq!(code, Some(expected), "{told}");
                let is_object = serde_json::from_str::<Value>(&stdout).is_ok();
                let has_object = expected == 0 || (expected, what) == (65, "verify");
                assert_eq!(is_object, has_object && !json.is_empty(), "{told}");
                assert_eq!(stderr.is_empty(), has_object, "{told}");
            }
        }
    }
    assert_eq!(fs::read(&garbage).unwrap(), b"not a store");
    // A link is followed to look, never to write.
    let (code, _, stderr) = end(&mut place.run(&link));
    assert_eq!(code, Some(73), "{stderr}");
    assert!(stderr.contains("symbolic link"), "{stderr}");
    for path in [&directory, &fifo, &garbage.join("metadata.redb")] {
        let (code, _, stderr) = end(&mut place.run(path));
        assert_eq!(code, Some(73), "{stderr}");
    }
}

#[test]
fn a_second_sensor_ends_with_75_and_names_the_first_and_looking_works_beside_it() {
    let place = Place::new();
    let path = place.path("metadata.redb");
    let lines = Lines::start(&mut place.run(&path));
    lines.wait("two reports", |said| (said.lines.len() > 1).then_some(()));
    let (code, _, stderr) = end(&mut place.run(&path));
    assert_eq!(code, Some(75), "{stderr}");
    let holder = format!("process {}", lines.pid());
    assert!(stderr.contains(&holder), "{stderr}");
    assert!(stderr.contains(path.to_str().unwrap()), "{stderr}");
    for what in ["show", "history", "verify"] {
        let (code, _, stderr) = store(what, &path, &[]);
        assert_eq!(code, Some(0), "{what}: {stderr}");
    }
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
}

#[test]
fn a_store_that_is_closed_to_us_ends_with_77() {
    if !is_root() {
        skipped("a_store_that_is_closed_to_us_ends_with_77", "needs root");
        return;
    }
    let place = Place::new();
    let path = place.path("metadata.redb");
    place.work(&mut place.run(&path));
    modes::open_to_all(place.root.path());
    let look = |what: &str| {
        let mut command = sensor(["store", what, "--metadata-db-path"]);
        command.arg(&path);
        modes::as_nobody(&mut command);
        end(&mut command)
    };
    for what in ["show", "history", "verify"] {
        let (code, _, stderr) = look(what);
        assert_eq!(code, Some(77), "{what}: {stderr}");
    }
    // One that may be read is looked at, though it may not be locked.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    for what in ["show", "history", "verify"] {
        let (code, _, stderr) = look(what);
        assert_eq!(code, Some(0), "{what}: {stderr}");
    }
}

pub fn is_root() -> bool {
    // SAFETY: asks for a number.
    unsafe { libc::geteuid() == 0 }
}
