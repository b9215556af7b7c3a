//! One collection by the daemon, and by others that look at processes again
//! and again.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    bars::{median, middle_half},
    collector::Collector,
    daemon::{Daemon, Setup},
    running::{Running, children_cpu},
    sleepers::{Sleeper, Sleepers},
    tools,
};

const UNWATCHED: usize = 5_000;
const WATCHED: usize = 100;
const NAME: &str = "looking-one";
const INTERVAL: Duration = Duration::from_secs(2);
const READY: Duration = Duration::from_secs(10);
const EXPORTER: &str = "prometheus-process-exporter";

/// What a framework in Python does for one plugin.
const PSUTIL: &str = "import psutil, sys
for p in psutil.process_iter(['name', 'cmdline']):
    if p.info['name'] == sys.argv[1]:
        with p.oneshot():
            p.cpu_times(), p.memory_info(), p.num_threads(), p.num_fds()
            p.num_ctx_switches(), p.io_counters()
";

/// CPU time of each collection, ms; or why there is none.
type Measured = Result<Vec<f64>, &'static str>;

/// Measures, and tells as text.
pub fn run(program: &Path, rounds: usize) -> Result<String> {
    let directory = super::target().join("bench/looking");
    fs::create_dir_all(&directory)?;
    let sleeper = Sleeper::build(&directory)?;
    let mut sleepers = Sleepers::default();
    sleeper.start_plain(UNWATCHED, &mut sleepers)?;
    sleeper.start(NAME, WATCHED, &mut sleepers)?;
    let all: [(&str, Measured); 5] = [
        ("sensor run", daemon(program, &directory, rounds)?),
        ("sensor --run-once", once(program, &directory, rounds)?),
        (EXPORTER, exporter(&directory, rounds)?),
        ("psutil", psutil(rounds)?),
        (
            "ps aux",
            each(rounds, || {
                let mut ps = Command::new("ps");
                ps.arg("aux");
                ps
            })?,
        ),
    ];
    report(&all)
}

fn report(all: &[(&str, Measured)]) -> Result<String> {
    let ours = all.iter().find_map(|(_, measured)| measured.as_ref().ok());
    let ours = median(ours.map_or(&[][..], Vec::as_slice));
    let mut text = String::new();
    writeln!(
        text,
        "{:<30}{:>12}{:>18}{:>14}",
        "one collection, CPU", "ms", "from..to", "times ours"
    )?;
    for (name, measured) in all {
        match measured {
            Ok(figures) => {
                let (low, high) = middle_half(figures);
                let middle = median(figures);
                writeln!(
                    text,
                    "{name:<30}{middle:>12.2}{:>18}{:>14.1}",
                    format!("{low:.2}..{high:.2}"),
                    middle / ours
                )?;
            }
            Err(reason) => writeln!(text, "{name:<30}{reason:>44}")?,
        }
    }
    writeln!(
        text,
        "\n{UNWATCHED} processes that nobody watches, {WATCHED} that are, all asleep. The daemon\n\
         with hooks and store, everything that it does in an interval."
    )?;
    Ok(text)
}

fn daemon(program: &Path, directory: &Path, rounds: usize) -> Result<Measured> {
    let collector = Collector::start(directory)?;
    let daemon = Daemon::start(&Setup {
        program,
        directory: &directory.join("sensor"),
        port: collector.as_ref().map(|collector| collector.port),
        interval: INTERVAL,
        services: &[("looking".to_owned(), format!("^{NAME}$"))],
        host: false,
        more: "",
    })?;
    daemon.wait(2)?;
    let mut figures = Vec::new();
    for _ in 0..rounds {
        let before = daemon.running.cpu_ns()?;
        daemon.wait(1)?;
        figures.push((daemon.running.cpu_ns()? - before) as f64 / 1e6);
    }
    daemon.running.stop()?;
    Ok(Ok(figures))
}

fn once(program: &Path, directory: &Path, rounds: usize) -> Result<Measured> {
    each(rounds, || {
        let mut once = Command::new(program);
        once.args(["--run-once", "--output", "json", "--plugins"])
            .arg(directory.join("sensor/plugins"));
        once
    })
}

fn psutil(rounds: usize) -> Result<Measured> {
    // Another one that comes first may not have what Debian packs.
    let has_it = |python: &&str| {
        let mut python = Command::new(python);
        let output = python.args(["-c", "import psutil"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let Some(python) = ["python3", "/usr/bin/python3"].into_iter().find(has_it) else {
        return Ok(Err("absent (apt-get install python3-psutil)"));
    };
    // Without its start.
    let empty = each(rounds, || {
        let mut command = Command::new(python);
        command.args(["-c", "import psutil"]);
        command
    })?;
    let start = empty.map_or(0.0, |figures| median(&figures));
    let all = each(rounds, || {
        let mut command = Command::new(python);
        command.args(["-c", PSUTIL, NAME]);
        command
    })?;
    Ok(all.map(|figures| figures.iter().map(|figure| figure - start).collect()))
}

fn exporter(directory: &Path, rounds: usize) -> Result<Measured> {
    let Some(program) = tools::find(EXPORTER) else {
        return Ok(Err("absent (apt-get install prometheus-process-exporter)"));
    };
    let config = directory.join("exporter.yml");
    let text = format!("process_names:\n  - name: \"{{{{.Comm}}}}\"\n    comm: [{NAME}]\n");
    fs::write(&config, text)?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let mut command = Command::new(program);
    command
        .arg("-config.path")
        .arg(&config)
        .args(["-web.listen-address", &format!("127.0.0.1:{port}")]);
    let log = directory.join("exporter.log");
    let running = Running::start(EXPORTER, vec![(command, None)], &log)?;
    let end = Instant::now() + READY;
    while scrape(port).is_err() {
        ensure!(Instant::now() < end, "{EXPORTER} does not answer");
        thread::sleep(Duration::from_millis(50));
    }
    let mut figures = Vec::new();
    for _ in 0..rounds {
        let before = running.cpu_ns()?;
        let text = scrape(port)?;
        ensure!(text.contains(NAME), "{EXPORTER} does not see the processes");
        figures.push((running.cpu_ns()? - before) as f64 / 1e6);
    }
    running.stop()?;
    Ok(Ok(figures))
}

fn scrape(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// User and system time of a command, each time that it runs.
fn each(rounds: usize, command: impl Fn() -> Command) -> Result<Measured> {
    let mut figures = Vec::new();
    for _ in 0..rounds {
        let before = children_cpu()?;
        let mut command = command();
        let status = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .with_context(|| format!("cannot run {command:?}"))?;
        ensure!(status.success(), "{command:?}: {status}");
        figures.push((children_cpu()? - before) * 1e3);
    }
    Ok(Ok(figures))
}
