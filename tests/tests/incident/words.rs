//! Last words, and the exception among them.

use std::{
    fs::{self, File, OpenOptions},
    process::Command,
};

use sensor_tests::process::python;

use super::*;

const BROKEN: &str = "
def find(users):
    return users['user_id']

find({})
";

#[test]
fn a_traceback_and_the_exit_that_follows_are_one_incident() {
    let desk = Desk::watching("/bin/sh");
    let python = desk.plugins.watch_program(&python(), "");
    // A plugin of its own: the stream has to see it from the start.
    let desk = Desk {
        events: Events::start(&["--plugins", &desk.plugins.flag()]),
        ..desk
    };
    let root = desk.plugins.root();
    let script = root.join("app.py");
    fs::write(&script, BROKEN).unwrap();
    let log = root.join("err.log");
    let old = "Traceback (most recent call last):\n  File \"old.py\", line 1, in <module>\n\
               ValueError: of yesterday\n";
    fs::write(&log, old).unwrap();
    let append = OpenOptions::new().append(true).open(&log).unwrap();
    let mut command = python.command(&[script.to_str().unwrap()]);
    let ended = run(command.stderr(append));
    let found = desk.incident(ended.pid);
    assert_eq!(found["sensor.incident.kind"], "exit");
    assert_eq!(found["sensor.incident.cause"], "exit code 1");
    assert_eq!(found["exception.type"], "KeyError", "{found}");
    assert_eq!(found["exception.message"], "'user_id'");
    assert_eq!(found["language"], "python");
    assert_eq!(found["frames"][0]["function"], "find");
    assert_eq!(found["frames"][1]["function"], "<module>");
    assert_eq!(found["code.file.path"], script.to_str().unwrap());
    assert_eq!(found["log.file.path"], log.to_str().unwrap());
    assert_eq!(found["log.iostream"], "stderr");
    let words = found["sensor.incident.last_words"].as_str().unwrap();
    assert!(words.starts_with("Traceback") && words.ends_with("KeyError: 'user_id'\n"));
    assert!(!words.contains("yesterday"), "{words}");
    let all = desk.all();
    let ours = all.iter().filter(|one| pid(one) == ended.pid);
    assert_eq!(ours.count(), 1);
}

#[test]
fn an_error_line_says_why_and_tells_ends_apart() {
    let desk = Desk::watching("/bin/sh");
    let log = desk.plugins.root().join("err.log");
    let mut prints = std::collections::BTreeSet::new();
    for (script, body) in [
        (
            "echo 2024-01-01 00:00:00,123 ERROR db: connection refused; echo bye",
            Some("connection refused"),
        ),
        (
            "echo '{\"level\":\"error\",\"msg\":\"disk full\"}'",
            Some("disk full"),
        ),
        ("echo cannot bind port 80: address in use", None),
        ("echo cannot bind port 81: address in use", None),
        (
            "echo 2024-01-01 00:00:00,123 ERROR db: long before; \
             i=0; while [ $i -lt 900 ]; do echo line; i=$((i+1)); done",
            None,
        ),
    ] {
        let script = format!("({script}) >&2; exit 1");
        let mut command = desk.watched.command(&["-c", &script]);
        let ended = run(command.stderr(File::create(&log).unwrap()));
        let found = desk.incident(ended.pid);
        assert_eq!(found["sensor.incident.kind"], "exit");
        assert_eq!(found["body"].as_str(), body, "{found}");
        prints.insert(found["sensor.incident.fingerprint"].to_string());
    }
    assert_eq!(prints.len(), 4, "{prints:?}");
}

/// However short the process: nobody had the time to look at it.
#[test]
fn every_short_process_has_its_last_words() {
    let desk = Desk::watching("/bin/sh");
    let root = desk.plugins.root();
    let mut started = Vec::new();
    for number in 0..40 {
        let log = root.join(format!("{number}.log"));
        let script = format!("echo boom {number} >&2; exit 1");
        let mut command = desk.watched.command(&["-c", &script]);
        let ended = run(command.stderr(File::create(log).unwrap()));
        started.push((number, ended.pid));
    }
    for (number, of) in started {
        let found = desk.incident(of);
        let words = format!("boom {number}\n");
        assert_eq!(found["sensor.incident.last_words"], *words, "{found}");
    }
}

/// Both outputs in one file, as by `> log 2>&1`; in two; and in a pipe.
#[test]
fn both_outputs_are_looked_at() {
    let desk = Desk::watching("/bin/sh");
    let root = desk.plugins.root();
    let (one, two) = (root.join("one"), root.join("two"));
    let script = "echo out; echo err >&2; exit 1";

    let file = File::create(&one).unwrap();
    let mut command = desk.watched.command(&["-c", script]);
    command.stdout(file.try_clone().unwrap()).stderr(file);
    let found = desk.incident(run(&mut command).pid);
    assert_eq!(found["sensor.incident.last_words"], "out\nerr\n");
    assert!(found["log.iostream"].is_null());

    let mut command = desk.watched.command(&["-c", script]);
    command.stdout(File::create(&one).unwrap());
    command.stderr(File::create(&two).unwrap());
    let found = desk.incident(run(&mut command).pid);
    assert_eq!(found["sensor.incident.last_words"], "err\n");
    assert_eq!(found["log.file.path"], two.to_str().unwrap());

    let mut command = desk.watched.command(&["-c", "echo out; exit 1"]);
    command.stdout(File::create(&one).unwrap());
    command.stderr(std::process::Stdio::null());
    let found = desk.incident(run(&mut command).pid);
    assert_eq!(found["sensor.incident.last_words"], "out\n");
    assert_eq!(found["log.iostream"], "stdout");
}

#[test]
fn last_words_are_the_last_ones_and_hold_no_secrets() {
    let desk = Desk::watching("/bin/sh");
    let log = desk.plugins.root().join("long.log");
    let script = "i=0; while [ $i -lt 9000 ]; do echo line $i; i=$((i+1)); done; \
                  echo password=hunter2; exit 1";
    let mut command = desk.watched.command(&["-c", script]);
    command.stdout(File::create(&log).unwrap());
    let found = desk.incident(run(&mut command).pid);
    let words = found["sensor.incident.last_words"].as_str().unwrap();
    assert!(
        words.len() <= 16 * 1024 && words.starts_with("line "),
        "{}",
        words.len()
    );
    assert!(words.ends_with("line 8999\npassword=********\n"), "{words}");
}

/// A descriptor high up makes the table of descriptors grow, as in a child of
/// a shell that runs a script.
#[test]
fn a_large_table_of_descriptors_hides_nothing() {
    let desk = Desk::watching("/bin/sh");
    let log = desk.plugins.root().join("err.log");
    let script = format!(
        "exec 200</dev/null; '{}' -c 'echo deep >&2; exit 5' 2>'{}'; exit 0",
        desk.watched.program.display(),
        log.display()
    );
    assert_eq!(
        run(Command::new("/bin/bash").args(["-c", &script])).status,
        0
    );
    let found = desk.events.lines().wait("the incident", |said| {
        let mut all = incidents(&said.lines);
        all.find(|one| one["process.exit.code"] == 5).cloned()
    });
    assert_eq!(found["sensor.incident.last_words"], "deep\n", "{found}");
}
