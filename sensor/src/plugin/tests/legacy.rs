//! `__init__.py`, by every form that Python has for a constant.

use super::*;

const BASE: &str = "SERVICE_NAMESPACE = 'N'\nPROCESS_NAME = 'x'\nPLUGIN_NAME = 'p'\n";

fn python(text: &str) -> Result<Plugin, Vec<Problem>> {
    parse_init_py(Path::new("/p/__init__.py"), text)
}

/// The process name that an assignment gives.
#[track_caller]
fn check(assignment: &str, expected: &str) {
    let plugin = python(&format!("{BASE}{assignment}\n"));
    let plugin = plugin.unwrap_or_else(|problems| panic!("{assignment}: {problems:#?}"));
    assert_eq!(plugin.services[0].pattern, expected, "{assignment}");
}

/// The problems of an assignment in line 4.
#[track_caller]
fn check_fault(assignment: &str, line: usize, key: &str, message: &str) {
    let problems = python(&format!("{BASE}{assignment}\n")).unwrap_err();
    let found = problems.iter().any(|problem| {
        problem.line == Some(line)
            && problem.key.as_deref().unwrap_or_default() == key
            && problem.message.contains(message)
    });
    assert!(found, "{assignment}: {problems:#?}");
}

#[test]
fn the_guides_files_load() {
    let plugin = python(
        "#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\n\"\"\"\nConfiguration for \"myapp\".\n\"\"\"\n\
         import os\nfrom . import x\n\n\
         # namespace\nSERVICE_NAMESPACE = \"MyCompany\"\n\
         PROCESS_NAMES = [\"MyAppWeb\", 'MyAppWorker',  # two\n    \"MyAppDB\",\n]\n\
         PLUGIN_NAME = \"myapp\"\n\
         CUSTOM_ATTRIBUTES = {\n    \"service.version\": \"1.0.0\",\n    'deployment.environment': \"production\",\n    \"n\": -3, \"f\": 1.5, \"t\": True, \"h\": 0x_ff,\n}\n\
         if __name__ == \"__main__\":\n    PLUGIN_NAME = os.environ[\"x\"]\n",
    )
    .unwrap();
    assert_eq!(plugin.name, "myapp");
    assert_eq!(plugin.directory.as_deref(), Some(Path::new("/p")));
    assert_eq!(plugin.version.as_deref(), Some("1.0.0"));
    let names: Vec<&str> = plugin.services.iter().map(|s| &*s.service_name).collect();
    assert_eq!(
        names,
        [
            "MyCompany.MyAppWeb",
            "MyCompany.MyAppWorker",
            "MyCompany.MyAppDB"
        ]
    );
    let attributes: Vec<(&str, &str)> = plugin
        .attributes
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .collect();
    assert_eq!(
        attributes,
        [
            ("deployment.environment", "production"),
            ("f", "1.5"),
            ("h", "255"),
            ("n", "-3"),
            ("t", "true"),
        ]
    );
}

#[test]
fn every_form_of_a_string_is_read() {
    for (assignment, expected) in [
        ("PROCESS_NAME = \"MyApp\"", "MyApp"),
        ("PROCESS_NAME='MyApp'", "MyApp"),
        ("PROCESS_NAME = '''My\nApp'''", "My\nApp"),
        ("PROCESS_NAME = \"\"\"a\"b\"\"c\"\"\"", "a\"b\"\"c"),
        ("PROCESS_NAME = r'^My\\.App$'", "^My\\.App$"),
        ("PROCESS_NAME = R\"a\\\"b\"", "a\\\"b"),
        ("PROCESS_NAME = u'x y'", "x y"),
        (r"PROCESS_NAME = 'a\x41\u00e9\U0001F600\101\d'", "aAé😀A\\d"),
        (r#"PROCESS_NAME = '\'\"\\'"#, "'\"\\"),
        ("PROCESS_NAME = 'a' \"b\" r'c'", "abc"),
        ("PROCESS_NAME = ('a'\n    'b'  # no\n    'c')", "abc"),
        ("PROCESS_NAME = (('a'))", "a"),
        ("PROCESS_NAME = \\\n    'a' \\\n  'b'", "ab"),
        ("PROCESS_NAME = 'a\\\nb'", "ab"),
        ("PROCESS_NAME: str = 'a'", "a"),
        ("PROCESS_NAME: Final[dict[str, int]] = 'a'", "a"),
        ("PROCESS_NAME = 'a'; x = 1", "a"),
        ("x = 1; PROCESS_NAME = 'a'", "a"),
        ("x = PROCESS_NAME = 'a'", "a"),
        ("PROCESS_NAME = 'a'  # 'b'", "a"),
        ("PROCESS_NAME = 'a'\nPROCESS_NAME = 'b'", "b"),
        ("PROCESS_NAME = 'a'\r\nx = 2\rPROCESS_NAME = 'c'", "c"),
        ("PROCESS_NAME = '₿'", "₿"),
    ] {
        // A namespace may be any text.
        let text = assignment.replace("PROCESS_NAME", "SERVICE_NAMESPACE");
        let plugin = python(&format!("{BASE}{text}\n"));
        let plugin = plugin.unwrap_or_else(|problems| panic!("{text}: {problems:#?}"));
        assert_eq!(plugin.services[0].namespace, expected, "{text}");
    }
}

#[test]
fn everything_else_is_passed_over() {
    for passed in [
        "def f():\n    PROCESS_NAME = g()\n    return '''\nPROCESS_NAME = h()\n'''",
        "class A: PROCESS_NAME = g()",
        "if True: PROCESS_NAME = 'no'",
        "if True:\n\tPROCESS_NAME = 'no'\nelse:\n  PROCESS_NAME = g()",
        "try:\n    from x import y\nexcept ImportError:\n    PROCESS_NAME = None",
        "self.PROCESS_NAME = g()",
        "f(PROCESS_NAME=g())",
        "x = {'PROCESS_NAME': g()}\ny = [\nPROCESS_NAME\n]",
        "PROCESS_NAME: str",
        "PROCESS_NAMES_ = g()",
        "'''\nPROCESS_NAME = g()\n'''",
        "# PROCESS_NAME = g()",
        "x = f\"{d['a']} {d[\"b\"]} {{ {y!r:'>10} {f'{z}'}\"",
        "x = rf'''{a}\n'{b}' '''",
        "x = lambda a=1: a",
        "@decorator('x')\ndef f(): pass",
        "x += 1; y == 2; z **= 3; w //= 4; v: int",
        "assert PROCESS_NAME == 'x'",
        "x = 1 if a else 2j",
        "async def f(): await x",
        "with open('x') as f: PROCESS_NAME = f.read()",
        "print(PROCESS_NAME)",
        "__all__ = ['PROCESS_NAME', 'PLUGIN_NAME']",
        "\x0cx = 1",
    ] {
        check(passed, "x");
    }
    check(
        "\u{feff}PROCESS_NAME = 'x'".trim_start_matches('\u{feff}'),
        "x",
    );
    assert!(python(&format!("\u{feff}{BASE}")).is_ok());
}

#[test]
fn what_is_no_literal_is_named_with_its_line() {
    for (assignment, key, message) in [
        (
            "PROCESS_NAME = os.environ['X']",
            "PROCESS_NAME",
            "is not a literal",
        ),
        (
            "PROCESS_NAME = 'a' + 'b'",
            "PROCESS_NAME",
            "is not a literal",
        ),
        (
            "PROCESS_NAME = 'a'.lower()",
            "PROCESS_NAME",
            "is not a literal",
        ),
        ("PROCESS_NAME = 'a' % b", "PROCESS_NAME", "is not a literal"),
        ("PROCESS_NAME = other", "PROCESS_NAME", "is not a literal"),
        ("PROCESS_NAME = f'a'", "PROCESS_NAME", "formatted string"),
        ("PROCESS_NAME = b'a'", "PROCESS_NAME", "bytes"),
        (
            "PROCESS_NAME = 5",
            "PROCESS_NAME",
            "expected a string, found a number",
        ),
        ("PROCESS_NAME = None", "PROCESS_NAME", "found None"),
        ("PROCESS_NAME = ['a']", "PROCESS_NAME", "found a list"),
        ("PROCESS_NAME = 'a',", "PROCESS_NAME", "found a list"),
        ("PROCESS_NAME = ''", "PROCESS_NAME", "empty pattern"),
        ("PROCESS_NAME = '('", "PROCESS_NAME", "position 1"),
        (
            "PROCESS_NAME = '\\N{BULLET}'",
            "PROCESS_NAME",
            "the character itself",
        ),
        ("PROCESS_NAME = '\\ud800'", "PROCESS_NAME", "no character"),
        ("PROCESS_NAME = '\\x4'", "PROCESS_NAME", "too few"),
        ("PROCESS_NAME += 'a'", "PROCESS_NAME", "is changed"),
        (
            "PROCESS_NAME, x = 'a', 'b'",
            "PROCESS_NAME",
            "plain assignment",
        ),
        (
            "(x, PROCESS_NAME) = 'a', 'b'",
            "PROCESS_NAME",
            "plain assignment",
        ),
        (
            "PROCESS_NAMES = 'a'",
            "PROCESS_NAMES",
            "keep one of the two",
        ),
        ("PLUGIN_NAME = '../x'", "PLUGIN_NAME", "no leading dot"),
        (
            "CUSTOM_ATTRIBUTES = dict(a=1)",
            "CUSTOM_ATTRIBUTES",
            "is not a literal",
        ),
        (
            "CUSTOM_ATTRIBUTES = {**a}",
            "CUSTOM_ATTRIBUTES",
            "is not a literal",
        ),
        (
            "CUSTOM_ATTRIBUTES = ['a']",
            "CUSTOM_ATTRIBUTES",
            "expected a dictionary",
        ),
        (
            "CUSTOM_ATTRIBUTES = {'a': None}",
            "CUSTOM_ATTRIBUTES",
            "found None",
        ),
        (
            "CUSTOM_ATTRIBUTES = {'a': []}",
            "CUSTOM_ATTRIBUTES",
            "found a list",
        ),
        (
            "CUSTOM_ATTRIBUTES = {1: 'a'}",
            "CUSTOM_ATTRIBUTES",
            "type of a key",
        ),
        (
            "CUSTOM_ATTRIBUTES = {'host.id': 'a'}",
            "CUSTOM_ATTRIBUTES",
            "set by the sensor",
        ),
        (
            "CUSTOM_ATTRIBUTES = {}\nCUSTOM_ATTRIBUTES['a'] = 1",
            "CUSTOM_ATTRIBUTES",
            "",
        ),
        ("x = 'a", "", "is not closed"),
        ("x = '''a", "", "is not closed"),
        ("x = [1,", "", "bracket"),
    ] {
        let line = if assignment.contains('\n') { 5 } else { 4 };
        check_fault(assignment, line, key, message);
    }
    check_fault(
        "CUSTOM_ATTRIBUTES = {\n 'a': 1,\n 'host.id': 'a'}",
        6,
        "CUSTOM_ATTRIBUTES",
        "host.id",
    );
    let missing = python("x = 1\n").unwrap_err();
    let told: Vec<String> = missing.iter().map(Problem::to_string).collect();
    assert_eq!(
        told,
        [
            "/p/__init__.py: PLUGIN_NAME: is missing",
            "/p/__init__.py: PROCESS_NAME: is missing (or PROCESS_NAMES)",
            "/p/__init__.py: SERVICE_NAMESPACE: is missing",
        ]
    );
    let list = "SERVICE_NAMESPACE = 'N'\nPLUGIN_NAME = 'p'\nPROCESS_NAMES = [\n'a',\n3,\n'(']\n";
    let problems = python(list).unwrap_err();
    let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [Some(5), Some(6)]);
}

#[test]
fn legacy_plugins_are_found_and_toml_goes_before_them() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        fs::create_dir_all(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("__init__.py"), text).unwrap();
    };
    put("old", &BASE.replace("'p'", "'old'"));
    put("both", "PROCESS_NAME = broken(\n");
    write(dir.path(), "both", &minimal("new", "y"));
    put("bad", "PROCESS_NAME = f()\n");
    for passed_over in ["common", "tests", "docs", "logs", "__pycache__"] {
        put(passed_over, "VERSION = 'x'\n");
    }
    fs::write(dir.path().join("__init__.py"), "").unwrap();
    let loaded = load(&[dir.path().to_owned()], &[]);
    let names: Vec<&str> = loaded.plugins.iter().map(|plugin| &*plugin.name).collect();
    assert_eq!(names, ["new", "old"]);
    assert_eq!(loaded.failed.len(), 1);
    assert_eq!(loaded.failed[0].name, "bad");
    let loaded = load(&[dir.path().join("old")], &[]);
    assert_eq!(loaded.plugins[0].name, "old");
}

#[test]
fn what_is_migrated_reads_as_the_same_plugin() {
    for text in [
        BASE.to_owned(),
        "SERVICE_NAMESPACE = 'Strategy₿ \"x\" \\\\ \\n\\x7f'\nPROCESS_NAMES = ['^a\\\\d$', \"b'c\"]\n\
         PLUGIN_NAME = 'p q'\nCUSTOM_ATTRIBUTES = {'service.version': '2', 'a b': 'c\\nd', '\"': 1}\n"
            .to_owned(),
    ] {
        let legacy = python(&text).unwrap();
        let toml = legacy_as_toml(&legacy);
        let again = parse_toml(Path::new("/p/plugin.toml"), &toml);
        assert_eq!(again.as_ref(), Ok(&legacy), "{toml}");
    }
}

#[test]
fn no_depth_and_no_length_ends_the_process() {
    for unit in [
        "(",
        "[",
        "{",
        "'",
        "\"\"\"",
        "f'{",
        "\\",
        "a=",
        "-",
        "{1:",
        "PROCESS_NAME=(",
        ";",
    ] {
        let text = format!("PROCESS_NAME = {}", unit.repeat((1 << 20) / unit.len()));
        assert!(python(&text).is_err(), "{unit}");
    }
}

#[test]
fn a_file_that_is_no_text_is_an_error_of_its_plugin() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).join("__init__.py");
    for name in ["latin1", "large", "pipe", "link", "good"] {
        fs::create_dir(dir.path().join(name)).unwrap();
    }
    fs::write(path("latin1"), b"# ok\nPLUGIN_NAME = '\xe9'\n").unwrap();
    fs::write(path("large"), "#".repeat((1 << 20) + 1)).unwrap();
    let mode = rustix::fs::Mode::RUSR;
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), kind, mode, 0).unwrap();
    symlink("nowhere", path("link")).unwrap();
    fs::write(path("good"), BASE).unwrap();
    let loaded = load(&[dir.path().to_owned()], &[]);
    assert_eq!(loaded.plugins.len(), 1);
    let told: Vec<_> = loaded
        .failed
        .iter()
        .map(|failed| {
            (
                &*failed.name,
                failed.problems[0].line,
                failed.problems.len(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("large", None, 1),
            ("latin1", Some(2), 1),
            ("link", None, 1),
            ("pipe", None, 1)
        ]
    );
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "(?s).{0,200}") {
        let _ = python(&text);
    }

    #[test]
    fn no_python_panics(parts in proptest::collection::vec(
        proptest::sample::select(vec![
            "PROCESS_NAME", "CUSTOM_ATTRIBUTES", "=", ":", "'", "\"", "\"\"\"", "f'", "{", "}",
            "(", ")", "[", "]", ",", "\n", "  ", "\\", "#", "1", "0x", "1e", "-", "True", "\\u",
            "₿", ";", "def ", ".", "r\"",
        ]), 0..60)) {
        let _ = python(&parts.concat());
        let _ = parse_toml(Path::new("x"), &parts.concat());
    }

    #[test]
    fn every_text_survives_as_a_constant(name in "[^\\\\'\r\n]{1,20}") {
        let text = format!("SERVICE_NAMESPACE = '{name}'\nPROCESS_NAME = 'x'\nPLUGIN_NAME = 'p'\n");
        let plugin = python(&text).unwrap();
        proptest::prop_assert_eq!(&plugin.services[0].namespace, &name);
        let toml = legacy_as_toml(&plugin);
        let again = parse_toml(Path::new("/p/plugin.toml"), &toml);
        proptest::prop_assert_eq!(again, Ok(plugin));
    }
}
