//! The way in for what applications report. They share the inbox with deaths,
//! and take a part of it at most: whoever reports much loses its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering, mpsc::SyncSender};

use super::{Counts, Input, WAITING};
use crate::incident::{
    context::Case,
    limit::{size, size_of_process},
    record::Incident,
};

/// Reports that wait for the stage.
const MOST: usize = WAITING / 4;
/// Bytes of those.
const MOST_BYTES: usize = 16 << 20;

/// What an application reported of itself.
#[derive(Debug)]
pub struct Reported {
    /// With all that they have but fingerprint and context.
    pub incidents: Vec<Incident>,
    /// The process, for those that know what is around it.
    pub case: Case,
}

/// Hands incidents to the stage, from any thread.
#[derive(Debug, Clone)]
pub struct Reporter {
    inbox: SyncSender<Input>,
    counts: Arc<Counts>,
    waiting: Arc<Mutex<Waiting>>,
}

/// What waits for the stage.
#[derive(Debug, Default)]
struct Waiting {
    reports: usize,
    bytes: usize,
}

/// The place of a report that waits; free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    of: Arc<Mutex<Waiting>>,
    bytes: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = lock(&self.of);
        waiting.reports -= 1;
        waiting.bytes -= self.bytes;
    }
}

impl Reporter {
    pub(super) fn new(inbox: SyncSender<Input>, counts: Arc<Counts>) -> Self {
        Self {
            inbox,
            counts,
            waiting: Arc::default(),
        }
    }

    /// Takes in what was reported. Never waits: what finds no room is dropped
    /// and counted.
    pub fn take(&self, reported: Reported) {
        let count = reported.incidents.len() as u64;
        let Reported { incidents, case } = &reported;
        let process = case.process.as_ref();
        let process = process.map_or(0, |process| size_of_process(process, &case.ancestry));
        let bytes = process + incidents.iter().map(size).sum::<usize>();
        let is_taken = self.place(bytes).is_some_and(|place| {
            let input = Input::Reported(Box::new(reported), place);
            self.inbox.try_send(input).is_ok()
        });
        if !is_taken {
            self.lost(count);
        }
    }

    /// Counts incidents that found no room before.
    pub fn lost(&self, incidents: u64) {
        self.counts.dropped.fetch_add(incidents, Ordering::Relaxed);
    }

    fn place(&self, bytes: usize) -> Option<Place> {
        let mut waiting = lock(&self.waiting);
        if waiting.reports >= MOST || waiting.bytes + bytes > MOST_BYTES {
            return None;
        }
        waiting.reports += 1;
        waiting.bytes += bytes;
        Some(Place {
            of: Arc::clone(&self.waiting),
            bytes,
        })
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::{
        clock,
        incident::{ended, record::Kind},
        process::event::{Arguments, End},
    };

    fn reported(body: String) -> Reported {
        let mut incident = ended::tests::ended(End::Code(1)).incident(clock::wall());
        incident.kind = Kind::Reported;
        incident.body = Some(body);
        Reported {
            incidents: vec![incident],
            case: Case::default(),
        }
    }

    #[test]
    fn reports_take_a_part_of_the_inbox_and_leave_the_rest_to_deaths() {
        let (inbox, outbox) = sync_channel(WAITING);
        let counts = Arc::new(Counts::default());
        let reporter = Reporter::new(inbox.clone(), Arc::clone(&counts));
        let dropped = || counts.dropped.load(Ordering::Relaxed);
        for _ in 0..MOST + 7 {
            reporter.take(reported(String::new()));
        }
        assert_eq!(dropped(), 7);
        for _ in MOST..WAITING {
            let ended = ended::tests::ended(End::Code(1));
            inbox.try_send(Input::Ended(Box::new(ended))).unwrap();
        }
        assert!(inbox.try_send(Input::Finish).is_err());
        // What is read makes room.
        drop(outbox.try_recv());
        reporter.take(reported(String::new()));
        assert_eq!(dropped(), 7);
    }

    #[test]
    fn large_reports_take_fewer_places() {
        let (inbox, outbox) = sync_channel(WAITING);
        let counts = Arc::new(Counts::default());
        let reporter = Reporter::new(inbox, Arc::clone(&counts));
        for _ in 0..9 {
            reporter.take(reported("x".repeat(MOST_BYTES / 5)));
        }
        assert_eq!(counts.dropped.load(Ordering::Relaxed), 5);
        assert_eq!(outbox.try_iter().count(), 4);
        reporter.lost(3);
        assert_eq!(counts.dropped.load(Ordering::Relaxed), 8);
        // The process is there once, however many incidents it has.
        let args = Arc::new(Arguments {
            args: vec![vec![b'x'; MOST_BYTES / 3]],
            truncated: false,
        });
        for _ in 0..4 {
            let mut large = reported(String::new());
            let mut process = large.incidents[0].process.clone().unwrap();
            process.args = Some(Arc::clone(&args));
            large.incidents[0].process = Some(process.clone());
            large.incidents.push(large.incidents[0].clone());
            large.case.process = Some(process);
            reporter.take(large);
        }
        assert_eq!(counts.dropped.load(Ordering::Relaxed), 8 + 4);
        assert_eq!(outbox.try_iter().count(), 2);
    }
}
