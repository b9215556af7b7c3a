use std::io::Write;

use super::*;
use crate::incident::log::format::CustomFormat;

struct Bench {
    directory: tempfile::TempDir,
    follower: Follower,
    now: Instant,
}

const LINE: &str = "2026-01-02 03:04:05,678 - app - ERROR - ";

impl Bench {
    fn new(pattern: &str, before: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in before {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let mut bench = Self {
            directory,
            follower: Follower::new(LogOptions::default(), Vec::new()),
            now: Instant::now(),
        };
        bench.follow(pattern);
        bench
    }

    fn follow(&mut self, pattern: &str) {
        self.follower.follow(vec![Paths {
            patterns: vec![format!("{}/{pattern}", self.directory.path().display())],
            services: vec!["shop".into()],
        }]);
        self.now = Instant::now();
    }

    /// The next run, which knows up to where the last one had read.
    fn restart(&mut self, pattern: &str, meanwhile: impl FnOnce(&Self)) {
        let positions = self.follower.positions();
        let positions = positions.unwrap_or(self.follower.told.clone());
        self.follower = Follower::new(LogOptions::default(), positions);
        meanwhile(self);
        self.follow(pattern);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn append(&self, name: &str, message: &str) {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).open(self.path(name));
        writeln!(file.unwrap(), "{LINE}{message}").unwrap();
    }

    /// Messages of two looks: what a trace could go on with is held for one.
    fn look(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        for _ in 0..2 {
            self.now += EXPAND_EVERY;
            self.follower.look(self.now, 1, &mut |incident| {
                assert_eq!(incident.services, ["shop".into()]);
                found.push(incident.body.unwrap_or_default());
            });
        }
        found
    }
}

#[test]
fn what_was_there_before_is_not_read_and_what_comes_is_read_once() {
    let mut bench = Bench::new("app.log", &[("app.log", &format!("{LINE}old\n"))]);
    assert!(bench.look().is_empty());
    bench.append("app.log", "one");
    assert_eq!(bench.look(), ["one"]);
    assert!(bench.look().is_empty());
}

#[test]
fn rotation_and_truncation_lose_nothing() {
    let mut bench = Bench::new("app.log", &[("app.log", "")]);
    bench.append("app.log", "one");
    // The end of the old file is written when its name is another one already.
    fs::rename(bench.path("app.log"), bench.path("app.log.1")).unwrap();
    bench.append("app.log.1", "two");
    bench.append("app.log", "three");
    assert_eq!(bench.look(), ["one", "two", "three"]);
    let file = OpenOptions::new().write(true).open(bench.path("app.log"));
    file.unwrap().set_len(0).unwrap();
    assert!(bench.look().is_empty());
    bench.append("app.log", "four");
    assert_eq!(bench.look(), ["four"]);
    // Away for a while.
    fs::remove_file(bench.path("app.log")).unwrap();
    assert!(bench.look().is_empty());
    bench.append("app.log", "five");
    assert_eq!(bench.look(), ["five"]);
}

#[test]
fn files_that_come_later_are_read_whole() {
    let mut bench = Bench::new("*.log", &[("a.log", &format!("{LINE}old\n"))]);
    bench.append("b.log", "new");
    bench.append("c.txt", "other");
    assert_eq!(bench.look(), ["new"]);
}

#[test]
fn no_two_incidents_have_one_id() {
    let mut bench = Bench::new("*.log", &[("a.log", ""), ("b.log", "")]);
    for name in ["a.log", "b.log", "a.log", "c.log"] {
        bench.append(name, "boom");
    }
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..2 {
        bench.now += EXPAND_EVERY;
        bench.follower.look(bench.now, 1, &mut |incident| {
            ids.insert(incident.id);
        });
    }
    assert_eq!(ids.len(), 4);
}

#[test]
fn a_pipe_is_passed_over() {
    let mut bench = Bench::new("app.log", &[]);
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, bench.path("app.log"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert!(bench.look().is_empty());
}

#[test]
fn what_was_written_between_two_runs_is_read_once() {
    let mut bench = Bench::new("app.log", &[("app.log", &format!("{LINE}old\n"))]);
    bench.append("app.log", "one");
    assert_eq!(bench.look(), ["one"]);
    bench.restart("app.log", |bench| bench.append("app.log", "two"));
    assert_eq!(bench.look(), ["two"]);
    bench.restart("app.log", |_| {});
    assert!(bench.look().is_empty());
    // Rotated meanwhile, with something at the end of the old one.
    bench.restart("app.log", |bench| {
        bench.append("app.log", "three");
        fs::rename(bench.path("app.log"), bench.path("app.log.1")).unwrap();
        bench.append("app.log", "four");
    });
    assert_eq!(bench.look(), ["three", "four"]);
    // Truncated meanwhile.
    bench.restart("app.log", |bench| {
        fs::write(bench.path("app.log"), "").unwrap();
        bench.append("app.log", "5");
    });
    assert_eq!(bench.look(), ["5"]);
    // Removed, and there again.
    fs::remove_file(bench.path("app.log")).unwrap();
    assert!(bench.look().is_empty());
    bench.restart("app.log", |bench| bench.append("app.log", "six"));
    assert_eq!(bench.look(), ["six"]);
}

#[test]
fn what_is_held_back_is_read_again_after_a_crash() {
    let mut bench = Bench::new("app.log", &[("app.log", "")]);
    bench.append("app.log", "one");
    bench.now += EXPAND_EVERY;
    let now = bench.now;
    bench.follower.look(now, 1, &mut |_| ());
    // One look only: a trace might have followed.
    bench.restart("app.log", |_| {});
    assert_eq!(bench.look(), ["one"]);
    // Half a line is none.
    fs::write(bench.path("app.log"), LINE).unwrap();
    assert!(bench.look().len() <= 1);
    bench.restart("app.log", |bench| {
        fs::write(bench.path("app.log"), format!("{LINE}two\n")).unwrap();
    });
    assert_eq!(bench.look(), ["two"]);
}

/// `[[logs.format]]` that a reload brings, or takes away.
#[test]
fn a_reload_changes_how_what_comes_is_read() {
    let mut bench = Bench::new("app.log", &[("app.log", "")]);
    let write = |bench: &Bench, text: &str| {
        let mut options = OpenOptions::new();
        let file = options.append(true).open(bench.path("app.log"));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    };
    write(&bench, "till7 X! early\ntill7 X! dr");
    assert!(bench.look().is_empty());
    let pattern = r"^till\d+ (?P<level>[A-Z])! (?P<message>.*)$";
    let till = CustomFormat::new("till", pattern, None, &[("X".to_owned(), 17)]);
    let known = Formats::with([Arc::new(till.unwrap()) as _]);
    bench.follower.know(Arc::new(known), &mut |_| ());
    // A line without its end is read whole, and in the new way.
    write(&bench, "awer\nERROR:root:both\n");
    assert_eq!(bench.look(), ["drawer", "both"]);
    let mut open = Vec::new();
    bench.append("app.log", "last");
    bench.now += EXPAND_EVERY;
    let now = bench.now;
    bench.follower.look(now, 1, &mut |_| ());
    bench
        .follower
        .know(Arc::new(Formats::default()), &mut |one| open.push(one.body));
    assert_eq!(open, [Some("last".to_owned())], "what was open is told");
    write(&bench, "till7 X! late\nERROR:root:known\n");
    assert_eq!(bench.look(), ["known"]);
}
