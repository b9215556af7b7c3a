//! `sensor logs parse` and `sensor logs scrub`.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

use std::{
    fs,
    io::Write,
    process::{Output, Stdio},
    thread,
};

use sensor_tests::sensor::sensor;
use serde_json::Value;

fn logs(args: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let mut child = sensor(["logs"].iter().chain(args))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that stops early reads no more.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn objects(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

const LOG: &str = "\
INFO:root:on
ERROR:db:cannot reach db with password=hunter2
Traceback (most recent call last):
  File \"/srv/shop/a.py\", line 3, in connect
    raise Down(\"no route to 10.0.0.1\")
Down: no route to 10.0.0.1
ERROR:db:gave up after 3 tries
ERROR:db:gave up after 4 tries
";

#[test]
fn json_has_the_keys_of_the_contract() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("app.log");
    fs::write(&file, LOG).unwrap();
    let (status, stdout, stderr) = logs(&["parse", "--json", file.to_str().unwrap()], b"");
    assert_eq!((status, &*stderr), (Some(0), ""));
    assert!(!stdout.contains("hunter2"), "{stdout}");
    let found = objects(&stdout);
    assert_eq!(found.len(), 3, "{stdout}");
    let first = found[0].as_object().unwrap();
    for (key, value) in [
        ("severity_number", Value::from(17)),
        ("severity_text", "ERROR".into()),
        ("exception.type", "Down".into()),
        ("exception.message", "no route to 10.0.0.1".into()),
        ("language", "python".into()),
        ("code.function.name", "connect".into()),
        ("code.file.path", "/srv/shop/a.py".into()),
        ("code.line.number", 3.into()),
        ("sensor.log.format", "python".into()),
        ("sensor.log.logger", "db".into()),
        ("log.file.path", file.to_str().unwrap().into()),
        ("sensor.incident.kind", "exception".into()),
        ("sensor.incident.count", 1.into()),
    ] {
        assert_eq!(first.get(key), Some(&value), "{key}");
    }
    assert_eq!(first["frames"][0]["in_app"], true);
    assert!(!first.contains_key("time_unix_nano"));
    assert!(!first.contains_key("causes"));
    let empty = |value: &Value| {
        value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty)
    };
    assert!(
        found
            .iter()
            .all(|one| !one.as_object().unwrap().values().any(empty))
    );
    assert_eq!(
        found[1]["sensor.incident.fingerprint"],
        found[2]["sensor.incident.fingerprint"]
    );
}

#[test]
fn folding_counts_what_is_the_same() {
    let (_, stdout, _) = logs(&["parse", "--json", "--fold", "-"], LOG.as_bytes());
    let counts: Vec<_> = objects(&stdout)
        .iter()
        .map(|one| one["sensor.incident.count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [1, 2]);
}

#[test]
fn people_get_short_lines_that_are_safe_for_a_terminal() {
    let text = format!("{LOG}ERROR:root:\u{9b}2J\u{7}{}\n", "long ".repeat(50));
    let (status, stdout, _) = logs(&["parse", "-"], text.as_bytes());
    assert_eq!(status, Some(0));
    assert!(stdout.contains("Down: no route to 10.0.0.1"), "{stdout}");
    assert!(stdout.contains("in connect (/srv/shop/a.py:3)"), "{stdout}");
    assert!(
        stdout.lines().all(|line| line.chars().count() <= 80),
        "{stdout}"
    );
    assert!(!stdout.chars().any(|char| char.is_control() && char != '\n'));
}

#[test]
fn ends_as_documented() {
    let (status, stdout, _) = logs(&["parse", "/no/such/file"], b"");
    assert_eq!((status, &*stdout), (Some(66), ""));
    let (status, _, stderr) = logs(&["parse", "--format", "jsn", "-"], b"");
    assert_eq!(status, Some(2));
    assert!(stderr.contains("did you mean `json`?"), "{stderr}");
    let (status, stdout, _) = logs(&["parse", "-"], b"all is well\n");
    assert_eq!((status, &*stdout), (Some(0), ""));
}

#[test]
fn formats_of_the_configuration() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("sensor.toml");
    let good = "[[logs.format]]\nname = \"till\"\n\
        pattern = '^(?P<time>\\S+ \\S+) till(?P<logger>\\d+) (?P<level>[A-Z])! (?P<message>.*)$'\n\
        time_format = \"%Y/%m/%d %H:%M:%S\"\nlevels = { X = \"error\", N = \"info\" }\n";
    fs::write(&file, good).unwrap();
    let config = file.to_str().unwrap();
    let text = b"2023/05/20 14:30:22 till7 X! drawer stuck\n2023/05/20 14:30:22 till7 N! open\n";
    for format in [&["--format", "till"][..], &[]] {
        let mut args = vec!["parse", "--json", "--config", config];
        args.extend(format);
        args.push("-");
        let (status, stdout, stderr) = logs(&args, text);
        assert_eq!((status, &*stderr), (Some(0), ""));
        let found = objects(&stdout);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["sensor.log.format"], "till");
        assert_eq!(found[0]["body"], "drawer stuck");
        assert!(found[0]["time_unix_nano"].is_u64());
    }
    let (status, _, stderr) = logs(&["parse", "--format", "tilt", "--config", config, "-"], b"");
    assert_eq!(status, Some(2));
    assert!(stderr.contains("`till`"), "{stderr}");

    fs::write(
        &file,
        "[[logs.format]]\nname = \"json\"\npattern = '(?P<lvl>x)('\n[[logs.format]]\npatern = 'x'\n\
         [[logs.format]]\nname = \"a\"\npattern = '(?P<levl>x)'\nlevels = { X = \"eror\" }\ntime_format = \"%!\"\n",
    )
    .unwrap();
    let (status, stdout, stderr) = logs(&["parse", "--config", config, "-"], b"");
    assert_eq!((status, &*stdout), (Some(78), ""));
    for part in [
        ":2: logs.format.name: `json` is a built-in format",
        "unclosed group",
        "logs.format.name: is missing",
        "unknown key; did you mean `pattern`?",
        "unknown group `levl`; did you mean `level`?",
        "`eror` is no level; did you mean `error`?",
        "is no time format",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
}

#[test]
fn memory_stays_small_and_a_reader_may_leave() {
    // 100 MB in one line, and the next one is found.
    let mut text = vec![b'x'; 100 << 20];
    text.extend_from_slice(b"\nERROR:root:found\n");
    let (status, stdout, stderr) = logs(&["parse", "--json", "-"], &text);
    assert_eq!(status, Some(0));
    assert_eq!(objects(&stdout).len(), 1);
    assert!(stderr.contains("passed over"), "{stderr}");

    let many = "ERROR:root:x\n".repeat(200_000);
    let mut child = sensor(["logs", "parse", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let writer = thread::spawn(move || drop(stdin.write_all(many.as_bytes())));
    let ended = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stderr.is_empty());
}

#[test]
fn scrubbing_text_and_arguments() {
    let (status, stdout, _) = logs(&["scrub"], b"a=1 password=hunter2 b=2\r\nplain\n");
    assert_eq!(status, Some(0));
    assert!(
        stdout.starts_with("a=1 password=******** b=2\r\n"),
        "{stdout}"
    );
    let (status, stdout, _) = logs(
        &["scrub", "--args"],
        b"[\"mysql\",\"-phunter2\",\"--host\",\"db\"]\n[]\n",
    );
    assert_eq!(status, Some(0));
    assert_eq!(stdout, "[\"mysql\",\"-p********\",\"--host\",\"db\"]\n[]\n");
    let (status, _, stderr) = logs(&["scrub", "--args"], b"[\"a\"]\nno array\n");
    assert_eq!(status, Some(65));
    assert!(stderr.contains("line 2"), "{stderr}");
}
