//! The units, judged by systemd itself.

use super::*;

/// What systemd says of a unit; `None` where it is not installed.
fn judged(host: &Host, unit: &Path, user: bool) -> Option<String> {
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no"]);
    if user {
        command
            .arg("--user")
            .env("XDG_RUNTIME_DIR", host.at("home"));
    }
    let output = command.arg(unit).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let failed = if output.status.success() {
        ""
    } else {
        "failed: "
    };
    Some(format!("{failed}{said}"))
}

#[test]
fn units_of_plugins_are_in_order() {
    let host = Host::new();
    // A name that has to be quoted, with all that systemd gives a meaning.
    for name in ["app", "50% of $HOME; 'x'"] {
        let source = host.source("source", "1");
        let text = fs::read_to_string(source.join("plugin.toml")).unwrap();
        let text = text.replace("name = \"source\"", &format!("name = \"{name}\""));
        let text = text.replace("^source$", &name[..2]);
        fs::write(source.join("plugin.toml"), text).unwrap();
        let ended = host.run(&["plugin", "install", "source", "--user"]);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    }
    for unit in ["app", "50--of--HOME---x-"] {
        let unit = host.at(&format!(
            "home/.config/systemd/user/instana-{unit}-monitor.service"
        ));
        match judged(&host, &unit, true) {
            Some(said) => assert_eq!(said, "", "{}", fs::read_to_string(unit).unwrap()),
            None => skipped("units_of_plugins_are_in_order", "needs systemd-analyze"),
        }
    }
}

#[test]
fn units_of_the_host_are_in_order() {
    if !may_mount("units_of_the_host_are_in_order") {
        return;
    }
    let host = Host::new();
    host.source("app", "1");
    let base = host.at("base");
    let args = ["plugin", "install", "app", "-d", base.to_str().unwrap()];
    let ended = end(&mut host.in_namespace("", &args));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    match judged(&host, &host.at("units/instana-app-monitor.service"), false) {
        Some(said) => assert_eq!(said, ""),
        None => skipped("units_of_the_host_are_in_order", "needs systemd-analyze"),
    }
}

#[test]
fn the_unit_of_the_packages_is_in_order() {
    let host = Host::new();
    let packaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd/sensor.service");
    let text = fs::read_to_string(packaged).unwrap();
    // The program is where the packages put it: not here.
    let program = built("sensor-under-test").display().to_string();
    let here = text.replace("/usr/bin/sensor", &program);
    assert_ne!(here, text);
    let unit = host.at("sensor.service");
    fs::write(&unit, here).unwrap();
    match judged(&host, &unit, false) {
        Some(said) => assert_eq!(said, ""),
        None => skipped(
            "the_unit_of_the_packages_is_in_order",
            "needs systemd-analyze",
        ),
    }
}
