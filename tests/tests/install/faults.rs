//! Real faults while a plugin is installed: everything is as it was.

use super::*;

const UNITS: &str = "home/.config/systemd/user";

/// A file attribute, as chattr sets it, for as long as this lives.
struct Attribute {
    path: PathBuf,
    name: &'static str,
}

impl Attribute {
    fn set(path: PathBuf, name: &'static str) -> Option<Self> {
        let attribute = Self { path, name };
        attribute.change('+').then_some(attribute)
    }

    fn change(&self, sign: char) -> bool {
        let mut command = Command::new("chattr");
        command.arg(format!("{sign}{}", self.name)).arg(&self.path);
        let done = command.stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success())
    }
}

impl Drop for Attribute {
    fn drop(&mut self) {
        self.change('-');
    }
}

#[test]
fn a_read_only_file_system_changes_nothing() {
    if !may_mount("a_read_only_file_system_changes_nothing") {
        return;
    }
    let host = Host::new();
    host.source("app", "1");
    let base = host.at("base");
    let args = ["plugin", "install", "app", "-d", base.to_str().unwrap()];
    for what in ["BASE", "UNITS"] {
        let place = if what == "BASE" {
            "$BASE"
        } else {
            "/etc/systemd/system"
        };
        let setup =
            format!("mount --bind \"${what}\" \"{place}\"\nmount -o remount,bind,ro \"{place}\"");
        let ended = end(&mut host.in_namespace(&setup, &args));
        assert_eq!(ended.code, Some(73), "{what}: {}", ended.err);
        assert!(ended.err.contains("Read-only file system"), "{}", ended.err);
        assert_eq!(ended.out, "in base:\n", "{what}");
        assert_eq!((host.tree("base"), host.tree("units")), (vec![], vec![]));
    }
}

#[test]
fn a_full_file_system_keeps_the_installed_one() {
    if !may_mount("a_full_file_system_keeps_the_installed_one") {
        return;
    }
    let host = Host::new();
    let source = host.source("app", "1");
    fs::write(source.join("large"), vec![b'x'; 1 << 20]).unwrap();
    let base = host.at("base");
    let args = [
        "plugin",
        "install",
        "app",
        "-f",
        "-d",
        base.to_str().unwrap(),
    ];
    let setup = "mount -t tmpfs -o size=256k tmpfs \"$BASE\"\nmkdir \"$BASE/app\"\necho old > \"$BASE/app/plugin.toml\"";
    let ended = end(&mut host.in_namespace(setup, &args));
    assert_eq!(ended.code, Some(73), "{}", ended.err);
    assert!(ended.err.contains("No space left"), "{}", ended.err);
    assert_eq!(ended.out, "in base: app\n");
    assert_eq!(host.tree("units"), [""; 0]);
}

#[test]
fn what_was_put_in_its_place_is_taken_back() {
    let host = Host::new();
    host.source("app", "1");
    assert_eq!(
        host.run(&["plugin", "install", "app", "--user"]).code,
        Some(0)
    );
    let before = (
        host.tree("home"),
        host.text(&format!("{UNITS}/instana-app-monitor.service")),
    );
    host.source("app", "2");
    // A file can be made there, and nothing renamed: the last step fails.
    let Some(attribute) = Attribute::set(host.at(UNITS), "a") else {
        skipped(
            "what_was_put_in_its_place_is_taken_back",
            "needs chattr, root and a file system with attributes",
        );
        return;
    };
    let ended = host.run(&["plugin", "install", "app", "--user", "-f"]);
    drop(attribute);
    assert_eq!(ended.code, Some(73), "{}", ended.err);
    assert!(ended.err.contains("not permitted"), "{}", ended.err);
    let plugins = "home/.config/sensor/plugins";
    assert_eq!(host.text(&format!("{plugins}/app/docs/README.md")), "1");
    assert_eq!(
        host.text(&format!("{UNITS}/instana-app-monitor.service")),
        before.1
    );
    // Only what cannot be removed from such a directory is left there.
    let mut after = host.tree("home");
    after.retain(|line| !line.contains("/.tmp"));
    assert_eq!(after, before.0);
}

#[test]
fn units_that_cannot_be_written_or_removed_change_nothing() {
    let host = Host::new();
    host.source("app", "1");
    assert_eq!(
        host.run(&["plugin", "install", "app", "--user"]).code,
        Some(0)
    );
    host.source("other", "1");
    let before = host.tree("home");
    let Some(attribute) = Attribute::set(host.at(UNITS), "i") else {
        skipped(
            "units_that_cannot_be_written_or_removed",
            "needs chattr, root and a file system with attributes",
        );
        return;
    };
    let install = host.run(&["plugin", "install", "other", "--user"]);
    let uninstall = host.run(&["plugin", "uninstall", "app", "--user"]);
    drop(attribute);
    assert_eq!(
        (install.code, uninstall.code),
        (Some(73), Some(73)),
        "{install:?} {uninstall:?}"
    );
    assert_eq!(host.tree("home"), before);
}

#[test]
fn a_file_in_the_way_is_kept() {
    let host = Host::new();
    host.source("app", "1");
    let base = host.at("base");
    let args = [
        "plugin",
        "install",
        "app",
        "--user",
        "--no-unit",
        "-d",
        base.to_str().unwrap(),
    ];
    fs::write(base.join("app"), "mine").unwrap();
    assert_eq!(host.run(&args).code, Some(73));
    assert_eq!(host.text("base/app"), "mine");
    let ended = end(host.command(&args).arg("-f"));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(fs::read_to_string(backup(&base, ".app")).unwrap(), "mine");
    // A file where the base should be.
    let base = host.at("file");
    fs::write(&base, "").unwrap();
    let ended = host.run(&[
        "plugin",
        "install",
        "app",
        "--user",
        "-d",
        base.to_str().unwrap(),
    ]);
    assert_eq!(ended.code, Some(73), "{}", ended.err);
    assert_eq!(host.tree("home"), [""; 0]);
}
