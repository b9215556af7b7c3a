//! Watched processes are kept open, and closed when they are watched no more.

use std::{fs, time::Instant};

use sensor_tests::{
    plugins::plugin_text,
    sensor::{LIMIT, skipped},
};

use super::*;

/// How many descriptors of one process lead to another one's files in /proc.
fn held(by: u32, of: u32) -> usize {
    let inside = format!("/proc/{of}");
    let below = format!("{inside}/");
    let links = fs::read_dir(format!("/proc/{by}/fd")).unwrap();
    links
        .filter_map(|link| fs::read_link(link.ok()?.path()).ok())
        .filter(|target| {
            let target = target.to_string_lossy();
            *target == inside || target.starts_with(&below)
        })
        .count()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_process_that_has_ended_leaves_nothing_open() {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        skipped("files kept open", "needs root");
        return;
    }
    let plugins = Plugins::new();
    // Due once a minute, so that hardly ever all services are due at once.
    let seldom = plugins.watch(false);
    let name = plugins.unique();
    let often = "[match]\non = 'name'\n[monitoring]\ninterval = 1\n";
    plugins.write(&name, &plugin_text(&name, &format!("^{name}$"), often));
    let program = plugins.copy("workload", &name);
    let often = Watched { name, program };
    let (_stays, mut ends) = (members(&seldom, 1, "1"), members(&often, 2, "1"));
    let lines = Lines::start(&mut sensor([
        "run",
        "--plugins",
        &plugins.flag(),
        "--output",
        "json",
        "--pids",
    ]));
    let all = pids(&ends);
    for &pid in &all {
        until("it is kept open", || held(lines.pid(), pid) >= 3);
        assert!(held(lines.pid(), pid) <= 7);
    }
    let gone = ends.remove(0);
    let pid = gone.pid();
    drop(gone);
    until("nothing of it is open", || held(lines.pid(), pid) == 0);
    let other = ends[0].pid();
    assert!(held(lines.pid(), other) >= 3, "the other one is kept");
    wait_service(&lines, &often.name, "one is left", |service| {
        service["pids"] == serde_json::json!([other])
    });
}
