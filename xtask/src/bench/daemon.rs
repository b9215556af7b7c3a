//! `sensor run` beside a workload, and what it reports.

use std::{
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::running::Running;

/// Longest wait for the next report.
const LATE: Duration = Duration::from_secs(60);

/// How it is to run.
pub struct Setup<'a> {
    pub program: &'a Path,
    /// Where what is its own lies; what is left there of another run goes.
    pub directory: &'a Path,
    /// Port of the collector on this host.
    pub port: Option<u16>,
    pub interval: Duration,
    /// Name and pattern of each service.
    pub services: &'a [(String, String)],
    /// Whether the built-in plugin watches all other processes.
    pub host: bool,
    /// What each plugin says besides.
    pub more: &'a str,
}

/// The daemon, and its reports.
pub struct Daemon {
    pub running: Running,
    reports: PathBuf,
}

impl Daemon {
    /// Starts it; it has its hooks when this returns.
    pub fn start(setup: &Setup<'_>) -> Result<Self> {
        let directory = setup.directory;
        let _ = fs::remove_dir_all(directory);
        for (name, pattern) in setup.services {
            let plugin = directory.join("plugins").join(name);
            fs::create_dir_all(&plugin)
                .with_context(|| format!("cannot make {}", plugin.display()))?;
            fs::write(
                plugin.join("plugin.toml"),
                manifest(name, pattern, setup.more)?,
            )?;
        }
        fs::create_dir_all(directory.join("plugins"))?;
        let config = directory.join("sensor.toml");
        let host = if setup.host { "always" } else { "never" };
        fs::write(&config, format!("[host]\nenabled = \"{host}\"\n"))?;
        let reports = directory.join("reports");
        let mut command = Command::new(setup.program);
        command
            .args(["run", "--log-level", "warn", "--output", "json"])
            .args(["--interval", &format!("{}ms", setup.interval.as_millis())])
            .args(["--agent-host", "127.0.0.1", "--agent-port"])
            // A port that nobody can listen on, where there is no collector.
            .arg(setup.port.unwrap_or(1).to_string())
            .arg("--config")
            .arg(config)
            .arg("--plugins")
            .arg(directory.join("plugins"))
            .arg("--metadata-db-path")
            .arg(directory.join("metadata.redb"));
        let output = File::create(&reports)?;
        let log = directory.join("log");
        let running = Running::start("sensor run", vec![(command, Some(output))], &log)?;
        let mut daemon = Self { running, reports };
        daemon.running.settle(super::tools::PROGRAMS)?;
        Ok(daemon)
    }

    /// How many reports there are.
    pub fn reports(&self) -> Result<usize> {
        let text = fs::read(&self.reports)?;
        Ok(text.iter().filter(|&&byte| byte == b'\n').count())
    }

    /// When each report was made, s since 1970.
    pub fn times(&self) -> Result<Vec<f64>> {
        let text = fs::read_to_string(&self.reports)?;
        // The last line may be half of one.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let times = whole.lines().map(|line| {
            let report: Value = serde_json::from_str(line).context("a report")?;
            let time = report["time_unix_nano"].as_u64();
            Ok(time.context("a report without a time")? as f64 / 1e9)
        });
        times.collect()
    }

    /// Waits for `more` reports.
    pub fn wait(&self, more: usize) -> Result<()> {
        let wanted = self.reports()? + more;
        let end = Instant::now() + LATE;
        while self.reports()? < wanted {
            ensure!(Instant::now() < end, "the sensor reports no more");
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The latest whole report.
    pub fn last(&self) -> Result<Value> {
        let text = fs::read_to_string(&self.reports)?;
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let line = whole.lines().next_back().context("there is no report")?;
        serde_json::from_str(line).context("a report")
    }
}

fn manifest(name: &str, pattern: &str, more: &str) -> Result<String> {
    let mut text = String::new();
    write!(
        text,
        "[plugin]\nname = \"{name}\"\n\n[service]\nnamespace = \"bench\"\n\
         process_name = '{pattern}'\n\n{more}"
    )?;
    Ok(text)
}

/// The number of points of all metrics in a report: series that it makes.
pub fn series(report: &Value) -> usize {
    let services = report["services"].as_array().into_iter().flatten();
    let metrics = services.filter_map(|service| service["metrics"].as_array());
    let points = metrics.flatten().filter_map(|one| one["points"].as_array());
    points.map(Vec::len).sum()
}
