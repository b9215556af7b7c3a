//! A wall clock that somebody sets while the sensor runs.

use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};
use sensor::store::{self, Reader};
use sensor_tests::{
    plugins::{Plugins, points, service, sum, wait_service},
    process::Running,
    sensor::number,
};

use super::*;

/// More than a request may wait for the collector.
const DAYS: i64 = 3 * 86_400;

/// Moves the wall clock, and back when dropped.
struct Moved(i64);

impl Moved {
    fn by(seconds: i64) -> Self {
        set(seconds);
        Self(seconds)
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        set(-self.0);
    }
}

fn set(seconds: i64) {
    let now = clock_gettime(ClockId::Realtime);
    let then = Timespec {
        tv_sec: now.tv_sec + seconds,
        tv_nsec: now.tv_nsec,
    };
    clock_settime(ClockId::Realtime, then).unwrap();
}

fn reports(lines: &Lines, more: usize) {
    let before = lines.said().lines.len();
    lines.wait("more reports", |said| {
        (said.lines.len() >= before + more).then_some(())
    });
}

/// Signal and number of each request that waits.
fn queued(store: &Path) -> BTreeSet<store::Place> {
    let index = Reader::open(store).and_then(|reader| reader.index());
    index.unwrap().into_iter().map(|one| one.place).collect()
}

/// The same, once there are some.
fn wait_queued(store: &Path) -> BTreeSet<store::Place> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let queued = queued(store);
        if queued.len() > 2 {
            return queued;
        }
        assert!(Instant::now() < deadline, "only {queued:?} wait");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "sets the clock; for virtual machines: cargo xtask test-vm"]
fn a_clock_that_is_set_changes_neither_starts_nor_counters_nor_the_queue() {
    let plugins = Plugins::new();
    let watched = plugins.watch(true);
    let store = sensor_tests::sensor::store();
    let events = Events::start(&[]);
    // Nobody listens on the port of discard: what there is waits.
    let mut command = sensor(["run", "--output", "json", "--metadata-db-path"]);
    command.arg(&store).args(["--interval", "200ms"]);
    command.args(["--plugins", &plugins.flag()]);
    command.args(["--agent-host", "127.0.0.1", "--agent-port", "9"]);
    let lines = Lines::start(&mut command);
    let mut command = watched.command(&["until-eof", "2", "20000"]);
    command.stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped());
    let mut member = Running::start(&mut command);
    member.wait_for_line("ready");
    wait_service(&lines, &watched.name, "the member", |service| {
        service["process_count"] == 1
    });
    for seconds in [DAYS, -DAYS, -600] {
        let before = wait_queued(&store);
        let still = |when| {
            reports(&lines, 4);
            let gone: Vec<_> = before.difference(&queued(&store)).copied().collect();
            assert!(gone.is_empty(), "{gone:?} dropped by {seconds} s {when}");
        };
        {
            let _moved = Moved::by(seconds);
            still("and on");
            assert_eq!(run(&mut watched.command(&["exit", "0"])).status, 0);
        }
        still("and back");
    }
    drop(member.stdin());
    let ended = member.wait();
    wait_service(&lines, &watched.name, "the end", |service| {
        service["process_count"] == 0 && sum(service, "sensor.process.exits", None) == Some(4.0)
    });
    let (status, said) = lines.interrupt();
    assert_eq!(status.status, 0, "{}", said.errors);
    let mut last = (0, 0.0, 0.0);
    for report in &said.lines {
        let Some(service) = service(report, &watched.name) else {
            continue;
        };
        let time = number(report, "time_unix_nano");
        let cpu = sum(service, "process.cpu.time", None).unwrap_or(last.1);
        let uptime = match points(service, "process.uptime") {
            Some(points) => points[0]["value"].as_f64().unwrap(),
            None => last.2,
        };
        assert!(time > last.0, "{time} after {last:?}");
        assert!(cpu >= last.1, "{cpu} after {last:?}");
        assert!(uptime < 600.0, "{service}");
        last = (time, cpu, uptime);
    }
    // One creation time, and the exact figures, in the stream that saw it all.
    let exit = events.wait_exit(ended.pid);
    let lines = events.of(ended.pid);
    let creation = &exit["process.creation.time"];
    for line in &lines {
        assert_eq!(&line["process.creation.time"], creation);
    }
    assert_eq!(events.finish().status, 0);
}
