//! The task that sends the requests of one queue, in order.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::lane::Lane;
use crate::export::{
    backoff::Backoff,
    otlp::{Outcome, Sender},
};

/// What carries a request; tests script it on a paused clock.
pub(crate) trait Transport: Send + 'static {
    fn send(&mut self, request: Bytes) -> impl Future<Output = Outcome> + Send;
    fn target(&self) -> String;
}

impl Transport for Sender {
    fn send(&mut self, request: Bytes) -> impl Future<Output = Outcome> + Send {
        Sender::send(self, request)
    }

    fn target(&self) -> String {
        Sender::target(self).to_string()
    }
}

/// Holds the moment at which draining ends, once it has begun; closed when
/// nobody is left to push.
pub(crate) type Stop = watch::Receiver<Option<Instant>>;

/// What a queue holds, for people.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goods {
    /// As in "failed to export …".
    pub(crate) name: &'static str,
    /// What is counted in a request.
    pub(crate) records: &'static str,
}

/// Sends until it is told to stop and nothing waits, or the drain is over.
pub(crate) async fn run(
    lane: Arc<Lane>,
    goods: Goods,
    mut transport: impl Transport,
    mut stop: Stop,
) {
    let mut backoff = Backoff::default();
    let mut health = Health::new(goods, transport.target());
    loop {
        let Some(batch) = lane.take() else {
            let draining = stop.borrow().is_some();
            if draining {
                return;
            }
            tokio::select! {
                () = lane.pushed.notified() => continue,
                result = stop.changed() => match result {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            }
        };
        let started = Instant::now();
        let last_try = stop.borrow().is_some();
        let outcome = tokio::select! {
            outcome = transport.send(batch.bytes) => outcome,
            () = drain_over(&mut stop) => Outcome::Retry {
                after: None,
                reason: "no answer before the sensor ended".to_owned(),
            },
        };
        lane.finish(batch.records, &outcome);
        health.observe(&outcome);
        let Outcome::Retry { after, .. } = outcome else {
            backoff.reset();
            continue;
        };
        if last_try {
            return;
        }
        let now = Instant::now();
        let next = match after {
            Some(after) => Backoff::asked(now, after),
            None => backoff.next(started, now),
        };
        if !pause(next, after.is_some(), &mut stop).await {
            return;
        }
    }
}

/// Waits until the next try is due. The start of a drain cuts it short, but
/// not a delay that the collector asked for; false: that delay is longer than
/// the drain.
async fn pause(next: Instant, asked: bool, stop: &mut Stop) -> bool {
    let deadline = tokio::select! {
        () = sleep_until(next) => return true,
        deadline = drain_begun(stop) => deadline,
    };
    if !asked {
        return deadline > Instant::now();
    }
    if next > deadline {
        return false;
    }
    sleep_until(next).await;
    true
}

/// When draining begins, the moment at which it ends.
async fn drain_begun(stop: &mut Stop) -> Instant {
    match stop.wait_for(Option::is_some).await {
        Ok(deadline) => deadline.unwrap_or_else(Instant::now),
        // Nobody waits for a drain.
        Err(_) => Instant::now(),
    }
}

async fn drain_over(stop: &mut Stop) {
    let deadline = drain_begun(stop).await;
    sleep_until(deadline).await;
}

/// Logs changes, not every try.
struct Health {
    goods: Goods,
    target: String,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    Partial,
    Bad,
    Refused,
}

impl Health {
    fn new(goods: Goods, target: String) -> Self {
        Self {
            goods,
            target,
            state: State::Good,
        }
    }

    fn observe(&mut self, outcome: &Outcome) {
        let Self { goods, target, .. } = self;
        let Goods {
            name: signal,
            records,
        } = goods;
        let (state, line) = match outcome {
            Outcome::Delivered { rejected: 0, .. } => (
                State::Good,
                format!("Exporting {signal} works again: {target}"),
            ),
            Outcome::Delivered { rejected, message } => (
                State::Partial,
                format!(
                    "Exported {signal} in part: {target}: {rejected} {records} rejected: {message}"
                ),
            ),
            Outcome::Retry { reason, .. } => (
                State::Bad,
                format!("Failed to export {signal}: {target}: {reason}"),
            ),
            Outcome::Refused { reason } => (
                State::Refused,
                format!("Failed to export {signal}: {target}: {reason}; it is not tried again"),
            ),
        };
        let changed = std::mem::replace(&mut self.state, state) != state;
        match (changed, state) {
            (true, State::Good) => tracing::info!("{line}"),
            (true, State::Partial | State::Bad | State::Refused) => tracing::warn!("{line}"),
            (false, State::Partial | State::Bad | State::Refused) => tracing::debug!("{line}"),
            (false, State::Good) => {}
        }
    }
}

#[cfg(test)]
mod tests;
