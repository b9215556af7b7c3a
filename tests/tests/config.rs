//! `sensor config check` and `sensor config show`.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

use std::{fs, process::Output};

use sensor_tests::sensor::sensor;
use serde_json::Value;

fn config(args: &[&str], variable: Option<(&str, &str)>) -> (Option<i32>, String, String) {
    let mut command = sensor(["config"].iter().chain(args));
    let Output {
        status,
        stdout,
        stderr,
    } = command.envs(variable).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn values_and_their_origins_are_shown() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("sensor.toml");
    fs::write(
        &file,
        "interval = \"5s\"\n[export.otlp.headers]\nauthorization = \"secret\"\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let host = Some(("INSTANA_AGENT_HOST", "collector"));
    let (status, stdout, _) = config(&["show", "--config", file, "--json"], host);
    assert_eq!(status, Some(0));
    assert!(!stdout.contains("secret"), "{stdout}");
    let shown: Vec<Value> = serde_json::from_str(&stdout).unwrap();
    let of = |key: &str| shown.iter().find(|one| one["key"] == key).unwrap().clone();
    assert_eq!(of("interval")["value"], "5s");
    assert_eq!(of("interval")["origin"], "file");
    assert_eq!(of("export.otlp.endpoint")["value"], "http://collector:4317");
    assert_eq!(of("export.otlp.endpoint")["origin"], "environment");
    assert_eq!(of("kernel.ring_bytes")["value"], 8_388_608);
    assert_eq!(of("kernel.ring_bytes")["origin"], "default");

    let (_, stdout, _) = config(&["show", "--config", file], host);
    let copy = root.path().join("copy.toml");
    fs::write(&copy, stdout).unwrap();
    let copy = copy.to_str().unwrap();
    let (status, stdout, stderr) = config(&["check", "--config", copy], None);
    assert_eq!((status, &*stderr), (Some(0), ""), "{stdout}");
}

#[test]
fn everything_that_is_wrong_is_told() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("sensor.toml");
    fs::write(&file, "interval = 0\n[kernel]\nebfp = \"off\"\n").unwrap();
    let file = file.to_str().unwrap();
    for command in ["check", "show"] {
        let (status, stdout, stderr) = config(&[command, "--config", file], None);
        assert_eq!((status, &*stdout), (Some(78), ""));
        assert!(stderr.contains("sensor.toml:1: interval"), "{stderr}");
        assert!(stderr.contains("sensor.toml:3: kernel.ebfp"), "{stderr}");
        let bad = Some(("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"));
        fs::write(root.path().join("empty.toml"), "").unwrap();
        let empty = root.path().join("empty.toml");
        let (status, _, stderr) = config(&[command, "--config", empty.to_str().unwrap()], bad);
        assert_eq!(status, Some(78));
        assert!(stderr.contains("OTEL_EXPORTER_OTLP_TIMEOUT"), "{stderr}");
        let missing = root.path().join("missing");
        let certificate = "[export.otlp]\nendpoint = 'https://collector:4317'\n\
                           [export.otlp.tls]\nca = '/nowhere/ca.pem'\n";
        fs::write(&empty, certificate).unwrap();
        if command == "check" {
            let (status, _, stderr) = config(&[command, "--config", empty.to_str().unwrap()], None);
            assert_eq!(status, Some(78), "{stderr}");
            assert!(stderr.contains("/nowhere/ca.pem"), "{stderr}");
        }
        let (status, ..) = config(&[command, "--config", missing.to_str().unwrap()], None);
        assert_eq!(status, Some(66));
    }
}
