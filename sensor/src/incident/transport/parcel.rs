//! What is sent: an incident, scrubbed, as JSON.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{incident::record::Incident, output, scrub::Scrubber};

/// One incident on its way. Nothing else reaches a transport, and only what
/// was scrubbed becomes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel(Bytes);

impl Parcel {
    /// Scrubs an incident and packs it: the one way from there to here.
    #[must_use]
    pub fn of(mut incident: Incident, scrubber: &Scrubber) -> Self {
        incident.scrub(scrubber);
        Self(output::incident::json(&incident).into())
    }

    /// What was a parcel before it lay in a queue.
    pub(super) fn read(json: Bytes) -> Self {
        Self(json)
    }

    /// A parcel of any JSON, for tests.
    #[cfg(test)]
    pub(crate) fn of_json(json: &Value) -> Self {
        Self(json.to_string().into())
    }

    /// One JSON object in one line, without the line's end.
    #[must_use]
    pub fn json(&self) -> &Bytes {
        &self.0
    }

    /// Its keys; none where the bytes are no JSON object, which a disk may
    /// have done.
    #[must_use]
    pub fn object(&self) -> Map<String, Value> {
        serde_json::from_slice(&self.0).unwrap_or_default()
    }
}
