//! Reads the plugins' own metrics of the members that are due, and says what
//! fails: once, then by count.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    aggregate::{
        custom::Round,
        registry::{CustomWork, Registry},
    },
    collect::custom::{Cause, CustomSet, Finding},
    process::table::ticks_of_start,
    procfs::{Proc, ReadError},
    selfmon::CustomFailures,
    units::ProcessKey,
};

/// Plugin, metric, reason.
type Failure = (Arc<str>, String, &'static str);

/// Reads custom metrics; costs nothing where no plugin has any.
#[derive(Debug, Default)]
pub struct CustomReader {
    buffer: Vec<u8>,
    found: Vec<Finding>,
    failures: BTreeMap<Failure, u64>,
}

impl CustomReader {
    /// Reads what is due and hands it over.
    pub fn collect(&mut self, proc: &mut Proc, registry: &mut Registry, due: &[bool]) {
        // Groups of one plugin have the files of the host in common.
        let mut of_host: Vec<(Arc<CustomSet>, Vec<Finding>)> = Vec::new();
        for work in registry.custom_work(due) {
            let mut round = Round::default();
            for &key in &work.members {
                if self.read_member(proc, &work, key) {
                    self.note_failures(&work.set, Some(key.pid));
                    round.add(Some(key), self.found.drain(..));
                }
            }
            // With nobody left there is nobody whom it concerns.
            if !work.members.is_empty() {
                let known = of_host
                    .iter()
                    .find(|(set, _)| Arc::ptr_eq(set, &work.set))
                    .map(|(_, found)| found.clone());
                let found = known.unwrap_or_else(|| {
                    self.found.clear();
                    work.set.of_host(&mut self.buffer, &mut self.found);
                    self.note_failures(&work.set, None);
                    of_host.push((Arc::clone(&work.set), self.found.clone()));
                    std::mem::take(&mut self.found)
                });
                round.add(None, found);
            }
            registry.take_custom(&work, round);
        }
    }

    /// Failures so far.
    #[must_use]
    pub fn failures(&self) -> Vec<CustomFailures> {
        let failures = self.failures.iter();
        failures
            .map(|((plugin, metric, reason), &count)| CustomFailures {
                plugin: Arc::clone(plugin),
                metric: metric.clone(),
                reason,
                count,
            })
            .collect()
    }

    /// Fills `found`; false where the process has ended meanwhile.
    fn read_member(&mut self, proc: &mut Proc, work: &CustomWork, key: ProcessKey) -> bool {
        let Self { buffer, found, .. } = self;
        found.clear();
        work.set.of_member(proc, buffer, key.pid, found);
        if found.is_empty() {
            return false;
        }
        // Last: that it is there proves that all was of the same process.
        match proc.stat(key.pid) {
            Ok(stat) => !stat.process_ended() && stat.start_ticks == ticks_of_start(key.start),
            Err(error) => error != ReadError::Gone,
        }
    }

    fn note_failures(&mut self, set: &CustomSet, pid: Option<u32>) {
        for (index, number) in &self.found {
            let Err(cause) = *number else { continue };
            let metric = &set.metrics[*index];
            let failure = (Arc::clone(&set.plugin), metric.name.clone(), cause.name());
            let count = self.failures.entry(failure).or_default();
            *count += 1;
            if *count == 1 {
                let file = match pid {
                    Some(pid) => metric.file.replace("{pid}", &pid.to_string()),
                    None => metric.file.clone(),
                };
                tracing::warn!(
                    "custom metric `{}` of plugin `{}`: {file} {}; told once, then counted",
                    metric.name,
                    set.plugin,
                    text(cause),
                );
            }
        }
    }
}

/// What is wrong with a file.
fn text(cause: Cause) -> &'static str {
    match cause {
        Cause::NoFile => "is not there",
        Cause::NotFound => "has no such figure",
        Cause::Denied => "may not be read; permission denied (CAP_SYS_PTRACE would help)",
        Cause::NoRegularFile => "is no regular file",
        Cause::Outside => "leads out of the directory below which it may be",
        Cause::TooLong => "is longer than 64 KiB",
        Cause::Unreadable => "cannot be read",
        Cause::NoNumber => "has something there that is no number, or none for a counter",
    }
}

#[cfg(test)]
#[path = "custom_tests.rs"]
mod tests;
