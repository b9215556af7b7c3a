//! JSON lines: levels, times, messages, exceptions.

use super::*;
use crate::incident::exception::Language;

#[test]
fn levels_under_every_key() {
    for (line, expect) in [
        (r#"{"level":"error","msg":"a"}"#, "17 error"),
        (r#"{"severity":"CRITICAL","msg":"a"}"#, "18 CRITICAL"),
        (r#"{"levelname":"FATAL","msg":"a"}"#, "21 FATAL"),
        (r#"{"log.level":"error","msg":"a"}"#, "17 error"),
        (r#"{"log":{"level":"error"},"msg":"a"}"#, "17 error"),
        (r#"{"level":50,"msg":"a"}"#, "17 50"),
        (r#"{"level":60,"msg":"a"}"#, "21 60"),
        (r#"{"levelno":40,"msg":"a"}"#, "17 40"),
        (r#"{"severity_number":18,"msg":"a"}"#, "18 18"),
        (r#"{"level":3,"short_message":"a","version":"1.1"}"#, "17 3"),
        (
            r#"{"level":400,"level_name":"ERROR","message":"a"}"#,
            "17 ERROR",
        ),
        (
            r#"{"level":"ERROR","level_value":40000,"message":"a"}"#,
            "17 ERROR",
        ),
        (r#"{"@l":"Error","@m":"a"}"#, "17 Error"),
        (r#"{ "level" : "error" , "msg" : "a" }"#, "17 error"),
    ] {
        check(line, &[format!("json log {expect} a @-").as_str()]);
        // Behind a line of the same format the quick look decides.
        let text = format!("{{\"level\":\"info\",\"msg\":\"x\"}}\n{line}\n");
        check(&text, &[format!("json log {expect} a @-").as_str()]);
    }
    for line in [
        r#"{"level":"warning","msg":"error"}"#,
        r#"{"level":40,"msg":"a"}"#,
        r#"{"level":3,"name":"goblin"}"#,
        r#"{"msg":"error"}"#,
        r#"{"status":"error","error":"x"}"#,
        r#"{"level":"info","error":null}"#,
        r#"{"reason":"compiler-message","message":{"level":"error","message":"a"}}"#,
        r#"{"level":"error","msg":"a"} and more"#,
    ] {
        check(line, &[]);
    }
}

#[test]
fn times() {
    for time in [
        r#""timestamp":"2023-05-20T14:30:22Z""#,
        r#""time":"2023-05-20T16:30:22+02:00""#,
        r#""ts":1684593022"#,
        r#""ts":1684593022.0"#,
        r#""time":1684593022000"#,
        r#""@timestamp":"2023-05-20T14:30:22.000Z""#,
        r#""asctime":"2023-05-20 14:30:22,000""#,
    ] {
        check(
            &format!("{{{time},\"level\":\"error\",\"event\":\"a\"}}"),
            &["json log 17 error a"],
        );
    }
}

const STACK: &str = r#"Traceback (most recent call last):\n  File \"/srv/a.py\", line 3, in f\n    g()\nKeyError: 'x'\n"#;

#[test]
fn exceptions_inside() {
    for fields in [
        format!(r#""exc_info":"{STACK}""#),
        format!(r#""exception":"{STACK}""#),
        format!(r#""stack_trace":"{STACK}""#),
        format!(r#""stack":"{STACK}""#),
        format!(r#""error":{{"type":"KeyError","message":"'x'","stack_trace":"{STACK}"}}"#),
        format!(r#""error.type":"KeyError","error.message":"'x'","error.stack_trace":"{STACK}""#),
        format!(r#""err":{{"type":"KeyError","message":"'x'","stack":"{STACK}"}}"#),
        format!(
            r#""error_details":{{"exception_type":"KeyError","message":"'x'","traceback":[{}]}}"#,
            STACK
                .split_inclusive(r"\n")
                .map(|line| format!("\"{line}\""))
                .collect::<Vec<_>>()
                .join(",")
        ),
    ] {
        let found = parse(&format!(
            "{{\"level\":\"ERROR\",\"message\":\"m\",{fields}}}\n"
        ));
        assert_eq!(found.len(), 1, "{fields}");
        assert_eq!(
            shown(&found[0]),
            "json exception 17 ERROR m {KeyError: 'x'} @-",
            "{fields}"
        );
        let exception = found[0].exception.as_ref().unwrap();
        assert_eq!(exception.frames.len(), 1, "{fields}");
        assert_eq!(exception.frames[0].function.as_deref(), Some("f"));
        // Also where nothing else says that it is an error.
        let found = parse(&format!("{{\"message\":\"m\",{fields}}}\n"));
        assert_eq!(found.len(), 1, "{fields}");
        assert_eq!(found[0].severity.number, 17);
    }
}

#[test]
fn frames_as_objects() {
    let found = parse(
        r#"{"event":"m","level":"error","exception":[{"exc_type":"ValueError","exc_value":"bad","is_cause":false,"frames":[{"filename":"/srv/a.py","lineno":12,"name":"main"},{"filename":"/usr/lib/python3.11/b.py","lineno":3,"name":"inner"}]},{"exc_type":"KeyError","exc_value":"'x'","is_cause":true,"frames":[{"filename":"/srv/c.py","lineno":5,"name":"deep"}]}]}
{"level":"ERROR","message":"m","thrown":{"name":"a.BError","message":"bad","extendedStackTrace":[{"class":"a.B","method":"c","file":"B.java","line":3}],"cause":{"name":"a.C","message":"x"}}}
{"level":3,"version":"1.1","host":"h","short_message":"m","full_message":"m\njava.lang.Exception: x\n\tat a.B.c(B.java:3)"}
"#,
    );
    let shown: Vec<String> = found.iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            "json exception 17 error m {ValueError: bad} @-",
            "json exception 17 ERROR m {a.BError: bad} @-",
            "json exception 17 3 m {java.lang.Exception: x} @-",
        ]
    );
    let python = found[0].exception.as_ref().unwrap();
    let names: Vec<_> = python
        .frames
        .iter()
        .map(|one| one.function.as_deref())
        .collect();
    assert_eq!(names, [Some("inner"), Some("main")]);
    assert_eq!(
        [python.frames[0].in_app, python.frames[1].in_app],
        [false, true]
    );
    assert_eq!(python.causes[0].name, "KeyError");
    assert_eq!(python.causes[0].frames[0].line, Some(5));
    let java = found[1].exception.as_ref().unwrap();
    assert_eq!(java.frames[0].module.as_deref(), Some("a.B"));
    assert_eq!(java.causes[0].name, "a.C");
}

#[test]
fn frames_stay_where_another_object_has_none() {
    let found = parse(
        r#"{"level":"error","message":"m","exception":{"type":"E","message":"bad","frames":[{"function":"f","file":"a.js","line":3}]},"error":{"code":5}}
"#,
    );
    assert_eq!(found.len(), 1);
    let exception = found[0].exception.as_ref().unwrap();
    assert_eq!(exception.frames.len(), 1, "{exception:?}");
    assert_eq!(exception.language, Language::Unknown);
}

#[test]
fn the_first_look_misses_no_error() {
    // Without a line before it, the whole reader decides.
    let keys = [
        "level",
        "Level",
        "LEVEL",
        "severity",
        "SEVERITY",
        "levelname",
        "level_name",
        "loglevel",
        "log_level",
        "logLevel",
        "LogLevel",
        "lvl",
        "@l",
        "severityText",
        "severity_text",
        "SeverityText",
        "log.level",
        "s",
    ];
    let values = [
        "error",
        "ERROR",
        "Err",
        "fatal",
        "CRITICAL",
        "alert",
        "emergency",
        "panic",
        "dpanic",
        "DPANIC",
        "severe",
        "ftl",
        " ERROR",
        "E",
        "F",
    ];
    for key in keys {
        for value in values {
            for line in [
                format!(r#"{{"msg":"m","{key}":"{value}"}}"#),
                format!(r#"{{"{key}" : "{value}","msg":"m"}}"#),
            ] {
                let alone = parse(&line).len();
                let behind =
                    parse(&format!("{{\"level\":\"info\",\"msg\":\"x\"}}\n{line}\n")).len();
                assert_eq!((alone, behind), (1, 1), "{line}");
            }
        }
    }
    for (key, value) in [
        ("priority", 3),
        ("PRIORITY", 2),
        ("levelno", 45),
        ("severityNumber", 17),
        ("severity_number", 20),
        ("level_value", 40_000),
        ("level", 500),
    ] {
        let line = format!(r#"{{"msg":"m","time":"2023-05-20T14:30:22Z","{key}":{value}}}"#);
        let behind = format!("{{\"level\":\"info\",\"msg\":\"x\"}}\n{line}\n");
        assert_eq!((parse(&line).len(), parse(&behind).len()), (1, 1), "{line}");
    }
    let trace = r"thread 'main' panicked at src/main.rs:3:5:\nboom\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";
    let line = format!(r#"{{"level":"info","msg":"{trace}"}}"#);
    let behind = format!("{{\"level\":\"info\",\"msg\":\"x\"}}\n{line}\n");
    assert_eq!((parse(&line).len(), parse(&behind).len()), (1, 1), "{line}");
}

#[test]
fn a_type_without_a_stack() {
    check(
        r#"{"level":"error","msg":"m","error":{"type":"db.Timeout","message":"too slow"}}"#,
        &["json exception 17 error m {db.Timeout: too slow} @-"],
    );
    check(
        r#"{"level":"info","msg":"m","error":{"type":"db.Timeout"}}"#,
        &[],
    );
}

#[test]
fn deep_json_is_none() {
    let line = |depth: usize| {
        format!(
            "{{\"level\":\"error\",\"msg\":\"a\",\"x\":{}1{}}}",
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    check(&line(127), &["json log 17 error a @-"]);
    check(&line(128), &[]);
    check(&line(100_000), &[]);
}
