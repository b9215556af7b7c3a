//! What containers and system logs put around lines.

use super::*;

#[test]
fn cri_streams_and_joins() {
    check(
        "2023-05-20T14:30:22Z stderr F Traceback (most recent call last):\n\
         2023-05-20T14:30:22Z stdout F hello\n\
         2023-05-20T14:30:22Z stderr F   File \"/srv/a.py\", line 3, in f\n\
         2023-05-20T14:30:22Z stdout P {\"level\":\"err\n\
         2023-05-20T14:30:22Z stderr P     g\n\
         2023-05-20T14:30:22Z stderr F ()\n\
         2023-05-20T14:30:22Z stdout F or\",\"msg\":\"a\"}\n\
         2023-05-20T14:30:22Z stderr F KeyError: 'x'\n",
        &[
            "cri exception 17 {KeyError: 'x'} stderr",
            "json log 17 error a stdout",
        ],
    );
}

#[test]
fn docker_records() {
    let found = parse(
        "{\"log\":\"Traceback (most recent call last):\\n\",\"stream\":\"stderr\",\"time\":\"2023-05-20T14:30:22Z\"}\n\
         {\"log\":\"  File \\\"/srv/a.py\\\", line 3, in f\\n\",\"stream\":\"stderr\",\"time\":\"2023-05-20T14:30:23Z\"}\n\
         {\"log\":\"KeyError\",\"stream\":\"stderr\",\"time\":\"2023-05-20T14:30:23Z\"}\n\
         {\"log\":\": 'x'\\n\",\"stream\":\"stderr\",\"time\":\"2023-05-20T14:30:23Z\"}\n\
         {\"log\":\"ERROR:root:a\\n\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"b\"},\"time\":\"2023-05-20T14:30:22Z\"}\n",
    );
    let all: Vec<String> = found.iter().map(shown).collect();
    assert_eq!(
        all,
        [
            "docker exception 17 {KeyError: 'x'} stderr",
            "python log 17 ERROR [root] a stdout"
        ]
    );
    let exception = found[0].exception.as_ref().unwrap();
    assert!(
        exception.text.starts_with("Traceback"),
        "{}",
        exception.text
    );
    let original = found[0].origin.original.as_ref().unwrap();
    assert_eq!(original.lines().count(), 4, "{original}");
    assert!(original.starts_with("{\"log\""));
}

#[test]
fn syslog_of_both_kinds() {
    for (line, expect) in [
        (
            "<11>May 20 14:30:22 host app[12]: it failed",
            "syslog log 17 err [app] it failed pid 12",
        ),
        (
            "<11>1 2023-05-20T14:30:22Z host app 12 - [a b=\"c\\\"]\"][d] it failed",
            "syslog log 17 err [app] it failed pid 12",
        ),
        (
            "<10>1 2023-05-20T14:30:22Z host app - - - \u{feff}it failed",
            "syslog log 18 crit [app] it failed",
        ),
        (
            "May 20 14:30:22 host app[12]: {\"level\":\"error\",\"msg\":\"a\"}",
            "json log 17 error [app] a pid 12",
        ),
        (
            "2023-05-20T14:30:22.000000+00:00 host app[12]: ERROR:db:a",
            "python log 17 ERROR [db] a pid 12",
        ),
        (
            "<14>May 20 14:30:22 host app: ERROR:db:a",
            "python log 17 ERROR [db] a",
        ),
    ] {
        check(line, &[expect]);
    }
    // The inner level wins.
    check("<11>May 20 14:30:22 host app: INFO:db:a", &[]);
    check(
        "<14>May 20 14:30:22 host app[12]: error: it failed\nMay 20 14:30:22 host app: an error\n",
        &[],
    );
}

#[test]
fn syslog_tells_control_characters_in_octal() {
    let found = parse(
        "<13>Nov 22 10:00:00 host app: java.lang.RuntimeException: order #012 is closed\n\
         <13>Nov 22 10:00:00 host app: #011at a.B.c(B.java:1)\n\
         Nov 22 10:00:00 host web[12]: Traceback (most recent call last):#012  File \"/a.py\", line 1, in f#012    x() #012ValueError: oct\n\
         Nov 22 10:00:00 host web[12]: ERROR:db:a color:#000 of page#0012\n\
         Nov 22 10:00:00 host web[12]: #033[31mERROR:db:it failed#033[0m\n",
    );
    let all: Vec<String> = found.iter().map(shown).collect();
    assert_eq!(
        all,
        [
            "syslog exception 17 [app] {java.lang.RuntimeException: order #012 is closed} @1700647200000000000",
            "syslog exception 17 [web] {ValueError: oct} @1700647200000000000 pid 12",
            "python log 17 ERROR [db] a color:#000 of page#0012 @1700647200000000000 pid 12",
            "python log 17 ERROR [db] it failed @1700647200000000000 pid 12",
        ]
    );
    assert_eq!(found[0].exception.as_ref().unwrap().frames.len(), 1);
}

#[test]
fn lines_behind_a_runtime_s_time_are_no_syslog() {
    let time = "2024-11-22T10:00:00.123456789Z ";
    for (text, expect) in [
        (
            "java.lang.RuntimeException: a\n\tat a.B.c(B.java:1)\nCaused by: java.io.IOException: b\n\tat a.B.e(B.java:3)\n",
            "exception 17 {java.lang.RuntimeException: a}",
        ),
        (
            "a.rb:5:in `x': boom (RuntimeError)\n\tfrom a.rb:9:in `<main>'\n",
            "exception 17 {RuntimeError: boom}",
        ),
        (
            "Unhandled exception:\nBad state: No element\n#0      main (file:///a.dart:3:6)\n",
            "exception 17 {StateError: No element}",
        ),
    ] {
        let lines: String = text.lines().map(|line| format!("{time}{line}\n")).collect();
        let found = parse(&lines);
        let all: Vec<String> = found.iter().map(shown).collect();
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(all[0].contains(expect), "{all:?}");
    }
    // Nor does syslog call a host so.
    check("2024-11-22T10:00:00.123456Z #0 /i.php(9): f()\n", &[]);
}

#[test]
fn syslog_traces_per_process() {
    check(
        "May 20 14:30:22 host a[1]: Traceback (most recent call last):\n\
         May 20 14:30:22 host a[2]: Traceback (most recent call last):\n\
         May 20 14:30:22 host a[1]:   File \"/srv/a.py\", line 3, in f\n\
         May 20 14:30:22 host a[2]:   File \"/srv/b.py\", line 3, in f\n\
         May 20 14:30:22 host a[2]: KeyError: 'b'\n\
         May 20 14:30:22 host a[1]: KeyError: 'a'\n",
        &[
            "syslog exception 17 [a] {KeyError: 'a'} pid 1",
            "syslog exception 17 [a] {KeyError: 'b'} pid 2",
        ],
    );
}

#[test]
fn journald_as_json() {
    check(
        "{\"__REALTIME_TIMESTAMP\":\"1684593022000000\",\"PRIORITY\":\"3\",\"_PID\":\"7\",\"SYSLOG_IDENTIFIER\":\"a\",\"MESSAGE\":[104,105]}\n\
         {\"__REALTIME_TIMESTAMP\":\"1684593022000000\",\"PRIORITY\":\"6\",\"_PID\":\"7\",\"SYSLOG_IDENTIFIER\":\"a\",\"MESSAGE\":\"ERROR:db:x\"}\n\
         {\"__REALTIME_TIMESTAMP\":\"1684593022000000\",\"PRIORITY\":\"6\",\"MESSAGE\":null}\n",
        &[
            "journald log 17 err [a] hi pid 7",
            "python log 17 ERROR [db] x pid 7",
        ],
    );
}

#[test]
fn journald_as_export() {
    let mut text = b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1684593022000000\nPRIORITY=6\n_PID=7\n_COMM=a\nMESSAGE\n".to_vec();
    let message =
        "Traceback (most recent call last):\n  File \"/srv/a.py\", line 3, in f\nKeyError: 'x'";
    text.extend_from_slice(&(message.len() as u64).to_le_bytes());
    text.extend_from_slice(message.as_bytes());
    text.extend_from_slice(b"\n\n__CURSOR=s=2\nPRIORITY=3\n_PID=8\nMESSAGE=it failed\n__REALTIME_TIMESTAMP=1684593022000000\n\n");
    // A length whose first byte is a line feed.
    text.extend_from_slice(b"__CURSOR=s=3\nPRIORITY=3\nMESSAGE\n\x0a\0\0\0\0\0\0\0ten bytes!\n__REALTIME_TIMESTAMP=1684593022000000\n");
    let found: Vec<String> = parse_with(&options(), &text).iter().map(shown).collect();
    assert_eq!(
        found,
        [
            "journald exception 17 [a] {KeyError: 'x'} pid 7",
            "journald log 17 err it failed pid 8",
            "journald log 17 err ten bytes!",
        ]
    );
}

#[test]
fn stamps_and_prefixes() {
    check(
        "2023-05-20T14:30:22.000000000Z Traceback (most recent call last):\n\
         2023-05-20T14:30:22.000000000Z   File \"/srv/a.py\", line 3, in f\n\
         2023-05-20T14:30:22.000000000Z KeyError: 'x'\n\
         2023-05-20T14:30:22.000000000Z ERROR:root:a\n\
         2023-05-20T14:30:22.000000000Z error: cannot find it\n",
        &[
            "- exception 17 {KeyError: 'x'}",
            "python log 17 ERROR [root] a",
        ],
    );
    check(
        "web-1  | Traceback (most recent call last):\n\
         db-1   | LOG:  ready\n\
         web-1  |   File \"/srv/a.py\", line 3, in f\n\
         db-1   | {\"level\":\"error\",\"msg\":\"b\"}\n\
         web-1  | KeyError: 'x'\n",
        &[
            "- exception 17 {KeyError: 'x'} @-",
            "json log 17 error b @-",
        ],
    );
}

#[test]
fn a_forced_envelope_is_the_only_one() {
    let options = LogOptions {
        format: Some("cri".to_owned()),
        ..options()
    };
    let found = parse_with(
        &options,
        b"2023-05-20T14:30:22Z stdout F ERROR:root:a\nERROR:root:b\n",
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn the_level_that_journald_puts_around_all_lines_parts_no_record() {
    for before in [
        "<14>May 20 14:30:22 host app[12]: ",
        "<14>1 2023-05-20T14:30:22Z host app 12 - - ",
    ] {
        let found = |lines: &[&str]| -> Vec<String> {
            let text: String = lines
                .iter()
                .map(|line| format!("{before}{line}\n"))
                .collect();
            parse(&text).iter().map(shown).collect()
        };
        assert_eq!(
            found(&[
                "E, [2023-05-20T14:30:22Z #12] ERROR -- till: it failed (RuntimeError)",
                "/srv/till.rb:3:in `pay'",
                "/srv/till.rb:9:in `<main>'",
                "served one more",
            ]),
            [
                "log4j exception 17 ERROR [till] it failed (RuntimeError) {RuntimeError: it failed} pid 12"
            ]
        );
        assert_eq!(
            found(&[
                "2023-05-20T14:30:22Z ERROR app::db: it failed",
                "with these words:",
                "Traceback (most recent call last):",
                "  File \"/srv/a.py\", line 3, in f",
                "KeyError: 'x'",
            ]),
            ["python exception 17 ERROR [app::db] it failed {KeyError: 'x'} pid 12"]
        );
    }
}

#[test]
fn a_report_of_a_sanitizer_behind_times_is_no_warning() {
    let found = parse(
        "2023-05-20T14:30:22Z ==================\n\
         2023-05-20T14:30:22Z WARNING: ThreadSanitizer: data race (pid=12)\n\
         2023-05-20T14:30:22Z   Write of size 4 at 0x55 by thread T2:\n\
         2023-05-20T14:30:22Z     #0 operator() /srv/till.cpp:12 (till+0x1)\n\
         2023-05-20T14:30:22Z \n\
         2023-05-20T14:30:22Z SUMMARY: ThreadSanitizer: data race /srv/till.cpp:12 in operator()\n\
         2023-05-20T14:30:22Z ==================\n",
    );
    assert_eq!(found.len(), 1);
    assert!(shown(&found[0]).contains("{data race: "), "{found:?}");
}
