//! `type = "otlp"`: log records to the collector of `[export.otlp]`.

use std::sync::Arc;

use super::{Kind, Settings};

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
}
