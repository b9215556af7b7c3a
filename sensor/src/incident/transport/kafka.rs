//! `type = "kafka"`: records of a topic.

use std::sync::Arc;

use super::{Kind, Settings, shown_tls, tls};
use crate::{
    config::{
        item::{Choice, Item, shown},
        reader::Table,
        set,
    },
    export::otlp::TlsConfig,
};

/// The type `kafka`.
pub static KIND: Kind = Kind {
    name: "kafka",
    number: 40,
    read,
};

/// The port that a broker has where nobody says.
const PORT: u16 = 9092;

#[derive(Debug, Clone)]
struct Topic {
    /// `host:port`
    brokers: Vec<String>,
    topic: String,
    encoding: Encoding,
    tls: Option<TlsConfig>,
}

/// What is in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// The incident as JSON.
    Json,
    /// An encoded `ExportLogsServiceRequest`, as the Kafka receiver of the
    /// OpenTelemetry Collector reads it.
    OtlpProto,
}

impl Choice for Encoding {
    const NAMES: &'static [(&'static str, Self)] =
        &[("json", Self::Json), ("otlp_proto", Self::OtlpProto)];
}

fn read(table: &mut Table<'_>) -> Arc<dyn Settings> {
    let mut topic = Topic {
        brokers: Vec::new(),
        topic: "homeostasis-errors".to_owned(),
        encoding: Encoding::Json,
        tls: None,
    };
    if let Some(item) = table.require("brokers") {
        for (element, text) in item.strings().unwrap_or_default() {
            match broker(&text) {
                Ok(broker) => topic.brokers.push(broker),
                Err(message) => element.fault(message),
            }
        }
        if item.is_empty_array() {
            item.fault("names nobody; write at least one \"host:9092\"".to_owned());
        }
    }
    set(&mut topic.topic, table.take("topic"), topic_name);
    set(&mut topic.encoding, table.take("encoding"), |item| {
        item.choice()
    });
    topic.tls = tls(table);
    Arc::new(topic)
}

/// `host:port`; the port may be left out.
fn broker(text: &str) -> Result<String, String> {
    let wrong = || {
        format!(
            "`{}` is not a broker; write it as host:{PORT}, without a scheme",
            shown(text)
        )
    };
    let address = text.rsplit_once(':');
    let (host, port) = match address {
        // An IPv6 address has colons of its own.
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse().map_err(|_| wrong())?)
        }
        _ => (text, PORT),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if bare.is_empty() || port == 0 || !bare.bytes().all(name) {
        return Err(wrong());
    }
    Ok(match bare.contains(':') {
        true => format!("[{bare}]:{port}"),
        false => format!("{bare}:{port}"),
    })
}

/// What Kafka takes as a name (`org.apache.kafka.common.internals.Topic`).
fn topic_name(item: &Item<'_>) -> Option<String> {
    let name = item.name()?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.len() > 249 || name == "." || name == ".." || !name.bytes().all(legal) {
        item.fault(format!(
            "`{}` is not the name of a topic: letters, digits, `.`, `_` and `-`, at most 249",
            shown(&name)
        ));
        return None;
    }
    Some(name)
}

impl Settings for Topic {
    fn shown(&self) -> Vec<(&'static str, toml::Value)> {
        let brokers = self.brokers.iter().map(|broker| broker.as_str().into());
        vec![
            ("brokers", toml::Value::Array(brokers.collect())),
            ("topic", self.topic.as_str().into()),
            ("encoding", self.encoding.name().into()),
            ("tls", shown_tls(self.tls.as_ref())),
        ]
    }
}
