//! `type = "kafka"`: records of a topic.

use std::{hash::Hasher, sync::Arc, time::Duration};

use rskafka::{
    BackoffConfig,
    chrono::DateTime,
    client::{
        Client, ClientBuilder,
        error::{Error as KafkaError, ProtocolError},
        partition::{Compression, PartitionClient, UnknownTopicHandling},
    },
    record::Record,
};
use rustls::ClientConfig;

use super::{
    BuildError, Kind, Parcel, Sending, Settings, Surroundings, Transport, delivered, retry,
    shown_tls, tls,
};
use crate::{
    clock,
    config::{
        item::{Choice, Item, shown},
        reader::Table,
        set,
    },
    export::{
        HostResource,
        otlp::{Outcome, TlsConfig, tls::of_transport},
        wire,
    },
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

    fn build(&self, surroundings: &Surroundings) -> Result<Box<dyn Transport>, BuildError> {
        let tls = self.tls.as_ref();
        let tls = tls.map(|files| of_transport(files, None)).transpose()?;
        Ok(Box::new(Producer {
            settings: self.clone(),
            host: surroundings.host.clone(),
            tls,
            connection: None,
        }))
    }
}

struct Producer {
    settings: Topic,
    host: HostResource,
    tls: Option<Arc<ClientConfig>>,
    connection: Option<Connection>,
}

/// One client for each partition: which one gets an incident follows from its
/// fingerprint, so that repeats stay in order.
struct Connection {
    client: Client,
    partitions: Vec<i32>,
    open: Vec<(i32, PartitionClient)>,
}

impl Transport for Producer {
    fn target(&self) -> String {
        format!(
            "kafka {}, topic {}",
            self.settings.brokers.join(","),
            self.settings.topic
        )
    }

    fn send<'a>(&'a mut self, parcel: &'a Parcel) -> Sending<'a> {
        Box::pin(async move {
            match self.produce(parcel).await {
                Ok(()) => delivered(),
                Err(error) => {
                    // What it knew of the cluster may be wrong by now.
                    self.connection = None;
                    judged(&error)
                }
            }
        })
    }

    fn reset(&mut self) {
        self.connection = None;
    }
}

impl Producer {
    async fn produce(&mut self, parcel: &Parcel) -> Result<(), KafkaError> {
        let object = parcel.object();
        let key = object.get("sensor.incident.fingerprint");
        let key = key.and_then(|key| key.as_str()).map(str::to_owned);
        let value = match self.settings.encoding {
            Encoding::Json => parcel.json().to_vec(),
            Encoding::OtlpProto => wire::incident_request(&object, &self.host).to_vec(),
        };
        let record = Record {
            key: key.clone().map(String::into_bytes),
            value: Some(value),
            headers: std::collections::BTreeMap::new(),
            timestamp: DateTime::from_timestamp_nanos(
                i64::try_from(clock::wall().0).unwrap_or(i64::MAX),
            ),
        };
        let topic = &self.settings.topic;
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(&self.settings, self.tls.clone()).await?),
        };
        let partition = connection.partition_of(key.as_deref().unwrap_or_default());
        let client = connection.partition(topic, partition).await?;
        client
            .produce(vec![record], Compression::NoCompression)
            .await?;
        Ok(())
    }
}

/// Within the library: the queue tries again after that.
const PATIENCE: Duration = Duration::from_secs(5);

impl Connection {
    async fn open(settings: &Topic, tls: Option<Arc<ClientConfig>>) -> Result<Self, KafkaError> {
        let mut builder = ClientBuilder::new(settings.brokers.clone())
            .client_id("sensor")
            .max_message_size(4 << 20)
            .backoff_config(BackoffConfig {
                deadline: Some(PATIENCE),
                ..BackoffConfig::default()
            });
        if let Some(tls) = tls {
            builder = builder.tls_config(tls);
        }
        let client = builder.build().await?;
        let topics = client.list_topics().await?;
        let known = topics.into_iter().find(|one| one.name == settings.topic);
        // A topic that is not there yet may be made by the broker, when it is
        // first asked for.
        let partitions =
            known.map_or_else(Vec::new, |topic| topic.partitions.into_iter().collect());
        Ok(Self {
            client,
            partitions,
            open: Vec::new(),
        })
    }

    fn partition_of(&self, key: &str) -> i32 {
        let mut hash = std::hash::DefaultHasher::new();
        hash.write(key.as_bytes());
        let count = u64::try_from(self.partitions.len().max(1)).unwrap_or(1);
        let index = usize::try_from(hash.finish() % count).unwrap_or(0);
        self.partitions.get(index).copied().unwrap_or(0)
    }

    async fn partition(
        &mut self,
        topic: &str,
        partition: i32,
    ) -> Result<&PartitionClient, KafkaError> {
        if let Some(at) = self.open.iter().position(|one| one.0 == partition) {
            return Ok(&self.open[at].1);
        }
        let unknown = UnknownTopicHandling::Retry;
        let client = self
            .client
            .partition_client(topic, partition, unknown)
            .await?;
        self.open.push((partition, client));
        Ok(&self.open[self.open.len() - 1].1)
    }
}

/// What is wrong with the record will be wrong for ever.
fn judged(error: &KafkaError) -> Outcome {
    match error {
        KafkaError::ServerError { protocol_error, .. } => {
            let reason = protocol_error.to_string();
            match protocol_error {
                ProtocolError::MessageTooLarge
                | ProtocolError::RecordListTooLarge
                | ProtocolError::InvalidRecord
                | ProtocolError::InvalidTimestamp => Outcome::Refused { reason },
                _ => retry(reason),
            }
        }
        KafkaError::RetryFailed(failed) => {
            let cause = std::error::Error::source(failed);
            retry(cause.map_or_else(|| failed.to_string(), ToString::to_string))
        }
        other => retry(other.to_string()),
    }
}

#[cfg(test)]
#[path = "kafka_tests.rs"]
mod tests;
