//! What one host costs, by the number of its processes, of its services, and
//! of processes that start.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    collector::Relay,
    daemon::{self, Daemon, Setup},
    document,
    picture::{Chart, Line},
    sleepers::{Room, Sleeper, Sleepers},
    workload::{NAME, Storm},
};
use crate::shell;

const INTERVAL: Duration = Duration::from_secs(10);
/// Intervals before anything is counted, and those that count.
const WARM: usize = 1;
const COUNTED: usize = 6;
/// Watched processes of each service.
const MEMBERS: usize = 5;
const SECOND: Duration = Duration::from_secs(1);

/// A host.
#[derive(Clone, Copy)]
struct Size {
    /// Processes that nobody watches.
    processes: usize,
    services: usize,
    /// Processes that start in a second, two events each; a service more.
    starts: u32,
}

const BASE: Size = Size {
    processes: 1_000,
    services: 10,
    starts: 0,
};

/// What one is measured by, and three of it.
type Series = (&'static str, &'static str, [Size; 3], fn(&Size) -> f64);

fn series() -> [Series; 3] {
    [
        (
            "processes that nobody watches",
            "scaling-processes.svg",
            [1_000, 5_000, 20_000].map(|processes| Size { processes, ..BASE }),
            |size| size.processes as f64,
        ),
        (
            "services, of 5 processes each",
            "scaling-services.svg",
            [10, 50, 150].map(|services| Size { services, ..BASE }),
            |size| size.services as f64,
        ),
        (
            "starts a second, two events each",
            "scaling-starts.svg",
            [10, 100, 500].map(|starts| Size { starts, ..BASE }),
            |size| f64::from(size.starts),
        ),
    ]
}

/// What it cost.
struct Cost {
    size: Size,
    series: usize,
    bytes_a_minute: f64,
    cpu_ms_a_second: f64,
    resident_mb: f64,
}

/// Measures and prints.
pub fn run(write: bool) -> Result<()> {
    super::as_root()?;
    let directory = super::target().join("bench/scale");
    fs::create_dir_all(&directory)?;
    let program = super::build()?;
    let mut text = String::new();
    row(
        &mut text,
        [
            "processes",
            "services",
            "starts/s",
            "series",
            "kB/min",
            "CPU ms/s",
            "RSS MB",
        ],
    )?;
    for (over, file, sizes, of) in series() {
        let mut costs = Vec::new();
        for size in sizes {
            eprintln!(
                "{} processes, {} services, {} starts a second",
                size.processes, size.services, size.starts
            );
            costs.push(cost(size, &program, &directory)?);
        }
        for cost in &costs {
            let Cost { size, series, .. } = cost;
            row(
                &mut text,
                [
                    &size.processes.to_string(),
                    &size.services.to_string(),
                    &size.starts.to_string(),
                    &series.to_string(),
                    &format!("{:.1}", cost.bytes_a_minute / 1e3),
                    &format!("{:.2}", cost.cpu_ms_a_second),
                    &format!("{:.1}", cost.resident_mb),
                ],
            )?;
        }
        if write {
            let line = |name, figure: fn(&Cost) -> f64| {
                Line::new(
                    name,
                    costs.iter().map(|cost| (of(&cost.size), figure(cost))),
                )
            };
            let lines = vec![
                line("CPU, ms a second", |cost| cost.cpu_ms_a_second),
                line("sent, kB a minute", |cost| cost.bytes_a_minute / 1e3),
                line("resident memory, MB", |cost| cost.resident_mb),
            ];
            Chart::new(over, lines).write(&shell::root().join("docs").join(file))?;
        }
    }
    writeln!(
        text,
        "\nReports every {} s over gRPC with gzip. Services have {MEMBERS} processes each, all\n\
         asleep; those that start are one more. series: of services, without the sensor's\n\
         own. kB/min: what the sensor sends to the collector, its own metrics too.",
        INTERVAL.as_secs()
    )?;
    print!("{text}");
    if !write {
        return Ok(());
    }
    let mut section = document::section("Measured", &text, "bench scale --write");
    section.push('\n');
    for (over, file, ..) in series() {
        writeln!(section, "![By {over}]({file})")?;
    }
    document::write_to("SCALING.md", &section)
}

fn cost(size: Size, program: &Path, directory: &Path) -> Result<Cost> {
    let storm = Storm::build(directory)?;
    let sleeper = Sleeper::build(directory)?;
    let relay = Relay::start(directory)?;
    let _room = Room::of(size.processes + size.services * MEMBERS)?;
    let mut sleepers = Sleepers::default();
    let mut services = Vec::new();
    if size.starts > 0 {
        services.push(("storm".to_owned(), format!("^{NAME}$")));
    }
    for number in 1..=size.services {
        let name = format!("service-{number}");
        sleeper.start(&name, MEMBERS, &mut sleepers)?;
        services.push((name.clone(), format!("^{name}$")));
    }
    sleeper.start_plain(size.processes, &mut sleepers)?;
    let daemon = Daemon::start(&Setup {
        program,
        directory: &directory.join("sensor"),
        port: Some(relay.port),
        interval: INTERVAL,
        services: &services,
        host: false,
        more: "[events]\nenabled = true\n",
    })?;
    pass(&daemon, &storm, size.starts, WARM)?;
    let before = (relay.bytes(), daemon.running.cpu_ns()?, Instant::now());
    pass(&daemon, &storm, size.starts, COUNTED)?;
    let seconds = before.2.elapsed().as_secs_f64();
    let cost = Cost {
        size,
        series: daemon::series(&daemon.last()?),
        bytes_a_minute: (relay.bytes() - before.0) as f64 * 60.0 / seconds,
        cpu_ms_a_second: (daemon.running.cpu_ns()? - before.1) as f64 / 1e6 / seconds,
        resident_mb: daemon.running.memory()?.resident as f64 / 1e6,
    };
    daemon.running.stop()?;
    Ok(cost)
}

/// So many more reports, and processes meanwhile.
fn pass(daemon: &Daemon, storm: &Storm, starts: u32, reports: usize) -> Result<()> {
    if starts == 0 {
        return daemon.wait(reports);
    }
    let wanted = daemon.reports()? + reports;
    while daemon.reports()? < wanted {
        let second = Instant::now() + SECOND;
        storm.run(1, starts)?;
        thread::sleep(second.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

fn row(text: &mut String, cells: [&str; 7]) -> std::fmt::Result {
    for cell in cells {
        write!(text, "{cell:>11}")?;
    }
    writeln!(text)
}
