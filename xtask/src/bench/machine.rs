//! What the figures were measured on, and with.

use std::{fs, process::Command};

use super::tools;
use crate::shell;

/// Facts without which figures mean nothing, name and value.
pub fn facts() -> Vec<(&'static str, String)> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let cores = cpuinfo
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let mut facts = vec![
        ("CPU", model.trim().to_owned()),
        ("cores", cores.to_string()),
        ("kernel", kernel.trim().to_owned()),
        ("load at start", load.to_owned()),
        ("sensor", revision()),
    ];
    for package in ["libbpf-tools", "bpftrace", "forkstat"] {
        if let Some(version) = package_version(package) {
            facts.push((package, version));
        }
    }
    facts
}

fn revision() -> String {
    let mut git = Command::new("git");
    git.current_dir(shell::root())
        .args(["describe", "--always", "--dirty"]);
    shell::first_line(&mut git).unwrap_or_else(|_| "unknown revision".to_owned())
}

fn package_version(package: &str) -> Option<String> {
    let query = tools::find("dpkg-query")?;
    let mut command = Command::new(query);
    command.args(["-W", "-f", "${Version}", package]);
    let output = command.output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !version.is_empty()).then_some(version)
}
