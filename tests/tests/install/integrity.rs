//! `manifest`, `verify` and `run --verify-plugins` (contract P10).

use std::os::unix::fs::symlink;

use sensor_tests::{plugins::Plugins, process::Running};
use serde_json::{Value, json};

use super::*;

#[test]
fn what_was_written_is_verified_and_every_change_is_told() {
    let host = Host::new();
    let source = host.source("app", "1.5");
    let ended = host.run(&["plugin", "manifest", "app"]);
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
    let manifest = host.text("app/manifest.toml");
    assert!(manifest.starts_with("version = \"1.5\"\nschema_version = 1\ngenerated = \""));
    for part in [
        "[files.\"plugin.toml\"]",
        "[files.\"docs/README.md\"]",
        "mode = \"0644\"",
    ] {
        assert!(manifest.contains(part), "{manifest}");
    }
    let ended = host.run(&["plugin", "verify", "app"]);
    let lines =
        "✅ File checksum verified: docs/README.md\n✅ File checksum verified: plugin.toml\n";
    assert_eq!((ended.code, &*ended.out, &*ended.err), (Some(0), lines, ""));

    fs::write(source.join("plugin.toml"), "# other").unwrap();
    fs::remove_file(source.join("docs/README.md")).unwrap();
    fs::write(source.join("new\nline"), "").unwrap();
    let ended = host.run(&["plugin", "verify", "app"]);
    let lines = "❌ Missing file: docs/README.md\n❌ Extra file: new\\nline\n\
                 ❌ Checksum mismatch detected for: plugin.toml\n";
    assert_eq!(
        (ended.code, &*ended.out, &*ended.err),
        (Some(65), lines, "")
    );
    let ended = host.run(&["plugin", "verify", "app", "--json"]);
    let object: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(ended.code, Some(65));
    assert_eq!(object["ok"], false);
    assert_eq!(
        object["files"][0],
        json!({"file": "docs/README.md", "status": "missing"})
    );
}

#[test]
fn the_working_directory_is_the_default() {
    let host = Host::new();
    let source = host.source("app", "1");
    let here = |command: &str| end(host.command(&["plugin", command]).current_dir(&source));
    assert_eq!(here("manifest").code, Some(0));
    assert!(
        host.text("app/manifest.toml")
            .starts_with("version = \"1\"")
    );
    assert_eq!(here("verify").code, Some(0));
}

#[test]
fn modes_warn_and_what_everybody_may_write_is_65() {
    let host = Host::new();
    let source = host.source("app", "1");
    host.run(&["plugin", "manifest", "app"]);
    let change = |mode| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(source.join("plugin.toml"), permissions).unwrap();
    };
    change(0o755);
    let ended = host.run(&["plugin", "verify", "app"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.out.contains("✅ File checksum verified: plugin.toml"));
    assert!(
        ended.err.contains("plugin.toml: the mode is 0755"),
        "{}",
        ended.err
    );
    change(0o666);
    let ended = host.run(&["plugin", "verify", "app"]);
    assert_eq!(ended.code, Some(65));
    assert!(
        ended.out.contains("❌ World-writable: plugin.toml"),
        "{}",
        ended.out
    );
}

#[test]
fn what_is_missing_is_66_and_what_is_no_manifest_65() {
    let host = Host::new();
    let source = host.source("app", "1");
    let ended = host.run(&["plugin", "verify", "app"]);
    let line = "Manifest file not found: app/manifest.toml\n";
    assert_eq!((ended.code, &*ended.out, &*ended.err), (Some(66), "", line));
    for command in ["verify", "manifest", "install"] {
        let ended = host.run(&["plugin", command, "nowhere"]);
        assert_eq!(ended.code, Some(66), "{}", ended.err);
        assert!(
            ended.err.contains("nowhere: does not exist"),
            "{}",
            ended.err
        );
    }

    let manifest = source.join("manifest.toml");
    for bad in [
        &b"\xff"[..],
        b"[files",
        b"",
        b"schema_version = 9\n[files]\n",
    ] {
        fs::write(&manifest, bad).unwrap();
        let ended = host.run(&["plugin", "verify", "app"]);
        assert_eq!(ended.code, Some(65), "{}", ended.err);
        let start = "Invalid manifest format: app/manifest.toml";
        assert!(ended.err.starts_with(start), "{}", ended.err);
        assert_eq!(host.run(&["plugin", "install", "app"]).code, Some(65));
        // Written again, as the guide says, it is in order.
        assert_eq!(host.run(&["plugin", "manifest", "app"]).code, Some(0));
        assert_eq!(host.run(&["plugin", "verify", "app"]).code, Some(0));
    }
    fs::remove_file(&manifest).unwrap();
    symlink("/etc/hostname", &manifest).unwrap();
    assert_eq!(host.run(&["plugin", "verify", "app"]).code, Some(65));
    let ended = host.run(&["plugin", "manifest", "app"]);
    assert_eq!(ended.code, Some(65));
    assert!(
        ended.err.contains("manifest.toml is a symbolic link"),
        "{}",
        ended.err
    );
    assert_eq!(host.tree("home"), [""; 0]);
}

#[test]
fn run_refuses_what_nobody_vouches_for() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let mut command = watched.command(&["until-eof", "0", "0"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut member = Running::start(&mut command);
    member.wait_for_line("ready");
    let host = Host::new();
    let flag = plugins.flag();
    let directory = plugins.path().join(&watched.name);
    let directory = directory.to_str().unwrap();
    let run = |verify: bool| {
        let verify = verify.then_some("--verify-plugins");
        let args = ["--run-once", "--output", "json", "--plugins", &flag];
        host.run(&args.into_iter().chain(verify).collect::<Vec<_>>())
    };
    assert_eq!(run(false).code, Some(0));
    let ended = run(true);
    assert_eq!((ended.code, &*ended.out), (Some(78), ""));
    let remedy = format!("`sensor plugin manifest {directory}`");
    assert!(ended.err.contains(&remedy), "{}", ended.err);

    assert_eq!(host.run(&["plugin", "manifest", directory]).code, Some(0));
    let ended = run(true);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains(&watched.name), "{}", ended.out);

    fs::write(Path::new(directory).join("extra"), "").unwrap();
    let ended = run(true);
    assert_eq!(ended.code, Some(78));
    assert!(ended.err.contains("Extra file: extra"), "{}", ended.err);
    let store = sensor_tests::sensor::store();
    // `run` itself, too, and one that is in order goes on.
    let other = plugins.watch(false);
    let ended = host.run(&["plugin", "manifest", &format!("{flag}/{}", other.name)]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let args = [
        "run",
        "--no-ebpf",
        "--duration",
        "1s",
        "--verify-plugins",
        "--plugins",
        &flag,
        "--metadata-db-path",
        store.to_str().unwrap(),
    ];
    let ended = host.run(&args);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let refused = format!("plugin `{}` is not loaded", watched.name);
    assert!(ended.err.contains(&refused), "{}", ended.err);
}
