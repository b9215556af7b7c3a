//! `sensor plugin list` and `sensor plugin check`.

use super::*;

const GOOD: &str = "[metadata]\nplugin_name = \"good-one\"\nauthor = \"x\"\n\
    service_namespace = \"Café\"\nprocess_names = [\"^a$\", \"b\"]\n\
    [monitoring]\ndefault_interval = \"1500ms\"\nenabled = false\n\
    [match]\non = \"exe\"\n";
const BROKEN: &str = "[plugin]\nname = \"broken\"\n[service]\nnamespace = 5\nproces_name = \"(\"\n";

fn json(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_json_has_every_key_of_the_contract() {
    let plugins = Plugins::new();
    plugins.write("a", GOOD);
    plugins.write("b", BROKEN);
    for (command, code) in [("list", 0), ("check", 78)] {
        let (status, stdout, stderr) = plugin(
            plugins.root(),
            &[command, "--plugins", &plugins.flag(), "--json"],
        );
        assert_eq!((status, &*stderr), (Some(code), ""));
        let listed = json(&stdout);
        let file = |name: &str| plugins.path().join(name).display().to_string();
        assert_eq!(
            listed[0],
            serde_json::json!({
                "plugin": "good-one",
                "directory": file("a"),
                "enabled": false,
                "interval_s": 1.5,
                "valid": true,
                "errors": [],
                "warnings": [{
                    "file": file("a/plugin.toml"),
                    "line": 3,
                    "key": "metadata.author",
                    "message": "has no effect: it concerned the Python framework only",
                }],
                "services": [
                    {
                        "service.name": "Café.^a$",
                        "service_id": "caf_a",
                        "display_name": "Caf A",
                        "pattern": "^a$",
                        "match_on": "exe",
                    },
                    {
                        "service.name": "Café.b",
                        "service_id": "caf_b",
                        "display_name": "Caf B",
                        "pattern": "b",
                        "match_on": "exe",
                    },
                ],
            })
        );
        assert_eq!(listed[1]["plugin"], "broken");
        assert_eq!(listed[1]["valid"], false);
        assert_eq!(listed[1]["interval_s"], 60);
        let errors: Vec<_> = listed[1]["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| {
                assert_eq!(error["file"], file("b/plugin.toml"));
                assert!(!error["message"].as_str().unwrap().is_empty());
                (error["line"].as_u64(), error["key"].as_str().unwrap())
            })
            .collect();
        assert_eq!(
            errors,
            [
                (Some(3), "service.process_name"),
                (Some(4), "service.namespace"),
                (Some(5), "service.proces_name"),
            ]
        );
    }
}

#[test]
fn people_see_the_same() {
    let plugins = Plugins::new();
    plugins.write("a", GOOD);
    plugins.write("b", BROKEN);
    let flag = plugins.flag();
    let (status, stdout, stderr) = plugin(plugins.root(), &["list", "--plugins", &flag]);
    assert_eq!(status, Some(0));
    assert!(
        stdout.contains("exe: ^a$") && stdout.contains("off"),
        "{stdout}"
    );
    assert!(stdout.contains("broken"), "{stdout}");
    assert!(
        stdout.lines().all(|line| line.chars().count() <= 80),
        "{stdout}"
    );
    assert_eq!(
        stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .count(),
        3
    );
    let (status, stdout, stderr) = plugin(plugins.root(), &["check", "--plugins", &flag]);
    assert_eq!(status, Some(78));
    assert_eq!(
        stdout,
        "2 plugins, 0 examples: 3 errors in 1 plugin, 1 warning\n"
    );
    assert!(stderr.contains("did you mean `process_name`?"), "{stderr}");
    let only = &["check", "--plugins", &flag, "--plugin", "good-one"];
    assert_eq!(plugin(plugins.root(), only).0, Some(0));
}

#[test]
fn what_is_missing_is_66() {
    let plugins = Plugins::new();
    plugins.write("a", GOOD);
    let (flag, file) = (plugins.flag(), plugins.path().join("a/plugin.toml"));
    let missing = plugins.root().join("missing").display().to_string();
    for command in ["list", "check"] {
        for args in [
            vec![command, "--plugins", &missing],
            vec![command, "--plugins", &flag, "--plugins", &missing],
            vec![command, "--plugins", file.to_str().unwrap()],
            vec![command, "--plugins", &flag, "--plugin", "nobody"],
        ] {
            let (status, stdout, stderr) = plugin(plugins.root(), &args);
            assert_eq!((status, &*stdout), (Some(66), ""), "{args:?}: {stderr}");
        }
    }
}

#[test]
fn examples_are_checked_but_only_by_check() {
    let plugins = Plugins::new();
    plugins.write(
        "a",
        "[plugin]\nname = 'a'\n[service]\nnamespace = 'N'\nprocess_name = '^MyApp$'\n\
         [[examples]]\nname = 'myapp'\n[[examples]]\nname = 'MyAppServer'\n\
         [[examples]]\nname = 'MYAPP'\nmatch = false\n",
    );
    let flag = plugins.flag();
    let (status, stdout, _) = plugin(plugins.root(), &["check", "--json", "--plugins", &flag]);
    assert_eq!(status, Some(78));
    let errors = &json(&stdout)[0]["errors"];
    let lines: Vec<_> = errors
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["line"].as_u64())
        .collect();
    assert_eq!(lines, [Some(8), Some(10)], "{errors}");
    let (_, stdout, _) = plugin(plugins.root(), &["list", "--json", "--plugins", &flag]);
    assert_eq!(json(&stdout)[0]["valid"], true);
}

#[test]
fn examples_are_tried_whatever_else_is_wrong() {
    let plugins = Plugins::new();
    let text = |pattern: &str| {
        format!(
            "[plugin]\nname = 'p'\n[service]\nnamespace = 'N'\nprocess_name = '{pattern}'\n\
             [monitoring]\nenable = true\n[[examples]]\nname = 'other'\n"
        )
    };
    plugins.write("p", &text("^p$"));
    let args = ["check", "--plugins", &plugins.flag(), "--json"];
    let lines = |text: &str| -> Vec<Value> {
        let errors = json(text)[0]["errors"].as_array().unwrap().clone();
        errors.iter().map(|error| error["line"].clone()).collect()
    };
    let (status, stdout, _) = plugin(plugins.root(), &args);
    assert_eq!(
        (status, lines(&stdout)),
        (Some(78), vec![7.into(), 8.into()])
    );
    // Of a pattern that cannot be used nothing is said twice.
    plugins.write("p", &text("("));
    let (status, stdout, _) = plugin(plugins.root(), &args);
    assert_eq!(
        (status, lines(&stdout)),
        (Some(78), vec![5.into(), 7.into()])
    );
}

#[test]
fn variables_are_seen_and_a_bad_one_is_an_error() {
    let plugins = Plugins::new();
    plugins.write("a", GOOD);
    let flag = plugins.flag();
    let mut command = sensor(["plugin", "check", "--json", "--plugins", &flag]);
    let (status, stdout, _) = end(command.env("GOOD_ONE_INTERVAL", "9"));
    assert_eq!(
        (status, &json(&stdout)[0]["interval_s"]),
        (Some(0), &9.into())
    );
    let (status, stdout, _) = end(command.env("GOOD_ONE_INTERVAL", "never"));
    let error = &json(&stdout)[0]["errors"][0];
    assert_eq!(status, Some(78));
    assert_eq!(
        (&error["file"], &error["key"]),
        (&Value::Null, &"GOOD_ONE_INTERVAL".into())
    );
}

#[test]
fn the_shipped_plugins_are_without_a_fault() {
    let shipped = shipped();
    let (status, stdout, stderr) = plugin(
        &shipped,
        &["check", "--json", "--plugins", shipped.to_str().unwrap()],
    );
    assert_eq!(status, Some(0), "{stdout}{stderr}");
    let listed = json(&stdout);
    let names: Vec<&str> = listed
        .iter()
        .map(|one| one["plugin"].as_str().unwrap())
        .collect();
    for wanted in [
        "m8mulprc",
        "m8prcsvr",
        "m8refsvr",
        "mstrsvr",
        "nginx",
        "postgres",
        "redis",
        "mysql",
        "java",
        "node",
        "python",
        "sshd",
        "docker",
        "containerd",
        "systemd",
        "cron",
        "kubelet",
    ] {
        assert!(names.contains(&wanted), "{wanted}");
    }
    for one in &listed {
        assert_eq!(one["warnings"], serde_json::json!([]), "{one}");
        assert_eq!(one["enabled"], true, "{one}");
        let directory = Path::new(one["directory"].as_str().unwrap());
        assert_eq!(
            directory.file_name().unwrap().to_str(),
            one["plugin"].as_str()
        );
        let text = std::fs::read_to_string(directory.join("plugin.toml")).unwrap();
        assert!(
            text.contains("match = true") && text.contains("match = false"),
            "{one}"
        );
    }
}
