//! What it costs to look at processes: for `cargo xtask bench collection`,
//! which builds it with optimisation.
//!
//! Starts sleeping processes, of which it watches some, and prints a JSON line
//! for each kind of look: `look`, `ms` (CPU time of user and kernel, the
//! middle figure of the rounds), and for one pass over all processes also
//! `floor_ms`, the time that it takes to open, read and close one file of
//! each, in the same rounds. Where the program `sensor` lies beside the
//! directory of this one, its `--run-once` is among them.

use std::{
    env,
    fs::{self, File},
    hint::black_box,
    io::{Read, Write},
    os::unix::fs::symlink,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use sensor::{
    collect::{Collector, Watched},
    procfs::Proc,
};

/// Name of the watched processes.
const NAME: &str = "watched-one";

fn main() -> Result<()> {
    let mut numbers = env::args().skip(1).map(|text| text.parse::<usize>());
    let mut number = |what: &'static str, default| {
        let number = numbers.next().transpose().context(what);
        Ok::<usize, anyhow::Error>(number?.unwrap_or(default))
    };
    let unwatched = number("unwatched", 5_000)?;
    let watched = number("watched", 100)?;
    let rounds = number("rounds", 11)?.max(1);

    let directory = tempfile::tempdir()?;
    let mut processes = Processes(Vec::new());
    for _ in 0..unwatched {
        processes.start(Command::new("sleep").arg("3600").stdin(Stdio::null()))?;
    }
    let program = directory.path().join(NAME);
    symlink("/bin/cat", &program)?;
    for _ in 0..watched {
        processes.start(Command::new(&program).stdin(Stdio::piped()))?;
    }
    // Until the last of them waits for input.
    sleep(Duration::from_millis(300));
    looks(&mut processes.0[unwatched..], rounds)?;
    once(directory.path(), watched, rounds)
}

/// Ended when dropped, each by its pid.
struct Processes(Vec<Child>);

impl Processes {
    fn start(&mut self, command: &mut Command) -> Result<()> {
        let child = command.stdout(Stdio::null()).spawn();
        self.0.push(child.context("cannot start a process")?);
        Ok(())
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
        }
        for child in &mut self.0 {
            let _ = child.wait();
        }
    }
}

/// Looks again and again at processes that sleep, and at such that have run
/// since the last look.
fn looks(processes: &mut [Child], rounds: usize) -> Result<()> {
    let mut proc = Proc::open()?;
    let mut collector = Collector::new();
    let pids = processes.iter().map(Child::id);
    let mut watched: Vec<Watched> = pids.map(|pid| Watched::new(pid, None)).collect();
    for (kind, busy) in [("first", true), ("sleeping", false), ("busy", true)] {
        let mut figures = Vec::new();
        let mut reads = 0;
        for _ in 0..rounds {
            if kind == "first" {
                for watched in &mut watched {
                    *watched = Watched::new(watched.pid(), None);
                }
            }
            if busy {
                for child in processes.iter_mut() {
                    let input = child.stdin.as_mut().context("no input")?;
                    input.write_all(b"x")?;
                }
                sleep(Duration::from_millis(50));
            }
            let before = (cpu(UsageWho::RUSAGE_SELF)?, proc.counts().reads);
            for watched in &mut watched {
                black_box(collector.read(&mut proc, watched))?;
            }
            figures.push(cpu(UsageWho::RUSAGE_SELF)? - before.0);
            reads = proc.counts().reads - before.1;
        }
        let each = reads as f64 / watched.len().max(1) as f64;
        println!(
            r#"{{"look":"{kind}","processes":{},"reads_each":{each:.2},"ms":{:.3}}}"#,
            watched.len(),
            middle(figures)
        );
    }
    Ok(())
}

/// One pass over all processes, by the program and as cheap as can be.
fn once(directory: &Path, watched: usize, rounds: usize) -> Result<()> {
    let sensor = env::current_exe()?.with_file_name("../sensor");
    if !sensor.exists() {
        eprintln!("SKIPPED: --run-once: there is no {}", sensor.display());
        return Ok(());
    }
    let plugin = directory.join("plugins").join("watched");
    fs::create_dir_all(&plugin)?;
    let text = format!(
        "[plugin]\nname = 'watched'\n\
         [service]\nnamespace = 'bench'\nprocess_name = '^{NAME}$'\n\
         [match]\non = 'name'\n\
         [otel_config]\nservice_name_template = 'watched'\n"
    );
    fs::write(plugin.join("plugin.toml"), text)?;
    let mut figures = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        for (file, figures) in ["comm", "stat"].into_iter().zip(&mut figures) {
            let before = cpu(UsageWho::RUSAGE_SELF)?;
            floor(file)?;
            figures.push(cpu(UsageWho::RUSAGE_SELF)? - before);
        }
        let before = cpu(UsageWho::RUSAGE_CHILDREN)?;
        let output = Command::new(&sensor)
            .args(["--run-once", "--output", "json", "--pids", "--plugins"])
            .arg(directory.join("plugins"))
            .arg("--metadata-db-path")
            .arg(directory.join("store"))
            .output()?;
        figures[2].push(cpu(UsageWho::RUSAGE_CHILDREN)? - before);
        let found = String::from_utf8_lossy(&output.stdout);
        let wanted = format!("\"process_count\":{watched}");
        ensure!(found.contains(&wanted), "not {wanted}: {found}");
    }
    let [comm, stat, once] = figures.map(middle);
    for (file, floor) in [("comm", comm), ("stat", stat)] {
        println!(r#"{{"look":"once","file":"{file}","floor_ms":{floor:.3},"ms":{once:.3}}}"#);
    }
    Ok(())
}

/// Opens, reads and closes one file of each process.
fn floor(name: &str) -> Result<()> {
    let mut buffer = [0; 4096];
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes()[0].is_ascii_digit() {
            continue;
        }
        if let Ok(mut file) = File::open(entry.path().join(name)) {
            black_box(file.read(&mut buffer).ok());
        }
    }
    Ok(())
}

/// CPU time so far, ms.
fn cpu(who: UsageWho) -> Result<f64> {
    let usage = getrusage(who)?;
    Ok((usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e3)
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
