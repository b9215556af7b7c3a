//! Who is a member, to the pid.

use std::{
    fs,
    io::Write,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::Command,
};

use sensor_tests::{cgroup::Unified, plugins::sum, process::wait_for_name, sensor::skipped};
use serde_json::json;

use super::*;

/// Starts a program that says `ready…` and waits for the end of its input;
/// what it said besides.
fn waiting(command: &mut Command) -> (Running, Vec<u32>) {
    command.env_clear().current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::start(command);
    let line = running.read_line();
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("ready"), "{line}");
    let pids = words.map(|word| word.parse().expect("a pid")).collect();
    (running, pids)
}

fn workload(program: &Path, args: &[&str]) -> (Running, Vec<u32>) {
    waiting(Command::new(program).args(args))
}

/// Members of a service, by one look.
fn look(plugins: &Plugins, name: &str) -> Vec<u32> {
    let output = sensor(["--run-once", "--output", "json", "--pids", "--plugins"])
        .arg(plugins.path())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let Some(service) = service(&report, name) else {
        return Vec::new();
    };
    let pids = service["pids"].as_array().unwrap().iter();
    pids.map(|pid| u32::try_from(pid.as_u64().unwrap()).unwrap())
        .collect()
}

/// Members of a service are these, by a scan and by the running sensor, which
/// may have seen them begin.
#[track_caller]
fn check(plugins: &Plugins, lines: &Lines, name: &str, expected: &[u32]) {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(look(plugins, name), expected, "{name}, by a scan");
    let what = format!("{name} with {expected:?}");
    wait_service(lines, name, &what, |service| {
        service["pids"] == json!(expected)
    });
}

/// Nobody is a member, for as long as a report takes.
#[track_caller]
fn check_none(plugins: &Plugins, lines: &Lines, name: &str) {
    assert!(look(plugins, name).is_empty(), "{name}, by a scan");
    let seen = lines.said().lines.len();
    lines.wait("two more reports", |said| {
        (said.lines.len() > seen + 1).then_some(())
    });
    let said = lines.said();
    for report in &said.lines {
        let count = service(report, name).map(|service| service["process_count"].clone());
        assert!(count.is_none_or(|count| count == 0), "{report}");
    }
}

#[test]
fn a_parent_and_its_workers_of_the_same_name_are_all_members() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let (before, workers) = workload(&watched.program, &["workers", "3"]);
    let lines = start(&plugins);
    let mut all = workers;
    all.push(before.pid());
    check(&plugins, &lines, &watched.name, &all);
    let (after, workers) = workload(&watched.program, &["workers", "3"]);
    all.extend(workers);
    all.push(after.pid());
    check(&plugins, &lines, &watched.name, &all);
    let one = |service: &Value| sum(service, "sensor.process.starts", None) == Some(4.0);
    let _ = wait_service(&lines, &watched.name, "four starts", one);
}

#[test]
fn names_are_the_programs_and_not_what_they_say_they_are() {
    let plugins = Plugins::new();
    let short = plugins.unique();
    // 27 bytes, of which the kernel keeps 15.
    let long = format!("{:_<23}tail", plugins.unique());
    let upper = plugins.unique();
    let lie = plugins.unique();
    plugins.plugin(&short, &format!("^{short}$"), "");
    plugins.plugin(&long, "_tail$", "");
    plugins.plugin(&upper, &format!("^{}$", upper.to_uppercase()), "");
    plugins.plugin(&lie, &lie, "");
    let copy = |name: &str| plugins.copy("workload", name);
    let lines = start(&plugins);
    let args = ["until-eof", "6", "10"];
    // Its threads are no processes.
    let (one, _) = waiting(Command::new(copy(&short)).args(args).arg0(&lie));
    let (two, _) = workload(&copy(&long), &args);
    let (three, _) = workload(&copy(&upper), &args);
    check(&plugins, &lines, &short, &[one.pid()]);
    let mine = look(&plugins, &long);
    assert!(mine.contains(&two.pid()) && long.len() == 27, "{mine:?}");
    wait_service(&lines, &long, "the long name", |service| {
        let pids = service["pids"].as_array().unwrap();
        pids.contains(&two.pid().into())
    });
    check(&plugins, &lines, &upper, &[three.pid()]);
    check_none(&plugins, &lines, &lie);
}

#[test]
fn a_script_is_known_by_its_own_name_and_by_its_arguments() {
    let plugins = Plugins::new();
    let (name, args, exe) = (plugins.unique(), plugins.unique(), plugins.unique());
    let script = plugins.root().join(&name);
    fs::write(&script, "#!/bin/sh\necho ready\nread x\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    plugins.plugin(&name, &format!("^{name}$"), "");
    let line = format!("^/bin/sh \\S+/{name} --{args}$");
    plugins.plugin(&args, &line, "[match]\non = 'cmdline'");
    // The executable is the interpreter.
    plugins.plugin(&exe, &name, "[match]\non = 'exe'");
    let lines = start(&plugins);
    let (running, _) = waiting(Command::new(&script).arg(format!("--{args}")));
    check(&plugins, &lines, &name, &[running.pid()]);
    check(&plugins, &lines, &args, &[running.pid()]);
    check_none(&plugins, &lines, &exe);
}

#[test]
fn zombies_are_no_members_unless_their_threads_live() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let (parent, _) = workload(&watched.program, &["zombie"]);
    let (leader, _) = workload(&watched.program, &["leader-gone"]);
    let lines = start(&plugins);
    let (second, _) = workload(&watched.program, &["zombie"]);
    let (third, _) = workload(&watched.program, &["leader-gone"]);
    let all = [parent.pid(), leader.pid(), second.pid(), third.pid()];
    check(&plugins, &lines, &watched.name, &all);
}

#[test]
fn the_sensor_is_a_member_only_where_it_is_named() {
    let plugins = Plugins::new();
    let (named, all) = (plugins.unique(), plugins.unique());
    plugins.plugin(&named, "sensor", "");
    plugins.plugin(&all, "sensor.*", "[match]\ninclude_descendants = true");
    let lines = start(&plugins);
    let pid = Value::from(lines.pid());
    let service = wait_service(&lines, &named, "itself", |service| {
        service["pids"].as_array().unwrap().contains(&pid)
    });
    assert!(service["process_count"].as_u64() >= Some(1));
    let said = lines.said();
    let others = said
        .lines
        .iter()
        .filter_map(|report| super::service(report, &all));
    for service in others {
        assert!(
            !service["pids"].as_array().unwrap().contains(&pid),
            "{service}"
        );
    }
}

#[test]
fn descendants_are_members_whatever_they_run() {
    let plugins = Plugins::new();
    let (tree, inner) = (plugins.unique(), plugins.unique());
    let (shell, program) = (plugins.root().join(&tree), plugins.copy("workload", &inner));
    fs::copy("/bin/sh", &shell).unwrap();
    let keep = "[match]\ninclude_descendants = true";
    plugins.plugin(&tree, &format!("^{tree}$"), keep);
    // A shell, a program below it, and its children; then the same with one
    // between that has ended.
    let program = program.display();
    let scripts = [
        format!("{program} workers 2; :"),
        format!("exec 3<&0; (/bin/sh -c 'exec {program} workers 2 <&3' & ) ; read x"),
    ];
    let begin = |script: &String| waiting(Command::new(&shell).args(["-c", script]));
    let below = |workers: &[u32]| {
        let first = workers[0];
        let stat = fs::read_to_string(format!("/proc/{first}/stat")).unwrap();
        let parent = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap();
        [workers, &[parent.parse().unwrap()]].concat()
    };
    let (first, workers) = begin(&scripts[0]);
    let mut all = [&below(&workers)[..], &[first.pid()]].concat();
    let lines = start(&plugins);
    check(&plugins, &lines, &tree, &all);
    let (second, workers) = begin(&scripts[1]);
    all.extend(below(&workers));
    all.push(second.pid());
    // By a scan nobody can tell whose child an orphan was.
    let mut expected = all.clone();
    expected.sort_unstable();
    wait_service(&lines, &tree, "the orphans too", |service| {
        service["pids"] == json!(expected)
    });
}

#[test]
fn a_user_is_meant_by_name_or_number() {
    let plugins = Plugins::new();
    let name = plugins.unique();
    let program = plugins.copy("workload", &name);
    let (nobody, number, root) = (plugins.unique(), plugins.unique(), plugins.unique());
    let pattern = format!("^{name}$");
    plugins.plugin(&nobody, &pattern, "[match]\nuser = 'nobody'");
    plugins.plugin(&number, &pattern, "[match]\nuser = '65534'");
    plugins.plugin(&root, &pattern, "[match]\nuser = 'root'");
    let lines = start(&plugins);
    let as_user = |user| {
        let mut command = Command::new(&program);
        waiting(command.args(["until-eof", "0", "0"]).uid(user)).0
    };
    let (theirs, ours) = (as_user(65_534), as_user(0));
    check(&plugins, &lines, &nobody, &[theirs.pid()]);
    check(&plugins, &lines, &number, &[theirs.pid()]);
    check(&plugins, &lines, &root, &[ours.pid()]);
    // Nobody is called so: the plugin is at fault.
    plugins.plugin(&root, &pattern, "[match]\nuser = 'no-such-user'");
    let output = sensor(["--run-once", "--plugins"])
        .arg(plugins.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("plugin.toml:9: match.user: there is no user `no-such-user`"),
        "{errors}"
    );
}

#[test]
fn a_cgroup_is_meant_by_a_pattern_on_its_path() {
    let plugins = Plugins::new();
    let name = plugins.unique();
    let Some(cgroup) = Unified::new(&name) else {
        skipped(
            "a_cgroup_is_meant_by_a_pattern_on_its_path",
            "no cgroup can be made here",
        );
        return;
    };
    let program = plugins.copy("workload", &name);
    plugins.plugin(
        &name,
        &format!("^{name}$"),
        &format!("[match]\ncgroup = '^/{}$'", name.to_uppercase()),
    );
    let lines = start(&plugins);
    let script = format!(
        "echo $$ > {}/cgroup.procs; exec {} until-eof 0 0",
        cgroup.path().display(),
        program.display()
    );
    let inside = waiting(Command::new("/bin/sh").args(["-c", &script])).0;
    let _outside = workload(&program, &["until-eof", "0", "0"]);
    check(&plugins, &lines, &name, &[inside.pid()]);
    drop(inside);
}

#[test]
fn another_name_is_seen_with_the_next_collection() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let other = plugins.unique();
    let program = plugins.copy("workload", &other);
    let lines = start(&plugins);
    // Into the service, by prctl; a thread's name is not the process's.
    let mut running = workload(&program, &["comm", &watched.name, &other]).0;
    check(&plugins, &lines, &watched.name, &[running.pid()]);
    // Out of it, by the file.
    let mut stdin = running.stdin().unwrap();
    writeln!(stdin, "{other}").unwrap();
    let service = wait_service(&lines, &watched.name, "nobody", |service| {
        service["process_count"] == 0
    });
    assert_eq!(sum(&service, "sensor.process.starts", None), Some(0.0));
    assert_eq!(
        sum(&service, "sensor.process.exits", None).unwrap_or(0.0),
        0.0
    );
    // And into it again: it counts from there.
    writeln!(stdin, "{}", watched.name).unwrap();
    wait_for_name(running.pid(), &watched.name);
    check(&plugins, &lines, &watched.name, &[running.pid()]);
}
