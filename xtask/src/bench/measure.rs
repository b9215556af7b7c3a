//! The passes: each measures one thing of every tool.

use std::{
    collections::HashMap,
    fs, io,
    os::fd::{FromRawFd, OwnedFd},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    captured::{self, Seen},
    running::{Memory, Running},
    tools::{self, Tool},
    workload::Storm,
};

/// Rounds of the pass for kernel time: it does not depend on the machine's
/// other work as the storm's own time does.
const KERNEL_ROUNDS: u32 = 3;
/// Storms at once in the pass for what is captured.
const STORMS: u32 = 3;
/// Processes of all of them together.
pub const CAPTURED: u32 = 24_000;
/// How long nothing is done in the pass for idle cost.
pub const IDLE: Duration = Duration::from_secs(10);
/// How often that is tried: where others start processes, nobody is idle.
const IDLE_TRIES: u32 = 3;
/// Longest wait for the sensor's first event.
const FIRST: Duration = Duration::from_secs(10);
/// Lets the kernel take a tool's hooks away before the next storm.
const REST: Duration = Duration::from_millis(100);

/// All figures of one run.
#[derive(Default)]
pub struct Figures {
    /// Of the storm with nothing beside it, µs a process.
    pub bare_us: Vec<f64>,
    /// By the tool's name.
    pub tools: HashMap<&'static str, ToolFigures>,
    /// From the sensor's start to its last hook, ms.
    pub attached_ms: Vec<f64>,
    /// From the sensor's start to its first printed event, ms.
    pub first_event_ms: Vec<f64>,
    /// Processes and threads that others started during the storms.
    pub strangers: u64,
    /// The same while nothing was to happen.
    pub idle_strangers: u64,
}

/// Figures of one tool.
#[derive(Default)]
pub struct ToolFigures {
    /// By how much it slows the storm, %, each round.
    pub slower: Vec<f64>,
    /// The same of the quickest tenth of a storm's processes, on one CPU.
    pub slower_quick: Vec<f64>,
    /// Its own CPU time, µs a process, each round.
    pub cpu_us: Vec<f64>,
    /// Run time of its kernel programs, ns a process, each round; empty where
    /// it has none.
    pub kernel_ns: Vec<f64>,
    /// What it captured of the three storms.
    pub seen: Seen,
    /// After the three storms.
    pub memory: Memory,
    /// CPU time while nothing happens, ms a second.
    pub idle_ms: f64,
}

/// What all passes need.
pub struct Bench<'a> {
    pub storm: &'a Storm,
    pub tools: &'a [Tool],
    pub directory: &'a Path,
    pub rounds: u32,
    pub processes: u32,
}

impl Bench<'_> {
    /// All passes.
    pub fn run(&self) -> Result<Figures> {
        let mut figures = Figures::default();
        self.attach(&mut figures)?;
        for round in 0..self.rounds {
            eprintln!("storm, round {} of {}", round + 1, self.rounds);
            self.round(round, &mut figures)?;
        }
        for round in 0..self.rounds {
            eprintln!("on one CPU, round {} of {}", round + 1, self.rounds);
            self.quick_round(&mut figures)?;
        }
        for round in 0..KERNEL_ROUNDS {
            eprintln!("kernel time, round {} of {KERNEL_ROUNDS}", round + 1);
            self.kernel_time(&mut figures)?;
        }
        for tool in self.tools {
            eprintln!("three storms at once: {}", tool.name);
            self.captured(tool, figures.of(tool))?;
        }
        eprintln!("idle for {} s", IDLE.as_secs());
        self.idle(&mut figures)?;
        Ok(figures)
    }

    /// Every tool once, and the sensor again after each: its bar is so low
    /// that it takes many storms to see. Every round begins with another tool.
    fn round(&self, round: u32, figures: &mut Figures) -> Result<()> {
        let mut before = self.bare(figures)?;
        let first = round as usize % self.tools.len();
        let sensor = self.tools.iter().find(|tool| tool.name == tools::RUN);
        for tool in self.tools.iter().cycle().skip(first).take(self.tools.len()) {
            before = self.beside(tool, before, figures)?;
            if let Some(sensor) = sensor.filter(|sensor| sensor.name != tool.name) {
                before = self.beside(sensor, before, figures)?;
            }
        }
        Ok(())
    }

    /// A storm beside a tool, between two without anything, of which `before`
    /// is the first, so that a drift of the machine's speed cancels out.
    /// Returns the second.
    fn beside(&self, tool: &Tool, before: f64, figures: &mut Figures) -> Result<f64> {
        let mut running = self.start(tool)?;
        let forks = forks()?;
        let used = running.cpu_ns()?;
        let time = self.one_storm()?;
        running.drain()?;
        let used = running.cpu_ns()? - used;
        figures.strangers += self.others(forks)?;
        running.stop()?;
        let after = self.bare(figures)?;
        let tool = figures.of(tool);
        tool.slower
            .push((2.0 * time / (before + after) - 1.0) * 100.0);
        tool.cpu_us
            .push(used as f64 / 1e3 / f64::from(self.processes));
        Ok(after)
    }

    /// The sensor and its closest peer, in the same way, by what hooks and
    /// nothing else can change: neither where the scheduler puts processes nor
    /// what others do on the machine.
    fn quick_round(&self, figures: &mut Figures) -> Result<()> {
        let quick = || -> Result<f64> {
            thread::sleep(REST);
            Ok(self.storm.run_pinned(self.processes)?.quick_ns)
        };
        let mut before = quick()?;
        let compared = [tools::RUN, tools::EVENTS, tools::PAIR];
        for tool in self
            .tools
            .iter()
            .filter(|tool| compared.contains(&tool.name))
        {
            let running = self.start(tool)?;
            let time = quick()?;
            running.stop()?;
            let after = quick()?;
            let slower = (2.0 * time / (before + after) - 1.0) * 100.0;
            figures.of(tool).slower_quick.push(slower);
            before = after;
        }
        Ok(())
    }

    /// A storm without anything, µs a process.
    fn bare(&self, figures: &mut Figures) -> Result<f64> {
        thread::sleep(REST);
        let time = self.one_storm()?;
        figures.bare_us.push(time);
        Ok(time)
    }

    /// µs a process.
    fn one_storm(&self) -> Result<f64> {
        let passed = self.storm.run(1, self.processes)?;
        Ok(passed.one_ns / 1e3)
    }

    /// With the kernel counting, which costs itself, so not while the storm's
    /// time is taken.
    fn kernel_time(&self, figures: &mut Figures) -> Result<()> {
        let _counting = count_run_time()?;
        for tool in self.tools.iter().filter(|tool| tool.programs > 0) {
            let mut running = self.start(tool)?;
            let before = running.programs()?;
            self.one_storm()?;
            let after = running.programs()?;
            let time = after.time_ns - before.time_ns;
            let tool = figures.of(tool);
            tool.kernel_ns.push(time as f64 / f64::from(self.processes));
            running.drain()?;
            running.stop()?;
        }
        Ok(())
    }

    fn captured(&self, tool: &Tool, figures: &mut ToolFigures) -> Result<()> {
        let (mut running, files) = tool.start_telling(self.directory)?;
        running.settle(tool.programs)?;
        let passed = self.storm.run(STORMS, CAPTURED / STORMS)?;
        ensure!(
            passed.distinct,
            "a pid came twice in one storm; is kernel.pid_max small, or does somebody write \
             ns_last_pid? Run it again"
        );
        running.drain()?;
        figures.memory = running.memory()?;
        running.stop()?;
        figures.seen = captured::count(&files, &passed.pids)?;
        for (path, _) in files {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// All tools at once: where nothing happens they do not disturb each
    /// other.
    fn idle(&self, figures: &mut Figures) -> Result<()> {
        let mut running = Vec::new();
        for tool in self.tools {
            running.push((tool, self.start(tool)?));
        }
        for _ in 0..IDLE_TRIES {
            let forks_before = forks()?;
            let mut used = Vec::new();
            let start = Instant::now();
            for (_, running) in &running {
                used.push(running.cpu_ns()?);
            }
            thread::sleep(IDLE);
            let seconds = start.elapsed().as_secs_f64();
            for ((tool, running), before) in running.iter().zip(used) {
                let used = running.cpu_ns()? - before;
                figures.of(tool).idle_ms = used as f64 / 1e6 / seconds;
            }
            figures.idle_strangers = forks()? - forks_before;
            if figures.idle_strangers == 0 {
                break;
            }
        }
        for (_, running) in running {
            running.stop()?;
        }
        Ok(())
    }

    /// Starts the sensor while processes come and go, and looks when it has
    /// its hooks and when it prints its first event.
    fn attach(&self, figures: &mut Figures) -> Result<()> {
        let Some(tool) = self.tools.iter().find(|tool| tool.name == tools::EVENTS) else {
            return Ok(());
        };
        for round in 0..self.rounds {
            eprintln!("attach, round {} of {}", round + 1, self.rounds);
            let start = Instant::now();
            let (running, files) = tool.start_telling(self.directory)?;
            let (mut links, mut attached) = (0, start);
            let first = loop {
                self.storm.one()?;
                let now = Instant::now();
                let count = running.programs()?.links;
                if count > links {
                    (links, attached) = (count, now);
                }
                if fs::metadata(&files[0].0)?.len() > 0 {
                    break now;
                }
                ensure!(now - start < FIRST, "the sensor prints no event");
                thread::sleep(Duration::from_millis(1));
            };
            running.stop()?;
            figures.attached_ms.push(milliseconds(attached - start));
            figures.first_event_ms.push(milliseconds(first - start));
        }
        Ok(())
    }

    fn start(&self, tool: &Tool) -> Result<Running> {
        let mut running = tool.start(self.directory)?;
        running.settle(tool.programs).with_context(|| {
            let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            format!("{} says: {}", tool.name, log.trim())
        })?;
        Ok(running)
    }

    /// What was started since `forks` besides the storm and its worker.
    fn others(&self, forks_before: u64) -> Result<u64> {
        let ours = u64::from(self.processes) + 1;
        Ok((forks()? - forks_before).saturating_sub(ours))
    }
}

impl Figures {
    fn of(&mut self, tool: &Tool) -> &mut ToolFigures {
        self.tools.entry(tool.name).or_default()
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Processes and threads started since boot.
fn forks() -> Result<u64> {
    let stat = fs::read_to_string("/proc/stat")?;
    stat.lines()
        .find_map(|line| line.strip_prefix("processes "))
        .and_then(|number| number.trim().parse().ok())
        .context("/proc/stat has no `processes`")
}

/// Lets the kernel count the run time of its programs, as
/// kernel.bpf_stats_enabled=1 does, but until the descriptor is closed, so
/// that it cannot be left on.
fn count_run_time() -> Result<OwnedFd> {
    // bpf(2), `BPF_ENABLE_STATS`.
    const ENABLE_STATS: libc::c_int = 32;
    // `union bpf_attr` of that command; 0 is `BPF_STATS_RUN_TIME`.
    let attributes = 0_u32;
    // SAFETY: the kernel reads `size` bytes of the attributes.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            ENABLE_STATS,
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error()).context("cannot let the kernel count run time");
    }
    // SAFETY: the kernel made the descriptor just now, nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(i32::try_from(fd)?) })
}
