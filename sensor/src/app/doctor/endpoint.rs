//! Whether the collector is there, and takes what the sensor would send.

use std::time::Duration;

use super::{Check, Status};
use crate::{
    app::{delivery, setup::Stop},
    cli::DoctorArgs,
    config::{Config, Environment, ExportFlags, export_settings},
    exit::Exit,
    export::otlp::{Otlp, Outcome, Sender, Signal, reach},
};

/// Longest wait for the answer to a request, beside that for a connection.
const ANSWER: Duration = Duration::from_secs(3);
const NAME: &str = "endpoint";

/// Connects to where each signal goes, with TLS where it is wanted, and sends
/// a request with nothing in it.
///
/// # Errors
///
/// Where the settings are wrong.
pub(super) fn check(args: &DoctorArgs, config: &Config) -> Result<Check, Stop> {
    let flags = ExportFlags {
        agent_host: args.agent_host.clone(),
        agent_port: args.agent_port,
        ..ExportFlags::default()
    };
    let settings = export_settings(&flags, &Environment::of_process(), config)
        .map_err(|problems| Stop::problems(Exit::Config, &problems))?;
    let nowhere = || Check::skipped(NAME, "none is set, nothing is exported");
    let Some(settings) = settings else {
        return Ok(nowhere());
    };
    let otlp = delivery::checked(&settings)?.with_timeout_limit(ANSWER);
    let runtime =
        delivery::runtime().map_err(|error| Stop::new(Exit::Software, error.to_string()))?;
    let mut asked: Vec<String> = Vec::new();
    let mut found: Option<Check> = None;
    for signal in [Signal::Metrics, Signal::Logs] {
        let Some(target) = otlp.target(signal) else {
            continue;
        };
        let address = target.to_string();
        if asked.contains(&address) {
            continue;
        }
        let check = runtime.block_on(ask(&otlp, signal, &address));
        asked.push(address);
        found = Some(match found {
            None => check,
            Some(before) => worse(before, check),
        });
    }
    // A resolver that hangs must not keep the doctor from ending.
    runtime.shutdown_background();
    Ok(found.unwrap_or_else(nowhere))
}

async fn ask(otlp: &Otlp, signal: Signal, address: &str) -> Check {
    if let Err(reason) = reach(otlp, signal).await {
        return Check::new(NAME, Status::Failed, format!("{address}: {reason}"))
            .remedy("start the collector, or correct host, port, TLS and firewall");
    }
    let detail = format!("{address} accepts connections");
    let answer = match Sender::new(otlp, signal) {
        Some(mut sender) => sender.send(Vec::new().into()).await,
        None => return Check::ok(NAME, detail),
    };
    match answer {
        Outcome::Delivered { .. } => Check::ok(NAME, format!("{detail} and OTLP")),
        Outcome::Retry { reason, .. } => {
            let detail = format!("{detail}, but does not take {}: {reason}", signal.name());
            Check::new(NAME, Status::Degraded, detail)
                .remedy("see the collector's log; is it a port for this protocol?")
        }
        Outcome::Refused { reason } => {
            let detail = format!("{address} refuses {}: {reason}", signal.name());
            Check::new(NAME, Status::Failed, detail)
                .remedy("correct the protocol, the path or the headers of [export.otlp]")
        }
    }
}

/// Both, where both have something to say; else the one that is worse.
fn worse(one: Check, two: Check) -> Check {
    let bad = |check: &Check| check.status != Status::Ok;
    match (bad(&one), bad(&two)) {
        (false, true) => two,
        (true, false) => one,
        (both, _) => {
            let failed = [&one, &two]
                .iter()
                .any(|check| check.status == Status::Failed);
            let status = match (both, failed) {
                (false, _) => Status::Ok,
                (true, false) => Status::Degraded,
                (true, true) => Status::Failed,
            };
            Check {
                status,
                detail: format!("{}; {}", one.detail, two.detail),
                ..one
            }
        }
    }
}
