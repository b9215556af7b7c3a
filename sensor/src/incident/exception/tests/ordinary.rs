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
    ] {
        assert_eq!(traces(text), [], "{text}");
    }
}
