//! Killed for want of memory.

use std::{fs, process::Command, time::Instant};

use sensor_tests::{
    bpffs::{own_bpffs, pins},
    cgroup::Small,
    plugins::service,
    process::{Ended, Running},
    sensor::{LIMIT, Lines, sensor, skipped, store},
};

use super::*;

/// What the cgroup may have.
const LITTLE: u64 = 16 << 20;

/// Runs a program with 64 MiB, four times of what there is.
fn overflow(small: &Small, watched: &Watched) -> Ended {
    let ended = run(&mut inside(small, watched, &["touch", "67108864"]));
    let signal = ended.status & 0x7f;
    assert_eq!(signal, libc::SIGKILL, "the limit does not hold");
    ended
}

fn inside(small: &Small, watched: &Watched, args: &[&str]) -> Command {
    let mut command = watched.command(args);
    small.hold(&mut command);
    command
}

#[test]
fn out_of_memory_is_what_the_kernel_says() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let small = match Small::new(&watched.name, LITTLE) {
        Ok(small) => small,
        Err(why) => return skipped("out_of_memory_is_what_the_kernel_says", &why),
    };
    let events = Events::start(&["--plugins", &plugins.flag()]);
    let desk = Desk {
        plugins,
        watched,
        events,
    };
    let ended = overflow(&small, &desk.watched);
    let found = desk.incident(ended.pid);
    assert_eq!(found["sensor.incident.kind"], "oom");
    let cause = "out of memory: killed by the kernel (mark_victim)";
    assert_eq!(found["sensor.incident.cause"], cause);
    assert_eq!(found["severity_number"], 21);
    assert_eq!(found["sensor.exit.signal"], 9);
    assert!(found["sensor.signal.sender.pid"].is_null(), "{found}");
}

/// The hook on `mark_victim` is taken away between two daemons, as a kernel
/// without it would have none: then the counter of the cgroup tells. It tells
/// nothing of a process that somebody else killed.
#[test]
fn without_the_hook_the_counter_of_the_cgroup_says_it() {
    let name = "without_the_hook_the_counter_of_the_cgroup_says_it";
    if !own_bpffs(name) {
        return;
    }
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let small = match Small::new(&watched.name, LITTLE) {
        Ok(small) => small,
        Err(why) => return skipped(name, &why),
    };
    let told = plugins.root().join("incidents.jsonl");
    let config = plugins.root().join("sensor.toml");
    let text = format!(
        "[[incident.transport]]\ntype = 'file'\npath = '{}'\n",
        told.display()
    );
    fs::write(&config, text).unwrap();
    let store = store();
    let start = || {
        let mut command = sensor(["run", "--pin", "--metadata-db-path"]);
        command.arg(&store).args(["--plugins", &plugins.flag()]);
        command.args(["--output", "json", "--interval", "500ms"]);
        command.arg("--config").arg(&config);
        let lines = Lines::start(&mut command);
        lines.wait("the first report", |said| {
            (!said.lines.is_empty()).then_some(())
        });
        lines
    };
    let first = start();
    first.signal(libc::SIGTERM);
    let _ = first.end();
    let pins = pins();
    let mut hook = pins.iter().filter(|path| path.ends_with("/link_oom"));
    fs::remove_file(hook.next().expect("no pin of the hook")).unwrap();
    let lines = start();
    // The counter of the cgroup is known from its first member on, which is
    // looked at some time after its start.
    let spins = || Running::start(&mut inside(&small, &watched, &["spin-forever"]));
    let (first, _stays) = (spins(), spins());
    let of = |pid: u32| {
        let read = || {
            let text = fs::read_to_string(&told).unwrap_or_default();
            let mut all = text
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            all.find(|one| self::pid(one) == pid)
        };
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(found) = read() {
                return found;
            }
            assert!(Instant::now() < deadline, "no incident of {pid}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    lines.wait("its members", |said| {
        let last = said.lines.last()?;
        (service(last, &watched.name)?["process_count"] == 2).then_some(())
    });
    first.signal(libc::SIGKILL);
    let killed = of(first.wait().pid);
    let cause = killed["sensor.incident.cause"].as_str().unwrap();
    assert!(cause.starts_with("signal 9 (SIGKILL) from pid"), "{cause}");
    let deadline = Instant::now() + LIMIT;
    let found = loop {
        let found = of(overflow(&small, &watched).pid);
        if found["sensor.incident.kind"] == "oom" {
            break found;
        }
        assert!(Instant::now() < deadline, "{found}");
    };
    let cause = format!(
        "out of memory: killed by the kernel (oom_kill of /{} rose by 1)",
        watched.name
    );
    assert_eq!(found["sensor.incident.cause"], *cause);
    assert_eq!(found["severity_number"], 21);
    drop(lines);
}
