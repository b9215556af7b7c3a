//! Repeats of one fault: the first goes out at once, the others are counted
//! and told at the end of each window. The counts sum up to what happened.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use super::{limit::shrink, record::Incident};

/// Fingerprints whose repeats are counted at once; above that, the one whose
/// window ends first is told early.
const LIMIT: usize = 1_024;
/// Bytes of a text, frames and causes that are kept for the record of repeats.
const KEPT: (usize, usize, usize) = (4 << 10, 64, 8);

/// Counts repeats.
#[derive(Debug)]
pub struct Windows {
    window: Duration,
    open: HashMap<u64, Window>,
    /// Ends of the open windows; the number tells those of one moment apart.
    ends: BTreeMap<(Instant, u64), u64>,
    opened: u64,
}

/// The last repeat within a window, with the number of all.
type Window = Option<Box<Incident>>;

impl Windows {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self {
            window,
            open: HashMap::new(),
            ends: BTreeMap::new(),
            opened: 0,
        }
    }

    /// Takes in one incident; what is to be told now is added to `out`.
    pub fn take(&mut self, incident: Incident, now: Instant, out: &mut Vec<Incident>) {
        self.due(now, out);
        if let Some(window) = self.open.get_mut(&incident.fingerprint) {
            let before = window.take().map_or(0, |repeats| repeats.count);
            let mut repeats = slim(incident);
            repeats.count = repeats.count.saturating_add(before);
            *window = Some(Box::new(repeats));
            return;
        }
        if self.open.len() >= LIMIT
            && let Some((_, fingerprint)) = self.ends.pop_first()
            && let Some(window) = self.open.remove(&fingerprint)
        {
            out.extend(window.map(|repeats| *repeats));
        }
        self.begin(incident.fingerprint, now);
        out.push(incident);
    }

    /// When a window ends next.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.ends.first_key_value().map(|((end, _), _)| *end)
    }

    /// Tells the repeats of the windows that have ended; those that had some
    /// begin another one.
    pub fn due(&mut self, now: Instant, out: &mut Vec<Incident>) {
        while let Some((&end, _)) = self.ends.first_key_value()
            && end.0 <= now
            && let Some(fingerprint) = self.ends.remove(&end)
        {
            if let Some(repeats) = self.open.remove(&fingerprint).flatten() {
                self.begin(fingerprint, now);
                out.push(*repeats);
            }
        }
    }

    /// Tells all repeats: the end.
    pub fn finish(&mut self, out: &mut Vec<Incident>) {
        for fingerprint in std::mem::take(&mut self.ends).into_values() {
            let window = self.open.remove(&fingerprint).flatten();
            out.extend(window.map(|repeats| *repeats));
        }
    }

    fn begin(&mut self, fingerprint: u64, now: Instant) {
        self.opened += 1;
        let end = (now + self.window, self.opened);
        self.ends.insert(end, fingerprint);
        self.open.insert(fingerprint, None);
    }
}

/// What the record of repeats keeps: the first one had it all.
fn slim(mut incident: Incident) -> Incident {
    incident.last_words = None;
    incident.origin.original = None;
    incident.context.clear();
    shrink(&mut incident, KEPT);
    incident
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::incident::ended::tests::ended;
    use crate::{process::event::End, units::WallNanos};

    const WINDOW: Duration = Duration::from_secs(60);

    fn incident(fingerprint: u64) -> Incident {
        let mut incident = ended(End::Code(1)).incident(WallNanos(1));
        incident.fingerprint = fingerprint;
        incident.last_words = Some("words".to_owned());
        incident
    }

    #[test]
    fn the_first_goes_out_at_once_and_the_rest_at_the_end_of_the_window() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut fold = Windows::new(WINDOW);
        let mut out = Vec::new();
        for second in 0..5 {
            fold.take(incident(1), at(second), &mut out);
        }
        assert_eq!(out.len(), 1);
        assert_eq!((out[0].count, out[0].last_words.is_some()), (1, true));
        assert_eq!(fold.next(), Some(at(60)));
        fold.due(at(59), &mut out);
        assert_eq!(out.len(), 1);
        fold.due(at(60), &mut out);
        assert_eq!(out[1].count, 4);
        // The next window has begun.
        fold.take(incident(1), at(61), &mut out);
        assert_eq!(out.len(), 2);
        fold.due(at(120), &mut out);
        assert_eq!(out[2].count, 1);
        // After one without a repeat it is news again.
        fold.due(at(180), &mut out);
        assert_eq!((out.len(), fold.next()), (3, None));
        fold.take(incident(1), at(181), &mut out);
        assert_eq!(out.len(), 4);
    }

    proptest! {
        #[test]
        fn counts_sum_up_to_what_happened(
            steps in proptest::collection::vec((0_u64..3_000, 0_u64..50), 0..4_000),
        ) {
            let mut now = Instant::now();
            let mut fold = Windows::new(WINDOW);
            let mut out = Vec::new();
            let mut expected: HashMap<u64, u64> = HashMap::new();
            for (fingerprint, wait) in steps {
                now += Duration::from_secs(wait / 10);
                fold.take(incident(fingerprint), now, &mut out);
                *expected.entry(fingerprint).or_default() += 1;
                prop_assert!(fold.open.len() <= LIMIT);
                prop_assert_eq!(fold.open.len(), fold.ends.len());
            }
            fold.finish(&mut out);
            let mut told: HashMap<u64, u64> = HashMap::new();
            for incident in out {
                *told.entry(incident.fingerprint).or_default() += incident.count;
            }
            prop_assert_eq!(told, expected);
        }
    }
}
