//! `sensor plugin new` and `sensor plugin migrate`.

use std::fs;

use super::*;

#[test]
fn a_new_plugin_passes_its_own_check() {
    let root = tempfile::tempdir().unwrap();
    for args in [
        vec!["new", "myapp"],
        vec![
            "new",
            "my app",
            "--process-name",
            "MyApp",
            "--namespace",
            "a \"b\" \\",
        ],
        vec![
            "new",
            "regex",
            "--process-name",
            "^(a|b)\\d+$",
            "--dir",
            "deep/er",
        ],
        vec!["new", "shell", "--process-name", "sh"],
        vec![
            "new",
            "long",
            "--process-name",
            "a-name-of-more-than-15-bytes",
        ],
        vec!["new", "all", "--process-name", "."],
    ] {
        let (status, stdout, stderr) = plugin(root.path(), &args);
        assert_eq!((status, &*stderr), (Some(0), ""), "{args:?}");
        let directory = stdout
            .lines()
            .last()
            .unwrap()
            .rsplit_once("--plugins ")
            .unwrap()
            .1;
        let (status, _, stderr) = plugin(root.path(), &["check", "--plugins", directory]);
        assert_eq!((status, &*stderr), (Some(0), ""), "{args:?}");
    }
    let file = root.path().join("myapp/plugin.toml");
    let before = fs::read(&file).unwrap();
    let (status, stdout, stderr) = plugin(root.path(), &["new", "myapp"]);
    assert_eq!((status, &*stdout), (Some(73), ""), "{stderr}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn dry_runs_and_refusals_write_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (status, stdout, _) = plugin(root.path(), &["new", "x", "--dry-run"]);
    assert_eq!(status, Some(0));
    assert!(
        stdout.contains("./x/plugin.toml") && stdout.contains("name = \"x\""),
        "{stdout}"
    );
    for args in [
        vec!["new", "../x"],
        vec!["new", ""],
        vec!["new", ".x"],
        vec!["new", "x", "--process-name", "("],
        vec!["new", "x", "--process-name", ""],
        vec!["new"],
        vec!["migrate"],
        vec![],
    ] {
        let (status, stdout, stderr) = plugin(root.path(), &args);
        assert_eq!((status, &*stdout), (Some(2), ""), "{args:?}: {stderr}");
    }
    assert_eq!(plugin(root.path(), &["migrate", "nowhere"]).0, Some(66));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn migration_writes_beside_and_replaces_only_when_told() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("old");
    fs::create_dir(&directory).unwrap();
    let python = "\"\"\"Old.\"\"\"\nSERVICE_NAMESPACE = \"MyApp\"\nPROCESS_NAMES = [\"Web\", 'DB']\n\
                  PLUGIN_NAME = \"old\"\nCUSTOM_ATTRIBUTES = {\"a.b\": 1, \"service.version\": \"3\"}\n";
    let source = directory.join("__init__.py");
    let target = directory.join("plugin.toml");
    fs::write(&source, python).unwrap();
    let list = || {
        let (status, stdout, _) = plugin(root.path(), &["list", "--json", "--plugins", "."]);
        assert_eq!(status, Some(0));
        serde_json::from_str::<Value>(&stdout).unwrap()
    };
    let legacy = list();
    assert_eq!(legacy[0]["valid"], true, "{legacy}");

    let (status, stdout, _) = plugin(root.path(), &["migrate", "old", "--dry-run"]);
    assert_eq!(status, Some(0));
    assert!(
        stdout.contains("process_names = [\"Web\", \"DB\"]"),
        "{stdout}"
    );
    assert!(!target.exists());
    assert_eq!(plugin(root.path(), &["migrate", "old"]).0, Some(0));
    assert_eq!(list(), legacy);
    assert_eq!(fs::read_to_string(&source).unwrap(), python);
    let written = fs::read_to_string(&target).unwrap();
    assert!(
        written.contains("\"a.b\" = \"1\"") && written.contains("version = \"3\""),
        "{written}"
    );

    fs::write(&target, "mine").unwrap();
    for args in [&["migrate", "old"][..], &["migrate", "old", "--dry-run"]] {
        assert_eq!(plugin(root.path(), args).0, Some(73));
        assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    }
    assert_eq!(plugin(root.path(), &["migrate", "old", "-f"]).0, Some(0));
    assert_eq!(fs::read_to_string(&target).unwrap(), written);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);

    fs::write(&source, "PROCESS_NAME = f()\n\nPLUGIN_NAME = 3\n").unwrap();
    let (status, _, stderr) = plugin(root.path(), &["migrate", "old", "-f"]);
    assert_eq!(status, Some(78));
    assert!(stderr.contains("__init__.py:1: PROCESS_NAME"), "{stderr}");
    assert!(stderr.contains("__init__.py:3: PLUGIN_NAME"), "{stderr}");
    assert_eq!(fs::read_to_string(&target).unwrap(), written);
}
