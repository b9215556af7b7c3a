//! A tool that runs: what it costs, and its end.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// How often a tool is looked at while something is waited for.
const LOOK: Duration = Duration::from_millis(50);
/// A tool that used less than this in [`CALM_LOOKS`] looks has settled.
const CALM_NS: u64 = 4_000_000;
const CALM_LOOKS: usize = 4;
/// Longest wait for a tool to be ready.
const READY: Duration = Duration::from_secs(20);
/// Longest wait for a tool to take in what has happened.
const DRAINED: Duration = Duration::from_secs(5);
/// Longest wait for a tool to end when it is asked to.
const END: Duration = Duration::from_secs(30);

/// One process of a tool, or several that make up one.
pub struct Running {
    name: String,
    children: Vec<Child>,
}

/// Memory of a tool, bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Resident now.
    pub resident: u64,
    /// Resident at most.
    pub peak: u64,
}

/// Runs and run time of kernel programs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Programs {
    pub count: usize,
    pub runs: u64,
    pub time_ns: u64,
    /// Attachments that the tool holds open.
    pub links: usize,
}

impl Running {
    /// Starts the commands; standard output of each goes to the file beside
    /// it, else nowhere. What they complain of goes to `log`.
    pub fn start(name: &str, commands: Vec<(Command, Option<File>)>, log: &Path) -> Result<Self> {
        let log = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut running = Self {
            name: name.to_owned(),
            children: Vec::new(),
        };
        for (mut command, output) in commands {
            command
                .stdin(Stdio::null())
                .stdout(output.map_or_else(Stdio::null, Stdio::from))
                .stderr(log.try_clone()?);
            running.add(command)?;
        }
        Ok(running)
    }

    fn add(&mut self, mut command: Command) -> Result<()> {
        // SAFETY: prctl(2) is async-signal-safe. It ends the tool where the
        // bench is killed, so that no hook is left behind.
        unsafe {
            command.pre_exec(
                || match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                },
            );
        }
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", self.name))?;
        self.children.push(child);
        Ok(())
    }

    /// Waits until `programs` kernel programs are there and it rests.
    pub fn settle(&mut self, programs: usize) -> Result<()> {
        let end = Instant::now() + READY;
        while self.programs()?.count < programs {
            self.check_alive()?;
            if Instant::now() > end {
                bail!("{} does not load its kernel programs in time", self.name);
            }
            thread::sleep(LOOK);
        }
        self.rest(end)
    }

    /// Waits until it has taken in what has happened.
    pub fn drain(&mut self) -> Result<()> {
        self.rest(Instant::now() + DRAINED)
    }

    /// Waits until it uses next to no CPU time. On a busy host a tool never
    /// rests, so there is an end to that.
    fn rest(&mut self, end: Instant) -> Result<()> {
        let mut used = vec![self.cpu_ns()?];
        while Instant::now() < end {
            self.check_alive()?;
            thread::sleep(LOOK);
            used.push(self.cpu_ns()?);
            let looks = used.len();
            if looks > CALM_LOOKS && used[looks - 1] - used[looks - 1 - CALM_LOOKS] < CALM_NS {
                break;
            }
        }
        Ok(())
    }

    fn check_alive(&mut self) -> Result<()> {
        for child in &mut self.children {
            if let Some(status) = child.try_wait()? {
                bail!("{} has ended by itself: {status}", self.name);
            }
        }
        Ok(())
    }

    /// User and system time of all its threads, ns.
    pub fn cpu_ns(&self) -> Result<u64> {
        let mut sum = 0;
        for child in &self.children {
            for task in fs::read_dir(format!("/proc/{}/task", child.id()))? {
                let text = fs::read_to_string(task?.path().join("schedstat"))?;
                let first = text.split(' ').next().unwrap_or_default();
                sum += first.parse::<u64>().context("schedstat")?;
            }
        }
        Ok(sum)
    }

    /// A thread of this name, where there is one.
    pub fn thread(&self, name: &str) -> Result<Option<u32>> {
        for child in &self.children {
            for task in fs::read_dir(format!("/proc/{}/task", child.id()))? {
                let task = task?;
                let comm = fs::read_to_string(task.path().join("comm"))?;
                if comm.trim_end() == name {
                    return Ok(task.file_name().to_string_lossy().parse().ok());
                }
            }
        }
        Ok(None)
    }

    /// User and system time of one thread, ns.
    pub fn thread_cpu_ns(&self, thread: u32) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{thread}/schedstat"))?;
        let first = text.split(' ').next().unwrap_or_default();
        first.parse().context("schedstat")
    }

    /// What it has written to file systems, bytes: whole pages.
    pub fn written_bytes(&self) -> Result<u64> {
        let mut sum = 0;
        for child in &self.children {
            let io = fs::read_to_string(format!("/proc/{}/io", child.id()))?;
            sum += number(&io, "write_bytes:");
        }
        Ok(sum)
    }

    /// Open descriptors of all its processes.
    pub fn descriptors(&self) -> Result<usize> {
        let mut sum = 0;
        for child in &self.children {
            sum += fs::read_dir(format!("/proc/{}/fd", child.id()))?.count();
        }
        Ok(sum)
    }

    /// Resident memory of all its processes.
    pub fn memory(&self) -> Result<Memory> {
        let mut memory = Memory::default();
        for child in &self.children {
            let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
            memory.resident += number(&status, "VmRSS:") * 1024;
            memory.peak += number(&status, "VmHWM:") * 1024;
        }
        Ok(memory)
    }

    /// Its kernel programs, found by its open descriptors.
    pub fn programs(&self) -> Result<Programs> {
        let mut programs = Programs::default();
        for child in &self.children {
            let mut seen = Vec::new();
            for entry in fs::read_dir(format!("/proc/{}/fdinfo", child.id()))? {
                // A descriptor may be closed by now.
                let Ok(info) = fs::read_to_string(entry?.path()) else {
                    continue;
                };
                programs.links += usize::from(info.contains("link_id:"));
                // A link shows the id of its program, but no figures.
                if !info.contains("prog_type:") || info.contains("link_id:") {
                    continue;
                }
                let id = number(&info, "prog_id:");
                if !seen.contains(&id) {
                    seen.push(id);
                    programs.count += 1;
                    programs.runs += number(&info, "run_cnt:");
                    programs.time_ns += number(&info, "run_time_ns:");
                }
            }
        }
        Ok(programs)
    }

    /// Asks it to end, and waits for that.
    pub fn stop(mut self) -> Result<()> {
        for child in &self.children {
            interrupt(child);
        }
        let end = Instant::now() + END;
        for child in &mut self.children {
            while child.try_wait()?.is_none() {
                if Instant::now() > end {
                    bail!("{} does not end when asked to", self.name);
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.children {
            // Fails where it has ended, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// User and system time of all children that were waited for, s.
pub fn children_cpu() -> Result<f64> {
    // SAFETY: the call writes all of what is integers only.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        ensure!(
            libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) == 0,
            io::Error::last_os_error()
        );
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(seconds(usage.ru_utime) + seconds(usage.ru_stime))
}

fn interrupt(child: &Child) {
    if let Ok(pid) = libc::pid_t::try_from(child.id()) {
        // SAFETY: kill(2) has no memory to violate; the child has not been
        // waited for, so the pid is its own.
        unsafe { libc::kill(pid, libc::SIGINT) };
    }
}

/// The number that follows `key` at the start of a line; 0 where it is not
/// there.
fn number(text: &str, key: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_ascii_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}
