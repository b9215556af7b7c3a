//! One request to one collector: gRPC or HTTP, in the clear or under TLS.
//!
//! The answer is judged as the OTLP specification 1.x asks
//! (<https://opentelemetry.io/docs/specs/otlp/>): delivered, try again, or
//! refused for good.

mod answer;
mod checked;
pub(crate) mod codec;
mod config;
mod connect;
#[doc(hidden)]
pub mod foreign;
mod grpc;
mod http;
pub(crate) mod post;
mod reason;
mod target;
pub(crate) mod tls;

use std::{fmt, time::Duration};

use bytes::Bytes;

pub use config::{Compression, ConfigError, OtlpConfig, TlsConfig};
pub use connect::reach;
pub use target::{Otlp, Target};

pub use crate::config::{Headers, Protocol};

/// A kind of data that has its own service, path and queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Reports.
    Metrics,
    /// Process events.
    Logs,
}

impl Signal {
    /// `metrics` or `logs`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// Its number in the store's queue; never to be changed.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Metrics => 1,
            Self::Logs => 2,
        }
    }

    /// What a record of the signal is called in messages.
    #[must_use]
    pub fn records(self) -> &'static str {
        match self {
            Self::Metrics => "data points",
            Self::Logs => "log records",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What became of one request. Reasons are one short line for people, with no
/// control characters whatever the collector sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The collector took it, perhaps not all of it; nothing is to be sent
    /// again.
    Delivered {
        /// Data points or log records that it did not take.
        rejected: i64,
        /// What it says about that, or a warning; often empty.
        message: String,
    },
    /// The collector was not reached, or is not ready.
    Retry {
        /// How long it asks to be left alone.
        after: Option<Duration>,
        /// Why.
        reason: String,
    },
    /// The collector does not want this request, now or later.
    Refused {
        /// Why.
        reason: String,
    },
}

/// Sends the requests of one signal, one at a time, over a connection that it
/// opens when needed and keeps.
pub struct Sender {
    transport: Transport,
    target: Target,
    timeout: Duration,
}

enum Transport {
    Grpc(Box<grpc::GrpcSender>),
    Http(Box<http::HttpSender>),
}

impl Sender {
    /// A sender that is not connected yet; `None` where the signal has no
    /// endpoint.
    #[must_use]
    pub fn new(otlp: &Otlp, signal: Signal) -> Option<Self> {
        let target = otlp.target(signal)?.clone();
        let connector = connect::Connector::new(&target, otlp);
        let transport = match otlp.protocol {
            Protocol::Grpc => Transport::Grpc(Box::new(grpc::GrpcSender::new(
                otlp, signal, &target, connector,
            ))),
            Protocol::HttpProtobuf => Transport::Http(Box::new(http::HttpSender::new(
                otlp, signal, &target, connector,
            ))),
        };
        Some(Self {
            transport,
            target,
            timeout: otlp.timeout,
        })
    }

    /// Where the requests go.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Sends one encoded `Export…ServiceRequest` and waits for the answer, no
    /// longer than the configured timeout. Needs a tokio runtime with I/O and
    /// time.
    pub async fn send(&mut self, request: Bytes) -> Outcome {
        let attempt = async {
            match &mut self.transport {
                Transport::Grpc(sender) => sender.send(request).await,
                Transport::Http(sender) => sender.send(request).await,
            }
        };
        match tokio::time::timeout(self.timeout, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.disconnect();
                Outcome::Retry {
                    after: None,
                    reason: format!("timed out after {}", reason::seconds(self.timeout)),
                }
            }
        }
    }

    /// Drops a connection that cannot be trusted any more.
    fn disconnect(&mut self) {
        match &mut self.transport {
            Transport::Grpc(sender) => sender.disconnect(),
            Transport::Http(sender) => sender.disconnect(),
        }
    }
}
