use std::{fs, os::unix::fs::symlink, process::Command};

use super::*;
use crate::{
    plugin::{Aggregate, Scale},
    procfs::testing::{Process, fake_root, until},
};

fn metric(file: &str, find: Find) -> CustomMetric {
    CustomMetric {
        name: "app.figure".to_owned(),
        file: file.to_owned(),
        find,
        unit: "1".to_owned(),
        scale: Scale::new(1.0),
        instrument: Instrument::Gauge,
        aggregate: Aggregate::Sum,
    }
}

fn by_field(file: &str, name: &str) -> CustomMetric {
    metric(file, Find::Field(name.to_owned()))
}

fn by_regex(file: &str, pattern: &str) -> CustomMetric {
    metric(file, Find::Regex(pattern.to_owned()))
}

/// Metrics with different names.
fn set(metrics: Vec<CustomMetric>) -> Arc<CustomSet> {
    let names = (0..).map(|number| format!("app.figure{number}"));
    let metrics: Vec<_> = metrics
        .into_iter()
        .zip(names)
        .map(|(metric, name)| CustomMetric { name, ..metric })
        .collect();
    let (set, faults) = CustomSet::new("app", &metrics);
    assert_eq!(faults, []);
    set.unwrap()
}

/// What is found in a text by name.
fn named(text: &str, name: &str) -> Result<Number, Cause> {
    Finder::Field(name.as_bytes().to_vec()).find(text.as_bytes())
}

#[test]
fn a_field_stands_behind_its_name() {
    let int = |number| Ok(Number::Int(number));
    let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
        Max cpu time              unlimited            unlimited            seconds\n\
        Max open files            1024                 1048576              files\n";
    for (text, name, expected) in [
        ("VmSwap:\t      12 kB\n", "VmSwap", int(12)),
        ("VmSwapped: 1\nVmSwap: 2\n", "VmSwap", int(2)),
        ("a: 1\nkey=5\n", "key", int(5)),
        ("key = 6", "key", int(6)),
        ("key : 7", "key", int(7)),
        ("  key 8 9\n", "key", int(8)),
        ("key\t0.25", "key", Ok(Number::Double(0.25))),
        ("cpu  123 456\ncpu0 1\n", "cpu", int(123)),
        ("key:-3,\r\n", "key", int(-3)),
        (limits, "Max open files", int(1024)),
        (limits, "Max cpu time", Err(Cause::NoNumber)),
        ("key: none\nkey: 4\n", "key", int(4)),
        ("Key: 1\n", "key", Err(Cause::NotFound)),
        ("my key: 1\n", "key", Err(Cause::NotFound)),
        ("key\n", "key", Err(Cause::NotFound)),
        ("key:\n", "key", Err(Cause::NoNumber)),
        ("", "key", Err(Cause::NotFound)),
    ] {
        assert_eq!(named(text, name), expected, "{text:?} {name}");
    }
}

#[test]
fn a_pattern_stands_at_lines_and_minds_the_case() {
    let find =
        |pattern: &str, text: &str| Finder::Regex(compile(pattern).unwrap()).find(text.as_bytes());
    let text = "Name:\tx\nVmSwap:\t  12 kB\nvmswap: 13\n";
    assert_eq!(find(r"^VmSwap:\s+(\d+)", text), Ok(Number::Int(12)));
    assert_eq!(find(r"^vmswap:\s+(\d+)$", text), Ok(Number::Int(13)));
    assert_eq!(find(r"^VMSWAP:\s+(\d+)", text), Err(Cause::NotFound));
    assert_eq!(find(r"^VmSwap:\s+(.*)$", text), Err(Cause::NoNumber));
    assert_eq!(find(r"^Name:\s+\w(\d+)?", text), Err(Cause::NotFound));
}

#[test]
fn figures_of_a_real_process_and_of_the_host() {
    let process = Process::sleep();
    let pid = process.pid();
    let mut proc = Proc::open().unwrap();
    until(|| *proc.comm(pid).unwrap() == *b"sleep");
    let swap = CustomMetric {
        scale: Scale::new(1024.0),
        ..by_field("/proc/{pid}/status", "VmSwap")
    };
    let set = set(vec![
        by_field("/proc/{pid}/status", "Threads"),
        by_regex("/proc/{pid}/limits", r"^Max open files\s+(\d+)"),
        swap,
        by_field("/proc/{pid}/status", "NoSuchThing"),
        by_field("/proc/{pid}/no-such-file", "x"),
        by_field("/proc/{pid}/task/{pid}/status", "Pid"),
        by_field("/proc/meminfo", "MemTotal"),
        by_regex("/proc/loadavg", r"^(\d+\.\d+)"),
    ]);
    let mut found = Vec::new();
    let mut buffer = Vec::new();
    let reads = proc.counts().reads;
    set.of_member(&mut proc, &mut buffer, pid, &mut found);
    assert_eq!(proc.counts().reads - reads, 4, "each file once");
    found.sort_by_key(|(index, _)| *index);
    let number = |index: usize| found.iter().find(|(at, _)| *at == index).unwrap().1;
    assert_eq!(number(0), Ok(Number::Int(1)));
    assert!(matches!(number(1), Ok(Number::Int(files)) if files > 0));
    assert_eq!(number(2).unwrap().as_f64() % 1024.0, 0.0);
    assert_eq!(number(3), Err(Cause::NotFound));
    assert_eq!(number(4), Err(Cause::NoFile));
    assert_eq!(number(5), Ok(Number::Int(i64::from(pid))));
    assert_eq!(found.len(), 6, "those of the host are read apart");

    found.clear();
    set.of_host(&mut buffer, &mut found);
    let kibibytes = proc.memory_total_bytes().unwrap() / 1024;
    assert_eq!(
        found[0],
        (6, Ok(Number::Int(i64::try_from(kibibytes).unwrap())))
    );
    assert!(matches!(found[1], (7, Ok(Number::Double(_)))));
    let physical = crate::collect::physical_memory();
    assert_eq!(physical, Some(kibibytes * 1024));
}

#[test]
fn only_regular_files_below_the_directory_are_read() {
    let root = fake_root();
    let path = |name: &str| root.path().join(name);
    let base = root.path().to_str().unwrap();
    fs::create_dir(path("app")).unwrap();
    fs::write(path("app/stats"), "x: 1\n").unwrap();
    fs::write(path("app/long"), vec![b'x'; LIMIT + 1]).unwrap();
    fs::write(path("app/full"), vec![b'x'; LIMIT]).unwrap();
    symlink("stats", path("app/link")).unwrap();
    symlink("../app/stats", path("app/around")).unwrap();
    symlink("/etc/passwd", path("app/out")).unwrap();
    symlink("../../../../../../../etc/passwd", path("app/far")).unwrap();
    symlink("/proc/self/fd/0", path("app/magic")).unwrap();
    symlink("turn", path("app/turn")).unwrap();
    symlink("/etc", path("etc")).unwrap();
    let made = Command::new("mkfifo").arg(path("app/pipe")).status();
    assert!(made.unwrap().success());
    let mut buffer = Vec::new();
    for (name, expected) in [
        ("app/stats", Ok(())),
        ("app/link", Ok(())),
        ("app/around", Ok(())),
        ("app/full", Ok(())),
        ("app/long", Err(Cause::TooLong)),
        ("app/none", Err(Cause::NoFile)),
        ("app", Err(Cause::NoRegularFile)),
        ("app/pipe", Err(Cause::NoRegularFile)),
        ("app/out", Err(Cause::Outside)),
        ("app/far", Err(Cause::Outside)),
        ("app/magic", Err(Cause::Outside)),
        ("app/turn", Err(Cause::Outside)),
        ("etc/passwd", Err(Cause::Outside)),
    ] {
        assert_eq!(read_below(base, name, &mut buffer), expected, "{name}");
        assert!(buffer.len() <= LIMIT + 1);
    }
    assert_eq!(
        read_below("/dev", "zero", &mut buffer),
        Err(Cause::NoRegularFile)
    );
    assert_eq!(read_below("/no/such", "x", &mut buffer), Err(Cause::NoFile));
}

#[test]
fn a_counter_has_no_negative_numbers() {
    let counter = CustomMetric {
        instrument: Instrument::Counter,
        ..by_field("/proc/{pid}/status", "x")
    };
    let set = set(vec![counter, by_field("/proc/{pid}/status", "x")]);
    let mut found = Vec::new();
    set.find(&set.files[0], Ok(b"x: -1"), &mut found);
    assert_eq!(found, [(0, Err(Cause::NoNumber)), (1, Ok(Number::Int(-1)))]);
}

#[test]
fn a_metric_with_a_fault_leaves_the_others_alone() {
    let good = by_field("/proc/{pid}/status", "Threads");
    let bad = CustomMetric {
        name: "app.bad".to_owned(),
        ..by_field("/etc/shadow", "root")
    };
    let (set, faults) = CustomSet::new("app", &[bad.clone(), good]);
    assert_eq!(faults.len(), 1);
    assert_eq!(set.unwrap().metrics.len(), 1);
    assert!(CustomSet::new("app", &[bad]).0.is_none());
    assert!(CustomSet::new("app", &[]).0.is_none());
}
