//! Which programs they ran: fork, vfork, exec from anywhere.

use std::process::Stdio;

use sensor_tests::{
    accounting::{Checker, Expected},
    process::{built, run, workload},
};

#[test]
fn a_fork_without_exec_has_an_exit_only_with_what_it_inherited() {
    let mut checker = Checker::start();
    for micros in ["0", "500", "5000"] {
        let mut command = workload(["fork", micros]);
        let running = sensor_tests::process::Running::spawn(command.stdout(Stdio::piped()));
        let (parent, child) = running.wait_with_child();
        let expected = Expected {
            own_peak: false,
            ..Expected::new("forks")
        };
        let theirs = checker.check(&parent, expected);
        let name = format!("forked, no exec, {micros} µs");
        let exit = checker.check(&child, Expected::new(&name).execs(0));
        for key in [
            "process.command_args",
            "process.executable.path",
            "process.executable.name",
            "process.linux.cgroup",
        ] {
            let inherited = exit[key] == theirs[key] && !exit[key].is_null();
            checker.note(&name, inherited, || format!("{key}: {exit}, not {theirs}"));
        }
        let code = &exit["process.exit.code"];
        checker.note(&name, code == 5, || exit.to_string());
    }
    checker.finish();
}

#[test]
fn a_vfork_child_is_a_process_with_and_without_exec() {
    let mut checker = Checker::start();
    let program = built("workload");
    let program = program.to_str().unwrap();
    for (args, execs, code) in [
        (vec!["vfork"], 0, 6),
        (vec!["vfork", program, "exit", "9"], 1, 9),
    ] {
        let mut command = workload(args);
        let running = sensor_tests::process::Running::spawn(command.stdout(Stdio::piped()));
        let (parent, child) = running.wait_with_child();
        let expected = Expected {
            own_peak: false,
            ..Expected::new("vforks")
        };
        checker.check(&parent, expected);
        let name = format!("vforked, {execs} execs");
        let exit = checker.check(&child, Expected::new(&name).execs(execs));
        let told = &exit["process.exit.code"];
        checker.note(&name, told == code, || exit.to_string());
    }
    checker.finish();
}

#[test]
fn two_execs_are_one_process_whose_exit_has_the_last_arguments() {
    let mut checker = Checker::start();
    let program = built("workload");
    let program = program.to_str().unwrap();
    let ended = run(&mut workload(["exec", program, "spin", "700"]));
    let exit = checker.check(&ended, Expected::new("two execs").execs(2));
    let args = serde_json::json!([program, "spin", "700"]);
    checker.note("two execs", exit["process.command_args"] == args, || {
        exit.to_string()
    });
    let execs = checker.events.of(ended.pid);
    let first = &execs[0]["process.command_args"][1];
    checker.note("two execs", first == "exec", || format!("{execs:?}"));
    checker.finish();
}

#[test]
fn an_exec_from_another_thread_keeps_the_process() {
    let mut checker = Checker::start();
    let program = built("workload");
    let program = program.to_str().unwrap();
    for count in [1_u64, 2, 8] {
        let text = count.to_string();
        let ended = run(&mut workload([
            "exec-from-thread",
            &text,
            program,
            "threads",
            "2",
            "500",
        ]));
        let name = format!("exec from one of {count} threads");
        // The leader, its threads, and two of the second program: the thread
        // that ran it became the leader.
        let expected = Expected::new(&name).execs(2).threads(1 + count + 2);
        let exit = checker.check(&ended, expected);
        let args = serde_json::json!([program, "threads", "2", "500"]);
        checker.note(&name, exit["process.command_args"] == args, || {
            exit.to_string()
        });
    }
    checker.finish();
}
