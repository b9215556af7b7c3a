//! What a plugin may choose: the tables of plugin.toml as types.

use crate::config::item::Choice;

/// `[match] on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatchOn {
    /// The process name.
    #[default]
    Name,
    /// The path of the executable.
    Exe,
    /// The arguments, joined by single blanks.
    Cmdline,
}

/// `[match] group_by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupBy {
    /// All members are one.
    #[default]
    None,
    /// By the basename of the executable.
    Executable,
    /// By cgroup.
    Cgroup,
    /// By user.
    User,
}

/// `[metrics]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MetricsOptions {
    /// Whose names.
    pub naming: Naming,
    /// Put the service's identifier before legacy names.
    pub prefix: bool,
    /// Members with series of their own, the largest first.
    pub per_process_top: usize,
}

/// `[metrics] naming`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Naming {
    /// OpenTelemetry's semantic conventions.
    #[default]
    Semconv,
    /// The 16 metrics of the Python framework.
    Instana,
    /// Both.
    Both,
}

/// `[[custom_metrics]]`: one number a member, made one number a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomMetric {
    /// Name of the metric.
    pub name: String,
    /// Below `/proc/{pid}/`, or an absolute path that is allowed.
    pub file: String,
    /// Where in the file the number stands.
    pub find: Find,
    /// UCUM unit.
    pub unit: String,
    /// What a number is multiplied by.
    pub scale: Scale,
    /// What the metric is on the wire.
    pub instrument: Instrument,
    /// How the members' numbers become one.
    pub aggregate: Aggregate,
}

/// Where a number stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Find {
    /// Behind this name, as in /proc/PID/status: `VmSwap:  12 kB`.
    Field(String),
    /// The one capture of a pattern, in which `^` and `$` are the ends of a
    /// line and case counts.
    Regex(String),
}

/// A factor, written as a decimal; kept as bits, so that it can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale(u64);

/// `[[custom_metrics]] instrument`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Instrument {
    /// A value of the moment.
    #[default]
    Gauge,
    /// Only grows.
    Counter,
    /// A sum of the moment.
    UpDownCounter,
}

/// `[[custom_metrics]] aggregate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aggregate {
    /// The sum over the members.
    #[default]
    Sum,
    /// The mean.
    Avg,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// `[logs]`: what members said before they ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogsOptions {
    /// Look at all.
    pub enabled: bool,
    /// In a regular file behind descriptor 1 or 2.
    pub stderr_file: bool,
    /// In the journal.
    pub journald: bool,
    /// In these files: absolute paths, `*` and `?` allowed.
    pub paths: Vec<String>,
    /// By a kernel tap on writes to standard error.
    pub tap: bool,
}

/// `[[examples]]`: one process, as a process line would show it. At least one
/// of name, executable and arguments is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Example {
    /// Name of the thread or program; may be empty.
    pub name: String,
    /// Path of the executable.
    pub exe: Option<String>,
    /// Arguments, the first one included.
    pub args: Option<Vec<String>>,
    /// Whether it must match.
    pub matches: bool,
    /// Line in plugin.toml, from 1.
    pub line: usize,
}

/// `[systemd]`, or the same in `[installation]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unit {
    /// Name of the unit, without `.service`.
    pub name: Option<String>,
    /// Its description.
    pub description: Option<String>,
}

impl Default for LogsOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            stderr_file: true,
            journald: true,
            paths: Vec::new(),
            tap: false,
        }
    }
}

impl Scale {
    /// A factor.
    #[must_use]
    pub fn new(factor: f64) -> Self {
        Self(factor.to_bits())
    }

    /// The factor.
    #[must_use]
    pub fn factor(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl Choice for MatchOn {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("name", Self::Name),
        ("exe", Self::Exe),
        ("cmdline", Self::Cmdline),
    ];
}

impl Choice for GroupBy {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("executable", Self::Executable),
        ("cgroup", Self::Cgroup),
        ("user", Self::User),
    ];
}

impl Choice for Naming {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("semconv", Self::Semconv),
        ("instana", Self::Instana),
        ("both", Self::Both),
    ];
}

impl Choice for Instrument {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("gauge", Self::Gauge),
        ("counter", Self::Counter),
        ("updowncounter", Self::UpDownCounter),
    ];
}

impl Choice for Aggregate {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("sum", Self::Sum),
        ("avg", Self::Avg),
        ("max", Self::Max),
        ("min", Self::Min),
    ];
}
