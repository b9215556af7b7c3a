//! For the host, as root.

use super::*;

#[test]
fn a_plugin_of_the_host_comes_and_goes() {
    if !may_mount("a_plugin_of_the_host_comes_and_goes") {
        return;
    }
    let host = Host::new();
    host.source("app", "1");
    host.with_systemctl(0);
    let base = host.at("base");
    let base = base.to_str().unwrap();
    let root = |args: &[&str]| end(&mut host.in_namespace("", args));
    let ended = root(&["plugin", "install", "app", "-d", base, "-r"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(
        host.tree("base"),
        [
            "755 base/app",
            "755 base/app/docs",
            "644 base/app/docs/README.md",
            "644 base/app/plugin.toml"
        ]
    );
    let unit = host.text("units/instana-app-monitor.service");
    for line in [
        "DynamicUser=yes",
        "CapabilityBoundingSet=",
        "WantedBy=multi-user.target",
    ] {
        assert!(unit.contains(line), "{unit}");
    }
    assert_eq!(
        host.calls(),
        ["daemon-reload", "restart instana-app-monitor.service"]
    );
    assert_eq!(host.tree("home"), [""; 0]);

    // A systemctl that fails is worth a warning.
    host.with_systemctl(1);
    let ended = root(&["plugin", "uninstall", "app", "-d", base]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(
        ended.err.contains("warning: systemctl daemon-reload: no"),
        "{}",
        ended.err
    );
    assert_eq!((host.tree("base"), host.tree("units")), (vec![], vec![]));
}

#[test]
fn the_usual_place_is_that_of_the_packages() {
    if !may_mount("the_usual_place_is_that_of_the_packages") {
        return;
    }
    let host = Host::new();
    host.source("app", "1");
    let ended = end(&mut host.in_namespace("", &["plugin", "install", "app", "--dry-run"]));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for part in [
        "/etc/sensor/plugins/app/plugin.toml",
        "/etc/systemd/system/instana-app-monitor.service",
        "run --pin --plugins /etc/sensor/plugins --plugin app ",
    ] {
        assert!(ended.out.contains(part), "{}", ended.out);
    }
    assert!(!ended.err.contains("sensor.service"), "{}", ended.err);
    assert_eq!(host.tree("units"), [""; 0]);

    // Where the packages run all plugins, a second sensor is pointed out.
    fs::write(host.at("units/sensor.service"), "").unwrap();
    let warns = |more: &[&str]| {
        let args = [&["plugin", "install", "app", "--dry-run"], more].concat();
        let ended = end(&mut host.in_namespace("", &args));
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended.err.contains("sensor.service runs this plugin, too")
    };
    assert!(warns(&[]));
    assert!(!warns(&["--no-unit"]));
    assert!(!warns(&["-d", host.at("base").to_str().unwrap()]));
    assert!(!Path::new("/etc/sensor/plugins/app").exists());
}
