//! For a user, below the home directory.

use std::os::unix::process::CommandExt;

use super::*;

const PLUGINS: &str = "home/.config/sensor/plugins";
const UNIT: &str = "home/.config/systemd/user/instana-app-monitor.service";
/// Nobody's uid and gid.
const NOBODY: u32 = 65_534;

#[test]
fn a_plugin_comes_and_goes() {
    let host = Host::new();
    host.source("app", "1");
    host.with_systemctl(0);
    host.run(&["plugin", "manifest", "app"]);
    let ended = host.run(&["plugin", "install", "app", "--user"]);
    assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{}", ended.out);
    assert!(ended.out.contains("✅ File checksum verified: plugin.toml"));
    assert_eq!(host.calls(), ["--user daemon-reload"]);
    for path in ["plugin.toml", "manifest.toml", "docs/README.md"] {
        assert_eq!(
            host.text(&format!("{PLUGINS}/app/{path}")),
            host.text(&format!("app/{path}"))
        );
    }
    let unit = host.text(UNIT);
    let start = format!(
        "ExecStart={} run --plugins {} --plugin app --output none \
         --metadata-db-path %S/instana-app-monitor/metadata.redb\n",
        built("sensor-under-test").display(),
        host.at(PLUGINS).display()
    );
    assert!(unit.contains(&start), "{unit}");
    assert!(unit.contains("Description=app 1\n"), "{unit}");

    let ended = host.run(&["plugin", "uninstall", "app", "--user"]);
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
    assert_eq!(
        host.calls()[1..],
        [
            "--user disable --now instana-app-monitor.service",
            "--user daemon-reload"
        ]
    );
    assert_eq!(host.tree(PLUGINS), [""; 0]);
    assert!(!host.at(UNIT).exists());
    let ended = host.run(&["plugin", "uninstall", "app", "--user"]);
    assert_eq!(ended.code, Some(66), "{}", ended.err);
}

#[test]
fn an_installed_one_is_replaced_with_force_only_and_kept() {
    let host = Host::new();
    host.source("app", "1");
    host.with_systemctl(0);
    assert_eq!(
        host.run(&["plugin", "install", "app", "--user"]).code,
        Some(0)
    );
    let before = host.tree("home");
    host.source("app", "2");
    let ended = host.run(&["plugin", "install", "app", "--user"]);
    assert_eq!(ended.code, Some(73));
    assert!(ended.err.contains("is installed already"), "{}", ended.err);
    assert_eq!(host.tree("home"), before);

    let ended = host.run(&["plugin", "install", "-f", "-r", "app", "--user"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(host.text(&format!("{PLUGINS}/app/docs/README.md")), "2");
    let old = backup(&host.at(PLUGINS), ".app");
    assert_eq!(fs::read_to_string(old.join("docs/README.md")).unwrap(), "1");
    let unit = Path::new(UNIT);
    let old = backup(
        &host.at(unit.parent().unwrap().to_str().unwrap()),
        "instana-app-monitor.service",
    );
    assert!(
        fs::read_to_string(old)
            .unwrap()
            .contains("Description=app 1\n")
    );
    assert!(host.text(UNIT).contains("Description=app 2\n"));
    assert_eq!(
        host.calls()[2],
        "--user restart instana-app-monitor.service"
    );
    // Backups are no plugins.
    let ended = host.run(&[
        "run",
        "--no-ebpf",
        "--duration",
        "1s",
        "--plugins",
        host.at(PLUGINS).to_str().unwrap(),
        "--metadata-db-path",
        host.at("metadata.redb").to_str().unwrap(),
    ]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

#[test]
fn a_dry_run_prints_everything_and_creates_nothing() {
    let host = Host::new();
    host.source("app", "1");
    host.with_systemctl(0);
    let ended = host.run(&["plugin", "install", "app", "--user", "-r", "--dry-run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for path in [
        format!("{PLUGINS}/app/plugin.toml"),
        format!("{PLUGINS}/app/docs/README.md"),
        UNIT.to_owned(),
    ] {
        assert!(
            ended.out.contains(host.at(&path).to_str().unwrap()),
            "{}",
            ended.out
        );
    }
    assert!(
        ended.out.contains("\n[Service]\n") && ended.out.contains("\nExecStart="),
        "{}",
        ended.out
    );
    assert_eq!(host.tree("home"), [""; 0]);
    host.run(&["plugin", "install", "app", "--user", "--no-unit"]);
    assert!(!host.at("home/.config/systemd").exists());
    let before = host.tree("home");
    let ended = host.run(&["plugin", "uninstall", "app", "--user", "--dry-run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(
        ended
            .out
            .contains(host.at(&format!("{PLUGINS}/app")).to_str().unwrap())
    );
    assert_eq!((host.tree("home"), host.calls()), (before, vec![]));
    assert_eq!(
        host.run(&["plugin", "uninstall", "app", "--user"]).code,
        Some(0)
    );
}

#[test]
fn what_check_would_refuse_and_what_is_damaged_is_not_installed() {
    let host = Host::new();
    let source = host.source("app", "1");
    host.run(&["plugin", "manifest", "app"]);
    fs::write(source.join("docs/README.md"), "changed").unwrap();
    let ended = host.run(&["plugin", "install", "app", "--user", "-f"]);
    assert_eq!(ended.code, Some(65), "{}", ended.err);
    let line = "❌ Checksum mismatch detected for: docs/README.md";
    assert!(ended.out.contains(line), "{}", ended.out);

    for text in [
        "[plugin]\nname = \"app\"\n",
        "[plugin]\nname = \"../evil\"\n[service]\nnamespace = \"x\"\nprocess_name = \"x\"\n",
        "[plugin]\nname = \"a\\nb\"\n[service]\nnamespace = \"x\"\nprocess_name = \"x\"\n",
        "[plugin]\nname = \"app\"\n[service]\nnamespace = \"x\"\nprocess_name = \"(\"\n",
        "[plugin]\nname = \"app\"\n[service]\nnamespace = \"x\"\nprocess_name = \"x\"\n\
         [[examples]]\nname = \"y\"\nmatches = true\n",
        "[plugin]\nname = \"app\"\n[service]\nnamespace = \"x\"\nprocess_name = \"x\"\n\
         [systemd]\nservice_name = \"../../evil\"\n",
    ] {
        fs::write(source.join("plugin.toml"), text).unwrap();
        fs::remove_file(source.join("manifest.toml")).ok();
        let ended = host.run(&["plugin", "install", "app", "--user"]);
        assert_eq!(ended.code, Some(78), "{text}: {}", ended.err);
        assert!(ended.err.contains("app"), "{}", ended.err);
    }
    fs::remove_file(source.join("plugin.toml")).unwrap();
    let ended = host.run(&["plugin", "install", "app", "--user"]);
    assert_eq!(ended.code, Some(78), "{}", ended.err);
    assert_eq!(host.tree("home"), [""; 0]);
    for name in ["..", ".", "", "/etc", "a/b", "../app"] {
        let ended = host.run(&["plugin", "uninstall", "--user", name]);
        assert_eq!(ended.code, Some(66), "{name}: {}", ended.err);
    }
}

#[test]
fn without_root_it_is_the_user_s_and_a_missing_systemctl_is_a_warning() {
    let host = Host::new();
    let program = host.at("sensor");
    if fs::copy(built("sensor-under-test"), &program).is_err()
        || std::os::unix::fs::chown(host.at("home"), Some(NOBODY), Some(NOBODY)).is_err()
    {
        skipped(
            "without_root_it_is_the_user_s",
            "needs root, to become nobody",
        );
        return;
    }
    host.source("app", "1");
    let nobody = |args: &[&str]| {
        let mut command = host.prepared(Command::new(&program), args);
        end(command.uid(NOBODY).gid(NOBODY))
    };
    let ended = nobody(&["plugin", "install", "app", "-r"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(
        ended.err.contains("Manifest file not found"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("no systemctl here"), "{}", ended.err);
    assert!(host.at(UNIT).exists() && host.at(PLUGINS).join("app/plugin.toml").exists());
    // What is not nobody's is refused, and nothing is left behind.
    let before = host.tree("base");
    let base = host.at("base");
    let ended = nobody(&["plugin", "install", "app", "-d", base.to_str().unwrap()]);
    assert_eq!(ended.code, Some(73), "{}", ended.err);
    assert_eq!(host.tree("base"), before);
    assert_eq!(nobody(&["plugin", "uninstall", "app"]).code, Some(0));
}

#[test]
fn the_configuration_directory_of_the_user_is_respected() {
    let host = Host::new();
    host.source("app", "1");
    let mut command = host.command(&["plugin", "install", "app", "--user"]);
    let ended = end(command.env("XDG_CONFIG_HOME", host.at("xdg")));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(
        host.at("xdg/systemd/user/instana-app-monitor.service")
            .exists()
    );
    assert!(host.at("xdg/sensor/plugins/app/plugin.toml").exists());
    assert_eq!(host.tree("home"), [""; 0]);
    // A relative one is none (XDG Base Directory Specification).
    let mut command = host.command(&["plugin", "install", "app", "--user"]);
    assert_eq!(end(command.env("XDG_CONFIG_HOME", "xdg2")).code, Some(0));
    assert!(host.at(UNIT).exists() && !host.at("xdg2").exists());
}

#[test]
fn modes_do_not_depend_on_the_umask() {
    for umask in ["000", "077"] {
        let host = Host::new();
        let source = host.source("app", "1");
        fs::set_permissions(
            source.join("plugin.toml"),
            fs::Permissions::from_mode(0o777),
        )
        .unwrap();
        let mut shell = Command::new("/bin/sh");
        let script = format!("umask {umask}; exec \"$@\"");
        shell
            .args(["-c", &script, "sh"])
            .arg(built("sensor-under-test"));
        let ended = end(&mut host.prepared(shell, &["plugin", "install", "app", "--user"]));
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        for line in host.tree("home") {
            let is_file = host.at(&line[4..]).is_file();
            assert_eq!(&line[..3], if is_file { "644" } else { "755" }, "{line}");
        }
    }
}

#[test]
fn a_legacy_plugin_is_installed_and_its_unit_is_called_as_it_says() {
    let host = Host::new();
    fs::create_dir(host.at("old")).unwrap();
    let text = "SERVICE_NAMESPACE = 'MyCompany'\nPROCESS_NAME = 'Old'\nPLUGIN_NAME = 'old'\n";
    fs::write(host.at("old/__init__.py"), text).unwrap();
    let ended = host.run(&["plugin", "install", "old", "--user"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(
        host.at("home/.config/systemd/user/instana-old-monitor.service")
            .exists()
    );
    assert_eq!(
        host.run(&["plugin", "uninstall", "old", "--user"]).code,
        Some(0)
    );

    for (table, key) in [
        ("systemd", "service_name"),
        ("installation", "systemd_service_name"),
    ] {
        let host = Host::new();
        let source = host.source("app", "1");
        let mut text = fs::read_to_string(source.join("plugin.toml")).unwrap();
        if table == "installation" {
            text = text.replace("[service]\nnamespace", "[metadata]\nservice_namespace");
            text = text.replace(
                "[plugin]\nname = \"app\"\nversion = \"1\"\ndescription = \"app 1\"\n",
                "",
            );
            text = text.replace("process_name =", "plugin_name = \"app\"\nprocess_name =");
        }
        text += &format!("[{table}]\n{key} = \"watch-app\"\n");
        fs::write(source.join("plugin.toml"), text).unwrap();
        let ended = host.run(&["plugin", "install", "app", "--user"]);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(
            host.at("home/.config/systemd/user/watch-app.service")
                .exists()
        );
    }
}
