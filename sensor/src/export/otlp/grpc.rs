//! OTLP over gRPC: unary calls whose messages are encoded already.

use std::{error::Error, time::Duration};

use ::http::{HeaderMap, Uri, uri::PathAndQuery};
use bytes::Bytes;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::CompressionEncoding,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt;

use super::{
    Compression, Otlp, Outcome, Signal, Target, answer, checked::Checked, codec::Encoded,
    connect::Connector, reason,
};

const USER_AGENT: &str = concat!("sensor/", env!("CARGO_PKG_VERSION"));

pub(super) struct GrpcSender {
    endpoint: Endpoint,
    connector: Connector,
    channel: Option<Channel>,
    signal: Signal,
    compression: Compression,
    headers: HeaderMap,
}

impl GrpcSender {
    pub(super) fn new(otlp: &Otlp, signal: Signal, target: &Target, connector: Connector) -> Self {
        Self {
            endpoint: endpoint(target),
            connector,
            channel: None,
            signal,
            compression: otlp.compression,
            headers: otlp.headers.clone(),
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.channel = None;
    }

    pub(super) async fn send(&mut self, body: Bytes) -> Outcome {
        let channel = self
            .channel
            .get_or_insert_with(|| {
                self.endpoint
                    .connect_with_connector_lazy(self.connector.clone())
            })
            .clone();
        let mut client =
            Grpc::new(Checked(channel)).max_decoding_message_size(answer::MAX_ANSWER_BYTES);
        if self.compression == Compression::Gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        if let Err(error) = client.ready().await {
            return self.broken(&error);
        }
        let mut request = Request::new(body);
        *request.metadata_mut() = MetadataMap::from_headers(self.headers.clone());
        let path = PathAndQuery::from_static(match self.signal {
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        });
        match client.unary(request, path, Encoded).await {
            Ok(response) => answer::delivered(self.signal, response.get_ref()),
            Err(status) => match status.source() {
                Some(source) => self.broken(source),
                None => judge(&status),
            },
        }
    }

    /// No answer of the collector's: the connection is given up.
    fn broken(&mut self, error: &(dyn Error + 'static)) -> Outcome {
        self.disconnect();
        Outcome::Retry {
            after: None,
            reason: self
                .connector
                .trouble()
                .take()
                .unwrap_or_else(|| reason::transport(error)),
        }
    }
}

/// TLS is the connector's, and tonic takes `https` only with its own: so it
/// is told `http`, and the true scheme as the origin that requests show.
fn endpoint(target: &Target) -> Endpoint {
    let authority = target.to_string();
    let uri = |scheme: &str| {
        Uri::builder()
            .scheme(scheme)
            .authority(authority.as_str())
            .path_and_query("/")
            .build()
            .unwrap_or_default()
    };
    let endpoint = Endpoint::from(uri("http"));
    let endpoint = if target.secure {
        endpoint.origin(uri("https"))
    } else {
        endpoint
    };
    endpoint.clone().user_agent(USER_AGENT).unwrap_or(endpoint)
}

/// How tonic tells of an HTTP answer without a gRPC status.
const NO_STATUS: &str = "grpc-status header missing, mapped from HTTP status code";

/// Which statuses are worth another try (OTLP specification, "Failures").
pub(super) fn judge(status: &Status) -> Outcome {
    let reason = match reason::clean(status.message()) {
        message if message.starts_with(NO_STATUS) => format!(
            "HTTP status {} instead of a gRPC answer; is it a port for gRPC?",
            message[NO_STATUS.len()..].trim_start()
        ),
        message if message.is_empty() => format!("gRPC status {}", name_of(status.code())),
        message => format!("gRPC status {}: {message}", name_of(status.code())),
    };
    let retry_info = status.get_details_retry_info();
    let after: Option<Duration> = retry_info.as_ref().and_then(|info| info.retry_delay);
    let retry = match status.code() {
        // tonic's servers say so to a request over their limit, which the
        // next try would be again.
        Code::OutOfRange => !status.message().contains("message length too large"),
        Code::ResourceExhausted => retry_info.is_some(),
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Unavailable
        | Code::DataLoss => true,
        _ => false,
    };
    if retry {
        Outcome::Retry { after, reason }
    } else {
        Outcome::Refused { reason }
    }
}

/// Names as in the gRPC documentation.
fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn statuses_are_judged_as_the_specification_asks() {
        for (code, retried) in [
            (Code::Cancelled, true),
            (Code::DeadlineExceeded, true),
            (Code::Aborted, true),
            (Code::OutOfRange, true),
            (Code::Unavailable, true),
            (Code::DataLoss, true),
            (Code::ResourceExhausted, false),
            (Code::Unknown, false),
            (Code::InvalidArgument, false),
            (Code::NotFound, false),
            (Code::AlreadyExists, false),
            (Code::PermissionDenied, false),
            (Code::Unauthenticated, false),
            (Code::FailedPrecondition, false),
            (Code::Unimplemented, false),
            (Code::Internal, false),
        ] {
            let outcome = judge(&Status::new(code, "because\nof this"));
            let reason = match outcome {
                Outcome::Retry { after, reason } if retried => {
                    assert_eq!(after, None);
                    reason
                }
                Outcome::Refused { reason } if !retried => reason,
                other => panic!("{code:?}: {other:?}"),
            };
            assert_eq!(
                reason,
                format!("gRPC status {}: because of this", name_of(code))
            );
        }
    }

    #[test]
    fn an_exhausted_collector_that_names_a_delay_is_tried_again() {
        let status = Status::with_error_details(
            Code::ResourceExhausted,
            "full",
            ErrorDetails::with_retry_info(Some(Duration::from_secs(7))),
        );
        assert_eq!(
            judge(&status),
            Outcome::Retry {
                after: Some(Duration::from_secs(7)),
                reason: "gRPC status RESOURCE_EXHAUSTED: full".to_owned()
            }
        );
    }
}
