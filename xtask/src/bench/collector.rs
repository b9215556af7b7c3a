//! A real OTLP collector that takes what the sensor exports.

use std::{
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

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
