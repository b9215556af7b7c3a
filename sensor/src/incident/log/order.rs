//! Incidents leave in the order in which they began, though one source may
//! wait for the end of its trace while others go on.

use std::collections::{BTreeMap, BTreeSet};

use crate::incident::record::Incident;

/// Most incidents that wait for an earlier one.
const WAITING_MAX: usize = 1_024;
/// Most bytes of them, roughly.
const WAITING_BYTES: usize = 8 << 20;

/// What waits.
#[derive(Debug, Default)]
pub struct Order {
    /// First lines of sources that are open.
    open: BTreeSet<(u64, u64)>,
    /// Complete incidents by their first lines.
    waiting: BTreeMap<u64, Box<Incident>>,
    bytes: usize,
}

impl Order {
    /// Whether nothing waits and nobody is waited for.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty() && self.waiting.is_empty()
    }

    /// A source is open from another line on, or closed.
    pub fn moved(&mut self, source: u64, before: Option<u64>, after: Option<u64>) {
        if before != after {
            if let Some(line) = before {
                self.open.remove(&(line, source));
            }
            if let Some(line) = after {
                self.open.insert((line, source));
            }
        }
    }

    /// An incident is complete.
    pub fn done(&mut self, line: u64, incident: Box<Incident>) {
        self.bytes += weight(&incident);
        // A line may bring several, which come in order: room for the others
        // is left where lines are numbered.
        let mut key = line;
        while self.waiting.contains_key(&key) {
            key += 1;
        }
        self.waiting.insert(key, incident);
    }

    /// Hands out what waits for nobody.
    pub fn release(&mut self, found: &mut dyn FnMut(Incident)) {
        let open = self.open.first().map_or(u64::MAX, |(line, _)| *line);
        while let Some(entry) = self.waiting.first_entry() {
            if *entry.key() > open {
                return;
            }
            let incident = entry.remove();
            self.bytes = self.bytes.saturating_sub(weight(&incident));
            found(*incident);
        }
    }

    /// The source that holds up too much.
    pub fn overdue(&self) -> Option<u64> {
        let full = self.waiting.len() > WAITING_MAX || self.bytes > WAITING_BYTES;
        self.oldest().filter(|_| full)
    }

    /// The source whose first line is the oldest.
    pub fn oldest(&self) -> Option<u64> {
        self.open.first().map(|(_, source)| *source)
    }
}

/// Bytes of an incident, roughly.
fn weight(incident: &Incident) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let exception = incident.exception.as_ref().map_or(0, |exception| {
        let causes: usize = exception
            .causes
            .iter()
            .map(|cause| cause.frames.len())
            .sum();
        exception.text.len() + 128 * (exception.frames.len() + causes)
    });
    512 + length(&incident.body) + length(&incident.origin.original) + exception
}
