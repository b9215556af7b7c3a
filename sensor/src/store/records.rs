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
