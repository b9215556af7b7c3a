//! The workload `storm`: start a program that does nothing, wait for it, one
//! after the other.

use std::{
    collections::HashSet,
    ffi::CString,
    fs, io,
    os::unix::{ffi::OsStrExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    ptr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::shell;

/// A static program without a C library, so that the storm is made of the
/// kernel's work and the tools' alone.
const NOTHING: &str = include_str!("nothing.rs");

/// File name of the program, and so its `comm`.
pub const NAME: &str = "storm-nothing";

/// The storm, ready to be started.
pub struct Storm {
    program: PathBuf,
    worker: PathBuf,
}

/// How a storm went.
pub struct Passed {
    /// One process took this in the mean, ns; of several storms at once, the
    /// mean of theirs. Without the first third: after a rest, a processor is
    /// slow for a while.
    pub one_ns: f64,
    /// One process of the quickest tenth took this, ns: what a storm without
    /// the machine's other work is like.
    pub quick_ns: f64,
    /// Every process that it started.
    pub pids: HashSet<u32>,
    /// Whether no two of them had the same pid: where pids come round, or
    /// somebody sets the next one, processes cannot be told apart by it.
    pub distinct: bool,
}

impl Storm {
    /// Builds the program into `directory`.
    pub fn build(directory: &Path) -> Result<Self> {
        let program = compile(NOTHING, NAME, directory)?;
        let worker = std::env::current_exe().context("cannot find this program")?;
        Ok(Self { program, worker })
    }

    /// `storms` at once, of `count` processes each.
    pub fn run(&self, storms: u32, count: u32) -> Result<Passed> {
        let workers: Result<Vec<_>> = (0..storms).map(|_| start(self.worker(count))).collect();
        Self::collect(workers?, count)
    }

    /// One, all of it on one CPU.
    pub fn run_pinned(&self, count: u32) -> Result<Passed> {
        let mut worker = self.worker(count);
        pin(&mut worker)?;
        Self::collect(vec![start(worker)?], count)
    }

    fn worker(&self, count: u32) -> Command {
        let mut command = Command::new(&self.worker);
        command
            .args(["bench", "--storm-worker", &count.to_string()])
            .arg(&self.program)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // Not what happens to be behind it here: a file costs more.
            .stderr(Stdio::piped());
        command
    }

    fn collect(workers: Vec<Child>, count: u32) -> Result<Passed> {
        let storms = u32::try_from(workers.len())?;
        let mut passed = Passed {
            one_ns: 0.0,
            quick_ns: 0.0,
            pids: HashSet::new(),
            distinct: false,
        };
        for worker in workers {
            let (one_ns, quick_ns) = collect(worker, &mut passed.pids)?;
            passed.one_ns += one_ns / f64::from(storms);
            passed.quick_ns += quick_ns / f64::from(storms);
        }
        passed.distinct = passed.pids.len() == usize::try_from(storms * count)?;
        Ok(passed)
    }

    /// Starts one process and waits for it.
    pub fn one(&self) -> Result<()> {
        shell::run(&mut Command::new(&self.program))
    }
}

/// Builds a program without a C library into `directory`.
pub fn compile(text: &str, name: &str, directory: &Path) -> Result<PathBuf> {
    let program = directory.join(name);
    let source = program.with_extension("rs");
    fs::write(&source, text).with_context(|| format!("cannot write {}", source.display()))?;
    shell::run(
        Command::new("rustc")
            .args(["--edition", "2024", "-O", "-C", "panic=abort"])
            .args(["-C", "relocation-model=static"])
            .args(["-C", "link-args=-nostdlib -nostartfiles -static"])
            .arg("-o")
            .args([&program, &source]),
    )
    .context("a workload's program needs rustc and a C linker")?;
    Ok(program)
}

fn start(mut worker: Command) -> Result<Child> {
    worker.spawn().context("cannot start the storm")
}

/// Lets a command run on the last CPU alone.
pub fn pin(command: &mut Command) -> Result<()> {
    let cpu = std::thread::available_parallelism()?.get() - 1;
    // SAFETY: sched_setaffinity(2) is async-signal-safe; a set is integers
    // only, and the call reads it.
    unsafe {
        command.pre_exec(move || {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(cpu, &mut set);
            match libc::sched_setaffinity(0, size_of_val(&set), &raw const set) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    Ok(())
}

/// Reads what a worker says: nanoseconds of a process in the mean, and of a
/// quick one, then its pids.
fn collect(worker: Child, pids: &mut HashSet<u32>) -> Result<(f64, f64)> {
    let output = worker.wait_with_output()?;
    ensure!(
        output.status.success(),
        "the storm failed: {}, {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    let mut numbers = text.split_ascii_whitespace();
    let (Some(one), Some(quick)) = (numbers.next(), numbers.next()) else {
        bail!("the storm said nothing");
    };
    for pid in numbers {
        pids.insert(pid.parse()?);
    }
    Ok((one.parse()?, quick.parse()?))
}

/// A storm in a process of its own: nothing of the bench disturbs it.
pub fn work(count: u32, program: &Path) -> Result<()> {
    let path = CString::new(program.as_os_str().as_bytes())?;
    let mut pids = Vec::with_capacity(count as usize);
    let mut times = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let one = Instant::now();
        pids.push(spawn_and_wait(&path).context("cannot start a process of the storm")?);
        times.push(one.elapsed());
    }
    times.drain(..times.len() / 3);
    let sum: Duration = times.iter().sum();
    let one_ns = sum.as_nanos() as f64 / times.len().max(1) as f64;
    times.sort_unstable();
    let quick = times.get(times.len() / 10).copied().unwrap_or_default();
    let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
    println!("{one_ns}\n{}\n{}", quick.as_nanos(), pids.join(" "));
    Ok(())
}

/// Starts a program without arguments.
pub fn spawn(path: &CString) -> io::Result<libc::pid_t> {
    let arguments = [path.as_ptr().cast_mut(), ptr::null_mut()];
    let environment = [ptr::null_mut()];
    let mut pid = 0;
    // SAFETY: the path is a C string, both lists end with a null pointer, the
    // others may be null.
    let error = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            path.as_ptr(),
            ptr::null(),
            ptr::null(),
            arguments.as_ptr(),
            environment.as_ptr(),
        )
    };
    match error {
        0 => Ok(pid),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

fn spawn_and_wait(path: &CString) -> io::Result<libc::pid_t> {
    let pid = spawn(path)?;
    let mut status = 0;
    // SAFETY: `status` is valid for the write.
    if unsafe { libc::waitpid(pid, &raw mut status, 0) } != pid {
        return Err(io::Error::last_os_error());
    }
    match status {
        0 => Ok(pid),
        other => Err(io::Error::other(format!("it ended with status {other}"))),
    }
}
