//! Error lines and the traces that follow them.

use super::*;

const TRACE: &str = "Traceback (most recent call last):\n  File \"/srv/a.py\", line 3, in f\n    g()\nKeyError: 'x'\n";

#[test]
fn an_error_line_and_its_trace_are_one() {
    for between in ["", "\n", "  more of the message\n", "more\n\n"] {
        let text = format!("ERROR:root:it failed\n{between}{TRACE}INFO:root:on\n");
        let found = parse(&text);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(
            shown(&found[0]),
            "python exception 17 ERROR [root] it failed {KeyError: 'x'} @-"
        );
        let original = found[0].origin.original.as_deref().unwrap();
        assert_eq!(format!("{original}\nINFO:root:on\n"), text);
    }
}

#[test]
fn only_the_last_error_line_has_the_trace() {
    check(
        &format!("ERROR:root:a\nERROR:root:b\n{TRACE}ERROR:root:c\n"),
        &[
            "python log 17 ERROR [root] a @-",
            "python exception 17 ERROR [root] b {KeyError: 'x'} @-",
            "python log 17 ERROR [root] c @-",
        ],
    );
}

#[test]
fn a_record_between_parts_them() {
    check(
        &format!("ERROR:root:a\nINFO:root:b\n{TRACE}"),
        &[
            "python log 17 ERROR [root] a @-",
            "- exception 17 {KeyError: 'x'} @-",
        ],
    );
}

#[test]
fn a_trace_in_the_message_of_a_line() {
    let found = parse(
        "2023-05-20 14:30:22 ERROR [main] com.a.B - java.lang.IllegalStateException: x\n\
         \tat com.a.B.c(B.java:3)\n\
         2023-05-20 14:30:22 INFO [main] com.a.B - on\n",
    );
    assert_eq!(found.len(), 1);
    assert!(
        shown(&found[0]).starts_with("log4j exception 17 ERROR [com.a.B]"),
        "{}",
        shown(&found[0])
    );
}

#[test]
fn a_trace_with_a_head_on_every_line() {
    let text: String = TRACE
        .lines()
        .map(|line| format!("ERROR:root:{line}\n"))
        .collect();
    let found = parse(&format!("{text}INFO:root:on\n"));
    assert_eq!(
        found.len(),
        1,
        "{:?}",
        found.iter().map(shown).collect::<Vec<_>>()
    );
    assert_eq!(found[0].exception.as_ref().unwrap().name, "KeyError");
}

#[test]
fn heads_on_every_line_keep_what_is_indented_and_end_with_the_exception() {
    let trace =
        "Traceback (most recent call last):\n  File \"/srv/a.py\", line 3, in f\n    g.h()\n";
    for head in [
        "[2023-05-20 14:30:22 +0000] [12] [ERROR] ",
        "[2023-05-20 14:30:22,000: ERROR/ForkPoolWorker-1] ",
        "2023-05-20 14:30:22,000 - app - ERROR - ",
        "[2023-05-20 14:30:22,000] {logging_mixin.py:188} ERROR - ",
        "2023-05-20 14:30:22,000 ERROR app.worker: ",
        "2023-05-20 14:30:22,000 ERROR    ",
        "E0520 14:30:22.000000    1234 x.go:45] ",
        "2023/05/20 14:30:22 [error] 31#31: *7 ",
        "[Sat May 20 14:30:22.000000 2023] [wsgi:error] [pid 5:tid 1] [client ::1:5] ",
        "ERROR:stderr:",
    ] {
        for name in ["ValueError: boom", "shop.errors.Closed: boom"] {
            let later = head.replace(":22", ":29");
            let lines = trace.lines().chain([name]);
            let text: String = lines.map(|line| format!("{head}{line}\n")).collect();
            let found = parse(&format!("{text}{later}drawer stuck\n{later}lost\n"));
            let bodies: Vec<_> = found.iter().map(|one| one.body.as_deref()).collect();
            assert_eq!(found.len(), 3, "{head}: {bodies:?}");
            let exception = found[0].exception.as_ref().unwrap();
            assert_eq!(exception.headline(), name, "{head}");
            assert_eq!(exception.frames.len(), 1, "{head}");
            assert_eq!(bodies[1..], [Some("drawer stuck"), Some("lost")], "{head}");
        }
    }
}

#[test]
fn what_the_same_logger_said_right_before_is_its_message() {
    for (head, other) in [
        ("[wsgi:error] [pid 5:tid 1]", "[core:error] [pid 9]"),
        ("[wsgi:error] [pid 5:tid 1]", "[wsgi:error] [pid 5:tid 1]"),
    ] {
        let at = |second: u32, text: &str| format!("[Sat May 20 14:30:{second} 2023] {text}\n");
        let lines = std::iter::once("mod_wsgi: Exception occurred").chain(TRACE.lines());
        let text: String = lines
            .map(|line| at(22, &format!("{head} {line}")))
            .collect();
        let late = at(29, &format!("{other} denied"));
        let found = parse(&(text + &late));
        let bodies: Vec<_> = found.iter().map(|one| one.body.as_deref()).collect();
        assert_eq!(
            bodies,
            [Some("mod_wsgi: Exception occurred"), Some("denied")]
        );
        assert!(found[0].exception.is_some());
    }
}

#[test]
fn another_logger_is_no_line_of_the_trace() {
    for (head, other) in [
        ("ERROR:stderr:", "ERROR:db:"),
        ("ERROR:stderr:", "CRITICAL:stderr:"),
        (
            "[2023-05-20 14:30:22,000: ERROR/ForkPoolWorker-1] ",
            "[2023-05-20 14:30:22,001: ERROR/ForkPoolWorker-2] ",
        ),
        (
            "[Sat May 20 14:30:22 2023] [wsgi:error] [pid 5] ",
            "[Sat May 20 14:30:22 2023] [core:error] [pid 9] ",
        ),
    ] {
        let text: String = TRACE
            .lines()
            .map(|line| format!("{head}{line}\n"))
            .collect();
        let found = parse(&format!("{text}{other}  lost\n"));
        assert_eq!(found.len(), 2, "{other}");
        assert_eq!(found[1].body.as_deref(), Some("lost"));
    }
}

#[test]
fn silence_ends_a_trace() {
    let mut parser = LogParser::new(&options());
    let mut found = Vec::new();
    parser.feed(b"ERROR:root:a\n", &mut |one| found.push(one));
    assert!(found.is_empty());
    parser.quiet(&mut |one| found.push(one));
    assert_eq!(found.len(), 1);
    parser.feed(TRACE.as_bytes(), &mut |one| found.push(one));
    parser.quiet(&mut |one| found.push(one));
    assert_eq!(found.len(), 2);
    parser.finish(&mut |one| found.push(one));
    assert_eq!(found.len(), 2);
}

#[test]
fn colours_and_carriage_returns() {
    check(
        "\x1b[31mERROR\x1b[0m:root:a\r\n",
        &["python log 17 ERROR [root] a @-"],
    );
    let dos = TRACE.replace('\n', "\r\n");
    check(&dos, &["- exception 17 {KeyError: 'x'} @-"]);
}

#[test]
fn ids_differ_and_fingerprints_don_t() {
    let found = parse("ERROR:root:user 17 is gone\nERROR:root:user 18 is gone\nERROR:root:other\n");
    assert_ne!(found[0].id, found[1].id);
    assert_eq!(found[0].fingerprint, found[1].fingerprint);
    assert_ne!(found[0].fingerprint, found[2].fingerprint);
    let later = format!(
        "x\n{}",
        TRACE.replace("line 3", "line 4").replace("'x'", "'y'")
    );
    assert_eq!(parse(TRACE)[0].fingerprint, parse(&later)[0].fingerprint);
    // A hash that is specified: the same everywhere and always.
    assert_eq!(format!("{:016x}", found[2].fingerprint), "53e08b643a09df7c");
}

#[test]
fn a_stack_of_go_alone_belongs_to_an_error_line() {
    for stack in [
        "main.take\n\t/src/till.go:12\nruntime.main\n\t/usr/local/go/src/runtime/proc.go:250\n",
        "goroutine 45 [running]:\nmain.take(0x0)\n\t/src/till.go:12 +0x20\n",
    ] {
        let found = parse(&format!(
            "E1122 10:00:05.123456 1234 main.go:10] it failed\n{stack}"
        ));
        assert_eq!(found.len(), 1, "{stack}");
        assert_eq!(found[0].body.as_deref(), Some("it failed"));
        let exception = found[0].exception.as_ref().unwrap();
        assert_eq!(exception.frames[0].function.as_deref(), Some("main.take"));
        assert_eq!(exception.frames[0].line, Some(12));
        check(stack, &[]);
        check(
            &format!("W1122 10:00:05.123456 1234 main.go:10] slow\n{stack}"),
            &[],
        );
        check(
            &format!("ERROR:root:a\nINFO:root:b\n{stack}"),
            &["python log 17 ERROR [root] a @-"],
        );
    }
}

#[test]
fn an_exception_in_a_line_of_monolog_has_its_level() {
    let line = |level| {
        format!(
            r#"[2023-05-20T14:30:22+00:00] app.{level}: Error {{"exception":"[object] (App\\Unpaid(code: 0): not paid at /srv/app/src/Till.php:12)"}} []"#
        )
    };
    let found = parse(&line("ERROR"));
    assert_eq!(found.len(), 1);
    let exception = found[0].exception.as_ref().unwrap();
    assert_eq!(exception.name, "App\\Unpaid");
    assert_eq!(exception.message.as_deref(), Some("not paid"));
    assert_eq!(exception.frames[0].line, Some(12));
    for level in ["INFO", "WARNING", "DEBUG"] {
        check(&line(level), &[]);
    }
}

/// Rails puts tags before every line, and the first one is blank.
#[test]
fn a_trace_with_tags_on_every_line() {
    let trace = "[6b2ad8c1]   \n\
        [6b2ad8c1] RuntimeError (till is closed):\n\
        [6b2ad8c1]   \n\
        [6b2ad8c1] app/models/till.rb:12:in `take'\n\
        [6b2ad8c1] app/controllers/orders_controller.rb:7:in `show'\n";
    let bare = format!("[6b2ad8c1] Started GET \"/orders/7\" for 10.0.0.9\n{trace}[7c] on\n");
    check(&bare, &["- exception 17 {RuntimeError: till is closed} @-"]);
    let head = "F, [2023-05-20T14:30:22.000000 #812] FATAL -- : ";
    let found = parse(&format!("{head}{trace}"));
    assert_eq!(found.len(), 1, "{found:?}");
    let exception = found[0].exception.as_ref().unwrap();
    assert_eq!((found[0].severity.number, exception.frames.len()), (21, 2));
    // As journald has it.
    let trimmed = trace.replace("]   \n", "]\n");
    let found = parse(&trimmed);
    assert_eq!(found.len(), 1, "{found:?}");
    let exception = found[0].exception.as_ref().unwrap();
    assert_eq!(exception.message.as_deref(), Some("till is closed"));
    assert_eq!(exception.frames.len(), 2);
    // Of another request.
    let other = trace.replace("[6b2ad8c1] app/c", "[7c] app/c");
    let found = parse(&other);
    assert_eq!(found[0].exception.as_ref().unwrap().frames.len(), 1);
}

#[test]
fn an_exception_behind_the_message_of_nlog() {
    check(
        "2026-05-20 14:30:22.1234|ERROR|Shop.Cart|No order|System.ArgumentException: closed\n   \
         at Shop.Cart.Close(Int32 id) in /src/Cart.cs:line 12\n\
         2026-05-20 14:30:23.1234|INFO|Shop.Cart|on\n",
        &[
            "python exception 17 ERROR [Shop.Cart] No order|System.ArgumentException: closed \
           {System.ArgumentException: closed} @1779287422123400000",
        ],
    );
}

#[test]
fn brackets_before_a_message_of_ruby_are_no_tags() {
    for head in [
        "E, [2023-05-20T14:30:22.000000 #812] ERROR -- : [1, 2] is no till (ArgumentError)",
        "[worker-1] is no till (ArgumentError)",
    ] {
        let found = parse(&format!("{head}\napp/models/till.rb:12:in `take'\n"));
        assert_eq!(found.len(), 1, "{head}");
        let exception = found[0].exception.as_ref().expect(head);
        assert_eq!(exception.name, "ArgumentError");
        assert_eq!(exception.frames.len(), 1, "{head}");
    }
}
