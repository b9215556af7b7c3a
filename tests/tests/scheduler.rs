//! Plugins with `scheduler = true`: waits for a CPU, bursts and preemptions of
//! real processes, against what the kernel says of them in schedstat and in
//! wait4. Needs root, for the kernel programs.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

use std::{
    fs,
    io::Write,
    os::unix::process::CommandExt,
    process::{ChildStdin, Command, Stdio},
    time::Instant,
};

use sensor_tests::{
    plugins::{Plugins, points, service, sum, wait_service},
    process::{Running, workload},
    sensor::{LIMIT, Lines, sensor},
};
use serde_json::Value;

const SCHEDULER: &str = "[match]\nscheduler = true\n";
const LATENCY: &str = "sensor.process.runqueue.latency";
const BURST: &str = "sensor.process.cpu.burst";
const PREEMPTIONS: &str = "sensor.process.preemptions";

fn start(plugins: &Plugins) -> Lines {
    let flag = plugins.flag();
    let args = ["run", "--plugins", &flag, "--interval", "200ms"];
    let lines = Lines::start(&mut sensor(args.iter().chain(&["--output", "json"])));
    lines.wait("the first report", |said| {
        (!said.lines.is_empty()).then_some(())
    });
    lines
}

/// A process that is busy for 30 ms, or has a child that is, when it is told.
struct Turns {
    running: Running,
    stdin: ChildStdin,
}

impl Turns {
    /// Runs `program` on the first CPU.
    fn start(program: &std::path::Path) -> Self {
        let mut command = Command::new(program);
        command.args(["turns", "30000"]).env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::start(pinned(&mut command));
        running.wait_for_line("ready");
        let stdin = running.stdin().unwrap();
        Self { running, stdin }
    }

    fn turn(&mut self) {
        self.stdin.write_all(b"spin\n").unwrap();
        self.running.wait_for_line("turn");
    }

    /// CPU time, µs, and involuntary switches of a child.
    fn fork(&mut self) -> (i64, i64) {
        self.stdin.write_all(b"fork\n").unwrap();
        let line = self.running.read_line();
        let numbers: Vec<i64> = line
            .trim_end()
            .split(' ')
            .skip(1)
            .map(|word| word.parse().unwrap())
            .collect();
        // As `wait_with_child` reads it: CPU times, then switches.
        (numbers[2] + numbers[3], numbers[8])
    }

    /// Figures of its one thread, when it waits for the next line.
    fn rest(&self) -> Figures {
        let directory = format!("/proc/{}", self.running.pid());
        // Not its state, which says that it waits before it has left the CPU.
        while fs::read_to_string(format!("{directory}/syscall"))
            .unwrap()
            .starts_with("running")
        {
            std::thread::yield_now();
        }
        let status = fs::read_to_string(format!("{directory}/status")).unwrap();
        let preemptions = status
            .lines()
            .find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))
            .unwrap();
        let schedstat = fs::read_to_string(format!("{directory}/schedstat")).unwrap();
        let numbers: Vec<f64> = schedstat
            .split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect();
        Figures {
            ran: numbers[0] / 1e9,
            waited: numbers[1] / 1e9,
            turns: numbers[2],
            preemptions: preemptions.trim().parse().unwrap(),
        }
    }
}

/// The scheduler's figures of a process, or a service.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    ran: f64,
    waited: f64,
    turns: f64,
    preemptions: f64,
}

impl Figures {
    fn of(service: &Value) -> Option<Self> {
        let number = |metric, key: &str| points(service, metric)?[0][key].as_f64();
        assert_eq!(number(LATENCY, "scale").unwrap_or(0.0), 0.0);
        Some(Self {
            ran: number(BURST, "sum")?,
            waited: number(LATENCY, "sum")?,
            turns: number(BURST, "count")?,
            preemptions: sum(service, PREEMPTIONS, None)?,
        })
    }

    fn since(self, before: Self) -> Self {
        Self {
            ran: self.ran - before.ran,
            waited: self.waited - before.waited,
            turns: self.turns - before.turns,
            preemptions: self.preemptions - before.preemptions,
        }
    }
}

/// On the first CPU only.
fn pinned(command: &mut Command) -> &mut Command {
    let pin = || {
        // SAFETY: all zero is an empty set, and the pointer is valid.
        let failed = unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(0, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
        };
        match failed {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: the closure makes one system call.
    unsafe { command.pre_exec(pin) }
}

/// The figures of a service after the next two reports: what was before the
/// call is in them.
fn figures(lines: &Lines, name: &str) -> Figures {
    let before = lines.said().lines.len();
    lines.wait("two more reports", |said| {
        (said.lines.len() >= before + 2).then_some(())
    });
    let service = wait_service(lines, name, "the scheduler's figures", |service| {
        Figures::of(service).is_some()
    });
    Figures::of(&service).unwrap()
}

/// Lets it have turns until its figures are told: they begin when the hook has
/// seen it go, after it was told of it. Its rest then, and its figures.
fn begin(process: &mut Turns, lines: &Lines, name: &str) -> (Figures, Figures) {
    let deadline = Instant::now() + LIMIT;
    loop {
        process.turn();
        let rest = process.rest();
        let before = lines.said().lines.len();
        lines.wait("two more reports", |said| {
            (said.lines.len() >= before + 2).then_some(())
        });
        let service = wait_service(lines, name, "the service", |_| true);
        if let Some(figures) = Figures::of(&service) {
            return (rest, figures);
        }
        assert!(Instant::now() < deadline, "no figures: {service}");
    }
}

/// Whether the sensor has a hook on switches.
fn is_attached(lines: &Lines) -> bool {
    let directory = format!("/proc/{}/fdinfo", lines.pid());
    let infos = fs::read_dir(directory).unwrap().flatten();
    infos
        .filter_map(|info| fs::read_to_string(info.path()).ok())
        .any(|info| info.contains("link_type:") && info.contains("sched_switch"))
}

#[test]
fn every_turn_is_counted_exactly() {
    let plugins = Plugins::new();
    let name = plugins.unique();
    let program = plugins.copy("workload", &name);
    plugins.plugin(&name, &format!("^{name}$"), SCHEDULER);
    let lines = start(&plugins);
    assert!(is_attached(&lines));
    // Somebody who wants the same CPU, and whom nobody watches.
    let _rival = Running::start(pinned(&mut workload(["spin-forever"])));
    let mut process = Turns::start(&program);
    let (rest, before) = begin(&mut process, &lines, &name);

    for _ in 0..10 {
        process.turn();
    }
    let used = process.rest().since(rest);
    let counted = figures(&lines, &name).since(before);
    assert_eq!(counted.turns, used.turns, "{counted:?} {used:?}");
    assert_eq!(counted.preemptions, used.preemptions);
    assert!(
        (counted.ran - used.ran).abs() < 1e-7,
        "{counted:?} {used:?}"
    );
    assert!(
        (counted.waited - used.waited).abs() < 1e-7,
        "{counted:?} {used:?}"
    );
    assert!(used.preemptions > 0.0 && used.waited > 0.05, "{used:?}");

    // Two that are busy on one CPU wait for milliseconds.
    let service = wait_service(&lines, &name, "the service", |_| true);
    let latency = &points(&service, LATENCY).unwrap()[0];
    let offset = latency["positive"]["offset"].as_i64().unwrap();
    let counts = latency["positive"]["counts"].as_array().unwrap();
    // (2^-10, 2^-9] seconds and more.
    let long = (offset..)
        .zip(counts)
        .filter(|(exponent, _)| *exponent >= -10);
    let long: u64 = long.map(|(_, count)| count.as_u64().unwrap()).sum();
    assert!(long >= 5, "{latency}");
    let zero = latency["zero_count"].as_u64().unwrap();
    let all: u64 = counts.iter().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(latency["count"].as_u64(), Some(all + zero), "{latency}");
    // The total that needs no hook says the same: it covers the whole life.
    let total = sum(&service, "sensor.process.runqueue.time", None).unwrap();
    assert!(
        total + 1e-6 >= latency["sum"].as_f64().unwrap(),
        "{service}"
    );
}

#[test]
fn a_child_is_counted_from_its_first_switch() {
    let plugins = Plugins::new();
    let name = plugins.unique();
    let program = plugins.copy("workload", &name);
    plugins.plugin(&name, &format!("^{name}$"), SCHEDULER);
    let lines = start(&plugins);
    let _rival = Running::start(pinned(&mut workload(["spin-forever"])));
    let mut process = Turns::start(&program);
    let (rest, before) = begin(&mut process, &lines, &name);

    let (mut ran, mut preemptions) = (0.0, 0.0);
    for _ in 0..5 {
        let (micros, involuntary) = process.fork();
        ran += micros as f64 / 1e6;
        preemptions += involuntary as f64;
    }
    let own = process.rest().since(rest);
    let counted = figures(&lines, &name).since(before);
    // What a process does after its exit hook is in wait4 alone (contract A2).
    let children = counted.ran - own.ran;
    assert!(
        (children - ran).abs() < 0.005 + ran / 100.0,
        "{children} {ran}"
    );
    let children = counted.preemptions - own.preemptions;
    assert!(
        (children - preemptions).abs() <= 10.0,
        "{children} {preemptions}"
    );
    assert!(counted.turns >= own.turns + 5.0 + children, "{counted:?}");

    // It ends, and its figures stay.
    let at_rest = figures(&lines, &name);
    drop(process);
    let gone = wait_service(&lines, &name, "its end", |service| {
        service["process_count"] == 0
    });
    assert!(Figures::of(&gone).unwrap().turns >= at_rest.turns);
}

#[test]
fn the_hook_is_there_while_a_plugin_asks_for_it() {
    let plugins = Plugins::new();
    let (name, plain) = (plugins.unique(), plugins.unique());
    let program = plugins.copy("workload", &name);
    plugins.plugin(&name, &format!("^{name}$"), "");
    plugins.plugin(&plain, &format!("^{name}$"), "");
    let lines = start(&plugins);
    let mut process = Turns::start(&program);
    process.turn();
    let hook = |what: &str, times: usize| {
        let text = format!("hook sched: {what}");
        lines.wait(&text, |said| {
            (said.errors.matches(&text).count() == times).then_some(())
        });
    };
    assert!(!is_attached(&lines));
    let mut last = Figures::default();
    for round in 1..=2 {
        plugins.plugin(&name, &format!("^{name}$"), SCHEDULER);
        hook("attached", round);
        assert!(is_attached(&lines));
        let (_, first) = begin(&mut process, &lines, &name);
        process.turn();
        process.rest();
        let now = figures(&lines, &name);
        assert!(
            first.turns >= last.turns && now.turns > first.turns,
            "{now:?}"
        );
        assert!(now.ran > first.ran, "{first:?} {now:?}");
        last = now;

        plugins.plugin(&name, &format!("^{name}$"), "");
        hook("detached", round);
        assert!(!is_attached(&lines));
        wait_service(&lines, &name, "no figures", |service| {
            points(service, BURST).is_none() && points(service, PREEMPTIONS).is_none()
        });
    }
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    // Nobody counts for a plugin that did not ask.
    let asked = |report| points(service(report, &plain)?, PREEMPTIONS);
    assert_eq!(said.lines.iter().find_map(asked), None);
}
