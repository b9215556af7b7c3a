use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::config::compile_pattern;
use crate::plugin::ServiceSpec;
use crate::plugin::patterns::{Role, compile};
use crate::plugin::template::Values;

const SENSOR: u32 = 999;

fn plugin(on: MatchOn, patterns: &[&str], exclude: &[&str]) -> Plugin {
    let services = patterns.iter().map(|pattern| {
        let values = Values {
            namespace: "n",
            process_name: pattern,
            plugin: "p",
        };
        ServiceSpec::new("s{process_name}", &values).unwrap()
    });
    Plugin {
        name: "p".to_owned(),
        match_on: on,
        services: services.collect(),
        exclude: exclude.iter().map(|&pattern| pattern.to_owned()).collect(),
        ..Plugin::default()
    }
}

fn search(plugins: &[Plugin], candidate: &Candidate<'_>) -> Vec<u32> {
    let matcher = Matcher::new(plugins, SENSOR).unwrap();
    let mut out = vec![ServiceIndex(77)];
    matcher.matches(candidate, &mut out);
    let first = out.clone();
    // Once more, from the cache.
    matcher.matches(candidate, &mut out);
    assert_eq!(out, first);
    out.into_iter().map(|index| index.0).collect()
}

#[track_caller]
fn check(pattern: &str, candidate: &Candidate<'_>, expected: bool) {
    let found = search(&[plugin(MatchOn::Name, &[pattern], &[])], candidate);
    assert_eq!(!found.is_empty(), expected, "{pattern} {candidate:?}");
}

fn comm(comm: &[u8]) -> Candidate<'_> {
    Candidate {
        pid: 1,
        comm,
        ..Candidate::default()
    }
}

#[test]
fn names_are_searched_in_any_case_and_anywhere() {
    for (pattern, name, expected) in [
        ("MyApp", "myapp", true),
        ("MyApp", "MYAPP", true),
        ("MyApp", "MyAppServer", true),
        ("MyApp", "xmyappx", true),
        ("MyApp.*", "MyAppWorker", true),
        ("^MyApp$", "myapp", true),
        ("^MyApp$", "MyAppServer", false),
        ("MyApp", "nginx", false),
        ("CAFÉ", "café", true),
        (".*", "", true),
    ] {
        check(pattern, &comm(name.as_bytes()), expected);
    }
    check("app", &comm(b"\xff\xfeapp\xff"), true);
    check(".*", &comm(b"\xff"), true);
    check(r"^\S+$", &comm(b"a b"), false);
}

#[test]
fn a_cut_name_is_completed_by_argv0_or_the_executable() {
    let cut = b"longprocessname";
    let long: &[u8] = b"longprocessname_and_its_end";
    for (argv0, exe, expected) in [
        (Some(long), None, long),
        (Some(&b"/opt/longprocessname_and_its_end"[..]), None, long),
        (None, Some(&b"/opt/longprocessname_and_its_end"[..]), long),
        (
            None,
            Some(&b"/opt/longprocessname_and_its_end (deleted)"[..]),
            long,
        ),
        (
            Some(&b"other"[..]),
            Some(&b"/x/longprocessname_and_its_end"[..]),
            long,
        ),
        (Some(&b"other"[..]), Some(&b"/bin/python3"[..]), &cut[..]),
        (Some(&b""[..]), Some(&b""[..]), &cut[..]),
        (None, None, &cut[..]),
    ] {
        assert_eq!(process_name(cut, argv0, exe), expected, "{argv0:?} {exe:?}");
    }
    // A name that is not cut is whole, whatever the arguments say.
    assert_eq!(process_name(b"short", Some(b"shorter"), None), b"short");
    let candidate = Candidate {
        argv0: Some(long),
        ..comm(cut)
    };
    check("its_end$", &candidate, true);
    check("longprocessname$", &candidate, false);
    check("longprocessname$", &comm(cut), true);
}

#[test]
fn executable_and_arguments_are_matched_where_they_are_known() {
    let list: [&[u8]; 3] = [b"java", b"-cp", b"x y"];
    let known = Candidate {
        exe: Some(b"/usr/bin/java (deleted)"),
        args: Some(Args::List(&list)),
        ..comm(b"java")
    };
    let raw = |bytes| Candidate {
        args: Some(Args::NulSeparated(bytes)),
        ..comm(b"java")
    };
    for (on, pattern, candidate, expected) in [
        (MatchOn::Exe, "^/usr/bin/java$", &known, true),
        (MatchOn::Exe, "deleted", &known, false),
        (MatchOn::Exe, ".*", &comm(b"java"), false),
        (MatchOn::Cmdline, "^java -cp x y$", &known, true),
        (
            MatchOn::Cmdline,
            "^java -cp x y$",
            &raw(b"java\0-cp\0x y\0"),
            true,
        ),
        (
            MatchOn::Cmdline,
            "^java -cp x y$",
            &raw(b"java\0-cp\0x y"),
            true,
        ),
        (
            MatchOn::Cmdline,
            "^java  end$",
            &raw(b"java\0\0end\0"),
            true,
        ),
        (MatchOn::Cmdline, "^title$", &raw(b"title"), true),
        (MatchOn::Cmdline, "^$", &raw(b""), true),
        (MatchOn::Cmdline, ".*", &comm(b"java"), false),
    ] {
        let found = search(&[plugin(on, &[pattern], &[])], candidate);
        assert_eq!(!found.is_empty(), expected, "{pattern} {candidate:?}");
    }
}

#[test]
fn excluded_and_switched_off_plugins_do_not_match() {
    let off = Plugin {
        enabled: false,
        ..plugin(MatchOn::Name, &["app"], &[])
    };
    let plugins = [
        plugin(MatchOn::Name, &["app", "web"], &["test", "^X"]),
        off,
        plugin(MatchOn::Name, &[".*"], &["test"]),
        plugin(MatchOn::Name, &["app"], &[]),
    ];
    for (name, expected) in [
        ("webapp", &[0, 1, 3, 4][..]),
        ("app-TEST", &[4]),
        ("xapp", &[3, 4]),
        ("other", &[3]),
        ("test", &[]),
    ] {
        assert_eq!(search(&plugins, &comm(name.as_bytes())), expected, "{name}");
    }
    let matcher = Matcher::new(&plugins, SENSOR).unwrap();
    assert_eq!(matcher.position(ServiceIndex(1)), Some((0, 1)));
    assert_eq!(matcher.position(ServiceIndex(4)), Some((3, 0)));
    assert_eq!(matcher.position(ServiceIndex(5)), None);
    assert_eq!(matcher.services().count(), 5);
}

#[test]
fn the_sensor_is_matched_only_by_a_plugin_that_names_it() {
    let itself = Candidate {
        pid: SENSOR,
        ..comm(b"sensor")
    };
    for (pattern, expected) in [
        ("sensor", true),
        ("^Sensor$", true),
        ("sens", false),
        (".*", false),
        ("sensor.*", false),
    ] {
        check(pattern, &itself, expected);
        check(pattern, &comm(b"sensor"), true);
    }
    assert!(search(&[Plugin::host()], &itself).is_empty());
    assert_eq!(search(&[Plugin::host()], &comm(b"\xff")), [0]);
}

#[test]
fn only_what_is_needed_is_asked_for() {
    let needs = |plugins: &[Plugin]| Matcher::new(plugins, SENSOR).unwrap().needs();
    assert_eq!(needs(&[]), Needs::default());
    let name = Needs {
        name: true,
        ..Needs::default()
    };
    assert_eq!(needs(&[Plugin::host()]), name);
    let all = [
        plugin(MatchOn::Name, &["a"], &[]),
        plugin(MatchOn::Exe, &["a"], &[]),
        plugin(MatchOn::Cmdline, &["a"], &[]),
    ];
    assert_eq!(
        needs(&all[1..]),
        Needs {
            exe: true,
            cmdline: true,
            ..Needs::default()
        }
    );
    let list: [&[u8]; 1] = [b"a"];
    let candidate = Candidate {
        exe: Some(b"/a"),
        args: Some(Args::List(&list)),
        ..comm(b"a")
    };
    assert_eq!(search(&all, &candidate), [0, 1, 2]);
}

#[test]
fn user_and_cgroup_must_hold_too() {
    let limited = |user: Option<&str>, cgroup: Option<&str>| Plugin {
        user: user.map(str::to_owned),
        cgroup: cgroup.map(str::to_owned),
        ..plugin(MatchOn::Name, &["web"], &[])
    };
    let known = Candidate {
        user: Some(0),
        cgroup: Some(b"/Shop.slice/web.service"),
        ..comm(b"web")
    };
    for (user, cgroup, expected) in [
        (None, None, true),
        (Some("root"), None, true),
        (Some("0"), Some("^/shop[.]slice/"), true),
        (Some("1"), None, false),
        (None, Some("web[.]service$"), true),
        (None, Some("db"), false),
        (Some("1"), Some("shop"), false),
    ] {
        let found = search(&[limited(user, cgroup)], &known);
        assert_eq!(!found.is_empty(), expected, "{user:?} {cgroup:?}");
        // What is unknown does not match.
        let found = search(&[limited(user, cgroup)], &comm(b"web"));
        assert_eq!(!found.is_empty(), user.is_none() && cgroup.is_none());
    }
    let needs = |plugin| Matcher::new(&[plugin], SENSOR).unwrap().needs();
    assert!(needs(limited(Some("0"), None)).user);
    assert!(needs(limited(None, Some("x"))).cgroup);
    let error = Matcher::new(&[limited(Some("no such user"), None)], SENSOR);
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("plugin `p`: there is no user"), "{error}");
    assert!(Matcher::new(&[limited(None, Some("("))], SENSOR).is_err());
    let off = Plugin {
        enabled: false,
        ..limited(Some("no such user"), Some("("))
    };
    assert!(Matcher::new(&[off], SENSOR).is_ok());
}

#[test]
fn lineage_goes_before_the_name_and_not_before_the_rest() {
    let plugins = [
        plugin(MatchOn::Name, &["web", "sensor"], &["^not$"]),
        Plugin {
            user: Some("0".to_owned()),
            ..plugin(MatchOn::Exe, &["web"], &[])
        },
    ];
    let lineage = [2, 0, 1].map(ServiceIndex);
    let of = |pid, name, user| Candidate {
        pid,
        user,
        lineage: &lineage,
        ..comm(name)
    };
    for (candidate, expected) in [
        (of(1, b"sh", Some(0)), &[0, 1, 2][..]),
        (of(1, b"web", Some(0)), &[0, 1, 2]),
        (of(1, b"sh", Some(1)), &[0, 1]),
        (of(1, b"not", Some(0)), &[2]),
        (of(SENSOR, b"sh", Some(0)), &[1]),
    ] {
        assert_eq!(search(&plugins, &candidate), expected, "{candidate:?}");
    }
}

#[test]
fn a_pattern_that_does_not_compile_names_its_plugin() {
    for pattern in ["(", ""] {
        let error = Matcher::new(&[plugin(MatchOn::Exe, &[pattern], &[])], 1).unwrap_err();
        assert!(error.to_string().starts_with("plugin `p`: "), "{error}");
    }
    assert!(Matcher::new(&[plugin(MatchOn::Exe, &["a"], &["["])], 1).is_err());
}

#[test]
fn patterns_too_large_for_one_set_are_split() {
    let role = |n| Role::Include(0, ServiceIndex(n));
    let patterns: Vec<_> = (0..9).map(|n| (format!(r"a{n}\w\w"), role(n))).collect();
    let mut sets = Vec::new();
    compile(&patterns, 200_000, &mut sets).unwrap();
    assert!(sets.len() > 1, "{}", sets.len());
    let kind = Kind {
        always: Vec::new(),
        sets,
        cache: Mutex::default(),
    };
    let mut out = Vec::new();
    kind.matches(b"a8xx", &mut out, &mut Vec::new());
    assert_eq!(out, [ServiceIndex(8)]);
    assert!(compile(&patterns, 1_000, &mut Vec::new()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn one_set_answers_as_one_regex_each(
        patterns in proptest::collection::vec("[a-c.^$|]{1,4}", 1..8),
        exclude in proptest::collection::vec("[a-c]{1,3}", 0..3),
        names in proptest::collection::vec(proptest::collection::vec(
            prop::sample::select(b"abcABC\xff\n".to_vec()), 0..6), 1..20),
    ) {
        let texts: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let excluded: Vec<&str> = exclude.iter().map(String::as_str).collect();
        let plugins = [plugin(MatchOn::Name, &texts, &excluded), plugin(MatchOn::Name, &texts, &[])];
        let matcher = Matcher::new(&plugins, SENSOR).unwrap();
        let one = |pattern: &&str| (**pattern == *".*", compile_pattern(pattern).unwrap());
        let regexes: Vec<_> = texts.iter().chain(&texts).map(one).collect();
        let excludes: Vec<_> = excluded.iter().map(one).collect();
        let mut out = Vec::new();
        // Twice, so that the cache answers too.
        for name in names.iter().chain(&names) {
            matcher.matches(&comm(name), &mut out);
            let is_out = excludes.iter().any(|(_, regex)| regex.is_match(name));
            let mut expected = Vec::new();
            for (index, (all, regex)) in regexes.iter().enumerate() {
                if (*all || regex.is_match(name)) && !(is_out && index < texts.len()) {
                    expected.push(ServiceIndex(u32::try_from(index).unwrap()));
                }
            }
            prop_assert_eq!(&out, &expected, "{:?}", name);
        }
    }
}
