//! A real OTLP collector (rotel) that prints what it receives.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How to get the collector; part of every message about its absence.
pub const REMEDY: &str = "pip install rotel==0.0.1a15";

/// Longest wait for the collector to listen. Loaded machines are slow.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Tries with other ports where another program took one meanwhile.
const START_TRIES: u32 = 5;

/// A running collector; killed when dropped.
#[derive(Debug)]
pub struct Collector {
    child: Child,
    ports: Ports,
    output: Arc<Output>,
    readers: Vec<thread::JoinHandle<()>>,
}

/// Where a collector listens on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// OTLP over gRPC.
    pub grpc: u16,
    /// OTLP over HTTP.
    pub http: u16,
}

impl Ports {
    /// Ports that nobody listens on at this moment.
    #[must_use]
    pub fn free() -> Self {
        // Both are held at once, so that they differ.
        let listeners = [(); 2].map(|()| {
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("cannot bind a port of 127.0.0.1")
        });
        let [grpc, http] = listeners.map(|listener| {
            listener
                .local_addr()
                .expect("a bound listener has an address")
                .port()
        });
        Self { grpc, http }
    }
}

impl Collector {
    /// Starts a collector on free ports and waits until it listens.
    #[must_use]
    pub fn start() -> Self {
        let mut problem = String::new();
        for _ in 0..START_TRIES {
            match Self::try_start(Ports::free()) {
                Ok(collector) => return collector,
                Err(reason) => problem = reason,
            }
        }
        panic!("rotel does not start: {problem}");
    }

    /// Starts a collector on ports that were chosen before, such as those of
    /// one that was stopped.
    #[must_use]
    pub fn start_on(ports: Ports) -> Self {
        Self::try_start(ports).unwrap_or_else(|reason| panic!("rotel does not start: {reason}"))
    }

    fn try_start(ports: Ports) -> Result<Self, String> {
        let mut child = Command::new(binary())
            .arg("start")
            .args(["--exporter", "blackhole"])
            .args(["--debug-log", "metrics", "--debug-log", "logs"])
            .args(["--debug-log-verbosity", "detailed"])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{}", ports.grpc)])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{}", ports.http)])
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run rotel ({error}); {REMEDY}"));
        let output = Arc::new(Output::default());
        let readers = vec![
            output.follow(child.stdout.take()),
            output.follow(child.stderr.take()),
        ];
        let mut collector = Self {
            child,
            ports,
            output,
            readers,
        };
        let deadline = Instant::now() + START_LIMIT;
        for port in [ports.grpc, ports.http] {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            while TcpStream::connect(address).is_err() {
                collector.assert_alive()?;
                if Instant::now() > deadline {
                    return Err(format!("nothing listens on {address} in time"));
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
        // A port that another program took meanwhile ends it.
        collector.assert_alive()?;
        Ok(collector)
    }

    fn assert_alive(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("it ended with {status}:\n{}", self.output())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// `http://127.0.0.1:PORT` for OTLP over gRPC.
    #[must_use]
    pub fn grpc_endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.grpc)
    }

    /// `http://127.0.0.1:PORT` for OTLP over HTTP.
    #[must_use]
    pub fn http_endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.http)
    }

    /// Where it listens.
    #[must_use]
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// Everything that it printed so far, without colours.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.lock().clone()
    }

    /// Waits until `text` is in its output, and returns the output.
    pub fn wait_for(&self, text: &str, limit: Duration) -> String {
        self.wait_until(text, limit, |output| output.contains(text))
    }

    /// Waits until its output meets a condition, and returns the output.
    /// Panics with `what` and the output where it does not in time.
    pub fn wait_until(
        &self,
        what: &str,
        limit: Duration,
        condition: impl Fn(&str) -> bool,
    ) -> String {
        let deadline = Instant::now() + limit;
        let mut text = self.output.lock();
        while !condition(&text) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "the collector did not print {what:?} within {limit:?}, but:\n{}",
                *text
            );
            (text, _) = self
                .output
                .grown
                .wait_timeout(text, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        text.clone()
    }

    /// Asks it to end, which it does when all that it took is printed, and
    /// returns what it printed.
    #[must_use]
    pub fn finish(mut self) -> String {
        crate::process::kill(self.child.id(), libc::SIGTERM);
        let deadline = Instant::now() + START_LIMIT;
        while self.assert_alive().is_ok() {
            assert!(Instant::now() < deadline, "the collector does not end");
            thread::sleep(Duration::from_millis(5));
        }
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader does not fail");
        }
        self.output()
    }

    /// Ends it at once, as `kill -9` does; its ports are free again.
    pub fn stop(self) -> Ports {
        self.ports
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug, Default)]
struct Output {
    text: Mutex<String>,
    grown: Condvar,
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, String> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Collects a stream until it ends, which it does with the child.
    fn follow(
        self: &Arc<Self>,
        stream: Option<impl Read + Send + 'static>,
    ) -> thread::JoinHandle<()> {
        let output = Arc::clone(self);
        let stream = stream.expect("the stream is piped");
        thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let text = without_escapes(&String::from_utf8_lossy(&line));
                output.lock().push_str(&text);
                output.grown.notify_all();
                line.clear();
            }
        })
    }
}

/// The text without terminal escape sequences (ECMA-48 CSI).
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c == '\u{1b}' {
            characters.find(|c| c.is_ascii_alphabetic());
        } else {
            plain.push(c);
        }
    }
    plain
}

/// `$SENSOR_ROTEL`, or the binary in the Python package.
fn binary() -> PathBuf {
    if let Some(path) = env::var_os("SENSOR_ROTEL") {
        let path = PathBuf::from(path);
        assert!(
            path.is_file(),
            "SENSOR_ROTEL={} is no file; unset it and {REMEDY}",
            path.display()
        );
        return path;
    }
    let found = Command::new("python3")
        .args([
            "-c",
            "import rotel,os;print(os.path.dirname(rotel.__file__))",
        ])
        .output()
        .unwrap_or_else(|error| panic!("cannot run python3 to find rotel ({error}); {REMEDY}"));
    assert!(
        found.status.success(),
        "this test needs the OTLP collector rotel; {REMEDY}"
    );
    let directory = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    let path = PathBuf::from(directory).join("rotel-agent");
    assert!(path.is_file(), "there is no {}; {REMEDY}", path.display());
    path
}
