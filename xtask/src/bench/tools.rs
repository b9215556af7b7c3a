//! Who is measured: the sensor and its peers.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{captured::Format, running::Running, workload};

/// Kernel programs of the sensor where no plugin asks for more.
pub const PROGRAMS: usize = 5;

/// A command, and how what it prints is read.
#[derive(Clone)]
pub struct Part {
    program: PathBuf,
    arguments: Vec<String>,
    format: Format,
}

/// Something to measure.
pub struct Tool {
    /// Its name in the table.
    pub name: &'static str,
    /// What it is made of.
    parts: Vec<Part>,
    /// The same, printing what it captured, where that is another command.
    telling: Option<Vec<Part>>,
    /// Kernel programs that it has when it is ready.
    pub programs: usize,
    /// Whether it follows exec, and exit.
    pub follows: (bool, bool),
}

/// A tool that is not installed.
pub struct Absent {
    pub name: &'static str,
    pub package: &'static str,
}

/// Where the sensor exports to, and what for.
pub struct Sensor<'a> {
    pub program: &'a Path,
    pub collector: Option<u16>,
    pub interval: &'a str,
    pub directory: &'a Path,
}

pub const RUN: &str = "sensor run";
pub const EVENTS: &str = "sensor events --json";
pub const PAIR: &str = "execsnoop + exitsnoop";

const BPFTRACE: &str = r#"
tracepoint:sched:sched_process_exec { printf("exec %d\n", pid); }
tracepoint:sched:sched_process_exit /pid == tid/ { printf("exit %d\n", pid); }
"#;

impl Tool {
    /// Starts it; what it prints goes nowhere.
    pub fn start(&self, directory: &Path) -> Result<Running> {
        self.start_parts(&self.parts, None, directory)
    }

    /// Starts it; what it captured is in the returned files in the end.
    pub fn start_telling(&self, directory: &Path) -> Result<(Running, Vec<(PathBuf, Format)>)> {
        let parts = self.telling.as_ref().unwrap_or(&self.parts);
        let files: Vec<_> = (0..parts.len())
            .map(|index| directory.join(format!("captured.{index}")))
            .collect();
        let running = self.start_parts(parts, Some(&files), directory)?;
        let formats = parts.iter().map(|part| part.format);
        Ok((running, files.into_iter().zip(formats).collect()))
    }

    fn start_parts(
        &self,
        parts: &[Part],
        files: Option<&[PathBuf]>,
        directory: &Path,
    ) -> Result<Running> {
        let mut commands = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let mut command = Command::new(&part.program);
            command.args(&part.arguments);
            let file = files.map(|files| File::create(&files[index])).transpose()?;
            commands.push((command, file));
        }
        Running::start(self.name, commands, &directory.join("log"))
    }
}

/// The sensor as a daemon that exports, and as a stream of events.
pub fn sensor(sensor: &Sensor<'_>) -> Result<Vec<Tool>> {
    let part = |arguments: &[&str], format| Part {
        program: sensor.program.to_owned(),
        arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
        format,
    };
    let store = sensor.directory.join("store/metadata.redb");
    let store = store.to_string_lossy();
    let mut run = vec!["run", "--log-level", "warn", "--interval", sensor.interval];
    run.extend(["--metadata-db-path", &*store]);
    let port = sensor.collector.map(|port| port.to_string());
    if let Some(port) = &port {
        run.extend(["--agent-host", "127.0.0.1", "--agent-port", port]);
    }
    // A plugin that matches the storm alone says what was captured of it.
    let plugins = sensor.directory.join("plugins");
    let plugin = plugins.join("storm");
    fs::create_dir_all(&plugin)?;
    fs::write(plugin.join("plugin.toml"), plugin_toml())
        .with_context(|| format!("cannot write below {}", plugin.display()))?;
    let config = sensor.directory.join("sensor.toml");
    fs::write(&config, "[host]\nenabled = \"always\"\n")?;
    let (plugins, config) = (plugins.to_string_lossy(), config.to_string_lossy());
    let mut telling = run.clone();
    telling.extend(["--plugins", &*plugins, "--config", &*config]);
    telling.extend(["--output", "json"]);
    Ok(vec![
        Tool {
            name: RUN,
            parts: vec![part(&run, Format::Service)],
            telling: Some(vec![part(&telling, Format::Service)]),
            programs: PROGRAMS,
            follows: (true, true),
        },
        Tool {
            name: EVENTS,
            parts: vec![part(&["events", "--json"], Format::Events)],
            telling: None,
            programs: PROGRAMS,
            follows: (true, true),
        },
    ])
}

fn plugin_toml() -> String {
    let name = workload::NAME;
    format!(
        "[plugin]\nname = \"storm\"\n\n\
         [service]\nnamespace = \"bench\"\nprocess_name = \"{name}\"\n"
    )
}

/// The peers, each with its Debian package.
pub fn peers() -> (Vec<Tool>, Vec<Absent>) {
    let execsnoop = ("execsnoop", &[][..], Format::SecondColumn { exec: true });
    let exitsnoop = ("exitsnoop", &[][..], Format::SecondColumn { exec: false });
    let bpftrace = ("bpftrace", &["-e", BPFTRACE][..], Format::Words);
    let forkstat = ("forkstat", &["-e", "exec,exit"][..], Format::Times);
    let all = [
        (
            PAIR,
            vec![execsnoop, exitsnoop],
            3,
            (true, true),
            "libbpf-tools",
        ),
        (
            "execsnoop",
            vec![execsnoop],
            2,
            (true, false),
            "libbpf-tools",
        ),
        (
            "exitsnoop",
            vec![exitsnoop],
            1,
            (false, true),
            "libbpf-tools",
        ),
        (
            "bpftrace exec + exit",
            vec![bpftrace],
            2,
            (true, true),
            "bpftrace",
        ),
        (
            "forkstat exec + exit",
            vec![forkstat],
            0,
            (true, true),
            "forkstat",
        ),
    ];
    let (mut here, mut absent) = (Vec::new(), Vec::new());
    for (name, commands, programs, follows, package) in all {
        let parts = commands.iter().map(|&(program, arguments, format)| {
            Some(Part {
                program: find(program)?,
                arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
                format,
            })
        });
        match parts.collect::<Option<Vec<_>>>() {
            None => absent.push(Absent { name, package }),
            Some(parts) => here.push(Tool {
                name,
                parts,
                telling: None,
                programs,
                follows,
            }),
        }
    }
    (here, absent)
}

/// Looks a program up on PATH, and where Debian keeps those for root.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}
