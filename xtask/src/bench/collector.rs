//! A real OTLP collector that takes what the sensor exports.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::running::Running;

/// How to get it.
pub const REMEDY: &str = "pip install rotel==0.0.1a15";

/// The running collector; dropping it ends it.
pub struct Collector {
    /// Where it takes OTLP over gRPC.
    pub port: u16,
    _running: Running,
}

impl Collector {
    /// Starts rotel, where there is one.
    pub fn start(directory: &Path) -> Result<Option<Self>> {
        let Some(program) = find() else {
            return Ok(None);
        };
        let (grpc, http) = free_ports()?;
        let mut command = Command::new(program);
        command
            .args(["start", "--exporter", "blackhole"])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{http}")]);
        let log = directory.join("rotel.log");
        let running = Running::start("rotel", vec![(command, None)], &log)?;
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, grpc)).is_err() {
            if Instant::now() > end {
                bail!("rotel does not listen in time; see {}", log.display());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(Some(Self {
            port: grpc,
            _running: running,
        }))
    }
}

/// The binary of `SENSOR_ROTEL`, or that of the Python package.
fn find() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("SENSOR_ROTEL") {
        return Some(path.into());
    }
    let script = "import rotel,os;print(os.path.dirname(rotel.__file__))";
    let output = Command::new("python3").args(["-c", script]).output().ok()?;
    let directory = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let path = PathBuf::from(directory).join("rotel-agent");
    (output.status.success() && path.is_file()).then_some(path)
}

/// Two ports that nobody listens on, both looked up before either is let go.
fn free_ports() -> io::Result<(u16, u16)> {
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (one, other) = (free()?, free()?);
    Ok((one.local_addr()?.port(), other.local_addr()?.port()))
}

/// Between the sensor and a collector: counts what the sensor sends.
pub struct Relay {
    /// Where it takes connections.
    pub port: u16,
    sent: Arc<AtomicU64>,
    _collector: Collector,
}

impl Relay {
    /// Starts it, and the collector behind it. Its threads end with the bench.
    pub fn start(directory: &Path) -> Result<Self> {
        let collector = Collector::start(directory)?
            .with_context(|| format!("no collector here ({REMEDY})"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let sent = Arc::new(AtomicU64::new(0));
        let (counter, to) = (Arc::clone(&sent), collector.port);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Ok(collector) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else {
                    continue;
                };
                // What fails here ends the connection, and the sensor says so.
                let _ = relay(&stream, &collector, &counter);
            }
        });
        Ok(Self {
            port,
            sent,
            _collector: collector,
        })
    }

    /// Bytes that the sensor has sent by now.
    pub fn bytes(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Starts a thread for each direction.
fn relay(sensor: &TcpStream, collector: &TcpStream, sent: &Arc<AtomicU64>) -> io::Result<()> {
    let (mut from, mut to) = (sensor.try_clone()?, collector.try_clone()?);
    let sent = Arc::clone(sent);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            sent.fetch_add(length as u64, Ordering::Relaxed);
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (collector.try_clone()?, sensor.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    Ok(())
}
