//! A host that sleeps while the sensor runs.

use std::fs;

use rustix::time::{ClockId, clock_gettime};
use sensor_tests::{
    accounting::{Checker, Expected},
    sensor::skipped,
};

use super::*;

const ALARM: &str = "/sys/class/rtc/rtc0/wakealarm";
const STATE: &str = "/sys/power/state";

/// How long the host has been suspended since it was started, ms.
fn suspended() -> i64 {
    let milliseconds = |id| {
        let time = clock_gettime(id);
        time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
    };
    milliseconds(ClockId::Boottime) - milliseconds(ClockId::Monotonic)
}

/// Suspends the host; its clock wakes it.
fn suspend(time: Duration) {
    fs::write(ALARM, "0").unwrap();
    fs::write(ALARM, format!("+{}", time.as_secs())).unwrap();
    fs::write(STATE, "mem").unwrap();
}

#[test]
#[ignore = "suspends the host; for virtual machines: cargo xtask test-vm"]
fn after_the_host_was_suspended_cpu_time_equals_wait4() {
    let states = fs::read_to_string(STATE).unwrap_or_default();
    if !states.contains("mem") || !Path::new(ALARM).exists() {
        return skipped(
            "after_the_host_was_suspended_cpu_time_equals_wait4",
            "this kernel cannot be suspended, or has no clock that wakes it",
        );
    }
    let mut checker = Checker::start();
    for _ in 0..2 {
        let before = suspended();
        suspend(Duration::from_secs(3));
        let slept = suspended() - before;
        assert!(slept > 500, "suspended for {slept} ms only");
        // At once, before the sensor has looked at the clock again.
        for micros in [200, 3_900, 20_000, 200, 3_900, 20_000] {
            let ended = run(&mut workload(["spin", &micros.to_string()]));
            let name = format!("spin for {micros} µs");
            checker.check(&ended, Expected::new(&name));
        }
    }
    checker.finish();
}
