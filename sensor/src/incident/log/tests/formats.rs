//! Each format as real programs print it.

use super::*;

#[test]
fn the_guides_format() {
    check(
        "[ERROR][2023-05-20 14:30:22] MyModule - KeyError: 'user_id' in process_user\n",
        &[
            "bracket exception 17 ERROR [MyModule] KeyError: 'user_id' in process_user \
           {KeyError: 'user_id' in process_user}",
        ],
    );
    check("[INFO][2023-05-20 14:30:22] MyModule - KeyError: x\n", &[]);
    check(
        "[CRITICAL][2023-05-20 14:30:22] MyModule - out of disk\n",
        &["bracket log 18 CRITICAL [MyModule] out of disk"],
    );
}

#[test]
fn python_logging() {
    for (line, expect) in [
        (
            "ERROR:root:it failed",
            "python log 17 ERROR [root] it failed @-",
        ),
        (
            "CRITICAL:a.b:it: failed",
            "python log 18 CRITICAL [a.b] it: failed @-",
        ),
        (
            "2023-05-20 14:30:22 - my.mod - ERROR - it failed",
            "python log 17 ERROR [my.mod] it failed",
        ),
        (
            "2023-05-20 14:30:22 ERROR my.mod: it failed",
            "python log 17 ERROR [my.mod] it failed",
        ),
        (
            "2023-05-20 14:30:22 [ERROR] my.mod: it failed",
            "python log 17 ERROR [my.mod] it failed",
        ),
        (
            "2023-05-20 14:30:22 ERROR it failed",
            "python log 17 ERROR it failed",
        ),
        (
            "[2023-05-20 14:30:22: ERROR/MainProcess] it failed",
            "python log 17 ERROR it failed",
        ),
        (
            "[2023-05-20 14:30:22 +0000] [1234] [ERROR] it failed",
            "python log 17 ERROR it failed",
        ),
        (
            "[2023-05-20 14:30:22] ERROR in app: it failed",
            "python log 17 ERROR in app: it failed",
        ),
        (
            "2023-05-20 14:30:22 | ERROR    | a.b:f:12 - it failed",
            "python log 17 ERROR [a.b:f] it failed",
        ),
        (
            "ERROR:    Exception in ASGI application",
            "python log 17 ERROR Exception in ASGI application @-",
        ),
        (
            "2023-05-20 14:30:22,000 till ERROR it failed",
            "python log 17 ERROR [till] it failed",
        ),
        (
            "2023-05-20 14:30:22,000,0 till ERROR [a.py:7] it failed",
            "python log 17 ERROR [till] it failed",
        ),
        (
            "2023-05-20 14:30:22 till         ERROR    it failed",
            "python log 17 ERROR [till] it failed",
        ),
        (
            "2023-05-20 14:30:22 | ERROR    | 12 | a.b:f:12 - it failed",
            "python log 17 ERROR [a.b:f] it failed",
        ),
        (
            "[14:30:22.000] ERROR (till/12): it failed",
            "python log 17 ERROR [till] it failed @-",
        ),
        (
            "2023-05-20 14:30:22 ERROR KeyError: 'x'",
            "python log 17 ERROR KeyError: 'x'",
        ),
    ] {
        check(line, &[expect]);
    }
    let fraction = parse("2023-05-20 14:30:22,123 - a - ERROR - x\n");
    assert_eq!(fraction[0].time, Some(THEN + 123_000_000));
}

#[test]
fn log4j_and_logback() {
    for (line, expect) in [
        (
            "2023-05-20 14:30:22 ERROR [main] com.example.Foo - it failed",
            "log4j log 17 ERROR [com.example.Foo] it failed",
        ),
        (
            "2023-05-20 14:30:22 [main] ERROR com.example.Foo - it failed",
            "log4j log 17 ERROR [com.example.Foo] it failed",
        ),
        (
            "14:30:22.123 [main] ERROR com.example.Foo -- it failed",
            "log4j log 17 ERROR [com.example.Foo] it failed @-",
        ),
        (
            "2023-05-20 14:30:22,123 ERROR c.e.Foo [pool-1-thread-1] it failed",
            "log4j log 17 ERROR [c.e.Foo] it failed @1684593022123000000",
        ),
        (
            "2023-05-20 14:30:22 ERROR com.example.Foo:12 - it failed",
            "log4j log 17 ERROR [com.example.Foo] it failed",
        ),
        (
            "2023-05-20 14:30:22 [http-nio-8080-exec-1] FATAL c.e.Foo - it failed",
            "log4j log 21 FATAL [c.e.Foo] it failed",
        ),
        (
            "2023-05-20 14:30:22 ERROR 1234 --- [           main] c.e.Foo                 : it failed",
            "log4j log 17 ERROR [c.e.Foo] it failed",
        ),
        (
            "[main] ERROR com.example.Foo - it failed",
            "log4j log 17 ERROR [com.example.Foo] it failed @-",
        ),
        (
            "ERROR [main] com.example.Foo - it failed",
            "log4j log 17 ERROR [com.example.Foo] it failed @-",
        ),
        (
            "0    [main] ERROR com.example.Foo  - it failed",
            "log4j log 17 ERROR [com.example.Foo] it failed @-",
        ),
    ] {
        check(line, &[expect]);
    }
}

#[test]
fn others_with_a_head() {
    for (line, part) in [
        (
            "[2023-05-20T14:30:22Z ERROR app::db] it failed",
            "17 ERROR [app::db] it failed",
        ),
        (
            "2023-05-20T14:30:22Z ERROR app::db: it failed",
            "17 ERROR [app::db] it failed",
        ),
        (
            "2023-05-20T14:30:22Z ERROR request{id=7 m=\"GET\"}:query{n=1}: app::db: it failed",
            "17 ERROR [app::db] it failed",
        ),
        (
            "2023-05-20T14:30:22Z ERROR request{id=7}:inner: app::db: it failed",
            "17 ERROR [app::db] it failed",
        ),
        (
            "2023-05-20T14:30:22Z ERROR outer:request{id=7}:a:b: app: it failed",
            "17 ERROR [app] it failed",
        ),
        (
            "2023-05-20T14:30:22Z ERROR ThreadId(01) app::db: it failed",
            "17 ERROR [app::db] it failed",
        ),
        (
            "  2023-05-20T14:30:22Z ERROR app::db: it failed",
            "17 ERROR [app::db] it failed",
        ),
        (
            "2023-05-20T14:30:22Z\tERROR\tapp\tmain.go:12\tit failed",
            "17 ERROR [app]",
        ),
        (
            "E, [2023-05-20T14:30:22 #12] ERROR -- : it failed",
            "17 ERROR it failed",
        ),
        (
            "[2023-05-20 14:30:22] production.ERROR: it failed",
            "17 ERROR [production] it failed",
        ),
        (
            "2023-05-20 14:30:22 UTC [12] FATAL:  it failed",
            "21 FATAL it failed",
        ),
        (
            "2023-05-20T14:30:22Z 0 [ERROR] [MY-1] [Server] it failed",
            "17 ERROR",
        ),
        ("14:30:22.123 [error] it failed", "17 error it failed"),
        (
            "2023-05-20 14:30:22 0 [ERROR] mariadbd: it failed",
            "17 ERROR [mariadbd] it failed",
        ),
        (
            "2023-05-20T14:30:22.000Z [till] error: it failed",
            "17 error it failed",
        ),
        ("2023-05-20 14:30:22 error: it failed", "17 error it failed"),
        (
            "[2023-05-20 14:30:22] error: it failed",
            "17 error it failed",
        ),
        (
            "2023-05-20T14:30:22Z ERROR:    [Errno 98] it failed",
            "17 ERROR [Errno 98] it failed",
        ),
        (
            "[Nest] 12  - 05/20/2023, 2:30:22 PM   ERROR [Orders] it failed",
            "log4j log 17 ERROR [Orders] it failed",
        ),
        (
            "time=2023-05-20T14:30:22.000Z level=ERROR+2 msg=\"it failed\"",
            "logfmt log 19 ERROR+2 it failed",
        ),
        (
            "{\"time\":\"2023-05-20T14:30:22Z\",\"level\":\"ERROR+4\",\"msg\":\"it failed\"}",
            "json log 21 ERROR+4 it failed",
        ),
    ] {
        let found: Vec<String> = parse(line).iter().map(shown).collect();
        assert!(
            found.len() == 1 && found[0].contains(part),
            "{line}: {found:?}"
        );
    }
}

#[test]
fn a_build_behind_the_time_of_a_container_has_no_level() {
    for line in [
        "2023-05-20T14:30:22Z error: the branch is behind\n",
        "14:30:22 error: the branch is behind\n",
        "May 20 14:30:22 error: the branch is behind\n",
        "2023-05-20 14:30:22 warn: it takes long\n",
        "2023-05-20 14:30:22 got ERROR from the branch\n",
        "time=2023-05-20T14:30:22.000Z level=WARN+3 msg=\"it takes long\"\n",
    ] {
        check(line, &[]);
    }
}

#[test]
fn a_padded_hour_is_read() {
    check(
        "2023-05-20  4:30:22 0 [ERROR] mariadbd: it failed\n",
        &["python log 17 ERROR [mariadbd] it failed @1684557022000000000"],
    );
    check(
        "[Nest] 12  - 20.05.2023, 14:30:22   ERROR it failed\n",
        &["log4j log 17 ERROR it failed @-"],
    );
}

#[test]
fn loggers_in_brackets_and_odd_ones() {
    for (line, part) in [
        (
            "2023-05-20T14:30:22Z ERROR 1 --- [nio-8080-exec-1] o.a.c.c.C.[.[.[/].[dispatcherServlet]    : it failed",
            "17 ERROR [o.a.c.c.C.[.[.[/].[dispatcherServlet]] it failed",
        ),
        (
            "2023-05-20 14:30:22,000 ERROR [org.jboss.as.server] (Boot Thread) it failed",
            "17 ERROR [org.jboss.as.server] it failed",
        ),
        (
            "[2023-05-20T14:30:22,000][ERROR][o.e.b.Handler            ] [node-1] it failed",
            "17 ERROR [o.e.b.Handler] it failed",
        ),
        (
            "[20/May/2023 14:30:22] ERROR [django.request:241] it failed",
            "17 ERROR [django.request] it failed",
        ),
        (
            "2023-05-20 14:30:22 [error    ] it_failed          order=12",
            "17 error it_failed          order=12",
        ),
        (
            "2023-05-20 14:30:22.0000|ERROR|App.Till|it failed",
            "17 ERROR [App.Till] it failed",
        ),
        (
            "[ERROR] 2023-05-20 14:30:22,000 it failed",
            "17 ERROR it failed",
        ),
        (
            "[ERROR] 2023-05-20 14:30:22,000 - it failed",
            "17 ERROR it failed",
        ),
        (
            "2023-05-20T14:30:22.000Z main ERROR Unable to locate it",
            "17 ERROR Unable to locate it",
        ),
        (
            "14:30:22.123 request_id=FabC pid=<0.1.0> [error] it failed",
            "17 error it failed",
        ),
    ] {
        let found: Vec<String> = parse(line).iter().map(shown).collect();
        assert!(
            found.len() == 1 && found[0].contains(part),
            "{line}: {found:?}"
        );
    }
    check("14:30:22 a=b ERROR said the prose\n", &[]);
    check(
        "14:30:22 a=b [info] fine\n[INFO] 2023-05-20 14:30:22 fine\n",
        &[],
    );
}

#[test]
fn php_behind_apache() {
    let trace = r"PHP Fatal error:  Uncaught Exception: it failed in /srv/a.php:2\nStack trace:\n#0 /srv/i.php(9): f()\n#1 {main}\n  thrown in /srv/a.php on line 2";
    for text in [
        format!("[php:error] [pid 5] [client ::1:5] {trace}, referer: http://x/"),
        format!("[proxy_fcgi:error] [pid 5:tid 9] AH01071: Got error 'PHP message: {trace}'"),
    ] {
        let found = parse(&format!("[Sat May 20 14:30:22 2023] {text}\n"));
        let exception = found[0].exception.as_ref().unwrap();
        assert_eq!(exception.headline(), "Exception: it failed", "{text}");
        let files: Vec<_> = exception
            .frames
            .iter()
            .map(|frame| frame.file.as_deref())
            .collect();
        assert_eq!(files, [Some("/srv/a.php"), Some("/srv/i.php"), None]);
    }
    // A backslash is two there.
    let found = parse(
        r"[Sat May 20 14:30:22 2023] [php:error] [pid 5] PHP Fatal error:  Uncaught App\\nodes\\Foo: boom in /srv/a.php:3\nStack trace:\n#0 {main}\n  thrown in /srv/a.php on line 3",
    );
    let exception = found[0].exception.as_ref().unwrap();
    assert_eq!(exception.headline(), r"App\nodes\Foo: boom");
}

#[test]
fn java_util_logging() {
    check(
        "May 20, 2023 2:30:21 PM com.shop.Cart close\nINFO: closing\n\
         May 20, 2023 2:30:22 PM com.shop.Cart close\nSEVERE: it failed\n\
         java.lang.IllegalStateException: closed\n\tat com.shop.Cart.close(Cart.java:12)\n\n\
         May 20, 2023 2:30:22 PM com.shop.Cart close\nSEVERE: alone\n\
         May 20, 2023 2:30:22 PM com.shop.Cart close\nWARNING: fine\nSEVERE: prose\n",
        &[
            "log4j exception 17 SEVERE [com.shop.Cart] it failed {java.lang.IllegalStateException: closed}",
            "log4j log 17 SEVERE [com.shop.Cart] alone",
        ],
    );
    let found = parse("May 20, 2023 2:30:22 PM a.B c\nSEVERE: x\n");
    let original = found[0].origin.original.as_deref();
    assert_eq!(original, Some("May 20, 2023 2:30:22 PM a.B c\nSEVERE: x"));
}

#[test]
fn consoles_of_logrus_and_zerolog() {
    check(
        "INFO[0000] fine          a=1\n\
         ERRO[0012] it failed     err=\"x y\" order=7\n\
         FATA[2023-05-20T14:30:22Z] it died  err=x\n\
         2:30PM INF fine a=1\n\
         2:30PM ERR it failed error=\"x y\" order=7\n\
         2:30PM PNC it died\n",
        &[
            "logfmt log 17 ERRO it failed @-",
            "logfmt log 21 FATA it died",
            "logfmt log 17 ERR it failed @-",
            "logfmt log 21 PNC it died @-",
        ],
    );
}

#[test]
fn console_of_zap() {
    let text = "2023-05-20T14:30:22.000Z\tINFO\tapp\tshop/main.go:12\tfine\t{\"a\": 1}\n\
         2023-05-20T14:30:22.000Z\tERROR\tapp\tshop/main.go:12\tit failed\t{\"error\": \"x\"}\n\
         2023-05-20T14:30:22.000Z\tERROR\tmain.go:12\tno name\n\
         1.684593022e+09\terror\tno place\n";
    check(
        text,
        &[
            "log4j log 17 ERROR [app] it failed",
            "log4j log 17 ERROR no name",
            "log4j log 17 error no place",
        ],
    );
    let place = parse(text).swap_remove(0).origin.place.unwrap();
    assert_eq!(
        (place.file.as_deref(), place.line),
        (Some("shop/main.go"), Some(12))
    );
}

#[test]
fn console_of_dotnet() {
    check(
        "info: Shop.Cart[0]\n      fine\n\
         fail: Shop.Cart[13]\n      it failed\n      System.InvalidOperationException: boom\n         \
         at Shop.Cart.Add(Int32 n) in /srv/Cart.cs:line 33\n\
         crit: Shop.Cart[0]\n      it died\n\
         warn: Shop.Cart[0]\n      fine\n\
         fail: no category\n",
        &[
            "log4j exception 17 fail [Shop.Cart] it failed {System.InvalidOperationException: boom} @-",
            "log4j log 21 crit [Shop.Cart] it died @-",
        ],
    );
}

#[test]
fn a_trace_behind_a_time_of_its_own_is_another_record() {
    check(
        "[20-May-2023 14:30:22] ERROR: [pool www] unable to fork\n\
         [20-May-2023 14:30:22 UTC] PHP Fatal error:  Uncaught Exception: first in /srv/a.php:3\n\
         Stack trace:\n#0 {main}\n  thrown in /srv/a.php on line 3\n",
        &[
            "log4j log 17 ERROR unable to fork",
            "- exception 17 {Exception: first}",
        ],
    );
}

#[test]
fn klog_and_glog() {
    let found = parse(
        "E0520 14:30:22.123456    1234 file.go:12] it failed\nI0520 14:30:22.1 1 a.go:1] ERROR\n",
    );
    assert_eq!(found.len(), 1);
    assert_eq!(
        shown(&found[0]),
        format!("klog log 17 E it failed @{}", THEN + 123_456_000)
    );
    let place = found[0].place().unwrap();
    assert_eq!(
        (place.file.as_deref(), place.line),
        (Some("file.go"), Some(12))
    );
    check(
        "F20230520 14:30:22 1234 file.cc:12] it failed\n",
        &["klog log 21 F it failed"],
    );
}

#[test]
fn web_servers() {
    check(
        "2023/05/20 14:30:22 [error] 12#34: *5 open() \"/x\" failed (2: No such file), client: 1.2.3.4\n\
         2023/05/20 14:30:22 [warn] 12#34: *5 slow\n\
         2023/05/20 14:30:22 [emerg] 12#34: bind() failed\n",
        &[
            "nginx log 17 error open() \"/x\" failed (2: No such file), client: 1.2.3.4 pid 12",
            "nginx log 21 emerg bind() failed pid 12",
        ],
    );
    check(
        "[Sat May 20 14:30:22.000000 2023] [core:error] [pid 12:tid 34] [client 1.2.3.4:5] AH1: no file\n\
         [Sat May 20 14:30:22 2023] [error] [client 1.2.3.4] no file\n\
         [Sat May 20 14:30:22 2023] [core:notice] [pid 12] fine\n",
        &[
            "apache log 17 error [core] AH1: no file pid 12",
            "apache log 17 error no file",
        ],
    );
}

#[test]
fn logfmt_lines() {
    check(
        "time=\"2023-05-20T14:30:22Z\" level=error msg=\"it \\\"failed\\\"\" logger=db\n\
         ts=2023-05-20T14:30:22Z lvl=crit msg=x\n\
         level=info msg=\"no error\"\n\
         error=yes count=3\n",
        &[
            "logfmt log 17 error [db] it \"failed\"",
            "logfmt log 18 crit x",
        ],
    );
}

#[test]
fn a_format_that_is_forced_is_the_only_one() {
    let text = b"ERROR:root:a\n{\"level\":\"error\",\"msg\":\"b\"}\n";
    for (format, expect) in [("python", "a"), ("json", "b")] {
        let options = LogOptions {
            format: Some(format.to_owned()),
            ..options()
        };
        let found = parse_with(&options, text);
        let bodies: Vec<_> = found
            .iter()
            .map(|one| one.body.as_deref().unwrap())
            .collect();
        assert_eq!(bodies, [expect]);
    }
}

#[test]
fn custom_formats() {
    let till = format::CustomFormat::new(
        "till",
        r"^(?P<time>\S+ \S+) till(?P<logger>\d+) (?P<level>[A-Z])! (?P<message>.*)$",
        Some("%Y/%m/%d %H:%M:%S"),
        &[("X".to_owned(), 17), ("N".to_owned(), 9)],
    );
    let formats = format::Formats::with([std::sync::Arc::new(till.unwrap()) as _]);
    let options = LogOptions {
        formats: std::sync::Arc::new(formats),
        ..options()
    };
    let text = "2023/05/20 14:30:22 till7 X! drawer stuck\n2023/05/20 14:30:22 till7 N! open\nERROR:root:a\n";
    let found: Vec<String> = parse_with(&options, text.as_bytes())
        .iter()
        .map(shown)
        .collect();
    assert_eq!(
        found,
        [
            "till log 17 X [7] drawer stuck",
            "python log 17 ERROR [root] a @-"
        ]
    );
}

#[test]
fn the_format_may_change_within_a_source() {
    check(
        "{\"level\":\"error\",\"msg\":\"a\"}\nERROR:root:b\ntime=2023-05-20T14:30:22Z level=error msg=c\n\
         {\"level\":\"info\",\"msg\":\"x\"}\n{\"level\":\"error\",\"msg\":\"d\"}\n",
        &[
            "json log 17 error a @-",
            "python log 17 ERROR [root] b @-",
            "logfmt log 17 error c",
            "json log 17 error d @-",
        ],
    );
}
