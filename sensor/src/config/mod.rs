//! The configuration file, the variables and the flags: what the sensor was
//! told, checked as a whole before anything starts.

mod check;
pub mod duration;
mod endpoint;
pub mod environment;
pub mod export;
pub mod file;
pub mod incident;
pub mod item;
pub mod logs;
mod pattern;
pub mod problem;
pub mod reader;
pub mod receiver;
pub mod show;
mod syntax;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use check::{GROUPS, INTERVALS, set};
pub use duration::{format_duration, parse_duration};
pub use environment::Environment;
pub use export::{ExportFlags, Headers, OtlpSettings, Protocol, export_settings};
pub(crate) use export::{agent_host, agent_port, protocol_of_flag};
pub(crate) use export::{check_endpoint, check_header};
pub use incident::{Incidents, TransportConfig};
use item::Choice;
pub use pattern::check_pattern;
pub(crate) use pattern::compile as compile_pattern;
pub use problem::Problem;
pub use receiver::Receiver;

/// The configuration file of a packaged installation.
pub const DEFAULT_FILE: &str = "/etc/sensor/sensor.toml";
/// The plugin directory of a packaged installation.
pub const DEFAULT_PLUGINS: &str = "/etc/sensor/plugins";

/// The configuration, checked. The default is that of an empty file.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Directories of plugins.
    pub plugins: Vec<PathBuf>,
    /// Time between two collections of a plugin that sets none.
    pub interval: Duration,
    /// When the built-in plugin `host` works.
    pub host: HostMode,
    /// The kernel hooks.
    pub kernel: Kernel,
    /// Bounds of what is kept in memory.
    pub limits: Limits,
    /// Arguments of processes.
    pub args: Args,
    /// The identity store.
    pub store: Store,
    /// The queue of what waits for export.
    pub queue: Queue,
    /// Where to export to, as the file says; see [`export_settings`].
    pub otlp: OtlpFile,
    /// Secrets that vanish, on top of the built-in rules.
    pub scrub: Scrub,
    /// Log formats on top of the built-in ones.
    pub log_formats: Vec<logs::LogFormatFile>,
    /// What went wrong with processes, and where to say so.
    pub incident: Incidents,
    /// Where applications report themselves.
    pub receiver: Receiver,
    /// What the sensor says about itself.
    pub telemetry: Telemetry,
    /// Where values come from, by dotted key; what is not here is a default.
    pub origins: BTreeMap<String, Origin>,
}

/// Where a value comes from, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Origin {
    /// Nobody set it.
    #[default]
    Default,
    /// The configuration file.
    File,
    /// An environment variable.
    Environment,
    /// The command line.
    Flag,
}

/// `[host] enabled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostMode {
    /// Only when no plugin was found.
    #[default]
    Auto,
    /// Beside the plugins too.
    Always,
    /// Not even without plugins.
    Never,
}

/// `[kernel]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// Whether eBPF is used.
    pub ebpf: EbpfMode,
    /// Size of the ring as asked for; the source rounds it up to a power of
    /// two and a page.
    pub ring_bytes: u32,
    /// How long an event may wait in the ring.
    pub max_latency: Duration,
    /// Keep hooks and ring across restarts.
    pub pin: bool,
}

/// `[kernel] ebpf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EbpfMode {
    /// Where the host allows it, else scanning with a warning.
    #[default]
    Auto,
    /// Without it the sensor does not start.
    Require,
    /// Scanning only.
    Off,
}

/// `[limits]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Processes tracked at once.
    pub processes: usize,
    /// Groups of one service.
    pub groups: usize,
    /// Bytes of paths, arguments and cgroups of all processes tracked.
    pub text_bytes: usize,
    /// CPU time of one look at the members, after which the rest waits.
    pub collection: Duration,
}

/// `[args]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Args {
    /// Whether arguments are kept at all.
    pub capture: bool,
    /// Bytes kept of one process.
    pub max_bytes: usize,
}

/// `[store]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Store {
    /// The file; `None` is the default place of the user.
    pub path: Option<PathBuf>,
    /// Refuse a file that is not a store instead of moving it aside.
    pub strict: bool,
}

/// `[queue]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Bytes kept on disk; the oldest go first.
    pub max_bytes: u64,
    /// Age after which an entry is dropped.
    pub max_age: Duration,
}

/// `[export.otlp]` as written; `None` is not set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OtlpFile {
    /// `http://…` or `https://…`.
    pub endpoint: Option<String>,
    /// How messages are carried.
    pub protocol: Option<Protocol>,
    /// Compress messages.
    pub gzip: Option<bool>,
    /// Time one request may take.
    pub timeout: Option<Duration>,
    /// Sent with each request.
    pub headers: Option<Headers>,
    /// PEM file of the authorities to trust.
    pub ca: Option<PathBuf>,
    /// PEM file of the client's certificate.
    pub certificate: Option<PathBuf>,
    /// PEM file of the client's key.
    pub key: Option<PathBuf>,
}

/// `[telemetry]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telemetry {
    /// Whether the sensor exports its own metrics.
    pub enabled: bool,
    /// Whether the kernel counts what the hooks cost, for these metrics.
    pub hook_cost: bool,
}

/// `[scrub]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scrub {
    /// Words that name a secret.
    pub words: Vec<String>,
    /// Regular expressions of secrets; each compiles.
    pub patterns: Vec<String>,
    /// Words that are harmless here.
    pub keep: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            plugins: vec![PathBuf::from(DEFAULT_PLUGINS)],
            interval: Duration::from_secs(60),
            host: HostMode::default(),
            kernel: Kernel {
                ebpf: EbpfMode::default(),
                ring_bytes: 8 << 20,
                max_latency: Duration::from_millis(50),
                pin: false,
            },
            limits: Limits {
                processes: 65_536,
                groups: 200,
                text_bytes: 16 << 20,
                collection: Duration::from_millis(250),
            },
            args: Args {
                capture: true,
                max_bytes: 4_096,
            },
            store: Store::default(),
            queue: Queue {
                max_bytes: 256 << 20,
                max_age: Duration::from_secs(24 * 3_600),
            },
            otlp: OtlpFile::default(),
            scrub: Scrub::default(),
            log_formats: Vec::new(),
            incident: Incidents::default(),
            receiver: Receiver::default(),
            telemetry: Telemetry {
                enabled: true,
                hook_cost: false,
            },
            origins: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Reads and checks a file. One that does not exist is an empty one,
    /// unless it must exist: because a person named it.
    ///
    /// # Errors
    /// Every problem of the file, in its order.
    pub fn load(path: &Path, must_exist: bool) -> Result<Self, Vec<Problem>> {
        if !must_exist && !file::is_there(path) {
            return Ok(Self::default());
        }
        let text = file::read_text(path).map_err(|problem| vec![problem])?;
        Self::parse(path, &text)
    }

    /// Checks `text`, the content of the file `path`.
    ///
    /// # Errors
    /// Every problem of the text, in its order.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Vec<Problem>> {
        check::config(path, text)
    }

    /// Where the value of a dotted key comes from.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).copied().unwrap_or_default()
    }
}

impl Choice for HostMode {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("always", Self::Always),
        ("never", Self::Never),
    ];
}

impl Choice for EbpfMode {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("require", Self::Require),
        ("off", Self::Off),
    ];
}

#[cfg(test)]
mod tests;
