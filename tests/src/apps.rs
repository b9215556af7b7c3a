//! Real applications, each a shop that fails in the ways that a shop does
//! (`tests/apps`).

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{collector::Ports, process::Running, sensor::LIMIT};

/// An application that serves HTTP on loopback; killed when dropped.
#[derive(Debug)]
pub struct App {
    running: Running,
    port: u16,
    log: PathBuf,
}

/// The sources of the applications.
#[must_use]
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("apps")
}

/// What the applications in a language need, as installed by `.ci/setup`.
#[must_use]
pub fn installed(language: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let place = root.unwrap_or(Path::new("/")).join("target/apps");
    let place = place.join(language);
    assert!(
        place.is_dir(),
        "{} is not there: run .ci/setup",
        place.display()
    );
    place
}

/// Copies the sources of an application to a directory.
pub fn copy(app: &str, to: &Path) {
    fs::create_dir(to).expect("cannot make a directory");
    for file in fs::read_dir(sources().join(app)).expect("no such application") {
        let file = file.expect("a directory can be read").path();
        if file.is_file() {
            let name = file.file_name().expect("a file has a name");
            fs::copy(&file, to.join(name)).expect("cannot copy a file");
        }
    }
}

impl App {
    /// Starts it on a port, and waits until it serves. What it says goes to
    /// the file `log`.
    #[must_use]
    pub fn start(log: &Path, command: impl FnOnce(u16) -> Command) -> Self {
        let port = Ports::free().http;
        let mut command = command(port);
        let said = File::create(log).expect("cannot write a log");
        let errors = said.try_clone().expect("a descriptor");
        command.env("PORT", port.to_string()).stdin(Stdio::null());
        let mut app = Self {
            running: Running::start(command.stdout(said).stderr(errors)),
            port,
            log: log.to_owned(),
        };
        // Python under instrumentation reads a thousand files first.
        let deadline = Instant::now() + 2 * LIMIT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let late = Instant::now() > deadline || app.running.has_ended();
            assert!(!late, "it does not serve:\n{}", app.said());
            thread::sleep(Duration::from_millis(20));
        }
        app
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// The status that it answers a request with, such as `GET /x`.
    #[must_use]
    pub fn ask(&self, request: &str) -> u16 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it serves");
        stream.set_read_timeout(Some(LIMIT)).expect("a time");
        let head = "Host: localhost\r\nConnection: close\r\nContent-Length: 0";
        write!(stream, "{request} HTTP/1.1\r\n{head}\r\n\r\n").expect("it listens");
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        status.unwrap_or_else(|| panic!("{request}: {read:?}, {answer:?}\n{}", self.said()))
    }

    /// Asks it to end, as its users do; it tells what it has not told yet.
    pub fn end(self, signal: i32) {
        let log = self.log.clone();
        self.running.signal(signal);
        let status = self.running.wait().status;
        let said = || fs::read_to_string(log).unwrap_or_default();
        assert_eq!(status, 0, "{}", said());
    }

    /// What it said so far.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}
