use super::*;
use crate::plugin::Unit;

fn plugin(name: &str, unit: Option<&str>, description: Option<&str>) -> Plugin {
    Plugin {
        name: name.to_owned(),
        unit: Unit {
            name: unit.map(str::to_owned),
            description: description.map(str::to_owned),
        },
        description: Some("what the plugin is".to_owned()),
        ..Plugin::default()
    }
}

fn place(scope: Scope) -> Place {
    Place {
        base: "/base".into(),
        units: "/units".into(),
        scope,
    }
}

fn written(plugin: &Plugin, scope: Scope) -> Result<String, String> {
    let target = Path::new("/base").join(&plugin.name);
    text(
        plugin,
        Path::new("/opt/my $x/sensor"),
        &place(scope),
        &target,
    )
}

fn line(text: &str, start: &str) -> String {
    let mut lines = text.lines().filter(|line| line.starts_with(start));
    let line = lines.next().unwrap_or_default().to_owned();
    assert_eq!(lines.next(), None, "{text}");
    line
}

#[test]
fn a_unit_is_called_what_the_plugin_says() {
    for (name, unit, file) in [
        ("nginx", None, "instana-nginx-monitor.service"),
        ("nginx", Some("web"), "web.service"),
        ("nginx", Some("web.service"), "web.service"),
        ("Strategy₿ x", None, "instana-Strategy--x-monitor.service"),
        ("a@b\\c", None, "instana-a-b-c-monitor.service"),
    ] {
        assert_eq!(file_name(&plugin(name, unit, None)).unwrap(), file);
    }
}

#[test]
fn no_name_leaves_the_directory_of_units() {
    let long = "x".repeat(248);
    for bad in [
        "",
        ".service",
        "..",
        "../x",
        "a/b",
        "a\nb",
        "-x",
        ".x",
        "a b",
        "a@",
        "a%i",
        "a\\x2f",
        "ü",
        "a\0b",
        long.as_str(),
    ] {
        let message = file_name(&plugin("p", Some(bad), None)).unwrap_err();
        assert!(!message.contains('\n'), "{bad}: {message}");
    }
    let longest = "x".repeat(247);
    assert!(file_name(&plugin("p", Some(&longest), None)).is_ok());
}

#[test]
fn text_of_a_plugin_stays_within_its_line() {
    let hostile = "one\n[Service]\nExecStart=/bin/evil\r 100% \\ \\";
    let text = written(&plugin("p", None, Some(hostile)), Scope::System).unwrap();
    assert_eq!(
        line(&text, "Description="),
        "Description=one [Service] ExecStart=/bin/evil  100%%"
    );
    assert_eq!(text.matches("\n[Service]\n").count(), 1);
    let text = written(&plugin("p", None, None), Scope::System).unwrap();
    assert_eq!(
        line(&text, "Description="),
        "Description=what the plugin is"
    );
}

#[test]
fn words_of_the_command_are_quoted() {
    for (name, word) in [
        ("nginx", "--plugin nginx"),
        ("a b", "--plugin \"a b\""),
        ("50%;$x\"\\", "--plugin \"50%%;$$x\\\"\\\\\""),
        ("-x", "--plugin=-x"),
        (";", "--plugin \";\""),
        ("₿", "--plugin \"₿\""),
    ] {
        let text = written(&plugin(name, None, None), Scope::System).unwrap();
        let file = file_name(&plugin(name, None, None)).unwrap();
        let state = file.strip_suffix(".service").unwrap();
        assert_eq!(
            line(&text, "ExecStart="),
            format!(
                "ExecStart=\"/opt/my $x/sensor\" run --pin --plugins /base {word} --output none \
                 --metadata-db-path %S/{state}/metadata.redb"
            )
        );
        assert!(is_ours(&text));
        let owner = owner(&Path::new("/base").join(name)).unwrap();
        assert_eq!(line(&text, OWNER), owner);
    }
    assert!(written(&plugin("a\nb", None, None), Scope::System).is_err());
}

#[test]
fn each_unit_has_a_store_of_its_own() {
    for scope in [Scope::System, Scope::User] {
        for (name, unit, state) in [
            ("nginx", None, "instana-nginx-monitor"),
            ("nginx", Some("web.service"), "web"),
            ("nginx", Some("a:b"), "a-b"),
        ] {
            let text = written(&plugin(name, unit, None), scope).unwrap();
            assert_eq!(
                line(&text, "StateDirectory="),
                format!("StateDirectory={state}")
            );
            assert_eq!(
                line(&text, "StateDirectoryMode="),
                "StateDirectoryMode=0700"
            );
            let store = format!(" --metadata-db-path %S/{state}/metadata.redb");
            assert!(line(&text, "ExecStart=").ends_with(&store), "{text}");
        }
    }
    // That of the packages is nobody else's.
    let packaged = line(PACKAGED, "ExecStart=");
    assert!(packaged.ends_with("%S/sensor/metadata.redb"), "{packaged}");
    assert_eq!(line(PACKAGED, "StateDirectory="), "StateDirectory=sensor");
}

#[test]
fn a_unit_is_hardened_as_the_packaged_one() {
    let system = written(&plugin("p", None, None), Scope::System).unwrap();
    for line in PACKAGED.lines() {
        let own = ["Description=", "ExecStart=", "StateDirectory="];
        if !own.iter().any(|start| line.starts_with(start)) {
            assert!(system.lines().any(|other| other == line), "{line}");
        }
    }
    // Every key that is left to a user's unit is one of the packaged unit.
    for key in FOR_USERS {
        assert!(PACKAGED.contains(&format!("\n{key}=")), "{key}");
    }
    let user = written(&plugin("p", None, None), Scope::User).unwrap();
    for key in ["Capabilit", "DynamicUser", "Protect", "Private", "After="] {
        assert!(!user.contains(key), "{user}");
    }
    assert_eq!(line(&user, "WantedBy="), "WantedBy=default.target");
    assert_eq!(line(&user, "NoNewPrivileges="), "NoNewPrivileges=yes");
}
