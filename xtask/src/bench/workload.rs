//! The workload `storm`: start a program that does nothing, wait for it, one
//! after the other.

use std::{
    collections::HashSet,
    ffi::CString,
    fs, io,
    os::unix::ffi::OsStrExt,
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
    /// From the first start to the last end; of several storms at once, the
    /// mean.
    pub time: Duration,
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
        let mut workers = Vec::new();
        for _ in 0..storms {
            workers.push(
                Command::new(&self.worker)
                    .args(["bench", "--storm-worker", &count.to_string()])
                    .arg(&self.program)
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .spawn()
                    .context("cannot start the storm")?,
            );
        }
        let mut passed = Passed {
            time: Duration::ZERO,
            pids: HashSet::new(),
            distinct: false,
        };
        for worker in workers {
            passed.time += collect(worker, &mut passed.pids)? / storms;
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

/// Reads what a worker says: nanoseconds, then its pids.
fn collect(worker: Child, pids: &mut HashSet<u32>) -> Result<Duration> {
    let output = worker.wait_with_output()?;
    ensure!(
        output.status.success(),
        "the storm failed: {}",
        output.status
    );
    let text = String::from_utf8(output.stdout)?;
    let mut numbers = text.split_ascii_whitespace();
    let Some(time) = numbers.next() else {
        bail!("the storm said nothing");
    };
    for pid in numbers {
        pids.insert(pid.parse()?);
    }
    Ok(Duration::from_nanos(time.parse()?))
}

/// A storm in a process of its own: nothing of the bench disturbs it.
pub fn work(count: u32, program: &Path) -> Result<()> {
    let path = CString::new(program.as_os_str().as_bytes())?;
    let mut pids = Vec::with_capacity(count as usize);
    let start = Instant::now();
    for _ in 0..count {
        pids.push(spawn_and_wait(&path).context("cannot start a process of the storm")?);
    }
    let time = start.elapsed();
    let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
    println!("{}\n{}", time.as_nanos(), pids.join(" "));
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
