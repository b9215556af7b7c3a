//! Two processes that wake each other over a pipe on one CPU: what hooks on
//! the scheduler cost.

use std::{fmt::Write as _, fs, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};

use super::{
    agreement,
    bars::{Bar, median, middle_half},
    daemon::{Daemon, Setup},
    document, machine,
    running::{Running, children_cpu},
    tools, workload,
};

/// Loops of one run, each two switches.
const LOOPS: u32 = 200_000;
/// Most of the peer's slowdown that the sensor may have.
const SHARE: f64 = 0.5;
const INTERVAL: Duration = Duration::from_secs(60);
const RUNQLAT: &str = "runqlat";
/// Pattern of the two.
pub const PERF: &str = "^perf$";

/// Who runs beside the two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Sensor { watched: bool },
    Runqlat,
}

const ALL: [(Beside, &str); 3] = [
    (Beside::Sensor { watched: true }, "sensor, both watched"),
    (Beside::Sensor { watched: false }, "sensor, others watched"),
    (Beside::Runqlat, RUNQLAT),
];

/// What one run took, s.
#[derive(Clone, Copy)]
pub struct Took {
    elapsed: f64,
    cpu: f64,
}

/// Slowdowns, %.
#[derive(Default)]
struct Slower {
    elapsed: Vec<f64>,
    cpu: Vec<f64>,
}

/// Measures and prints.
pub fn run(rounds: u32, write: bool) -> Result<()> {
    super::as_root()?;
    ensure!(
        tools::find("perf").is_some(),
        "the workload is of perf (apt-get install linux-perf)"
    );
    let directory = super::target().join("bench/pipe");
    fs::create_dir_all(&directory)?;
    let program = super::build()?;
    let here = |beside: &Beside| *beside != Beside::Runqlat || tools::find(RUNQLAT).is_some();
    let all: Vec<_> = ALL.into_iter().filter(|(beside, _)| here(beside)).collect();
    let mut bare = Vec::new();
    let mut slower: Vec<Slower> = all.iter().map(|_| Slower::default()).collect();
    for round in 0..rounds {
        eprintln!("pipe, round {} of {rounds}", round + 1);
        let mut before = loops()?;
        for ((beside, _), slower) in all.iter().zip(&mut slower) {
            let took = with(*beside, &program, &directory)?;
            let after = loops()?;
            let by =
                |of: fn(Took) -> f64| (2.0 * of(took) / (of(before) + of(after)) - 1.0) * 100.0;
            slower.elapsed.push(by(|took| took.elapsed));
            slower.cpu.push(by(|took| took.cpu));
            bare.push(before.elapsed);
            before = after;
        }
    }
    let mut report = report(&bare, all.iter().map(|(_, name)| *name).zip(&slower))?;
    if tools::find(RUNQLAT).is_some() {
        write!(report, "\n{}", agreement::run(&program, &directory)?)?;
    }
    print!("{report}");
    match write {
        true => document::write(&document::section(
            "Scheduler events",
            &report,
            &format!("bench pipe --rounds {rounds} --write"),
        )),
        false => Ok(()),
    }
}

fn with(beside: Beside, program: &Path, directory: &Path) -> Result<Took> {
    let running = match beside {
        Beside::Runqlat => {
            let mut command = Command::new(tools::find(RUNQLAT).context(RUNQLAT)?);
            command.arg("999999");
            let log = directory.join("log");
            let mut running = Running::start(RUNQLAT, vec![(command, None)], &log)?;
            running.settle(agreement::PROGRAMS)?;
            running
        }
        Beside::Sensor { watched } => {
            let pattern = if watched { PERF } else { "^nobody-at-all$" };
            daemon(program, directory, pattern, INTERVAL)?.running
        }
    };
    let took = loops()?;
    running.stop()?;
    Ok(took)
}

/// The sensor, looking at the scheduling of those of a pattern.
pub fn daemon(
    program: &Path,
    directory: &Path,
    pattern: &str,
    interval: Duration,
) -> Result<Daemon> {
    Daemon::start(&Setup {
        program,
        directory: &directory.join("sensor"),
        port: None,
        interval,
        services: &[("pipe".to_owned(), pattern.to_owned())],
        host: false,
        more: "[match]\nscheduler = true\n",
    })
}

/// One run, all of it on the last CPU.
pub fn loops() -> Result<Took> {
    let mut command = Command::new(tools::find("perf").context("perf")?);
    command.args(["bench", "-f", "simple", "sched", "pipe", "-l"]);
    command.arg(LOOPS.to_string());
    workload::pin(&mut command)?;
    let before = children_cpu()?;
    let output = command.output().context("cannot run perf")?;
    let cpu = children_cpu()? - before;
    let text = String::from_utf8_lossy(&output.stdout);
    let elapsed = text
        .trim()
        .parse()
        .with_context(|| format!("perf bench says: {}", text.trim()))?;
    Ok(Took { elapsed, cpu })
}

fn report<'a>(
    bare: &[f64],
    all: impl Iterator<Item = (&'a str, &'a Slower)> + Clone,
) -> Result<String> {
    let mut text = String::new();
    let head = ["slower by, %", "elapsed", "from..to", "CPU", "from..to"];
    let line = |text: &mut String, cells: [&str; 5]| {
        let [name, elapsed, spread, cpu, cpu_spread] = cells;
        writeln!(
            text,
            "{name:<26}{elapsed:>9}{spread:>15}{cpu:>9}{cpu_spread:>15}"
        )
    };
    line(&mut text, head)?;
    let spread = |figures: &[f64]| {
        let (low, high) = middle_half(figures);
        format!("{low:.1}..{high:.1}")
    };
    for (name, slower) in all.clone() {
        line(
            &mut text,
            [
                name,
                &format!("{:.1}", median(&slower.elapsed)),
                &spread(&slower.elapsed),
                &format!("{:.1}", median(&slower.cpu)),
                &spread(&slower.cpu),
            ],
        )?;
    }
    writeln!(text)?;
    let of = |wanted: &str| all.clone().find(|(name, _)| *name == wanted);
    if let (Some((_, ours)), Some((_, theirs))) = (of(ALL[0].1), of(RUNQLAT)) {
        for (what, ours, theirs) in [
            ("elapsed", &ours.elapsed, &theirs.elapsed),
            ("CPU", &ours.cpu, &theirs.cpu),
        ] {
            let share = median(ours).max(0.0) / median(theirs);
            let bar = Bar::at_most(format!("pipe: {what}, of runqlat's"), share, SHARE, "");
            writeln!(text, "{}", bar.line())?;
        }
    } else {
        writeln!(
            text,
            "runqlat: absent, not measured (apt-get install libbpf-tools)"
        )?;
    }
    let (low, high) = middle_half(bare);
    writeln!(
        text,
        "\nperf bench sched pipe, {LOOPS} loops on one CPU; without a tool {:.2} s, the\n\
         middle half {low:.2} to {high:.2}. Each run between two without a tool. CPU: user and\n\
         system time of the two processes.",
        median(bare),
    )?;
    for (name, value) in machine::facts() {
        if name == "libbpf-tools" {
            writeln!(text, "{name} {value}")?;
        }
    }
    Ok(text)
}
