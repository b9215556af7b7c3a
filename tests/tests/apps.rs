//! Applications with OpenTelemetry, unchanged, that report to the sensor: what
//! goes wrong in them is one incident each. Needs root, and what `.ci/setup`
//! installs (Python and Node.js packages).
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

use std::{env, fs, path::Path, process::Command};

use sensor_tests::{
    apps::{self, App, installed},
    collector::Ports,
    plugins::Plugins,
    process::built,
    receiving::Receiving,
};
use serde_json::Value;

const OPTIONS: &str = r#"
capture_404 = true
slow_request_threshold = "900ms"
ignore_exceptions = ["OutOfStock", "RangeError"]
ignore_paths = ["/health"]
"#;

/// How spans leave the application.
#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    Http,
    Grpc,
}

/// A sensor that receives, and one application that it watches.
struct Shop {
    plugins: Plugins,
    name: String,
    receiving: Receiving,
}

impl Shop {
    /// Watches what has the name of the shop in its command line.
    fn open(app: &str, options: &str) -> Self {
        let plugins = Plugins::new();
        let name = plugins.unique();
        plugins.plugin(&name, &name, "[match]\non = 'cmdline'");
        if app != "axum" {
            apps::copy(app, &plugins.root().join(&name));
        }
        let receiving = Receiving::start(&plugins, options, &[]);
        Self {
            plugins,
            name,
            receiving,
        }
    }

    fn place(&self) -> String {
        self.plugins.root().join(&self.name).display().to_string()
    }

    /// What a user sets in the environment.
    fn command(&self, program: &Path, protocol: Protocol) -> Command {
        let mut command = Command::new(program);
        let paths = [
            program.parent().unwrap(),
            Path::new("/usr/bin"),
            Path::new("/bin"),
        ];
        let Ports { grpc, http } = self.receiving.ports;
        let (port, name) = match protocol {
            Protocol::Http => (http, "http/protobuf"),
            Protocol::Grpc => (grpc, "grpc"),
        };
        command
            .env_clear()
            .current_dir("/")
            .env("PATH", env::join_paths(paths).unwrap())
            .env(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                format!("http://127.0.0.1:{port}"),
            )
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", name);
        command
    }

    /// Python without changes: `opentelemetry-instrument PROGRAM …`.
    fn python(&self, protocol: Protocol, args: &[&str]) -> App {
        let program = installed("python").join("bin/opentelemetry-instrument");
        let log = self.plugins.root().join("log");
        App::start(&log, |port| {
            let mut command = self.command(&program, protocol);
            command.args(args).arg(port.to_string());
            command.env("OTEL_METRICS_EXPORTER", "none");
            command
        })
    }

    /// What went wrong: each once, in the order of the requests.
    fn incidents(self, app: App, signal: i32) -> Vec<Value> {
        for (request, status) in [
            ("GET /items/cup", 200),
            ("GET /items/pot", 500),
            ("GET /missing", 404),
            ("GET /slow", 200),
            ("GET /health", 500),
            ("POST /orders?password=hunter2", 500),
            ("GET /busy", 503),
        ] {
            assert_eq!(app.ask(request), status, "{request}\n{}", app.said());
        }
        let pid = app.pid();
        app.end(signal);
        let (ended, said) = self.receiving.lines.interrupt();
        assert_eq!(ended.status, 0, "{}", said.errors);
        let out = self.plugins.root().join("out.jsonl");
        let text = fs::read_to_string(out).unwrap_or_default();
        assert!(!text.contains("hunter2"), "{text}");
        let all = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let mut all: Vec<Value> = all.collect();
        for one in &all {
            assert_eq!(one["sensor.incident.kind"], "reported", "{one:#}");
            assert_eq!(one["sensor.incident.count"], 1, "{one:#}");
            assert_eq!(one["process.pid"], pid, "{one:#}");
            assert_eq!(
                one["service.name"],
                serde_json::json!([self.name]),
                "{one:#}"
            );
        }
        // On a loaded machine everything is slow.
        all.retain(|one| !is_slow(one) || path(one) == "/slow");
        let order = [
            "/items/pot",
            "/missing",
            "/slow",
            "/health",
            "/orders",
            "/busy",
        ];
        all.sort_by_key(|one| order.iter().position(|other| *other == path(one)));
        all
    }
}

fn path(incident: &Value) -> &str {
    incident["url.path"].as_str().unwrap_or_default()
}

fn is_slow(incident: &Value) -> bool {
    let cause = incident["sensor.incident.cause"].as_str();
    cause.is_some_and(|cause| cause.contains("longer than"))
}

/// Keys and what they shall be.
#[track_caller]
fn check(incident: &Value, expected: &[(&str, Value)]) {
    for (key, value) in expected {
        assert_eq!(incident[key], *value, "{key}: {incident:#}");
    }
}

/// With all options: the exception, the 404, the slow one and the busy one.
#[track_caller]
fn check_options(all: &[Value]) -> &Value {
    let paths: Vec<&str> = all.iter().map(path).collect();
    assert_eq!(
        paths,
        ["/items/pot", "/missing", "/slow", "/busy"],
        "{all:#?}"
    );
    check(&all[1], &[("http.response.status_code", 404.into())]);
    assert!(is_slow(&all[2]), "{:#}", all[2]);
    check(&all[3], &[("http.response.status_code", 503.into())]);
    assert!(
        all[1..]
            .iter()
            .all(|one| one.get("exception.type").is_none())
    );
    &all[0]
}

/// Without any: the exceptions, and the busy one.
#[track_caller]
fn check_defaults(all: &[Value]) -> &Value {
    let paths: Vec<&str> = all.iter().map(path).collect();
    assert_eq!(
        paths,
        ["/items/pot", "/health", "/orders", "/busy"],
        "{all:#?}"
    );
    for one in &all[1..3] {
        assert!(one.get("exception.message").is_some(), "{one:#}");
    }
    &all[0]
}

/// The exception of `GET /items/pot`, as each of the frameworks tells it.
fn pot(route: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("http.request.method", "GET".into()),
        ("http.response.status_code", 500.into()),
        ("http.route", route.into()),
    ]
}

#[track_caller]
fn check_python(incident: &Value, route: &str) {
    check(incident, &pot(route));
    check(
        incident,
        &[
            ("language", "python".into()),
            ("exception.type", "KeyError".into()),
            ("exception.message", "'pot'".into()),
            ("code.function.name", "price".into()),
        ],
    );
    let stack = incident["exception.stacktrace"].as_str().unwrap();
    assert!(
        stack.starts_with("Traceback (most recent call last):"),
        "{stack}"
    );
    let frame = &incident["frames"][0];
    assert!(
        frame["file"].as_str().unwrap().ends_with("/app.py"),
        "{frame}"
    );
    assert_eq!(
        (&frame["function"], &frame["in_app"]),
        (&"price".into(), &true.into())
    );
}

#[test]
fn flask_over_http_with_logs_and_all_options() {
    let shop = Shop::open("flask", OPTIONS);
    let place = shop.place() + "/app.py";
    let app = shop.python(Protocol::Http, &["flask", "--app", &place, "run", "--port"]);
    let all = shop.incidents(app, libc::SIGINT);
    check_python(check_options(&all), "/items/<item>");
}

/// Its resource has no pid: the owner of the connection is found.
#[test]
fn fastapi_over_grpc() {
    let shop = Shop::open("fastapi", "");
    let place = shop.place();
    let args = ["uvicorn", "--app-dir", &place, "app:app", "--port"];
    let app = shop.python(Protocol::Grpc, &args);
    let all = shop.incidents(app, libc::SIGINT);
    check_python(check_defaults(&all), "/items/{item}");
}

#[test]
fn fastapi_over_http_with_all_options() {
    let shop = Shop::open("fastapi", OPTIONS);
    let place = shop.place();
    let args = ["uvicorn", "--app-dir", &place, "app:app", "--port"];
    let app = shop.python(Protocol::Http, &args);
    let all = shop.incidents(app, libc::SIGINT);
    check_python(check_options(&all), "/items/{item}");
}

#[test]
fn express_over_http_with_all_options() {
    let shop = Shop::open("node", OPTIONS);
    let log = shop.plugins.root().join("log");
    let app = App::start(&log, |_| {
        let mut command = shop.command(Path::new("/usr/bin/node"), Protocol::Http);
        let place = shop.place();
        command
            .args(["--require", &format!("{place}/instrumentation.js")])
            .arg(format!("{place}/app.js"))
            .env("NODE_PATH", installed("node").join("node_modules"));
        command
    });
    let all = shop.incidents(app, libc::SIGTERM);
    let pot = pot("/items/:item");
    let incident = check_options(&all);
    check(incident, &pot);
    let message = "Cannot read properties of undefined (reading 'toString')";
    check(
        incident,
        &[
            ("language", "javascript".into()),
            ("exception.type", "TypeError".into()),
            ("exception.message", message.into()),
            ("code.function.name", "price".into()),
        ],
    );
    assert_eq!(incident["frames"][0]["in_app"], true);
    let express = incident["frames"].as_array().unwrap().last().unwrap();
    assert_eq!(express["in_app"], false, "{express}");
}

/// Its resource has no pid, nor has it types of exceptions.
#[test]
fn axum_over_grpc() {
    let shop = Shop::open("axum", "");
    let log = shop.plugins.root().join("log");
    let program = shop
        .plugins
        .link(built("axum-app").to_str().unwrap(), &shop.name);
    let app = App::start(&log, |_| shop.command(&program, Protocol::Grpc));
    let all = shop.incidents(app, libc::SIGTERM);
    let incident = check_defaults(&all);
    check(incident, &pot("/items/{item}"));
    let message = "unknown item \"pot\"";
    check(
        incident,
        &[
            ("language", "rust".into()),
            ("exception.message", message.into()),
        ],
    );
}
