//! Processes that are started here, and what the kernel says of them in the
//! end (wait4).

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{self, BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Instant,
};

use crate::sensor::LIMIT;

/// What wait4 says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Thread group id.
    pub pid: u32,
    /// Thread group id of the parent.
    pub parent: u32,
    /// As wait(2) encodes it.
    pub status: i32,
    /// What it used.
    pub usage: Usage,
}

/// `struct rusage`, of one process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// User CPU time, µs.
    pub user_us: i64,
    /// System CPU time, µs.
    pub system_us: i64,
    /// Peak of resident memory, kB.
    pub peak_kb: i64,
    /// Faults that needed no I/O.
    pub minor: i64,
    /// Faults that needed I/O.
    pub major: i64,
    /// Voluntary context switches.
    pub voluntary: i64,
    /// Involuntary context switches.
    pub involuntary: i64,
    /// Reads from the disk, 512 bytes each.
    pub read_blocks: i64,
    /// Writes to the disk, 512 bytes each.
    pub written_blocks: i64,
}

impl Usage {
    /// Both CPU times, ns.
    #[must_use]
    pub fn cpu_ns(&self) -> i64 {
        (self.user_us + self.system_us) * 1_000
    }

    /// Without what reaped children used, which wait4 adds. The peak stays: it
    /// is the largest of any.
    #[must_use]
    pub fn without(&self, child: &Self) -> Self {
        Self {
            user_us: self.user_us - child.user_us,
            system_us: self.system_us - child.system_us,
            peak_kb: self.peak_kb,
            minor: self.minor - child.minor,
            major: self.major - child.major,
            voluntary: self.voluntary - child.voluntary,
            involuntary: self.involuntary - child.involuntary,
            read_blocks: self.read_blocks - child.read_blocks,
            written_blocks: self.written_blocks - child.written_blocks,
        }
    }
}

/// A binary that cargo built beside the tests.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a test knows its executable");
    let directory = test.parent().and_then(Path::parent);
    let path = directory.unwrap_or(Path::new("/")).join(name);
    assert!(
        path.is_file(),
        "{} is not built: `cargo build -p sensor-tests`",
        path.display()
    );
    path
}

/// The Python interpreter itself: a shim in the PATH may be a script.
#[must_use]
pub fn python() -> String {
    let script = "import os, sys; print(os.path.realpath(sys.executable))";
    let found = Command::new("python3").args(["-c", script]).output();
    let found = found.expect("cannot run python3");
    String::from_utf8_lossy(&found.stdout).trim().to_owned()
}

/// A command that runs `workload` with these arguments.
#[must_use]
pub fn workload<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(built("workload"));
    command.args(args).stdin(Stdio::null());
    // A fixed environment: its length is in the first page of the stack.
    command.env_clear();
    command
}

/// A process that is still to be waited for; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    reaped: bool,
}

impl Running {
    /// Starts it. It does not outlive the thread that started it.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        // SAFETY: prctl is safe between fork and exec.
        unsafe { command.pre_exec(dies_with_parent) };
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        Self {
            child,
            reaped: false,
        }
    }

    /// Starts it by posix_spawn, as most programs are; nothing kills it when
    /// the test is killed.
    #[must_use]
    pub fn spawn(command: &mut Command) -> Self {
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        Self {
            child,
            reaped: false,
        }
    }

    /// Thread group id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input, which was piped.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its outputs, which were piped.
    pub fn outputs(&mut self) -> (ChildStdout, ChildStderr) {
        let stdout = self.child.stdout.take();
        let stderr = self.child.stderr.take();
        let both = stdout.zip(stderr);
        both.expect("standard output and error are piped, and taken once")
    }

    /// Its standard error, which was piped and is taken once.
    pub fn stderr(&mut self) -> ChildStderr {
        let stderr = self.child.stderr.take();
        stderr.expect("standard error is piped, and taken once")
    }

    /// The next line on standard output, which was piped.
    #[must_use]
    pub fn read_line(&mut self) -> String {
        let stdout = self.child.stdout.as_mut().expect("stdout is piped");
        let mut said = String::new();
        BufReader::new(stdout)
            .read_line(&mut said)
            .expect("cannot read what a workload says");
        said
    }

    /// Waits until it says a line on standard output, which was piped.
    pub fn wait_for_line(&mut self, line: &str) {
        assert_eq!(self.read_line().trim_end(), line);
    }

    /// Whether it has ended; it is waited for then.
    pub fn has_ended(&mut self) -> bool {
        let ended = self.child.try_wait();
        self.reaped |= matches!(ended, Ok(Some(_)));
        self.reaped
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        kill(self.pid(), signal);
    }

    /// Waits for its end.
    #[must_use]
    pub fn wait(mut self) -> Ended {
        self.reaped = true;
        wait4(self.pid())
    }

    /// Waits for its end; also what it said of a child it reaped, which is not
    /// in its own usage then.
    #[must_use]
    pub fn wait_with_child(mut self) -> (Ended, Ended) {
        let mut said = String::new();
        let mut stdout = self.child.stdout.take().expect("stdout is piped");
        stdout
            .read_to_string(&mut said)
            .expect("cannot read what a workload says");
        let pid = self.pid();
        let child = parse_child(&said, pid);
        let mut ended = self.wait();
        ended.usage = ended.usage.without(&child.usage);
        (ended, child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped {
            // It may have ended by itself.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Starts a command and waits for its end.
#[must_use]
pub fn run(command: &mut Command) -> Ended {
    Running::spawn(command).wait()
}

/// Sends a signal to a process that has not been waited for.
pub fn kill(pid: u32, signal: i32) {
    let pid = libc::pid_t::try_from(pid).expect("a pid");
    // SAFETY: no memory is involved.
    let failed = unsafe { libc::kill(pid, signal) };
    assert_eq!(failed, 0, "kill: {}", io::Error::last_os_error());
}

/// Waits until a process is called so: whoever started it, or told it to take
/// the name, goes on before that.
pub fn wait_for_name(pid: u32, name: &str) {
    let deadline = Instant::now() + LIMIT;
    let is_called = || {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm"));
        comm.is_ok_and(|comm| comm.trim_end() == name)
    };
    while !is_called() {
        assert!(Instant::now() < deadline, "{pid} is not {name}");
        thread::yield_now();
    }
}

/// For `pre_exec`: the process is killed when the thread that started it ends.
///
/// # Errors
///
/// Where the kernel refuses.
pub fn dies_with_parent() -> io::Result<()> {
    // SAFETY: no memory is involved.
    match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits for a child of this process.
#[must_use]
pub fn wait4(pid: u32) -> Ended {
    let child = libc::pid_t::try_from(pid).expect("a pid");
    let mut status = 0;
    // SAFETY: all zero is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: the pointers are valid.
        let waited = unsafe { libc::wait4(child, &raw mut status, 0, &raw mut usage) };
        if waited == child {
            break;
        }
        let error = io::Error::last_os_error();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted, "wait4: {error}");
    }
    let micros = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
    Ended {
        pid,
        parent: std::process::id(),
        status,
        usage: Usage {
            user_us: micros(usage.ru_utime),
            system_us: micros(usage.ru_stime),
            peak_kb: usage.ru_maxrss,
            minor: usage.ru_minflt,
            major: usage.ru_majflt,
            voluntary: usage.ru_nvcsw,
            involuntary: usage.ru_nivcsw,
            read_blocks: usage.ru_inblock,
            written_blocks: usage.ru_oublock,
        },
    }
}

fn parse_child(said: &str, parent: u32) -> Ended {
    let line = said.lines().find_map(|line| line.strip_prefix("child "));
    let line = line.unwrap_or_else(|| panic!("no line about a child in {said:?}"));
    let numbers: Vec<i64> = line
        .split(' ')
        .map(|word| word.parse().expect("a number"))
        .collect();
    let [
        pid,
        status,
        user_us,
        system_us,
        peak_kb,
        minor,
        major,
        voluntary,
        involuntary,
        read_blocks,
        written_blocks,
    ] = numbers.try_into().expect("eleven numbers");
    Ended {
        pid: u32::try_from(pid).expect("a pid"),
        parent,
        status: i32::try_from(status).expect("a status"),
        usage: Usage {
            user_us,
            system_us,
            peak_kb,
            minor,
            major,
            voluntary,
            involuntary,
            read_blocks,
            written_blocks,
        },
    }
}

/// Processes that keep every CPU busy; killed when dropped.
#[derive(Debug)]
pub struct Spinners {
    _running: Vec<Running>,
}

impl Spinners {
    /// One for each CPU.
    #[must_use]
    pub fn start() -> Self {
        let cpus = std::thread::available_parallelism().map_or(2, usize::from);
        let start = |_| Running::start(&mut workload(["spin-forever"]));
        Self {
            _running: (0..cpus).map(start).collect(),
        }
    }
}
