//! What strace saw of the thread that writes the store.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// Calls that write, and those that wait for the disk.
const CALLS: &str = "trace=pwrite64,write,ftruncate,fallocate,fsync,fdatasync,\
    sync_file_range,msync,sync,syncfs";
const SYNCS: [&str; 6] = [
    "fsync(",
    "fdatasync(",
    "sync_file_range(",
    "msync(",
    "sync(",
    "syncfs(",
];
/// Longest pause within a transaction, s: intervals are longer.
const PAUSE: f64 = 0.4;
const READY: Duration = Duration::from_secs(10);

/// strace on one thread; it leaves when this is dropped.
pub struct Tracer {
    child: Child,
    output: PathBuf,
}

/// A call: when it began, s since 1970, how long it took, and whether it waits
/// for the disk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call {
    pub at: f64,
    pub took: f64,
    pub syncs: bool,
}

/// Calls that follow one another without a pause.
#[derive(Debug, PartialEq)]
pub struct Transaction {
    pub at: f64,
    /// From the first call to the end of the last, s.
    pub took: f64,
    pub syncs: usize,
}

impl Tracer {
    /// Attaches to a thread; it has when this returns.
    pub fn start(thread: u32, output: &Path) -> Result<Self> {
        let mut child = Command::new("strace")
            .args(["-ttt", "-T", "-e", CALLS, "-p", &thread.to_string(), "-o"])
            .arg(output)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start strace (apt-get install strace)")?;
        let mut said = String::new();
        if let Some(stderr) = &mut child.stderr {
            BufReader::new(stderr).read_line(&mut said)?;
        }
        let tracer = Self {
            child,
            output: output.to_owned(),
        };
        match said.contains("attached") {
            true => Ok(tracer),
            false => bail!("strace says: {}", said.trim()),
        }
    }

    /// Detaches, and says what it saw.
    pub fn finish(mut self) -> Result<Vec<Call>> {
        let pid = libc::pid_t::try_from(self.child.id())?;
        // SAFETY: kill(2) has no memory to violate; the child has not been
        // waited for, so the pid is its own.
        unsafe { libc::kill(pid, libc::SIGINT) };
        let end = Instant::now() + READY;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > end {
                bail!("strace does not end when asked to");
            }
            thread::sleep(Duration::from_millis(5));
        }
        let text = fs::read_to_string(&self.output)?;
        Ok(text.lines().filter_map(call).collect())
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // Fails where it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `1735787045.678901 fdatasync(9) = 0 <0.001234>`
fn call(line: &str) -> Option<Call> {
    let (at, rest) = line.split_once(' ')?;
    let (_, took) = rest.rsplit_once('<')?;
    Some(Call {
        at: at.parse().ok()?,
        took: took.strip_suffix('>')?.parse().ok()?,
        syncs: SYNCS.iter().any(|name| rest.starts_with(name)),
    })
}

/// Divides calls, in their order, where there is a pause.
pub fn transactions(calls: &[Call]) -> Vec<Transaction> {
    let mut all: Vec<Transaction> = Vec::new();
    for call in calls {
        let end = call.at + call.took;
        match all.last_mut() {
            Some(last) if call.at - (last.at + last.took) < PAUSE => {
                last.took = end - last.at;
                last.syncs += usize::from(call.syncs);
            }
            _ => all.push(Transaction {
                at: call.at,
                took: call.took,
                syncs: usize::from(call.syncs),
            }),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_divided_by_pauses() {
        let text = "10.500 pwrite64(9, \"a<b\"..., 4096, 0) = 4096 <0.125>\n\
            10.750 fdatasync(9) = 0 <0.250>\nstrace: Process 7 detached\n\
            11.500 pwrite64(9, \"\", 1, 0) = 1 <0.125>\n";
        let calls: Vec<Call> = text.lines().filter_map(call).collect();
        assert_eq!(calls.len(), 3);
        let transaction = |at, took, syncs| Transaction { at, took, syncs };
        assert_eq!(
            transactions(&calls),
            [transaction(10.5, 0.5, 1), transaction(11.5, 0.125, 0)]
        );
    }
}
