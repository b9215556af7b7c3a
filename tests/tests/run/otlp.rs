//! The whole way: from the kernel's hook to a real collector.

use sensor_tests::{collector::Collector, process::run, sensor::LIMIT};

use super::*;

/// `sensor run` that exports to a collector over gRPC.
pub(super) fn exporting(plugins: &Plugins, collector: &Collector) -> Lines {
    let port = collector.ports().grpc.to_string();
    Lines::start(&mut sensor([
        "run",
        "--plugins",
        &plugins.flag(),
        "--interval",
        "200ms",
        "--agent-host",
        "127.0.0.1",
        "--agent-port",
        &port,
    ]))
}

/// What the collector printed of one resource, and who it is.
pub(super) fn resources(output: &str) -> impl Iterator<Item = &str> {
    output.split("Resource SchemaURL").skip(1)
}

/// Whether a resource of this service has such a line.
pub(super) fn has(output: &str, service: &str, line: &str) -> bool {
    let name = format!("-> service.name: Str({service})");
    resources(output).any(|resource| resource.contains(&name) && resource.contains(line))
}

fn arrives(protocol: &str) {
    let collector = Collector::start();
    let ports = collector.ports();
    let port = if protocol == "grpc" {
        ports.grpc
    } else {
        ports.http
    };
    let plugins = Plugins::new();
    let (one, two) = (plugins.watch(true), plugins.watch(true));
    let _members = members(&one, 2, "1");
    let mut command = sensor(["run", "--plugins", &plugins.flag(), "--interval", "200ms"]);
    command.args([
        "--agent-host",
        "127.0.0.1",
        "--agent-port",
        &port.to_string(),
    ]);
    command.args(["--protocol", protocol]);
    let lines = Lines::start(&mut command);
    // Attached when the first metrics are there.
    collector.wait_until("metrics of the first service", LIMIT, |output| {
        has(output, &one.name, "-> Name: process.memory.usage")
    });
    let ended = run(&mut two.command(&["exit", "3"]));
    // What comes last: what is printed comes line by line.
    let output = collector.wait_until("the exit of the second service", LIMIT, |output| {
        has(output, &two.name, "-> process.exit.code: Int(3)")
    });
    let ours = &one.name;
    for resource in resources(&output) {
        let names = resource.matches("-> service.name: Str(").count();
        assert!(names <= 1, "two services in one resource:\n{resource}");
    }
    assert!(
        has(&output, ours, "-> service.namespace: Str(tests)"),
        "{output}"
    );
    assert!(has(&output, ours, "-> host.name: Str("), "{output}");
    assert!(
        !has(&output, ours, "-> process.exit.code: Int(3)"),
        "{output}"
    );

    let pid = format!("-> process.pid: Int({})", ended.pid);
    let record = |output: &str, name: &str| {
        let mut records = output.split("EventName: ").skip(1);
        records.any(|record| record.starts_with(name) && record.contains(&pid))
    };
    collector.wait_until("the events of the short process", LIMIT, |output| {
        record(output, "process.exec") && record(output, "process.exit")
    });
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    assert!(
        said.lines.is_empty(),
        "nothing is printed where it is exported"
    );
}

#[test]
fn metrics_and_events_arrive_over_grpc() {
    arrives("grpc");
}

#[test]
fn metrics_and_events_arrive_over_http() {
    arrives("http");
}
