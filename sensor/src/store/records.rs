//! The values in the tables: protobuf messages, so that a field may be added
//! without a new schema version. Times are ns since 1970, UTC.

use prost::Message;

/// A step in the history of the schema.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Change {
    /// Release of the sensor that made it.
    #[prost(string, tag = "1")]
    pub release: String,
    /// When.
    #[prost(uint64, tag = "2")]
    pub time_ns: u64,
}

/// A host.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Host {
    /// `host.id`.
    #[prost(string, tag = "1")]
    pub id: String,
    /// When it was first seen.
    #[prost(uint64, tag = "2")]
    pub first_seen_ns: u64,
    /// When it was last seen.
    #[prost(uint64, tag = "3")]
    pub last_seen_ns: u64,
}

/// A service namespace.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Namespace {
    /// When it was first seen.
    #[prost(uint64, tag = "1")]
    pub first_seen_ns: u64,
    /// When it was last seen.
    #[prost(uint64, tag = "2")]
    pub last_seen_ns: u64,
}

/// A service.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Service {
    /// `service.instance.id`, a UUID in its usual form.
    #[prost(string, tag = "1")]
    pub instance_id: String,
    /// `service.name`.
    #[prost(string, tag = "2")]
    pub name: String,
    /// `service.namespace`.
    #[prost(string, tag = "3")]
    pub namespace: String,
    /// The display rule applied to the sanitized name.
    #[prost(string, tag = "4")]
    pub display_name: String,
    /// `service.version`; empty where the plugin says none.
    #[prost(string, tag = "5")]
    pub version: String,
    /// What the plugin says it is.
    #[prost(string, tag = "6")]
    pub description: String,
    /// When it first had a member.
    #[prost(uint64, tag = "7")]
    pub first_seen_ns: u64,
    /// When it was last reported.
    #[prost(uint64, tag = "8")]
    pub last_seen_ns: u64,
    /// The sanitized name.
    #[prost(string, tag = "9")]
    pub service_id: String,
    /// The plugin.
    #[prost(string, tag = "10")]
    pub plugin: String,
    /// The group, where the plugin makes groups.
    #[prost(string, optional, tag = "11")]
    pub group: Option<String>,
}

/// A metric.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Metric {
    /// A UUID in its usual form.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The display rule applied to the name.
    #[prost(string, tag = "2")]
    pub display_name: String,
    /// UCUM unit.
    #[prost(string, tag = "3")]
    pub unit: String,
    /// `gauge`, `counter`, `updowncounter` or `histogram`.
    #[prost(string, tag = "4")]
    pub kind: String,
    /// Decimals that people are shown.
    #[prost(uint32, tag = "5")]
    pub decimals: u32,
    /// It is a share, shown in percent.
    #[prost(bool, tag = "6")]
    pub is_percentage: bool,
    /// It is a whole number.
    #[prost(bool, tag = "7")]
    pub is_counter: bool,
}

/// Where the series of a service, or of a group, go on after a restart.
#[derive(Clone, PartialEq, Message)]
pub struct Totals {
    /// The moment from which its series count.
    #[prost(uint64, tag = "1")]
    pub start_ns: u64,
    /// The sum over members since they joined, counter by counter.
    #[prost(uint64, repeated, tag = "2")]
    pub counted: Vec<u64>,
    /// Whether each counter was ever known.
    #[prost(bool, repeated, tag = "3")]
    pub known: Vec<bool>,
    /// Members that began as such.
    #[prost(uint64, tag = "4")]
    pub starts: u64,
    /// Members that ended, by how.
    #[prost(message, repeated, tag = "5")]
    pub exits: Vec<Exits>,
    /// Lifetimes, s.
    #[prost(message, optional, tag = "6")]
    pub lifetime: Option<Distribution>,
    /// Peak resident memory at exit, bytes.
    #[prost(message, optional, tag = "7")]
    pub peak: Option<Distribution>,
    /// Members that live.
    #[prost(message, repeated, tag = "8")]
    pub members: Vec<Member>,
    /// Counters of the plugin's own.
    #[prost(message, repeated, tag = "9")]
    pub custom: Vec<CustomCounter>,
    /// What the scheduler's hook has counted, where it did.
    #[prost(message, optional, tag = "10")]
    pub scheduled: Option<Scheduled>,
}

/// What the scheduler's hook has counted of a service.
#[derive(Clone, PartialEq, Message)]
pub struct Scheduled {
    /// Waits for a CPU, s.
    #[prost(message, optional, tag = "1")]
    pub latency: Option<Distribution>,
    /// Times on a CPU, s.
    #[prost(message, optional, tag = "2")]
    pub burst: Option<Distribution>,
    /// Departures from a CPU of threads that could have gone on.
    #[prost(uint64, tag = "3")]
    pub preemptions: u64,
}

/// A counter of a plugin's own.
#[derive(Clone, PartialEq, Message)]
pub struct CustomCounter {
    /// Its name.
    #[prost(string, tag = "1")]
    pub metric: String,
    /// What was counted so far.
    #[prost(message, optional, tag = "2")]
    pub total: Option<Number>,
    /// The last number of each member.
    #[prost(message, repeated, tag = "3")]
    pub last: Vec<Last>,
}

/// The last number of a member.
#[derive(Clone, PartialEq, Message)]
pub struct Last {
    /// Thread group id; absent where the file is the same for all.
    #[prost(uint32, optional, tag = "1")]
    pub pid: Option<u32>,
    /// Its start in clock ticks.
    #[prost(uint64, tag = "2")]
    pub start: u64,
    /// The number.
    #[prost(message, optional, tag = "3")]
    pub number: Option<Number>,
}

/// A number of either kind.
#[derive(Clone, PartialEq, Message)]
pub struct Number {
    /// Without a fraction.
    #[prost(sint64, optional, tag = "1")]
    pub int: Option<i64>,
    /// With one.
    #[prost(double, optional, tag = "2")]
    pub double: Option<f64>,
}

/// How many members ended in one way.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Exits {
    /// Exit code; at most one of code and signal is there, neither where a
    /// loss hid it.
    #[prost(uint32, optional, tag = "1")]
    pub code: Option<u32>,
    /// Signal number.
    #[prost(uint32, optional, tag = "2")]
    pub signal: Option<u32>,
    /// How many.
    #[prost(uint64, tag = "3")]
    pub count: u64,
}

/// A base-2 exponential histogram.
#[derive(Clone, PartialEq, Message)]
pub struct Distribution {
    /// How many values.
    #[prost(uint64, tag = "1")]
    pub count: u64,
    /// Their sum.
    #[prost(double, tag = "2")]
    pub sum: f64,
    /// The least.
    #[prost(double, optional, tag = "3")]
    pub min: Option<f64>,
    /// The greatest.
    #[prost(double, optional, tag = "4")]
    pub max: Option<f64>,
    /// Resolution.
    #[prost(sint32, tag = "5")]
    pub scale: i32,
    /// Values that are zero.
    #[prost(uint64, tag = "6")]
    pub zero_count: u64,
    /// Index of the first bucket.
    #[prost(sint32, tag = "7")]
    pub offset: i32,
    /// Counts of the buckets.
    #[prost(uint64, repeated, tag = "8")]
    pub counts: Vec<u64>,
}

/// A member that lives.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Member {
    /// Thread group id.
    #[prost(uint32, tag = "1")]
    pub pid: u32,
    /// Start on CLOCK_BOOTTIME, ns; from a scan whole clock ticks.
    #[prost(uint64, tag = "2")]
    pub start_ns: u64,
    /// What it has used in its whole life, counter by counter.
    #[prost(message, repeated, tag = "3")]
    pub life: Vec<Known>,
}

/// A number that may be unknown.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Known {
    /// The number.
    #[prost(uint64, optional, tag = "1")]
    pub value: Option<u64>,
}

/// A host that the framework knew.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LegacyHost {
    /// What it called it.
    #[prost(string, tag = "1")]
    pub host_name: String,
    /// When it first saw it; 0 where it does not say.
    #[prost(uint64, tag = "2")]
    pub first_seen_ns: u64,
    /// When it last saw it; 0 where it does not say.
    #[prost(uint64, tag = "3")]
    pub last_seen_ns: u64,
}

/// A service that the framework knew.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LegacyService {
    /// The sanitized name of the plugin.
    #[prost(string, tag = "1")]
    pub full_name: String,
    /// How people were shown it.
    #[prost(string, tag = "2")]
    pub display_name: String,
    /// The version of the plugin.
    #[prost(string, tag = "3")]
    pub version: String,
    /// What the plugin said it is.
    #[prost(string, tag = "4")]
    pub description: String,
    /// Its namespace.
    #[prost(string, tag = "5")]
    pub namespace: String,
    /// The framework's id of its host.
    #[prost(string, tag = "6")]
    pub host_id: String,
    /// When the framework first saw it; 0 where it does not say.
    #[prost(uint64, tag = "7")]
    pub first_seen_ns: u64,
    /// When the framework last saw it; 0 where it does not say.
    #[prost(uint64, tag = "8")]
    pub last_seen_ns: u64,
}

/// The bytes of a value.
#[must_use]
pub fn encode(record: &impl Message) -> Vec<u8> {
    record.encode_to_vec()
}

/// A value, where its bytes are one.
///
/// # Errors
///
/// What is wrong with the bytes.
pub fn decode<R: Message + Default>(bytes: &[u8]) -> Result<R, redb::StorageError> {
    R::decode(bytes).map_err(|error| redb::StorageError::Corrupted(error.to_string()))
}
