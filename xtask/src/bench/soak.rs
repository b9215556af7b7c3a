//! Short processes for a long time: memory stays flat, no descriptor is left
//! open, and in the end every process was counted.

use std::{
    fmt::Write as _,
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    bars::Bar,
    captured,
    collector::{self, Collector},
    daemon::{Daemon, Setup},
    document,
    picture::{Chart, Line},
    workload::{NAME, Storm},
};
use crate::shell;

/// Processes a second, where the machine makes that many.
const RATE: u32 = 1_000;
const SECOND: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(10);
/// Time between two looks at the daemon.
const LOOK: Duration = Duration::from_secs(10);
/// Share of the time in which queues, caches and the store fill up for the
/// first time.
const WARM: f64 = 0.2;
/// Most that memory may grow by after that, %.
const GROWTH: f64 = 5.0;

/// One look.
#[derive(Clone, Copy)]
struct Look {
    minutes: f64,
    processes: u64,
    resident_mb: f64,
    descriptors: usize,
    cpu_ns: u64,
}

/// Measures for so many minutes and prints.
pub fn run(minutes: u64, write: bool) -> Result<()> {
    super::as_root()?;
    let directory = super::target().join("bench/soak");
    fs::create_dir_all(&directory)?;
    let program = super::build()?;
    let storm = Storm::build(&directory)?;
    let collector = Collector::start(&directory)?;
    let daemon = Daemon::start(&Setup {
        program: &program,
        directory: &directory.join("sensor"),
        port: collector.as_ref().map(|collector| collector.port),
        interval: INTERVAL,
        services: &[("storm".to_owned(), format!("^{NAME}$"))],
        host: false,
        more: "[events]\nenabled = true\n",
    })?;
    daemon.wait(1)?;
    let looks = soak(&daemon, &storm, Duration::from_secs(minutes * 60))?;
    daemon.wait(2)?;
    let seen = captured::service(&daemon.last()?).context("the storm is in no report")?;
    daemon.running.stop()?;
    let mut report = report(&looks, seen)?;
    if collector.is_none() {
        let _ = writeln!(
            report,
            "Nothing is delivered: no collector here ({}).",
            collector::REMEDY
        );
    }
    print!("{report}");
    if write {
        chart(&looks).write(&shell::root().join("docs/soak.svg"))?;
        let mut section = document::section("Soak", &report, "bench soak --write");
        section.push_str("\n![Memory and CPU time of the soak](soak.svg)\n");
        document::write(&section)?;
    }
    Ok(())
}

fn soak(daemon: &Daemon, storm: &Storm, time: Duration) -> Result<Vec<Look>> {
    let start = Instant::now();
    let mut processes = 0;
    let mut looks = vec![look(daemon, start, processes)?];
    let mut next = start + LOOK;
    while start.elapsed() < time {
        let second = Instant::now() + SECOND;
        storm.run(1, RATE)?;
        processes += u64::from(RATE);
        if Instant::now() >= next {
            next += LOOK;
            let look = look(daemon, start, processes)?;
            eprintln!(
                "soak: {:.1} min, {processes} processes, {:.1} MB, {} descriptors",
                look.minutes, look.resident_mb, look.descriptors
            );
            looks.push(look);
        }
        thread::sleep(second.saturating_duration_since(Instant::now()));
    }
    looks.push(look(daemon, start, processes)?);
    Ok(looks)
}

fn look(daemon: &Daemon, start: Instant, processes: u64) -> Result<Look> {
    Ok(Look {
        minutes: start.elapsed().as_secs_f64() / 60.0,
        processes,
        resident_mb: daemon.running.memory()?.resident as f64 / 1e6,
        descriptors: daemon.running.descriptors()?,
        cpu_ns: daemon.running.cpu_ns()?,
    })
}

fn report(looks: &[Look], seen: captured::Seen) -> Result<String> {
    let (first, last) = looks.first().zip(looks.last()).context("no look")?;
    let warm = looks
        .iter()
        .filter(|look| look.minutes >= WARM * last.minutes);
    let warm: Vec<f64> = warm.map(|look| look.resident_mb).collect();
    let middle = warm.len() / 2;
    ensure!(middle > 0, "too short: take more minutes");
    let most = |figures: &[f64]| figures.iter().copied().fold(f64::NAN, f64::max);
    let growth = (most(&warm[middle..]) / most(&warm[..middle]) - 1.0) * 100.0;
    let cpu = (last.cpu_ns - first.cpu_ns) as f64 / 1e3 / last.processes as f64;
    let rows = [
        ("minutes", format!("{:.1}", last.minutes)),
        ("processes, started and ended", last.processes.to_string()),
        (
            "memory at the start, MB",
            format!("{:.1}", first.resident_mb),
        ),
        ("memory in the end, MB", format!("{:.1}", last.resident_mb)),
        ("memory at most, MB", format!("{:.1}", most(&warm))),
        ("CPU time, us a process", format!("{cpu:.1}")),
    ];
    let happened = last.processes as f64;
    let bars = [
        Bar::equal("soak: starts counted", seen.execs as f64, happened),
        Bar::equal("soak: exits counted", seen.exits as f64, happened),
        Bar::at_most("soak: memory grows by".to_owned(), growth, GROWTH, " %"),
        Bar::equal(
            "soak: descriptors in the end",
            last.descriptors as f64,
            looks.get(1).unwrap_or(first).descriptors as f64,
        ),
    ];
    let mut text = String::new();
    for (name, value) in &rows {
        writeln!(text, "{name:<42}{value:>12}")?;
    }
    for bar in &bars {
        writeln!(text, "{}", bar.line())?;
    }
    writeln!(
        text,
        "\nEvery process is watched, and two events; reports every {} s. Growth: the\n\
         most memory of the last {half:.0} % of the time, over that of the {half:.0} % before.",
        INTERVAL.as_secs(),
        half = (1.0 - WARM) * 50.0
    )?;
    Ok(text)
}

fn chart(looks: &[Look]) -> Chart {
    let memory = looks.iter().map(|look| (look.minutes, look.resident_mb));
    let descriptors = looks
        .iter()
        .map(|look| (look.minutes, look.descriptors as f64));
    let cpu = looks.windows(2).filter_map(|pair| {
        let seconds = (pair[1].minutes - pair[0].minutes) * 60.0;
        let used = (pair[1].cpu_ns - pair[0].cpu_ns) as f64 / 1e6;
        // The last look may come right after the one before.
        (seconds > 1.0).then_some((pair[1].minutes, used / seconds))
    });
    Chart::new(
        "minutes",
        vec![
            Line::new("resident memory, MB", memory),
            Line::new("descriptors", descriptors),
            Line::new("CPU, ms a second", cpu),
        ],
    )
}
