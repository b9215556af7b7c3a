//! Lines of no trace.

use super::traces;

#[test]
fn text_without_a_trace_is_no_exception() {
    for text in [
        "Error: something",
        "TypeError: x is not a function",
        "com.foo.Bar: text",
        "com.foo.Bar: text\ncom.foo.Bar: more\ncom.foo.Bar: more",
        "java.lang.IllegalStateException: closed\nbut nobody cares",
        "name: till\nversion: 3\nimage: registry/till\nports:\n  - 80",
        "panic: at the disco",
        "fatal error: too many errors emitted",
        "src/main.c:3:5: fatal error: foo.h: No such file or directory",
        "src/main.c:3:5: error: expected ';'\n    3 | int x\n      |      ^",
        "error[E0308]: mismatched types\n --> src/main.rs:3:5\n  |\n3 |     x\n  |     ^",
        "fatal: not a git repository",
        "Traceback (most recent call last): was seen",
        "\tat com.foo.Bar.baz(Bar.java:12)",
        "    at foo (x.js:1:2)",
        "    from x.rb:1:in `foo'",
        "Caused by: nothing",
        "INFO: served\nWARNING: slow\nNote: Till.java uses unchecked operations.",
        "src/till.js:3\n  3:5  error  'x' is not defined  no-undef",
        "npm ERR! code ELIFECYCLE\nnpm ERR! Error: till is closed",
        "** (see the notes) a list\n** another item",
        "PHP Warning:  Undefined variable $x in /srv/app/till.php on line 28",
        "PHP Notice:  fatal error is a word in /srv/app/till.php on line 28",
        "Out of memory: the till says\nKilled process",
        "the program had a segfault at noon",
        "kernel: traps are for mice, general protection is for tills",
        "==4711== Memcheck, a memory error detector",
        "commit 3f1d\nAuthor: Till\n\n    Error: fix the panic",
        "terminating the till",
        "10.0.0.7 - - [22/Nov/2026:05:36:10 +0000] \"GET /Error: HTTP/1.1\" 500 0",
    ] {
        assert_eq!(traces(text), [], "{text}");
    }
}
