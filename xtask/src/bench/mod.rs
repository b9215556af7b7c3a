//! `cargo xtask bench`: what the sensor costs, beside its peers.

mod agreement;
mod bars;
mod captured;
mod collection;
mod collector;
mod daemon;
mod document;
mod logs;
mod looking;
mod machine;
mod matching;
mod measure;
mod memory;
mod picture;
mod pipe;
mod report;
mod running;
mod scale;
mod sleepers;
mod soak;
mod store;
mod tools;
mod trace;
mod workload;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use self::{
    collector::Collector,
    measure::Bench,
    report::Report,
    tools::{Absent, Sensor},
    workload::Storm,
};
use crate::shell;

/// Flags of `cargo xtask bench`.
#[derive(Args)]
pub struct BenchArgs {
    /// What to measure
    #[arg(value_enum, default_value = "storm")]
    suite: Suite,

    /// How often each tool meets a workload; the middle figure counts
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Processes of one storm
    #[arg(long, value_name = "N", default_value_t = 6_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    processes: u32,

    /// How often `sensor run` collects and exports
    #[arg(long, value_name = "TIME", default_value = "60s")]
    interval: String,

    /// How long `soak` lasts
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,

    /// Write docs/BENCHMARKS.md too; everything else has to be committed
    #[arg(long)]
    write: bool,

    /// A storm of N processes of PROGRAM; the bench runs itself with it
    #[arg(long, num_args = 2, value_names = ["N", "PROGRAM"], hide = true)]
    storm_worker: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Suite {
    /// Short processes, one after the other
    Storm,
    /// New processes against 200 patterns
    Matching,
    /// Looks at 100 of 5,100 processes, and one pass over all
    Collection,
    /// What the store costs in the steady state
    Store,
    /// Errors and traces in log files, beside a reader in Python
    Logs,
    /// Resident memory with few and with many processes
    Memory,
    /// Switches between two processes, beside runqlat
    Pipe,
    /// Series, bytes and CPU time of a host by its size
    Scale,
    /// Short processes for a long time: what grows, what is lost
    Soak,
}

/// Measures and prints.
pub fn bench(args: &BenchArgs) -> Result<()> {
    if let [count, program] = args.storm_worker.as_slice() {
        return workload::work(count.parse()?, Path::new(program));
    }
    machine::begin();
    if args.write {
        machine::is_committed()?;
    }
    match args.suite {
        Suite::Storm => storm(args),
        Suite::Matching => matching::run(),
        Suite::Collection => collection::run(args.rounds, args.write),
        Suite::Store => store::run(args.write),
        Suite::Logs => logs::run(args.write),
        Suite::Memory => memory::run(args.write),
        Suite::Pipe => pipe::run(args.rounds, args.write),
        Suite::Scale => scale::run(args.write),
        Suite::Soak => soak::run(args.minutes, args.write),
    }
}

fn storm(args: &BenchArgs) -> Result<()> {
    as_root()?;
    let facts = machine::facts();
    let directory = target().join("bench/storm");
    // Counters would go on from the last time.
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let sensor = build()?;
    let storm = Storm::build(&directory)?;
    let (peers, absent) = tools::peers();
    let mut notes: Vec<String> = absent.iter().map(note).collect();
    notes.extend(tracefs()?);
    let collector = Collector::start(&directory)?;
    if collector.is_none() {
        notes.push(format!(
            "sensor run exports nothing: no collector here ({})",
            collector::REMEDY
        ));
    }
    let mut all = tools::sensor(&Sensor {
        program: &sensor,
        collector: collector.as_ref().map(|collector| collector.port),
        interval: &args.interval,
        directory: &directory,
    })?;
    all.extend(peers);
    let figures = Bench {
        storm: &storm,
        tools: &all,
        directory: &directory,
        rounds: args.rounds,
        processes: args.processes,
    }
    .run()?;
    let report = Report {
        tools: &all,
        figures: &figures,
        facts: &facts,
        notes: &notes,
        command: format!(
            "cargo xtask bench storm --rounds {} --processes {} --interval {}",
            args.rounds, args.processes, args.interval
        ),
    };
    print!("{}", report.text());
    if args.write {
        document::write(&report.markdown())?;
    }
    Ok(())
}

/// Fails where hooks cannot be had.
fn as_root() -> Result<()> {
    // SAFETY: no arguments.
    let root = unsafe { libc::geteuid() } == 0;
    ensure!(root, "kernel hooks need root: run it with sudo");
    Ok(())
}

fn note(absent: &Absent) -> String {
    let Absent { name, package } = absent;
    format!("{name}: absent, not measured (apt-get install {package})")
}

/// Builds the sensor as users get it.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    shell::run(Command::new(cargo).current_dir(shell::root()).args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "sensor",
    ]))?;
    Ok(target().join("release/sensor"))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| shell::root().join("target"), PathBuf::from)
}

/// The peers of libbpf-tools and bpftrace need the tracepoints' files.
fn tracefs() -> Result<Option<String>> {
    const AT: &str = "/sys/kernel/tracing";
    if Path::new(AT).join("events").is_dir() {
        return Ok(None);
    }
    shell::run(Command::new("mount").args(["-t", "tracefs", "tracefs", AT]))
        .context("execsnoop and exitsnoop need tracefs")?;
    Ok(Some(format!(
        "mounted tracefs at {AT}, which the peers need; umount {AT} undoes it"
    )))
}
