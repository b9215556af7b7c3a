//! Resident memory by the number of processes on the host.

use std::{fmt::Write as _, fs, time::Duration};

use anyhow::Result;

use super::{
    bars::Bar,
    collector::{Collector, REMEDY},
    daemon::{Daemon, Setup},
    document,
    sleepers::{Room, Sleeper, Sleepers},
};

/// Processes, and most memory with them, MB.
const BARS: [(usize, f64); 2] = [(1_000, 15.0), (50_000, 40.0)];
/// Of them watched.
const WATCHED: usize = 100;
const NAME: &str = "memory-one";
const INTERVAL: Duration = Duration::from_secs(5);
/// Reports until nothing is new any more.
const REPORTS: usize = 3;

/// Measures and prints.
pub fn run(write: bool) -> Result<()> {
    super::as_root()?;
    let directory = super::target().join("bench/memory");
    fs::create_dir_all(&directory)?;
    let program = super::build()?;
    let sleeper = Sleeper::build(&directory)?;
    let collector = Collector::start(&directory)?;
    let mut text = String::new();
    for (processes, most) in BARS {
        let _room = Room::of(processes)?;
        let mut sleepers = Sleepers::default();
        sleeper.start(NAME, WATCHED, &mut sleepers)?;
        sleeper.start_plain(processes - WATCHED, &mut sleepers)?;
        let daemon = Daemon::start(&Setup {
            program: &program,
            directory: &directory.join("sensor"),
            port: collector.as_ref().map(|collector| collector.port),
            interval: INTERVAL,
            services: &[("memory".to_owned(), format!("^{NAME}$"))],
            host: false,
            more: "",
        })?;
        daemon.wait(REPORTS)?;
        let memory = daemon.running.memory()?;
        daemon.running.stop()?;
        let name = format!("memory, processes: {processes}");
        let bar = Bar::at_most(name, memory.resident as f64 / 1e6, most, " MB");
        writeln!(text, "{}", bar.line())?;
        let peak = format!("{:.2} MB", memory.peak as f64 / 1e6);
        writeln!(text, "{:<42}{peak:>12}{:>14}  no bar", "  at its peak", "-")?;
    }
    writeln!(
        text,
        "\nThe daemon after {REPORTS} reports, with hooks, ring, store, exporter and {WATCHED}\n\
         processes watched; the others are known, all sleep."
    )?;
    if collector.is_none() {
        writeln!(text, "Nothing is delivered: no collector here ({REMEDY}).")?;
    }
    print!("{text}");
    match write {
        true => document::write(&document::section("Memory", &text, "bench memory --write")),
        false => Ok(()),
    }
}
