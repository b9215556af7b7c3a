//! Real processes for the tests of this stage and of `collect`.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Proc;

/// A child of the test, killed and waited for at the end.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Sleeps for longer than any test takes.
    pub(crate) fn sleep() -> Self {
        Self::start(Command::new("sleep").arg("600"))
    }

    /// A shell that runs `script`, to which `read x` waits for the test's end.
    pub(crate) fn shell(script: &str) -> Self {
        Self::start(Command::new("sh").args(["-c", script]))
    }

    /// A shell whose kernel name is `name`.
    pub(crate) fn named(name: &[u8]) -> Self {
        let octal: String = name.iter().map(|byte| format!("\\{byte:03o}")).collect();
        Self::shell(&format!("printf '{octal}' > /proc/self/comm; read x"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Lets a `read x` of a shell go on.
    pub(crate) fn line(&mut self) {
        self.0.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// Killed and not waited for: a zombie.
    pub(crate) fn kill_only(&mut self, proc: &mut Proc) {
        self.0.kill().unwrap();
        let pid = self.pid();
        until(|| proc.stat(pid).is_ok_and(|stat| stat.state == b'Z'));
    }

    /// Killed and waited for: gone.
    pub(crate) fn end(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Polls until `done`, for forty seconds at most.
pub(crate) fn until(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !done() {
        assert!(Instant::now() < deadline, "waited for forty seconds");
        std::thread::yield_now();
    }
}

/// A process whose leader has ended while another thread sleeps; `None`,
/// said on standard error, where there is no Python to make one with.
pub(crate) fn leaderless(proc: &mut Proc) -> Option<Process> {
    const SCRIPT: &str = "import ctypes, threading, time\n\
        threading.Thread(target=time.sleep, args=(600,)).start()\n\
        ctypes.CDLL(None).syscall(ctypes.c_long(EXIT), ctypes.c_long(0))";
    let script = SCRIPT.replace("EXIT", &libc::SYS_exit.to_string());
    let found = Command::new("python3")
        .args(["-c", "import ctypes"])
        .status();
    if !found.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: process without its leader: needs python3 with ctypes");
        return None;
    }
    let process = Process::start(Command::new("python3").args(["-c", &script]));
    let pid = process.pid();
    until(|| proc.stat(pid).is_ok_and(|stat| stat.state == b'Z'));
    Some(process)
}

/// An empty directory that stands in for /proc.
pub(crate) fn fake_root() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}
