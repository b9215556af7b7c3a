//! What the store costs while nothing special happens: members that do a
//! little, processes that come and go, and a collector that takes all.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use anyhow::{Context, Result};

use super::{
    bars::{Bar, median},
    collector::{self, Collector},
    daemon::{Daemon, Setup},
    document,
    trace::{Tracer, Transaction, transactions},
    workload::{NAME, Storm},
};

/// Metrics, and events.
const SIGNALS: f64 = 2.0;
/// Most waits for the disk, an interval and signal.
const SYNCS: f64 = 1.0;
const INTERVAL: Duration = Duration::from_secs(1);
/// Intervals before anything is counted, and of each pass.
const WARM: usize = 5;
const COUNTED: usize = 30;
/// Processes that begin and end in an interval.
const PROCESSES: u32 = 20;

/// The daemon, and what it has reported.
struct Subject {
    daemon: Daemon,
    /// The thread that writes the store.
    writer: u32,
    storm: Storm,
}

/// What is read before and after a pass.
struct Mark {
    reports: usize,
    written: u64,
    cpu_ns: u64,
    writer_ns: u64,
}

/// The figures of both passes.
struct Figures {
    intervals: usize,
    syncs: usize,
    transactions: Vec<Transaction>,
    bytes: f64,
    cpu_ms: f64,
    writer_ms: f64,
    file: u64,
}

/// Measures and prints.
pub fn run(write: bool) -> Result<()> {
    super::as_root()?;
    let directory = super::target().join("bench/store-alone");
    // A store that has grown is another one.
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let program = super::build()?;
    let collector = Collector::start(&directory)?;
    let mut subject = Subject::start(&program, collector.as_ref(), &directory)?;
    let figures = subject.measure(&directory)?;
    subject.daemon.running.stop()?;
    let report = report(&figures, collector.is_some());
    print!("{report}");
    if write {
        document::write(&document::section("Store", &report, "bench store --write"))?;
    }
    Ok(())
}

impl Subject {
    fn start(program: &Path, collector: Option<&Collector>, directory: &Path) -> Result<Self> {
        let storm = Storm::build(directory)?;
        let daemon = Daemon::start(&Setup {
            program,
            directory: &directory.join("sensor"),
            port: collector.map(|collector| collector.port),
            interval: INTERVAL,
            services: &[("storm".to_owned(), format!("^{NAME}$"))],
            host: true,
            more: "[events]\nenabled = true\n",
        })?;
        let mut subject = Self {
            daemon,
            writer: 0,
            storm,
        };
        subject.pass(WARM)?;
        let writer = subject.daemon.running.thread("store")?;
        subject.writer = writer.context("the sensor has no thread that writes a store")?;
        Ok(subject)
    }

    fn measure(&mut self, directory: &Path) -> Result<Figures> {
        eprintln!("store: {COUNTED} intervals");
        let before = self.mark()?;
        self.pass(COUNTED)?;
        let after = self.mark()?;
        eprintln!("store: {COUNTED} intervals under strace");
        let tracer = Tracer::start(self.writer, &directory.join("trace"))?;
        self.pass(COUNTED)?;
        let calls = tracer.finish()?;
        let times = self.daemon.times()?;
        let all = transactions(&calls);
        let (from, to) = match (all.first(), all.last()) {
            (Some(first), Some(last)) => (first.at, last.at),
            _ => (0.0, 0.0),
        };
        // A report is written right after it was made: of those between two
        // transactions the first was seen before, the last is in the second.
        let intervals = times.iter().filter(|&&at| from < at && at < to).count();
        let transactions: Vec<_> = all.into_iter().filter(|one| one.at < to).collect();
        let passed = (after.reports - before.reports) as f64;
        Ok(Figures {
            intervals,
            syncs: transactions.iter().map(|one| one.syncs).sum(),
            transactions,
            bytes: (after.written - before.written) as f64 / passed,
            cpu_ms: (after.cpu_ns - before.cpu_ns) as f64 / 1e6 / passed,
            writer_ms: (after.writer_ns - before.writer_ns) as f64 / 1e6 / passed,
            file: fs::metadata(directory.join("sensor/metadata.redb"))?.len(),
        })
    }

    /// So many more reports, and some processes for each.
    fn pass(&self, reports: usize) -> Result<()> {
        for _ in 0..reports {
            self.storm.run(1, PROCESSES)?;
            self.daemon.wait(1)?;
        }
        Ok(())
    }

    fn mark(&self) -> Result<Mark> {
        Ok(Mark {
            reports: self.daemon.times()?.len(),
            written: self.daemon.running.written_bytes()?,
            cpu_ns: self.daemon.running.cpu_ns()?,
            writer_ns: self.daemon.running.thread_cpu_ns(self.writer)?,
        })
    }
}

/// For a terminal of 80 columns, and as it is in the document.
fn report(figures: &Figures, collected: bool) -> String {
    let each = |count: usize| count as f64 / figures.intervals as f64;
    let took: Vec<f64> = figures
        .transactions
        .iter()
        .map(|one| one.took * 1e3)
        .collect();
    let longest = took.iter().copied().fold(f64::NAN, f64::max);
    let bar = Bar::at_most(
        "store: syncs, an interval and signal".to_owned(),
        each(figures.syncs) / SIGNALS,
        SYNCS,
        "",
    );
    let rows = [
        ("intervals counted", figures.intervals.to_string()),
        (
            "transactions, an interval",
            format!("{:.2}", each(figures.transactions.len())),
        ),
        (
            "fsync and fdatasync, an interval",
            format!("{:.2}", each(figures.syncs)),
        ),
        ("a transaction, ms: middle", format!("{:.1}", median(&took))),
        ("a transaction, ms: longest", format!("{longest:.1}")),
        (
            "written, kB an interval",
            format!("{:.1}", figures.bytes / 1e3),
        ),
        (
            "CPU of the writer, ms an interval",
            format!("{:.2}", figures.writer_ms),
        ),
        (
            "CPU of the sensor, ms an interval",
            format!("{:.2}", figures.cpu_ms),
        ),
        ("the file, kB", format!("{:.0}", figures.file as f64 / 1e3)),
    ];
    let mut text = String::new();
    for (name, value) in &rows {
        let _ = writeln!(text, "{name:<42}{value:>12}");
    }
    let _ = writeln!(
        text,
        "{:<42}{:>12}{:>14}  {}",
        bar.name, bar.measured, bar.wanted, bar.verdict
    );
    let _ = writeln!(
        text,
        "\nEvery {} s a report, and {PROCESSES} short processes with all their events. Syncs\n\
         and transactions are those that strace sees, so they take longer than alone; a\n\
         transaction holds both signals.",
        INTERVAL.as_secs(),
    );
    if !collected {
        let _ = writeln!(
            text,
            "Nothing is delivered: no collector here ({}).",
            collector::REMEDY
        );
    }
    text
}
