//! The export stage against a real collector, and against ones that
//! misbehave.
//!
//! Needs the collector rotel: `pip install rotel==0.0.1a15`, or its binary in
//! `$SENSOR_ROTEL`.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

#[path = "collector/arrival.rs"]
mod arrival;
#[path = "collector/failure.rs"]
mod failure;
#[path = "collector/queue.rs"]
mod queue;
#[path = "collector/secure.rs"]
mod secure;

use std::time::Duration;

use sensor::export::{
    otlp::{Compression, Headers, OtlpConfig, Outcome, Protocol, Sender, Signal, TlsConfig},
    wire::{self, MAX_REQUEST_BYTES},
};
use sensor_tests::{background::Background, samples, sensor::LIMIT};

/// Longest wait for what happens at once on a machine that is not loaded.
const SOON: Duration = Duration::from_secs(20);

fn config(endpoint: String, protocol: Protocol) -> OtlpConfig {
    OtlpConfig {
        endpoint: Some(endpoint),
        protocol,
        ..OtlpConfig::default()
    }
}

/// Sends one report of `service`, in one try.
fn send_metrics(config: &OtlpConfig, service: &str) -> Outcome {
    let otlp = config.check().expect("the configuration is good");
    let [batch] = wire::metric_batches(
        &samples::report(service),
        &samples::host(),
        MAX_REQUEST_BYTES,
    )
    .try_into()
    .expect("one report is one request");
    let mut sender = Sender::new(&otlp, Signal::Metrics).unwrap();
    Background::start().wait(sender.send(batch.bytes))
}

fn delivered() -> Outcome {
    Outcome::Delivered {
        rejected: 0,
        message: String::new(),
    }
}

/// The reason of a failure that is worth another try.
fn retry_reason(outcome: Outcome) -> String {
    match outcome {
        Outcome::Retry { reason, .. } => reason,
        other => panic!("not to be tried again: {other:?}"),
    }
}
