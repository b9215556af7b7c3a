//! The program under test, run as its users run it.

use std::{
    ffi::OsStr,
    fs::{self, Permissions},
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{self, Command, Output, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc::{self, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::process::{Ended, Running, built, run, workload};

/// Longest wait for anything. Loaded machines are slow.
pub const LIMIT: Duration = Duration::from_secs(40);
/// How long one canary may go unseen before the next is sent.
const CANARY: Duration = Duration::from_millis(100);

/// The binary.
#[must_use]
pub fn binary() -> PathBuf {
    built("sensor-under-test")
}

/// A command that runs the program without what the caller's environment says
/// about collectors. A daemon has a store of its own, unless `args` names one.
#[must_use]
pub fn sensor<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(binary());
    command.args(args).stdin(Stdio::null());
    let has = |flag: &str| command.get_args().any(|arg| arg == flag);
    if has("run") && !has("--metadata-db-path") {
        command.arg("--metadata-db-path").arg(store());
    }
    command.env_clear();
    command.env("PATH", "/usr/bin:/bin");
    command
}

/// A place for a store that nobody has used; gone when the test ends, however
/// it ends.
#[must_use]
pub fn store() -> PathBuf {
    static BASE: OnceLock<PathBuf> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    extern "C" fn clean_up() {
        if let Some(base) = BASE.get() {
            let _ = fs::remove_dir_all(base);
        }
    }
    let base = BASE.get_or_init(|| {
        let base = tempfile::tempdir().expect("a temporary directory").keep();
        // For those that run as another user, too.
        fs::set_permissions(&base, Permissions::from_mode(0o1777)).expect("its mode");
        // SAFETY: the function touches nothing that ends before it runs.
        unsafe { libc::atexit(clean_up) };
        base
    });
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    base.join(number.to_string()).join("metadata.redb")
}

/// Runs a command to its end: exit code, standard output, standard error.
#[must_use]
pub fn end(command: &mut Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("cannot run");
    let text = |bytes| String::from_utf8(bytes).expect("not UTF-8");
    (status.code(), text(stdout), text(stderr))
}

/// A program that writes JSON lines to standard output, and text to standard
/// error; killed when dropped.
#[derive(Debug)]
pub struct Lines {
    running: Option<Running>,
    pid: u32,
    shared: Arc<Shared>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    said: Mutex<Said>,
    grown: Condvar,
}

/// What it wrote so far.
#[derive(Debug, Default)]
pub struct Said {
    /// Each line of standard output.
    pub lines: Vec<Value>,
    /// Standard error.
    pub errors: String,
    /// Both outputs have ended.
    pub ended: bool,
    /// One of them.
    half_ended: bool,
    /// The last line has no end, as of a program that was killed.
    pub is_cut: bool,
}

impl Lines {
    /// Starts a command.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running::start(command);
        let shared = Arc::new(Shared::default());
        let (stdout, stderr) = running.outputs();
        let (out, err) = (Arc::clone(&shared), Arc::clone(&shared));
        // The pipe is emptied by one that does nothing else: a program that
        // waits for its reader may lose events.
        let (sender, lines) = mpsc::channel();
        let readers = vec![
            thread::spawn(move || read(stdout, &sender)),
            thread::spawn(move || out.read_lines(lines)),
            thread::spawn(move || err.read_errors(stderr)),
        ];
        Self {
            pid: running.pid(),
            running: Some(running),
            shared,
            readers,
        }
    }

    /// Thread group id of the program.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it wrote so far.
    pub fn said(&self) -> MutexGuard<'_, Said> {
        self.shared.lock()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        crate::process::kill(self.pid, signal);
    }

    /// Waits until `find` finds something in what it wrote. Panics with `what`
    /// where it does not in time.
    pub fn wait<T>(&self, what: &str, find: impl FnMut(&Said) -> Option<T>) -> T {
        self.wait_within(LIMIT, find).unwrap_or_else(|| {
            let said = self.said();
            let last = said.lines.iter().rev().take(5).rev();
            let last: Vec<String> = last.map(Value::to_string).collect();
            panic!(
                "{what} did not come within {LIMIT:?}; {} lines, the last:\n{}\nerrors:\n{}",
                said.lines.len(),
                last.join("\n"),
                said.errors
            )
        })
    }

    /// Waits for a time; `None` where nothing is found.
    pub fn wait_within<T>(
        &self,
        limit: Duration,
        mut find: impl FnMut(&Said) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut said = self.said();
        loop {
            if let Some(found) = find(&said) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || said.ended {
                return None;
            }
            (said, _) = self
                .shared
                .grown
                .wait_timeout(said, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for its end; what it wrote, and how it ended.
    #[must_use]
    pub fn end(mut self) -> (Ended, Said) {
        let ended = self.wait_within(LIMIT, |said| said.ended.then_some(()));
        if ended.is_none() && !self.said().ended {
            panic!("it does not end; errors:\n{}", self.said().errors);
        }
        let running = self.running.take().expect("it is waited for once");
        let ended = running.wait();
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader fails by panicking");
        }
        let said = std::mem::take(&mut *self.shared.lock());
        assert!(!said.is_cut || ended.status == libc::SIGKILL, "a cut line");
        (ended, said)
    }

    /// Asks it to end as Ctrl-C does, and waits for that.
    #[must_use]
    pub fn interrupt(self) -> (Ended, Said) {
        self.signal(libc::SIGINT);
        self.end()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends(&self) {
        let mut said = self.lock();
        said.ended = said.half_ended;
        said.half_ended = true;
        drop(said);
        self.grown.notify_all();
    }

    fn read_lines(&self, lines: impl IntoIterator<Item = Vec<u8>>) {
        let mut wrong = None;
        for line in lines {
            if line.last() != Some(&b'\n') {
                self.lock().is_cut = true;
                break;
            }
            match serde_json::from_slice(&line) {
                Ok(value) => self.lock().lines.push(value),
                Err(error) => {
                    wrong = Some((error, String::from_utf8_lossy(&line).into_owned()));
                }
            }
            self.grown.notify_all();
        }
        self.ends();
        if let Some((error, line)) = wrong {
            panic!("no JSON line ({error}): {line}");
        }
    }

    fn read_errors(&self, stream: impl Read) {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            self.lock().errors.push_str(&String::from_utf8_lossy(&line));
            self.grown.notify_all();
            line.clear();
        }
        self.ends();
    }
}

/// Passes lines on, with their ends, as they come.
fn read(stream: impl Read, to: &Sender<Vec<u8>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let read = reader.read_until(b'\n', &mut line);
        if !read.is_ok_and(|n| n > 0) || to.send(line).is_err() {
            return;
        }
    }
}

/// `sensor events --json`, attached.
#[derive(Debug)]
pub struct Events {
    lines: Lines,
}

/// How `sensor events` ended.
#[derive(Debug)]
pub struct Summary {
    /// The status, as wait(2) encodes it.
    pub status: i32,
    /// The last line.
    pub line: Value,
    /// All lines before it.
    pub events: Vec<Value>,
    /// Standard error.
    pub errors: String,
}

impl Events {
    /// Starts it with more arguments and waits until it sees what happens.
    #[must_use]
    pub fn start(args: &[&str]) -> Self {
        let all = ["events", "--json"].iter().chain(args);
        let lines = Lines::start(&mut sensor(all));
        let events = Self { lines };
        let _ = events.canary();
        events
    }

    /// Starts small processes until the exit of one is seen: what happened
    /// before it has gone through, too. That one's pid.
    pub fn canary(&self) -> u32 {
        let deadline = Instant::now() + LIMIT;
        let mut pids = Vec::new();
        let mut seen = 0;
        // A pid alone may be that of an earlier one: tests set the next one.
        let mark = format!("canary of {}", process::id());
        while Instant::now() < deadline {
            pids.push(run(&mut workload(["exit", "0", mark.as_str()])).pid);
            let seen = self.lines.wait_within(CANARY, |said| {
                let new = &said.lines[seen..];
                // Its line comes after it was started, so none is looked at
                // twice: there may be very many.
                seen = said.lines.len();
                let mut exits = new.iter().filter(|line| {
                    is(line, "process.exit") && line["process.command_args"][3] == *mark
                });
                exits.find_map(|line| pids.contains(&pid(line)).then(|| pid(line)))
            });
            if let Some(pid) = seen {
                return pid;
            }
            if self.lines.said().ended {
                break;
            }
        }
        let said = self.lines.said();
        panic!("`sensor events` sees nothing; errors:\n{}", said.errors);
    }

    /// The program.
    #[must_use]
    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Waits for the exit line of a process.
    #[must_use]
    pub fn wait_exit(&self, of: u32) -> Value {
        let mut seen = 0;
        self.lines.wait(&format!("the exit of {of}"), |said| {
            // No line is looked at twice: there may be very many.
            let mut new = said.lines[seen..].iter();
            seen = said.lines.len();
            new.find(|line| is(line, "process.exit") && pid(line) == of)
                .cloned()
        })
    }

    /// The lines of a process so far.
    #[must_use]
    pub fn of(&self, of: u32) -> Vec<Value> {
        let said = self.lines.said();
        let lines = said.lines.iter().filter(|line| pid(line) == of);
        lines.cloned().collect()
    }

    /// Ends it as Ctrl-C does.
    #[must_use]
    pub fn finish(self) -> Summary {
        let (ended, said) = self.lines.interrupt();
        Summary::new(&ended, said)
    }
}

impl Summary {
    /// Takes the last line for the summary.
    #[must_use]
    pub fn new(ended: &Ended, mut said: Said) -> Self {
        let line = said
            .lines
            .pop()
            .unwrap_or_else(|| panic!("no summary; errors:\n{}", said.errors));
        assert!(is(&line, "summary"), "the last line is {line}");
        Self {
            status: ended.status,
            line,
            events: said.lines,
            errors: said.errors,
        }
    }

    /// `received.KIND`.
    #[must_use]
    pub fn received(&self, kind: &str) -> u64 {
        number(&self.line["received"], kind)
    }

    /// `lost.KIND`.
    #[must_use]
    pub fn lost(&self, kind: &str) -> u64 {
        number(&self.line["lost"], kind)
    }
}

/// Whether a line is an event of this name.
#[must_use]
pub fn is(line: &Value, name: &str) -> bool {
    line["event.name"] == name
}

/// Thread group id of an event.
#[must_use]
pub fn pid(line: &Value) -> u32 {
    let pid = line["process.pid"].as_u64().unwrap_or_default();
    u32::try_from(pid).unwrap_or_default()
}

/// A number that has to be there.
#[must_use]
pub fn number(line: &Value, key: &str) -> u64 {
    line[key]
        .as_u64()
        .unwrap_or_else(|| panic!("no number {key} in {line}"))
}

/// Says in the output of the tests that one was not run, and why.
pub fn skipped(name: &str, reason: &str) {
    eprintln!("SKIPPED: {name}: {reason}");
    // `cargo xtask test` names them in the end.
    if let Some(path) = std::env::var_os("SENSOR_SKIPPED") {
        let file = fs::OpenOptions::new().append(true).open(path);
        let written = file.and_then(|mut file| writeln!(file, "{name}: {reason}"));
        written.expect("cannot note a skipped test");
    }
}
