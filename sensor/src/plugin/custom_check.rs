//! `[[custom_metrics]]`: what may be read, and what makes no sense.

use std::collections::BTreeSet;

use regex::bytes::{Regex, RegexBuilder};

use super::{Aggregate, CustomMetric, Find, Instrument};
use crate::config::{check_pattern, item::shown};

/// Directories below which files may be named that are of no process. Homes,
/// configuration and temporary files are none of the sensor's business.
pub const ALLOWED: [&str; 5] = ["/proc", "/sys", "/run", "/var/run", "/var/lib"];
/// Stands for the pid of a member.
pub const PID: &str = "{pid}";
/// What in /proc/PID leads out of it, to wherever the process likes.
const LEADS_OUT: [&str; 6] = ["cwd", "exe", "fd", "map_files", "ns", "root"];
/// What in /proc costs the process time, or holds its memory or secrets.
const NEVER: [&str; 9] = [
    "auxv",
    "environ",
    "kcore",
    "kmsg",
    "mem",
    "numa_maps",
    "pagemap",
    "smaps",
    "smaps_rollup",
];
/// Longest name and unit of an instrument (OpenTelemetry metrics API).
const NAME_BYTES: usize = 255;
const UNIT_BYTES: usize = 63;
/// Memory that one compiled pattern may take.
const PATTERN_BYTES: usize = 8 << 20;

/// Names that the sensor uses itself.
pub const RESERVED: [&str; 33] = [
    "process.cpu.time",
    "process.cpu.utilization",
    "process.memory.usage",
    "process.memory.virtual",
    "process.disk.io",
    "process.context_switches",
    "process.paging.faults",
    "process.thread.count",
    "process.unix.file_descriptor.count",
    "process.uptime",
    "sensor.process.count",
    "sensor.process.starts",
    "sensor.process.exits",
    "sensor.process.lifetime",
    "sensor.process.memory.peak",
    "sensor.process.runqueue.time",
    "sensor.process.runqueue.latency",
    "cpu_usage",
    "memory_usage",
    "process_count",
    "thread_count",
    "disk_read_bytes",
    "disk_write_bytes",
    "open_file_descriptors",
    "voluntary_ctx_switches",
    "nonvoluntary_ctx_switches",
    "avg_threads_per_process",
    "max_threads_per_process",
    "min_threads_per_process",
    "cpu_user_time_total",
    "cpu_system_time_total",
    "memory_rss_total",
    "memory_vms_total",
];

/// What is wrong with a custom metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which one, from 0.
    pub index: usize,
    /// The key at fault, such as `file`.
    pub key: &'static str,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Checks all custom metrics of a plugin; every fault is told.
#[must_use]
pub fn check(metrics: &[CustomMetric]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    for (index, metric) in metrics.iter().enumerate() {
        let mut note = |key, result: Result<(), String>| {
            faults.extend(result.err().map(|message| Fault {
                index,
                key,
                message,
            }));
        };
        // Names of instruments are compared without case.
        let name = match names.insert(metric.name.to_ascii_lowercase()) {
            true => check_name(&metric.name),
            false => Err("another custom metric has this name; rename one".to_owned()),
        };
        note("name", name);
        note("file", Place::parse(&metric.file).map(drop));
        match &metric.find {
            Find::Field(field) => note("field", check_field(field)),
            Find::Regex(pattern) => note("regex", compile(pattern).map(drop)),
        }
        note("unit", check_unit(&metric.unit));
        note("scale", check_scale(metric));
        note("aggregate", check_aggregate(metric));
    }
    faults
}

/// A file as a metric names it, divided at what it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In /proc/PID of a member; the rest of the path.
    Process(String),
    /// Below one of [`ALLOWED`]; the rest of the path.
    Below(&'static str, String),
}

impl Place {
    /// Reads the path of a metric.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(file: &str) -> Result<Self, String> {
        let Some(path) = file.strip_prefix('/') else {
            return Err(format!(
                "a file is named by its whole path, such as /proc/{PID}/status"
            ));
        };
        if path.chars().any(char::is_control) {
            return Err("a control character is in the path".to_owned());
        }
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err("write the path without `.`, `..` and empty parts".to_owned());
        }
        if path.replace(PID, "").contains(['{', '}']) {
            return Err(format!("the only placeholder of a path is {PID}"));
        }
        let in_proc = path.strip_prefix("proc/");
        let mut parts = in_proc.unwrap_or_default().split('/');
        if let Some(part) = parts.find(|part| NEVER.contains(part)) {
            return Err(format!("`{part}` is never read; take status or statm"));
        }
        if let Some((process, link)) = in_proc.and_then(leading_out) {
            return Err(format!(
                "`{link}` leads out of /proc/{process}; name a file in it, or one below {}",
                ALLOWED.join(", ")
            ));
        }
        if let Some(rest) = path.strip_prefix("proc/{pid}/") {
            return Ok(Self::Process(rest.to_owned()));
        }
        let below = ALLOWED.iter().find_map(|&root| {
            let rest = file.strip_prefix(root)?.strip_prefix('/')?;
            Some((root, rest))
        });
        let Some((root, rest)) = below else {
            return Err(format!(
                "only files below /proc/{PID}/, {} may be read",
                ALLOWED.map(|root| format!("{root}/")).join(", ")
            ));
        };
        let first = rest.split('/').next().unwrap_or_default();
        if root == "/proc" && matches!(first, "self" | "thread-self" | PID) {
            return Err(format!("of a member, name a file below /proc/{PID}/"));
        }
        Ok(Self::Below(root, rest.to_owned()))
    }

    /// Whether each member has a file of its own.
    #[must_use]
    pub fn of_member(&self) -> bool {
        match self {
            Self::Process(_) => true,
            Self::Below(_, path) => path.contains(PID),
        }
    }
}

/// The process and the link of a path below /proc that leads out of the
/// process, be it a member or one that is named by its number.
fn leading_out(path: &str) -> Option<(&str, &str)> {
    let (process, rest) = path.split_once('/')?;
    let is_number = process.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = rest.split('/');
    let first = match parts.next() {
        // task/TID/…: a thread has the same links.
        Some("task") => parts.nth(1),
        first => first,
    };
    let link = first.filter(|first| LEADS_OUT.contains(first))?;
    (process.contains(PID) || is_number).then_some((process, link))
}

/// Compiles the pattern of a metric: `^` and `$` stand at lines, and the case
/// counts, unlike in names of processes.
///
/// # Errors
/// What is wrong with it.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    check_pattern(pattern)?;
    let regex = RegexBuilder::new(pattern)
        .multi_line(true)
        .size_limit(PATTERN_BYTES)
        .build()
        .map_err(|_| format!("the pattern `{}` cannot be used", shown(pattern)))?;
    match regex.captures_len() - 1 {
        1 => Ok(regex),
        0 => Err("put the number into parentheses, as in ^VmSwap:\\s+(\\d+)".to_owned()),
        more => Err(format!(
            "has {more} groups; write (?:…) for those that are not the number"
        )),
    }
}

/// Instrument names of the OpenTelemetry metrics API.
fn check_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
    if !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || !name.chars().all(legal)
        || name.len() > NAME_BYTES
    {
        return Err(format!(
            "`{}` is no name of a metric: a letter, then letters, digits and _ . - /, \
             at most {NAME_BYTES}",
            shown(name)
        ));
    }
    match RESERVED
        .iter()
        .any(|other| other.eq_ignore_ascii_case(name))
    {
        true => Err("is the name of a metric of the sensor; choose another".to_owned()),
        false => Ok(()),
    }
}

fn check_field(field: &str) -> Result<(), String> {
    let blank = field.trim().is_empty();
    if blank || field.chars().any(char::is_control) {
        return Err("is the name of a line, such as VmSwap".to_owned());
    }
    Ok(())
}

fn check_unit(unit: &str) -> Result<(), String> {
    if unit.len() > UNIT_BYTES || !unit.is_ascii() || unit.chars().any(char::is_control) {
        return Err(format!(
            "a unit has at most {UNIT_BYTES} ASCII characters, such as By, s or 1"
        ));
    }
    Ok(())
}

fn check_scale(metric: &CustomMetric) -> Result<(), String> {
    let factor = metric.scale.factor();
    let counts = metric.instrument == Instrument::Counter;
    if !factor.is_finite() || factor == 0.0 {
        Err("must be a number other than 0".to_owned())
    } else if counts && factor < 0.0 {
        Err("must be above 0 where a counter is scaled".to_owned())
    } else {
        Ok(())
    }
}

fn check_aggregate(metric: &CustomMetric) -> Result<(), String> {
    match (metric.instrument, metric.aggregate) {
        (Instrument::Counter, Aggregate::Avg | Aggregate::Max | Aggregate::Min) => Err(
            "a counter is the sum over its members; write \"sum\", or instrument = \"gauge\""
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::Scale;

    fn metric() -> CustomMetric {
        CustomMetric {
            name: "myapp.swap".to_owned(),
            file: "/proc/{pid}/status".to_owned(),
            find: Find::Field("VmSwap".to_owned()),
            unit: "By".to_owned(),
            scale: Scale::new(1024.0),
            instrument: Instrument::Gauge,
            aggregate: Aggregate::Sum,
        }
    }

    #[test]
    fn files_that_may_be_read() {
        for (file, part) in [
            ("/proc/{pid}/status", ""),
            ("/proc/{pid}/task/{pid}/schedstat", ""),
            ("/proc/{pid}/net/netstat", ""),
            ("/proc/{pid}/fdinfo/3", ""),
            ("/proc/loadavg", ""),
            ("/sys/fs/cgroup/app/memory.current", ""),
            ("/run/app/{pid}.stats", ""),
            ("/var/lib/app/stats", ""),
            ("status", "whole path"),
            ("", "whole path"),
            ("/etc/shadow", "only files below"),
            ("/procession", "only files below"),
            ("/var/library/x", "only files below"),
            ("/run", "only files below"),
            ("/proc/{pid}/../1/status", "without `.`"),
            ("/run//x", "without `.`"),
            ("/proc/{pid}/", "without `.`"),
            ("/proc/{pid}", "below /proc/{pid}/"),
            ("/proc/self/status", "below /proc/{pid}/"),
            ("/proc/{pid}/root/etc/shadow", "leads out"),
            ("/proc/{pid}/fd/3", "leads out"),
            ("/proc/{pid}/task/{pid}/cwd/x", "leads out"),
            ("/proc/1/status", ""),
            ("/proc/sys/fs/file-nr", ""),
            ("/proc/sys/ns", ""),
            ("/proc/1/root/etc/shadow", "leads out of /proc/1;"),
            ("/proc/1/fd/0", "leads out"),
            ("/proc/1/cwd", "leads out"),
            ("/proc/1/task/{pid}/root/x", "leads out"),
            ("/proc/1/task/1/fd/0", "leads out"),
            ("/proc/1{pid}/exe", "leads out"),
            ("/proc/{pid}/numa_maps", "never read"),
            ("/proc/{pid}/smaps", "never read"),
            ("/proc/{pid}/task/{pid}/environ", "never read"),
            ("/proc/kmsg", "never read"),
            ("/run/app/mem", ""),
            ("/proc/{tid}/status", "placeholder"),
            ("/run/a\nb", "control"),
        ] {
            match Place::parse(file) {
                Ok(_) => assert_eq!(part, "", "{file}"),
                Err(message) => {
                    assert!(
                        !part.is_empty() && message.contains(part),
                        "{file}: {message}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_fault_is_told_with_its_key() {
        type Change = fn(&mut CustomMetric);
        let cases: [(&str, &str, Change); 14] = [
            ("name", "no name", |m| m.name = "1st".to_owned()),
            ("name", "no name", |m| m.name = "my app".to_owned()),
            ("name", "of the sensor", |m| m.name = "CPU_usage".to_owned()),
            ("file", "only files", |m| m.file = "/etc/x".to_owned()),
            ("field", "name of a line", |m| {
                m.find = Find::Field(" ".to_owned());
            }),
            ("regex", "parentheses", |m| {
                m.find = Find::Regex(r"\d+".to_owned());
            }),
            ("regex", "2 groups", |m| {
                m.find = Find::Regex(r"(a|b)(\d+)".to_owned());
            }),
            ("regex", "position 1", |m| {
                m.find = Find::Regex("(".to_owned())
            }),
            ("unit", "ASCII", |m| m.unit = "µs".to_owned()),
            ("scale", "other than 0", |m| m.scale = Scale::new(0.0)),
            ("scale", "other than 0", |m| m.scale = Scale::new(f64::NAN)),
            ("scale", "above 0", |m| {
                m.scale = Scale::new(-1.0);
                m.instrument = Instrument::Counter;
            }),
            ("aggregate", "a counter is the sum", |m| {
                m.aggregate = Aggregate::Max;
                m.instrument = Instrument::Counter;
            }),
            ("name", "another custom metric", |_| {}),
        ];
        for (key, part, change) in cases {
            let mut bad = metric();
            change(&mut bad);
            let faults = check(&[metric(), bad.clone(), metric()]);
            let fault = faults
                .iter()
                .find(|fault| fault.index == 1 && fault.key == key);
            let fault = fault.unwrap_or_else(|| panic!("{key} {part}: {faults:?}"));
            assert!(fault.message.contains(part), "{part}: {fault:?}");
        }
        assert_eq!(check(&[metric()]), []);
    }
}
