//! Where a message of Python ends, which nothing marks.

use super::traces;

const TRACE: &str = "Traceback (most recent call last):\n  File \"/srv/a.py\", line 3, in f\n";

#[track_caller]
fn check(source: &str, lines: &str, expect: &str) {
    let text = format!("{TRACE}    {source}\n{lines}");
    let found = traces(&text);
    assert_eq!(found.len(), 1, "{text}");
    assert_eq!(found[0].message.as_deref(), Some(expect), "{text}");
}

#[test]
fn what_others_say_behind_it_is_no_part_of_it() {
    // The line of the program has the very text.
    check(
        "raise ValueError(\"closed\")",
        "ValueError: closed\nnext one\n",
        "closed",
    );
    check(
        "raise a.Closed('it is') from None",
        "a.Closed: it is\nnext one\n",
        "it is",
    );
    // The interpreter raised it.
    check(
        "return table[item]",
        "IndexError: list index out of range\nnext one\n",
        "list index out of range",
    );
    check(
        "table[item]\n    ~~~~~^^^^^^",
        "KeyError: 'x'\nnext one\n",
        "'x'",
    );
    // Nothing tells, but so much text is somebody's.
    let others = "served one more\n".repeat(40);
    check(
        "raise ValueError(text)",
        &format!("ValueError: closed\n{others}"),
        "closed",
    );
    check(
        "raise ValueError(text)",
        "ValueError: closed\n2023-05-20 14:30:22 INFO on\n",
        "closed",
    );
    check(
        "raise ValueError(text)",
        "ValueError: closed\nINFO:root:on\n",
        "closed",
    );
    check(
        "raise ValueError(text)",
        "ValueError: closed\n>>> f()\n",
        "closed",
    );
    check(
        "raise ValueError(text)",
        "ValueError: closed\n\nserved\n",
        "closed",
    );
}

#[test]
fn what_the_system_says_has_one_line() {
    check(
        "raise OSError(13, text, path)",
        "PermissionError: [Errno 13] Permission denied: '/srv/x'\nnext one\n",
        "[Errno 13] Permission denied: '/srv/x'",
    );
    check(
        "raise ValueError(text)",
        "ValueError: closed\nException ignored in: <function Till.__del__ at 0x7f>\n",
        "closed",
    );
}

#[test]
fn its_own_lines_are() {
    for (source, lines) in [
        ("raise ValueError(\"a\\nb\")", "a\nb"),
        ("raise ValueError(text)", "a\nb\nc"),
        ("raise ValueError(f\"a {text}\")", "a 1\n2"),
        (
            "raise Invalid(errors)",
            "1 validation error for Till\nid\n  Field required [type=missing]\n    For further information see the manual",
        ),
        (
            "cursor.execute(sql)",
            "relation \"x\" does not exist\nLINE 1: select * from x\n                      ^",
        ),
        ("run(args)", "it ended with:\nsome words\n  more"),
    ] {
        check(source, &format!("ValueError: {lines}\n"), lines);
        check(
            source,
            &format!("ValueError: {lines}\n2023-05-20 14:30:22 INFO on\n"),
            lines,
        );
    }
    // However many lines there are, indented ones tell.
    let fields = "id\n  Field required\n".repeat(30);
    check(
        "raise Invalid(errors)",
        &format!("ValueError: errors\n{fields}"),
        format!("errors\n{fields}").trim_end(),
    );
}

#[test]
fn a_group_within_a_group_is_a_cause_like_any_other() {
    let found = traces(
        "  + Exception Group Traceback (most recent call last):\n  |   File \"/srv/a.py\", line 3, in f\n  |     raise outer\n  \
         | ExceptionGroup: outer (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n    | ValueError: 1\n    \
         +---------------- 2 ----------------\n    | ExceptionGroup: inner (1 sub-exception)\n    +-+---------------- 1 ----------------\n      \
         | TypeError: t\n      +------------------------------------\n\n\
         The above exception was the direct cause of the following exception:\n\n\
         Traceback (most recent call last):\n  File \"/srv/a.py\", line 5, in g\n    raise Closed() from group\nClosed\n",
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].name, "Closed");
    let causes: Vec<_> = found[0]
        .causes
        .iter()
        .map(|cause| cause.name.as_str())
        .collect();
    assert_eq!(
        causes,
        [
            "ExceptionGroup",
            "ValueError",
            "ExceptionGroup",
            "TypeError"
        ]
    );
}
