//! A cgroup that is gone before anybody can look up what its id means.

use sensor_tests::{
    cgroup::Unified,
    process::workload,
    sensor::{Events, is, skipped},
};

use super::*;

#[test]
fn a_process_counts_though_its_cgroup_is_gone_before_the_look_up() {
    const TEST: &str = "a_process_counts_though_its_cgroup_is_gone_before_the_look_up";
    let name = format!("sensor-gone-{}", std::process::id());
    let Some(cgroup) = Unified::new(&name) else {
        return skipped(TEST, "no cgroup can be made here");
    };
    let inside = |cgroup: &Unified| {
        let mut command = workload(["exit", "7"]);
        cgroup.hold(&mut command);
        run(&mut command).pid
    };
    let events = Events::start(&[]);
    let known = inside(&cgroup);
    let _ = events.wait_exit(known);
    events.lines().signal(libc::SIGSTOP);
    let unknown = Unified::new(&format!("{name}-2")).unwrap();
    let of = inside(&unknown);
    drop(unknown);
    events.lines().signal(libc::SIGCONT);
    let exit = events.wait_exit(of);
    assert_eq!(exit["process.exit.code"], 7, "{exit}");
    let path = |of| {
        let all = events.of(of);
        let exec = all.iter().find(|line| is(line, "process.exec")).unwrap();
        exec.get("process.linux.cgroup").cloned()
    };
    assert_eq!(path(known), Some(Value::from(format!("/{name}"))));
    assert_eq!(path(of), None, "nobody knows where it was");
    let summary = events.finish();
    assert_eq!((summary.lost("exec"), summary.lost("exit")), (0, 0));
}
