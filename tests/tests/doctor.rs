//! `sensor doctor` names what is wrong, and what helps: each condition is made
//! true here, and looked for in what people and programs get.
//!
//! Most need root.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

#[path = "doctor/endpoint.rs"]
mod endpoint;
#[path = "doctor/host.rs"]
mod host;
#[path = "doctor/privilege.rs"]
mod privilege;
#[path = "doctor/store.rs"]
mod store;

use std::{os::unix::process::CommandExt, path::PathBuf, process::Command};

use sensor_tests::{plugins::Plugins, sensor::end};
use serde_json::Value;

const NOBODY: u32 = 65_534;
/// All checks, in their order (contract D1).
const CHECKS: [&str; 12] = [
    "kernel",
    "btf",
    "capabilities",
    "hook.fork",
    "hook.exec",
    "hook.exit",
    "hook.sched",
    "hook.signal",
    "hook.oom",
    "proc",
    "store",
    "endpoint",
];

/// A directory with a sensor.toml, whose store is its own.
struct Desk {
    plugins: Plugins,
}

impl Desk {
    fn new() -> Self {
        let desk = Self {
            plugins: Plugins::new(),
        };
        desk.configure("");
        desk
    }

    /// Where the store would be.
    fn store(&self) -> PathBuf {
        self.plugins.root().join("state/metadata.redb")
    }

    fn configure(&self, more: &str) {
        let store = self.store();
        let text = format!("[store]\npath = '{}'\n{more}", store.display());
        std::fs::write(self.plugins.root().join("sensor.toml"), text).unwrap();
    }

    /// A program that everybody may run.
    fn command(&self, args: &[&str]) -> Command {
        let program = self.plugins.root().join("sensor");
        if !program.exists() {
            let _ = self.plugins.copy("sensor-under-test", "sensor");
        }
        let mut command = Command::new(program);
        command.arg("doctor").args(args).env_clear();
        command.arg("--config");
        command.arg(self.plugins.root().join("sensor.toml"));
        command.current_dir("/");
        command
    }

    /// Both outputs, of a command that `prepare` has changed.
    fn ask(&self, args: &[&str], prepare: impl Fn(&mut Command)) -> Answer {
        let mut command = self.command(args);
        prepare(&mut command);
        let (code, text, errors) = end(&mut command);
        assert_eq!(errors, "");
        let mut command = self.command(&[args, &["--json"]].concat());
        prepare(&mut command);
        let (same, json, _) = end(&mut command);
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(code, same, "{text}{json}");
        let is_ok = json["ok"].as_bool().unwrap();
        assert_eq!(code, Some(i32::from(!is_ok)), "{json}");
        let checks = json["checks"].as_array().unwrap();
        let names: Vec<&str> = checks
            .iter()
            .filter_map(|one| one["name"].as_str())
            .collect();
        assert_eq!(names, CHECKS);
        for check in checks {
            let bad = matches!(check["status"].as_str(), Some("degraded" | "failed"));
            assert_eq!(check["remedy"].is_string(), bad, "{check}");
        }
        Answer { text, json }
    }
}

/// What the doctor says.
struct Answer {
    text: String,
    json: Value,
}

impl Answer {
    /// A check has this status, and says these words in both outputs: in what
    /// is the matter, or in the remedy.
    #[track_caller]
    fn says(&self, name: &str, status: &str, words: &[&str]) {
        let Self { text, json } = self;
        let mut checks = json["checks"].as_array().unwrap().iter();
        let check = checks.find(|check| check["name"] == name).unwrap();
        assert_eq!(check["status"], status, "{check}");
        let told = format!("{}\n{}", check["detail"], check["remedy"]);
        let mut lines = text.lines().skip_while(|line| !line.starts_with(name));
        let mut shown = lines.next().unwrap().to_owned();
        if check["remedy"].is_string() {
            shown.push_str(lines.next().unwrap());
        }
        for word in words {
            assert!(told.contains(word), "no {word:?} in {told}");
            assert!(shown.contains(word), "no {word:?} in {shown}");
        }
    }
}

/// Nothing is changed.
fn as_it_is(_: &mut Command) {}

/// As a user without any privilege.
fn as_nobody(command: &mut Command) {
    command.uid(NOBODY).gid(NOBODY);
}

#[test]
fn what_is_in_order_is_told_as_such() {
    let desk = Desk::new();
    let answer = desk.ask(&[], as_it_is);
    for hook in ["fork", "exec", "exit", "sched", "signal", "oom"] {
        answer.says(&format!("hook.{hook}"), "ok", &[]);
    }
    answer.says("btf", "ok", &[]);
    answer.says("capabilities", "ok", &["CAP_BPF", "CAP_PERFMON"]);
    answer.says("proc", "ok", &[]);
    answer.says("store", "skipped", &["`sensor run` makes it"]);
    answer.says("endpoint", "skipped", &["nothing is exported"]);
    assert!(!desk.store().parent().unwrap().exists(), "it only looks");
}

#[test]
fn every_fault_of_the_configuration_is_named() {
    let desk = Desk::new();
    desk.configure("strickt = true\n[limits]\nprocesses = 'many'\n");
    for args in [&[][..], &["--json"]] {
        let (code, out, errors) = end(&mut desk.command(args));
        assert_eq!((code, &*out), (Some(78), ""), "{errors}");
        for fault in [
            "sensor.toml:3",
            "strict",
            "sensor.toml:5",
            "limits.processes",
        ] {
            assert!(errors.contains(fault), "no {fault} in {errors}");
        }
    }
}
