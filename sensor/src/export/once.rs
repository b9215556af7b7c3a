//! One report, one try: the export of `--run-once`.

use std::time::Duration;

use super::{
    host::HostResource,
    otlp::{Otlp, Outcome, Sender, Signal},
    wire::{MAX_REQUEST_BYTES, metric_batches},
};
use crate::aggregate::report::Report;

/// Longest time for the whole export (contract Q7).
const LIMIT: Duration = Duration::from_secs(10);

/// Why a report did not arrive; displayed as the line that the user sees.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Failed to export metrics: {target}: {reason}")]
pub struct SendError {
    /// `host:port`.
    pub target: String,
    /// One short line.
    pub reason: String,
}

/// Sends a report, trying each address once: 4 s at most where there is no
/// connection, 10 s at most where there is no answer. A report without a
/// single data point is not sent, nor is any where metrics have no endpoint.
///
/// # Errors
///
/// The collector was not reached, refused the report, or took nothing of it.
pub async fn send_once(otlp: &Otlp, host: &HostResource, report: &Report) -> Result<(), SendError> {
    let otlp = otlp.clone().with_timeout_limit(LIMIT);
    let Some(mut sender) = Sender::new(&otlp, Signal::Metrics) else {
        return Ok(());
    };
    let target = sender.target().to_string();
    let all = async {
        for batch in metric_batches(report, host, MAX_REQUEST_BYTES) {
            match sender.send(batch.bytes).await {
                Outcome::Delivered { rejected: 0, .. } => {}
                Outcome::Delivered { rejected, message } => {
                    partial(&target, rejected, batch.records, message)?;
                }
                Outcome::Retry { reason, .. } | Outcome::Refused { reason } => {
                    return Err(reason);
                }
            }
        }
        Ok(())
    };
    let result = tokio::time::timeout(LIMIT, all)
        .await
        .unwrap_or_else(|_| Err(format!("timed out after {} s", LIMIT.as_secs())));
    result.map_err(|reason| SendError { target, reason })
}

/// A part taken is delivered, with a warning; nothing taken is not.
fn partial(target: &str, rejected: i64, records: u64, message: String) -> Result<(), String> {
    let mut reason = format!("{rejected} of {records} data points rejected");
    if !message.is_empty() {
        reason = format!("{reason}: {message}");
    }
    if u64::try_from(rejected).is_ok_and(|rejected| rejected >= records) {
        return Err(reason);
    }
    tracing::warn!("Exported metrics in part: {target}: {reason}");
    Ok(())
}
