//! Killed for want of memory.

use sensor_tests::{cgroup::Small, sensor::skipped};

use super::*;

#[test]
fn out_of_memory_is_what_the_kernel_says() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let small = match Small::new(&watched.name, 16 << 20) {
        Ok(small) => small,
        Err(why) => return skipped("out_of_memory_is_what_the_kernel_says", &why),
    };
    let events = Events::start(&["--plugins", &plugins.flag()]);
    let desk = Desk {
        plugins,
        watched,
        events,
    };
    // 64 MiB, four times of what there is.
    let mut command = desk.watched.command(&["touch", "67108864"]);
    small.hold(&mut command);
    let ended = run(&mut command);
    assert_eq!(
        ended.status & 0x7f,
        libc::SIGKILL,
        "the limit does not hold"
    );
    let found = desk.incident(ended.pid);
    assert_eq!(found["sensor.incident.kind"], "oom");
    let cause = "out of memory: killed by the kernel (mark_victim)";
    assert_eq!(found["sensor.incident.cause"], cause);
    assert_eq!(found["severity_number"], 21);
    assert_eq!(found["sensor.exit.signal"], 9);
    assert!(found["sensor.signal.sender.pid"].is_null(), "{found}");
}
