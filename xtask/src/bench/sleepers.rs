//! Processes that are there and do nothing.

use std::{
    ffi::CString,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::workload;

const SLEEPER: &str = include_str!("sleeper.rs");
const NAME: &str = "sleeper";
const PID_MAX: &str = "/proc/sys/kernel/pid_max";
/// Pids to be had beside those of the sleepers.
const OTHERS: usize = 8_192;

/// A program that sleeps, under several names.
pub struct Sleeper {
    program: PathBuf,
}

/// Processes that sleep; ended when dropped, each by its pid.
#[derive(Default)]
pub struct Sleepers(Vec<libc::pid_t>);

impl Sleeper {
    /// Builds the program into `directory`.
    pub fn build(directory: &Path) -> Result<Self> {
        let program = workload::compile(SLEEPER, NAME, directory)?;
        Ok(Self { program })
    }

    /// Starts `count` of them under a name, which is their `comm` as well.
    pub fn start(&self, name: &str, count: usize, sleepers: &mut Sleepers) -> Result<()> {
        let path = self.program.with_file_name(name);
        if path != self.program {
            match fs::hard_link(&self.program, &path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => Ok(()),
            }
            .with_context(|| format!("cannot link {}", path.display()))?;
        }
        let path = CString::new(path.as_os_str().as_bytes())?;
        for _ in 0..count {
            let pid = workload::spawn(&path)
                .context("cannot start a sleeping process; is there a limit on processes?")?;
            sleepers.0.push(pid);
        }
        Ok(())
    }

    /// The same under the program's own name.
    pub fn start_plain(&self, count: usize, sleepers: &mut Sleepers) -> Result<()> {
        self.start(NAME, count, sleepers)
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        for &pid in &self.0 {
            // SAFETY: kill(2) has no memory to violate; none was waited for, so
            // the pids are their own.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        for &pid in &self.0 {
            // SAFETY: waitpid(2) may be told to write no status.
            unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        }
    }
}

/// Room for so many processes: as much of kernel.pid_max as that takes, and
/// what it was when this is dropped.
pub struct Room {
    before: Option<String>,
}

impl Room {
    /// Makes it where it is not there.
    pub fn of(processes: usize) -> Result<Self> {
        let before = fs::read_to_string(PID_MAX)?;
        let wanted = processes + OTHERS;
        if before.trim().parse::<usize>()? >= wanted {
            return Ok(Self { before: None });
        }
        fs::write(PID_MAX, wanted.to_string())
            .with_context(|| format!("cannot raise {PID_MAX} to {wanted}"))?;
        Ok(Self {
            before: Some(before),
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // Nothing that could be done about it here.
            let _ = fs::write(PID_MAX, before.trim());
        }
    }
}
