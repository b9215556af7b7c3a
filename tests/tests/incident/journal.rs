//! Last words in the journal: a real journald in a mount namespace of its own.
//! Needs the package systemd.

use std::{
    os::unix::fs::FileTypeExt,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use sensor_tests::{
    bpffs::own_places,
    process::{Running, python},
    sensor::{LIMIT, skipped},
};

use super::*;

const JOURNALD: &str = "/lib/systemd/systemd-journald";
const SOCKET: &str = "/run/systemd/journal/stdout";

/// A journald of one's own, as long as the thread keeps its mounts.
fn journald(test: &str) -> Option<Running> {
    if !Path::new(JOURNALD).is_file() || !Path::new("/usr/bin/systemd-cat").is_file() {
        skipped(test, "needs the package systemd");
        return None;
    }
    if !own_places(test, &["/run", "/var/log"]) {
        return None;
    }
    std::fs::create_dir_all("/run/systemd/journal").unwrap();
    let mut command = Command::new(JOURNALD);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let running = Running::start(command.stderr(Stdio::null()));
    let deadline = Instant::now() + LIMIT;
    while !std::fs::metadata(SOCKET).is_ok_and(|found| found.file_type().is_socket()) {
        assert!(Instant::now() < deadline, "journald does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(running)
}

/// Both outputs in the journal, as of a service of systemd.
fn logged(watched: &Watched, args: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/systemd-cat");
    command.arg(&watched.program).args(args);
    command.current_dir("/").stdin(Stdio::null());
    command
}

impl Desk {
    /// The incident of a script whose last words are these. On a machine under
    /// load journald may be slower than the sensor, which looks there once.
    fn logged(&self, script: &str, last: &str) -> Value {
        let deadline = Instant::now() + LIMIT;
        loop {
            let ended = run(&mut logged(&self.watched, &["-c", script]));
            let found = self.incident(ended.pid);
            let words = found["sensor.incident.last_words"].as_str();
            if words.is_some_and(|words| words.ends_with(last)) {
                return found;
            }
            assert!(Instant::now() < deadline, "{found}");
        }
    }
}

#[test]
fn what_a_process_said_to_the_journal_are_its_last_words() {
    let name = "what_a_process_said_to_the_journal_are_its_last_words";
    let Some(_journald) = journald(name) else {
        return;
    };
    let plugins = Plugins::new();
    let watched = plugins.watch_program(&python(), "");
    let plain = plugins.watch_program("/bin/sh", "[logs]\njournald = false\n");
    let events = Events::start(&["--plugins", &plugins.flag()]);
    let desk = Desk {
        plugins,
        watched,
        events,
    };
    // Words of another process.
    let _ = run(&mut logged(&plain, &["-c", "echo other; exit 0"]));
    let script = "def find(users): return users['user_id']\nprint('begins')\nfind({})";
    let found = desk.logged(script, "KeyError: 'user_id'\n");
    assert_eq!(found["sensor.incident.cause"], "exit code 1");
    assert_eq!(found["exception.type"], "KeyError", "{found}");
    assert_eq!(found["exception.message"], "'user_id'");
    let words = found["sensor.incident.last_words"].as_str().unwrap();
    assert!(words.contains("begins\n"), "{words}");
    assert!(!words.contains("other"), "{words}");
    assert!(found["log.file.path"].is_null(), "{found}");

    // A long line is compressed in the file.
    let script = "import sys; sys.exit('x' * 20000 + 'end')";
    desk.logged(script, "xxxend\n");

    let ended = run(&mut logged(&plain, &["-c", "echo silent; exit 3"]));
    let found = desk.incident(ended.pid);
    assert!(found["sensor.incident.last_words"].is_null(), "{found}");
    let all = desk.all();
    assert_eq!(all.iter().filter(|one| pid(one) == ended.pid).count(), 1);
}
