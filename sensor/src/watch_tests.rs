use std::{fs::File, io::Write};

use rustix::event::{PollFd, PollFlags, poll};
use tempfile::TempDir;

use super::*;

struct Place {
    directory: TempDir,
    watch: Watch,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("plugins/a")).unwrap();
        fs::write(directory.path().join("plugins/a/plugin.toml"), "old").unwrap();
        let mut place = Self {
            directory,
            watch: Watch::new().unwrap(),
        };
        place.again();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn again(&mut self) {
        let files = [self.path("etc/sensor.toml")];
        let plugins = self.path("plugins");
        self.watch.watch(&[plugins], &files).unwrap();
    }

    /// Whether there is a change, waiting for it.
    #[track_caller]
    fn check(&mut self, expected: bool) {
        let end = Instant::now() + Duration::from_secs(if expected { 20 } else { 0 });
        loop {
            self.watch.read().unwrap();
            if self.watch.is_due() {
                assert!(expected, "a change that is of no interest");
                return;
            }
            if self.watch.due().is_none() && Instant::now() >= end {
                assert!(!expected, "no change");
                return;
            }
            // At most until it is quiet.
            let mut fds = [PollFd::new(&self.watch, PollFlags::IN)];
            let wait = rustix::event::Timespec {
                tv_sec: 0,
                tv_nsec: 20_000_000,
            };
            poll(&mut fds, Some(&wait)).unwrap();
        }
    }
}

#[test]
fn what_is_read_is_watched_and_nothing_else() {
    let mut place = Place::new();
    place.check(false);
    fs::write(place.path("plugins/a/plugin.toml"), "new").unwrap();
    place.check(true);
    place.check(false);
    for other in ["plugins/a/x.log", "plugins/.hidden", "beside"] {
        fs::write(place.path(other), "x").unwrap();
        place.check(false);
    }
    // As editors do it.
    fs::write(place.path("plugins/a/plugin.toml~"), "new").unwrap();
    let (from, to) = ("plugins/a/plugin.toml~", "plugins/a/plugin.toml");
    fs::rename(place.path(from), place.path(to)).unwrap();
    place.check(true);
    fs::remove_file(place.path(to)).unwrap();
    place.check(true);
}

#[test]
fn directories_that_come_and_go_are_watched() {
    let mut place = Place::new();
    fs::create_dir(place.path("plugins/b")).unwrap();
    place.check(true);
    // Watched from its first moment.
    fs::write(place.path("plugins/b/plugin.toml"), "x").unwrap();
    place.check(true);
    fs::remove_dir_all(place.path("plugins")).unwrap();
    place.check(true);
    place.again();
    place.check(false);
    fs::create_dir(place.path("plugins")).unwrap();
    place.check(true);
    place.again();
    fs::create_dir(place.path("plugins/c")).unwrap();
    place.check(true);
}

#[test]
fn a_file_whose_directory_is_not_there_yet_is_watched_for() {
    let mut place = Place::new();
    fs::create_dir(place.path("etc")).unwrap();
    place.check(true);
    place.again();
    fs::write(place.path("etc/other.toml"), "x").unwrap();
    place.check(false);
    fs::write(place.path("etc/sensor.toml"), "x").unwrap();
    place.check(true);
}

#[test]
fn a_link_leads_to_what_is_watched() {
    let mut place = Place::new();
    let file = place.path("elsewhere.toml");
    fs::write(&file, "x").unwrap();
    fs::create_dir(place.path("plugins/linked")).unwrap();
    std::os::unix::fs::symlink(&file, place.path("plugins/linked/plugin.toml")).unwrap();
    place.check(true);
    place.again();
    fs::write(&file, "y").unwrap();
    place.check(true);
}

#[test]
fn a_file_that_is_being_written_is_named() {
    let mut place = Place::new();
    let plugin = place.path("plugins/a");
    let mut file = File::create(plugin.join("plugin.toml")).unwrap();
    file.write_all(b"half").unwrap();
    place.check(true);
    assert_eq!(place.watch.being_written(), std::slice::from_ref(&plugin));
    file.write_all(b"whole").unwrap();
    drop(file);
    place.check(true);
    assert!(place.watch.being_written().is_empty());
    // A new one, before the first byte of it.
    fs::remove_file(plugin.join("plugin.toml")).unwrap();
    let file = File::create(plugin.join("plugin.toml")).unwrap();
    place.check(true);
    assert_eq!(place.watch.being_written(), std::slice::from_ref(&plugin));
    drop(file);
    place.check(true);
    assert!(place.watch.being_written().is_empty());
    // One that is deleted half-written is not written any more.
    let mut file = File::create(plugin.join("plugin.toml")).unwrap();
    file.write_all(b"half").unwrap();
    fs::remove_file(plugin.join("plugin.toml")).unwrap();
    place.check(true);
    assert!(place.watch.being_written().is_empty());
}

#[test]
fn changes_that_never_end_are_taken_in_all_the_same() {
    let mut place = Place::new();
    let start = Instant::now();
    loop {
        fs::write(place.path("plugins/a/plugin.toml"), "x").unwrap();
        place.watch.read().unwrap();
        if place.watch.is_due() {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    assert!(start.elapsed() >= QUIET);
}
