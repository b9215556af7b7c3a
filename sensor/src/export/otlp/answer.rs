//! What the body of a successful answer says.

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceResponse, metrics::v1::ExportMetricsServiceResponse,
};
use prost::Message;

use super::{Outcome, Signal, reason};

/// Largest answer that is read; real ones have a few bytes.
pub(super) const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Reads an `Export…ServiceResponse`. Partial success is success: what was
/// rejected must not be sent again.
pub(super) fn delivered(signal: Signal, body: &[u8]) -> Outcome {
    let partial = match signal {
        Signal::Metrics => ExportMetricsServiceResponse::decode(body).map(|answer| {
            answer
                .partial_success
                .map(|partial| (partial.rejected_data_points, partial.error_message))
        }),
        Signal::Logs => ExportLogsServiceResponse::decode(body).map(|answer| {
            answer
                .partial_success
                .map(|partial| (partial.rejected_log_records, partial.error_message))
        }),
    };
    match partial {
        Ok(partial) => {
            let (rejected, message) = partial.unwrap_or_default();
            Outcome::Delivered {
                rejected: rejected.max(0),
                message: reason::clean(&message),
            }
        }
        Err(_) => Outcome::Refused {
            reason: "the answer is not OTLP".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsPartialSuccess;

    use super::*;

    #[test]
    fn partial_success_is_read() {
        let body = ExportMetricsServiceResponse {
            partial_success: Some(ExportMetricsPartialSuccess {
                rejected_data_points: 3,
                error_message: "too\nold".to_owned(),
            }),
        }
        .encode_to_vec();
        assert_eq!(
            delivered(Signal::Metrics, &body),
            Outcome::Delivered {
                rejected: 3,
                message: "too old".to_owned()
            }
        );
        assert_eq!(
            delivered(Signal::Logs, b""),
            Outcome::Delivered {
                rejected: 0,
                message: String::new()
            }
        );
        assert!(matches!(
            delivered(Signal::Metrics, b"\xff\xff nonsense"),
            Outcome::Refused { .. }
        ));
    }
}
