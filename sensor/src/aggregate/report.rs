//! What one interval has to say: the last core type before the wire.

use std::{borrow::Cow, ops::Range, sync::Arc};

use uuid::Uuid;

use crate::units::WallNanos;

/// The services that were due at one tick.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// The moment that all figures are of.
    pub time: WallNanos,
    /// One entry a service and group, ordered by service name, then group.
    pub services: Vec<ServiceReport>,
}

/// One service (and group): one OTLP Resource.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceReport {
    /// Who it is.
    pub identity: Arc<ServiceIdentity>,
    /// Living members.
    pub process_count: u64,
    /// Thread group ids of the members, ascending.
    pub pids: Vec<u32>,
    /// What is shown of it whatever its metrics are called.
    pub overview: Overview,
    /// The members that have series of their own, the largest first.
    pub top: Vec<TopMember>,
    /// Its metrics; what could not be read is left out. Points of single
    /// members have the attribute [`PROCESS_PID`].
    pub metrics: Vec<Metric>,
    /// Where in [`Self::metrics`] the plugin's own are.
    pub own: Range<usize>,
    /// Series that end with this report: they have no value, and the collector
    /// is told once that none will come.
    pub ended: Vec<Metric>,
}

/// The attribute that tells the series of one member from those of its
/// service.
pub const PROCESS_PID: &str = "process.pid";

/// The figures that people look at first; `None`: unknown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Overview {
    /// CPU time per elapsed time, both modes.
    pub utilization: Option<f64>,
    /// CPU time, both modes.
    pub cpu_seconds: Option<f64>,
    /// Resident memory.
    pub rss_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Starts of members.
    pub starts: Option<u64>,
    /// Ends of members.
    pub exits: Option<u64>,
}

/// A member that has series of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct TopMember {
    /// Its thread group id.
    pub pid: u32,
    /// Name of its executable file, where it is known.
    pub name: Option<String>,
    /// Its figures; CPU time of its whole life.
    pub overview: Overview,
}

/// The stable part of a service: what becomes its OTLP Resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceIdentity {
    /// `service.name`.
    pub name: String,
    /// `service.namespace`.
    pub namespace: String,
    /// `service.instance.id`.
    pub instance_id: Uuid,
    /// `service.version`: the plugin's.
    pub version: Option<String>,
    /// What the plugin says it is.
    pub description: Option<String>,
    /// Name of the plugin that declares it.
    pub plugin: String,
    /// `sensor.group`, where the plugin groups.
    pub group: Option<String>,
    /// The plugin's own resource attributes.
    pub attributes: Vec<(String, String)>,
}

/// One metric with all its series.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// OpenTelemetry's name, a legacy one, or the plugin's own.
    pub name: Cow<'static, str>,
    /// UCUM unit; a legacy or own metric has the unit that was given to it.
    pub unit: Cow<'static, str>,
    /// What it is, one sentence; of legacy and own metrics the display name.
    pub description: Cow<'static, str>,
    /// How its values behave.
    pub instrument: Instrument,
    /// Its series.
    pub points: Vec<Point>,
}

/// How the values of a metric behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instrument {
    /// A monotonic, cumulative sum.
    Counter,
    /// A cumulative sum that may fall.
    UpDownCounter,
    /// A value of the moment.
    Gauge,
    /// A cumulative exponential histogram.
    ExponentialHistogram,
}

impl Instrument {
    /// The name used in JSON output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::UpDownCounter => "updowncounter",
            Self::Gauge => "gauge",
            Self::ExponentialHistogram => "exponential_histogram",
        }
    }
}

/// One series of a metric at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Attributes in a fixed order.
    pub attributes: Vec<(&'static str, AttributeValue)>,
    /// The moment from which a sum or histogram counts; a gauge has none.
    pub start: Option<WallNanos>,
    /// The value.
    pub value: PointValue,
}

/// An attribute of a series.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AttributeValue {
    /// Text.
    Text(Cow<'static, str>),
    /// A whole number.
    Int(i64),
}

/// The value of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum PointValue {
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Double(f64),
    /// A distribution.
    Histogram(Box<HistogramValue>),
}

/// A distribution in base-2 exponential buckets (OpenTelemetry data model,
/// "ExponentialHistogram"): bucket `i` holds values in
/// `(base^i, base^(i+1)]` with `base = 2^(2^-scale)`.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramValue {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The least; absent without values.
    pub min: Option<f64>,
    /// The greatest; absent without values.
    pub max: Option<f64>,
    /// Resolution.
    pub scale: i32,
    /// Values that are zero.
    pub zero_count: u64,
    /// Index of the first positive bucket.
    pub offset: i32,
    /// Counts of the positive buckets.
    pub counts: Vec<u64>,
}
