//! The service under a real systemd: what an administrator does with it, step
//! by step, by the unit of the packages and by that of an installed plugin.
//! `cargo xtask test-vm --systemd` runs this where systemd is process 1.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// Longest wait for anything, on the clock of the machine. systemd waits for a
/// minute for a sign of life.
const LIMIT: Duration = Duration::from_secs(150);
const PROGRAM: &str = "/usr/bin/sensor";
const UNIT: &str = "sensor";
const PLUGINS: &str = "/etc/sensor/plugins";

/// What a command says; it has to do well.
fn call(program: &str, args: &[&str]) -> String {
    let (good, text) = tried(program, args);
    assert!(
        good,
        "{program} {}: {text}\n{}",
        args.join(" "),
        journal(UNIT)
    );
    text
}

fn tried(program: &str, args: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(args).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("not UTF-8");
    (output.status.success(), text)
}

fn systemctl(args: &[&str]) -> String {
    call("systemctl", args)
}

fn property(unit: &str, name: &str) -> String {
    let text = systemctl(&["show", "--value", "--property", name, unit]);
    text.trim_end().to_owned()
}

fn journal(unit: &str) -> String {
    tried(
        "journalctl",
        &["--no-pager", "--output", "short", "--unit", unit],
    )
    .1
}

/// Waits until something is as it should be.
fn until(what: &str, unit: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is() {
        assert!(
            Instant::now() < deadline,
            "{what} within {LIMIT:?}\n{}",
            journal(unit)
        );
        // Waiting costs nothing in the machine, asking does.
        thread::sleep(Duration::from_secs(2));
    }
}

/// Says which step is next, on the console.
fn step(what: &str) {
    println!("test systemd: {what} ... ");
}

fn write_plugin(directory: &str, name: &str) {
    let directory = format!("{directory}/{name}");
    fs::create_dir_all(&directory).unwrap();
    let text = format!(
        "[plugin]\nname = \"{name}\"\nversion = \"1.0\"\n\
         [service]\nnamespace = \"tests\"\nprocess_name = \"^{name}$\"\n"
    );
    fs::write(format!("{directory}/plugin.toml"), text).unwrap();
}

fn assert_active(unit: &str) -> String {
    assert_eq!(property(unit, "ActiveState"), "active", "{}", journal(unit));
    assert_eq!(property(unit, "SubState"), "running");
    property(unit, "MainPID")
}

/// Waits for another process than `before`, which is ready.
fn restarted(unit: &str, before: &str, times: &str) -> String {
    let wanted = [
        format!("NRestarts={times}"),
        "ActiveState=active".to_owned(),
    ];
    until("a restart", unit, || {
        let said = systemctl(&["show", "--property", "NRestarts,ActiveState", unit]);
        wanted
            .iter()
            .all(|line| said.lines().any(|other| other == line))
    });
    let pid = assert_active(unit);
    assert_ne!(pid, before);
    pid
}

#[test]
#[ignore = "wants systemd as process 1: cargo xtask test-vm --systemd"]
fn the_service_lives_as_an_administrator_expects() {
    let init = fs::read_to_string("/proc/1/comm").unwrap();
    assert_eq!(init.trim(), "systemd");
    write_plugin(PLUGINS, "app");

    step("start waits until it watches");
    systemctl(&["enable", "--now", UNIT]);
    let first = assert_active(UNIT);
    assert_eq!(property(UNIT, "Type"), "notify");
    assert_eq!(property(UNIT, "WatchdogUSec"), "1min");
    assert_eq!(
        property(UNIT, "StatusText"),
        "watching 1 services, kernel events"
    );
    let status = fs::read_to_string(format!("/proc/{first}/status")).unwrap();
    let of_user = |line: &&str| line.starts_with("Uid:");
    let uid = status.lines().find(of_user).unwrap();
    assert!(!uid.split_whitespace().any(|id| id == "0"), "{uid}");
    assert!(fs::exists("/var/lib/sensor/metadata.redb").unwrap());

    step("status and journal can be read");
    let text = systemctl(&["status", "--no-pager", UNIT]);
    for part in ["active (running)", "Status: \"watching 1 services", &first] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let said = journal(UNIT);
    assert!(said.contains("hooks and ring stay until"), "{said}");
    assert!(
        !said.contains('\u{1b}') && !said.contains("blob data"),
        "{said}"
    );

    step("reload takes in a new plugin");
    write_plugin(PLUGINS, "other");
    systemctl(&["reload", UNIT]);
    until("another status", UNIT, || {
        property(UNIT, "StatusText") == "watching 2 services, kernel events"
    });
    assert_eq!(assert_active(UNIT), first);

    step("kill -9 is survived");
    systemctl(&["kill", "--signal", "KILL", UNIT]);
    let second = restarted(UNIT, &first, "1");
    let said = journal(UNIT);
    assert!(said.contains("going on with the hooks"), "{said}");

    step("who hangs is started again");
    systemctl(&["kill", "--signal", "STOP", UNIT]);
    let third = restarted(UNIT, &second, "2");
    assert!(journal(UNIT).contains("atchdog"), "{}", journal(UNIT));

    step("an upgrade goes on with the hooks");
    // As package managers do: another file in the same place.
    fs::copy(PROGRAM, "/usr/bin/.new").unwrap();
    fs::rename("/usr/bin/.new", PROGRAM).unwrap();
    let old = fs::read_link(format!("/proc/{third}/exe")).unwrap();
    assert!(old.to_string_lossy().ends_with(" (deleted)"), "{old:?}");
    systemctl(&["restart", UNIT]);
    let fourth = assert_active(UNIT);
    assert_ne!(fourth, third);
    let new = fs::read_link(format!("/proc/{fourth}/exe")).unwrap();
    assert_eq!(new.to_str(), Some(PROGRAM));

    step("stop ends it well, detach takes the hooks away");
    systemctl(&["stop", UNIT]);
    assert_eq!(property(UNIT, "ActiveState"), "inactive");
    assert_eq!(property(UNIT, "Result"), "success", "{}", journal(UNIT));
    let said = call(PROGRAM, &["detach"]);
    assert!(said.starts_with("removed "), "{said}");
    systemctl(&["disable", UNIT]);

    a_plugin_has_a_unit_of_its_own();
}

fn a_plugin_has_a_unit_of_its_own() {
    let unit = "instana-single-monitor";
    step("a plugin is installed with a unit of its own");
    write_plugin("/root", "single");
    call(
        PROGRAM,
        &["plugin", "install", "/root/single", "-d", "/opt/plugins"],
    );
    systemctl(&["enable", "--now", unit]);
    let before = assert_active(unit);
    assert_eq!(
        property(unit, "StatusText"),
        "watching 1 services, kernel events"
    );

    step("it is replaced, and its unit started again");
    let args = [
        "plugin",
        "install",
        "/root/single",
        "-d",
        "/opt/plugins",
        "-f",
        "-r",
    ];
    call(PROGRAM, &args);
    assert_ne!(assert_active(unit), before);

    step("it is uninstalled");
    call(
        PROGRAM,
        &["plugin", "uninstall", "single", "-d", "/opt/plugins"],
    );
    assert_eq!(property(unit, "LoadState"), "not-found");
    assert!(!fs::exists("/opt/plugins/single").unwrap());
    assert!(!tried("systemctl", &["is-enabled", unit]).0);
}
