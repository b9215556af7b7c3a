//! What the sensor says about one exec or one exit, complete and scrubbed.

use std::sync::Arc;

use uuid::Uuid;

use crate::units::{BootNanos, WallNanos};

/// One `process.exec` or `process.exit`, as printed by `sensor events` and
/// exported as an OTLP log record.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessEvent {
    /// `log.record.uid`: made when the event is accepted, kept on repetition.
    pub uid: Uuid,
    /// When it happened.
    pub time: WallNanos,
    /// The process it happened to.
    pub process: Subject,
    /// Names of the services that watch the process.
    pub services: Vec<Arc<str>>,
    /// Exec or exit.
    pub what: What,
    /// Concluded after a loss, not seen by a hook.
    pub inferred: bool,
}

/// The process that an event is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Thread group id.
    pub pid: u32,
    /// Thread group id of the parent, where known.
    pub parent_pid: Option<u32>,
    /// Start of the process.
    pub creation_time: WallNanos,
    /// Start of the process on the boot clock.
    pub start: BootNanos,
    /// Absolute path of the executable file, raw bytes.
    pub executable_path: Option<Arc<[u8]>>,
    /// Arguments, scrubbed; `None` where they are unknown or switched off.
    pub args: Option<Arc<Arguments>>,
    /// Effective user id.
    pub user_id: Option<u32>,
    /// Path in the cgroup v2 hierarchy.
    pub cgroup: Option<Arc<str>>,
}

/// Scrubbed arguments, whole or cut.
#[derive(Debug, Clone, PartialEq)]
pub struct Arguments {
    /// One raw byte string an argument.
    pub args: Vec<Vec<u8>>,
    /// Some were cut off at the end.
    pub truncated: bool,
}

/// The kind of event and what only that kind has.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The process runs a new program.
    Exec,
    /// The process, with its last thread, has ended.
    Exit(Box<ExitDetail>),
}

/// How a process ended and what it had used over its whole life.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExitDetail {
    /// How it ended; `None` after a loss.
    pub end: Option<End>,
    /// CPU time, ns.
    pub cpu_ns: Option<u64>,
    /// Its share in user mode, ns.
    pub cpu_user_ns: Option<u64>,
    /// Its share in the kernel, ns.
    pub cpu_system_ns: Option<u64>,
    /// Peak resident set, bytes, equal to `ru_maxrss`.
    pub peak_rss_bytes: Option<u64>,
    /// Bytes read from storage.
    pub disk_read_bytes: Option<u64>,
    /// Bytes written to storage.
    pub disk_write_bytes: Option<u64>,
    /// Bytes that read calls returned.
    pub io_rchar: Option<u64>,
    /// Bytes that write calls took.
    pub io_wchar: Option<u64>,
    /// Voluntary context switches.
    pub voluntary: Option<u64>,
    /// Involuntary context switches.
    pub involuntary: Option<u64>,
    /// Minor page faults.
    pub minor_faults: Option<u64>,
    /// Major page faults.
    pub major_faults: Option<u64>,
    /// Time spent waiting for a CPU, ns.
    pub runqueue_ns: Option<u64>,
    /// Threads over the whole life, leader included.
    pub threads: Option<u64>,
}

/// How a process ended: by itself or by a signal, never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `exit_group(code)`.
    Code(u8),
    /// Ended by a signal.
    Signal {
        /// Signal number.
        signal: u8,
        /// The kernel wrote a core dump.
        core_dumped: bool,
    },
}

/// A value on the wire or in JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text; bytes that are no UTF-8 are replaced.
    Text(String),
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// A list of texts.
    List(Vec<String>),
}

impl ProcessEvent {
    /// `process.exec` or `process.exit`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.what {
            What::Exec => "process.exec",
            What::Exit(_) => "process.exit",
        }
    }

    /// Every attribute but name and time, in the order of otel.md; what is
    /// unknown is left out. The only list of these keys: JSON lines and OTLP
    /// records are both made from it.
    #[must_use]
    pub fn attributes(&self) -> Vec<(&'static str, Value)> {
        let mut list = Attributes(Vec::with_capacity(28));
        list.subject(&self.process);
        if let What::Exit(detail) = &self.what {
            list.exit(detail, self.time);
        }
        if !self.services.is_empty() {
            let names = self.services.iter().map(|name| name.to_string()).collect();
            list.0.push(("service.name", Value::List(names)));
        }
        if self.inferred {
            list.0.push(("sensor.inferred", Value::Bool(true)));
        }
        list.0
    }
}

struct Attributes(Vec<(&'static str, Value)>);

impl Subject {
    /// The keys `process.*` of it, those that are known.
    #[must_use]
    pub fn attributes(&self) -> Vec<(&'static str, Value)> {
        let mut list = Attributes(Vec::with_capacity(10));
        list.subject(self);
        list.0
    }
}

impl Attributes {
    fn subject(&mut self, process: &Subject) {
        self.int("process.pid", Some(u64::from(process.pid)));
        self.int("process.parent_pid", process.parent_pid.map(u64::from));
        self.text(
            "process.creation.time",
            Some(process.creation_time.to_string()),
        );
        if let Some(path) = &process.executable_path {
            let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
            self.text("process.executable.name", Some(lossy(name)));
            self.text("process.executable.path", Some(lossy(path)));
        }
        if let Some(args) = &process.args {
            let texts = args.args.iter().map(|arg| lossy(arg)).collect();
            self.0.push(("process.command_args", Value::List(texts)));
            if args.truncated {
                self.0
                    .push(("sensor.command_args.truncated", Value::Bool(true)));
            }
        }
        self.int("process.user.id", process.user_id.map(u64::from));
        self.text(
            "process.linux.cgroup",
            process.cgroup.as_deref().map(str::to_owned),
        );
    }

    fn int(&mut self, key: &'static str, value: Option<u64>) {
        if let Some(value) = value {
            self.0
                .push((key, Value::Int(i64::try_from(value).unwrap_or(i64::MAX))));
        }
    }

    fn text(&mut self, key: &'static str, value: Option<String>) {
        if let Some(value) = value {
            self.0.push((key, Value::Text(value)));
        }
    }

    fn exit(&mut self, detail: &ExitDetail, time: WallNanos) {
        // Destructured, so that a new figure cannot be forgotten here.
        let ExitDetail {
            end,
            cpu_ns,
            cpu_user_ns,
            cpu_system_ns,
            peak_rss_bytes,
            disk_read_bytes,
            disk_write_bytes,
            io_rchar,
            io_wchar,
            voluntary,
            involuntary,
            minor_faults,
            major_faults,
            runqueue_ns,
            threads,
        } = *detail;
        match end {
            Some(End::Code(code)) => self.int("process.exit.code", Some(u64::from(code))),
            Some(End::Signal {
                signal,
                core_dumped,
            }) => {
                self.int("sensor.exit.signal", Some(u64::from(signal)));
                self.0
                    .push(("sensor.exit.core_dumped", Value::Bool(core_dumped)));
            }
            None => {}
        }
        self.text("process.exit.time", Some(time.to_string()));
        self.int("sensor.cpu.time_ns", cpu_ns);
        self.int("sensor.cpu.user_ns", cpu_user_ns);
        self.int("sensor.cpu.system_ns", cpu_system_ns);
        self.int("sensor.memory.peak_rss_bytes", peak_rss_bytes);
        self.int("sensor.disk.read_bytes", disk_read_bytes);
        self.int("sensor.disk.write_bytes", disk_write_bytes);
        self.int("sensor.io.rchar", io_rchar);
        self.int("sensor.io.wchar", io_wchar);
        self.int("sensor.context_switches.voluntary", voluntary);
        self.int("sensor.context_switches.involuntary", involuntary);
        self.int("sensor.faults.minor", minor_faults);
        self.int("sensor.faults.major", major_faults);
        self.int("sensor.runqueue.time_ns", runqueue_ns);
        self.int("sensor.threads", threads);
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
