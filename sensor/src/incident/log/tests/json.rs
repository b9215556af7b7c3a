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
fn what_lies_below() {
    for (line, expect) in [
        (
            r#"{"timestamp":"2024-11-22T10:00:00Z","level":"ERROR","fields":{"message":"lost","name":"bob"},"target":"till::db"}"#,
            "json log 17 ERROR [till::db] lost @1732269600000000000",
        ),
        (
            r#"{"level":"error","fields":{"message":"is required"},"msg":"failed"}"#,
            "json log 17 error failed @-",
        ),
        (
            r#"{"Level":"Error","MessageTemplate":"no {Till}","Properties":{"SourceContext":"A.B","Level":"x"}}"#,
            "json log 17 Error [A.B] no {Till} @-",
        ),
        (
            r#"{"LogLevel":"Error","Category":"A.B","Message":"m","Exception":"A.C: x\n   at A.B.D() in /a.cs:line 4"}"#,
            "json exception 17 Error [A.B] m {A.C: x} @-",
        ),
        (
            r#"{"level":"error","target":"db","msg":7}"#,
            "json log 17 error 7 @-",
        ),
        (r#"{"level":50,"msg":7.5}"#, "json log 17 50 7.5 @-"),
        (
            r#"{"instant":{"epochSecond":1732269600,"nanoOfSecond":123000000},"level":"ERROR","message":"a"}"#,
            "json log 17 ERROR a @1732269600123000000",
        ),
        (
            r#"{"text":"a","record":{"level":{"name":"ERROR","no":40},"message":"a","name":"m","time":{"repr":"x","timestamp":1732269600.5}}}"#,
            "json log 17 ERROR [m] a @1732269600500000000",
        ),
        (
            "\u{feff}{\"level\":\"error\",\"msg\":\"a\"}",
            "json log 17 error a @-",
        ),
    ] {
        check(line, &[expect]);
    }
    for line in [
        r#"{"message":"User Deprecated: y","context":{"exception":{"class":"ErrorException","message":"y","code":0,"file":"/a.php:12"}},"level":200,"level_name":"INFO","channel":"php"}"#,
        r#"{"level":"info","msg":"sent","text":"Traceback (most recent call last):\n  File \"x\", line 1, in f\nValueError: x"}"#,
        r#"{"msg":"heap profile requested","stack":"main.f\n\t/x.go:1\nmain.g\n\t/y.go:2"}"#,
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

/// The exception of a line: language, type, message, places of the frames, and
/// the types of its causes.
#[track_caller]
fn check_exception(line: &str, expect: &str) {
    let found = parse(line);
    assert_eq!(found.len(), 1, "{line}");
    let exception = found[0].exception.as_ref().expect(line);
    let mut shown = format!("{:?} {}", exception.language, exception.headline());
    for frame in &exception.frames {
        let (function, file) = (frame.function.as_deref(), frame.file.as_deref());
        shown += &format!(
            " {}@{}:{}",
            function.unwrap_or_default(),
            file.unwrap_or_default(),
            frame.line.unwrap_or_default()
        );
    }
    for cause in &exception.causes {
        shown += &format!(" <- {}", cause.name);
    }
    assert_eq!(shown, expect, "{line}");
}

#[test]
fn stacks_whose_exception_stands_beside() {
    check_exception(
        r#"{"level":"error","msg":"failed","error":"dial","stacktrace":"main.take\n\t/src/till.go:25\nruntime.main\n\t/usr/local/go/src/runtime/proc.go:250"}"#,
        "Go dial main.take@/src/till.go:25 runtime.main@/usr/local/go/src/runtime/proc.go:250",
    );
    check_exception(
        r#"{"level":"error","message":"failed","exception":{"name":"RuntimeError","message":"boom","stack_trace":["app/a.rb:5:in `x'","app/b.rb:6:in 'B#y'"]}}"#,
        "Ruby RuntimeError: boom x@app/a.rb:5 B#y@app/b.rb:6",
    );
    check_exception(
        r#"{"level":"error","message":"x","exception":{"class":"Till::Unpaid","message":"boom","backtrace":["a.rb:5:in `x'","b.rb:6"]}}"#,
        "Ruby Till::Unpaid: boom x@a.rb:5 @b.rb:6",
    );
    // zap's stacks stand in warnings, too.
    check(
        r#"{"level":"warn","msg":"slow","stacktrace":"main.take\n\t/src/till.go:25"}"#,
        &[],
    );
}

#[test]
fn exceptions_as_objects() {
    check_exception(
        r#"{"level":"ERROR","message":"x","exception":{"refId":1,"exceptionType":"java.lang.RuntimeException","message":"a","frames":[{"class":"org.acme.R","method":"hello","line":12}],"causedBy":{"exception":{"refId":2,"exceptionType":"java.io.IOException","message":"io","frames":[{"class":"org.acme.Q","method":"z","line":2}],"causedBy":{"exception":{"exceptionType":"a.Deep","frames":[]}}}}}}"#,
        "Java java.lang.RuntimeException: a hello@:12 <- java.io.IOException <- a.Deep",
    );
    check_exception(
        r#"{"message":"x","context":{"exception":{"class":"App\\Ex","message":"boom","code":0,"file":"/srv/a.php:23","trace":["/srv/b.php:5"],"previous":{"class":"PDOException","message":"deep","code":0,"file":"/srv/c.php:3"}}},"level":400,"level_name":"ERROR","channel":"app"}"#,
        "Php App\\Ex: boom @/srv/a.php:23 @/srv/b.php:5 <- PDOException",
    );
    check_exception(
        r#"{"text":"failed\nTraceback (most recent call last):\n\n> File \"/srv/a.py\", line 4, in f\n    g()\n\nKeyError: 'x'\n","record":{"exception":{"type":"KeyError","value":"'x'","traceback":true},"level":{"name":"ERROR","no":40},"message":"failed"}}"#,
        "Python KeyError: 'x' f@/srv/a.py:4",
    );
}

#[test]
fn rubys_class_message_and_backtrace_stand_side_by_side() {
    let found = parse(
        "{\"time\":\"2023-05-20T14:30:22Z\",\"level\":\"ERROR\",\"message\":\"a\",\
         \"exception_class\":\"Till::Unpaid\",\"exception_message\":\"seven\",\
         \"exception_backtrace\":[\"/srv/till.rb:3:in `pay'\",\"/srv/till.rb:9:in `<main>'\"]}\n",
    );
    let all: Vec<String> = found.iter().map(shown).collect();
    assert_eq!(all, ["json exception 17 ERROR a {Till::Unpaid: seven}"]);
    let exception = found[0].exception.as_ref().unwrap();
    assert_eq!(exception.frames.len(), 2);
}
