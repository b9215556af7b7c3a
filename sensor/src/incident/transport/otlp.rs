//! `type = "otlp"`: log records to the collector of `[export.otlp]`.

use std::{sync::Arc, time::Duration};

use super::{BuildError, Kind, Parcel, Sending, Settings, Surroundings, Transport};
use crate::export::{
    HostResource,
    otlp::{Sender, Signal},
    wire,
};

/// The type `otlp`; it has no keys of its own.
pub static KIND: Kind = Kind {
    name: "otlp",
    number: 16,
    read: |_| Arc::new(Collector),
};

#[derive(Debug)]
struct Collector;

impl Settings for Collector {
    fn shown(&self) -> Vec<(&'static str, toml::Value)> {
        Vec::new()
    }

    fn build(&self, surroundings: &Surroundings) -> Result<Box<dyn Transport>, BuildError> {
        let otlp = surroundings.otlp.as_ref();
        let sender = otlp.and_then(|otlp| Sender::new(otlp, Signal::Logs));
        let Some(sender) = sender else {
            let reason = "no endpoint is configured".to_owned();
            return Err(BuildError::Unavailable(reason));
        };
        Ok(Box::new(Records {
            sender,
            host: surroundings.host.clone(),
        }))
    }
}

struct Records {
    sender: Sender,
    host: HostResource,
}

impl Transport for Records {
    fn target(&self) -> String {
        format!("otlp {}", self.sender.target())
    }

    fn send<'a>(&'a mut self, parcel: &'a Parcel) -> Sending<'a> {
        let request = wire::incident_request(&parcel.object(), &self.host);
        Box::pin(self.sender.send(request))
    }

    /// The sender has the configured one.
    fn limit(&self) -> Duration {
        Duration::MAX
    }
}
