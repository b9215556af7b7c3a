//! `siblings`: who began and who ended around the process shortly before.

use std::{collections::VecDeque, sync::Arc};

use super::{Cache, Case, Cost, Facts, Kind, Notes};
use crate::{
    process::event::{End, Subject},
    units::WallNanos,
};

/// The provider.
pub static KIND: Kind = Kind {
    name: "siblings",
    cost: Cost::Nothing,
    cache: Cache::Never,
    gather,
};

/// Events that are remembered of all processes together.
const REMEMBERED: usize = 1_024;
/// Most events that are told of one incident.
const TOLD: usize = 16;

/// An exec or exit near an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// When.
    pub time: WallNanos,
    /// Whose.
    pub pid: u32,
    /// Its parent.
    pub parent_pid: Option<u32>,
    /// Base name of its executable.
    pub name: String,
    /// How it ended; `None`: it was an exec.
    pub end: Option<Option<End>>,
    /// The services that watch it.
    pub services: Vec<Arc<str>>,
}

/// The last events of watched processes.
#[derive(Debug, Default)]
pub struct Ring(VecDeque<Neighbour>);

impl Ring {
    /// Remembers an event; the oldest one makes room.
    pub fn note(&mut self, event: Neighbour) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }

    /// The last events of other processes that have the same parent or a
    /// service in common, oldest first.
    #[must_use]
    pub fn around(&self, process: &Subject, services: &[Arc<str>]) -> Vec<Neighbour> {
        let near = |one: &&Neighbour| {
            let parent = one.parent_pid.filter(|pid| *pid > 1);
            let same_parent = parent.is_some() && parent == process.parent_pid;
            let same_service = one.services.iter().any(|name| services.contains(name));
            one.pid != process.pid && (same_parent || same_service)
        };
        let mut found: Vec<_> = self
            .0
            .iter()
            .rev()
            .filter(near)
            .take(TOLD)
            .cloned()
            .collect();
        found.reverse();
        found
    }
}

fn gather(case: &Case) -> Result<Facts, String> {
    let mut notes = Notes::default();
    let lines = case.siblings.iter().rev().take(TOLD).rev();
    notes.list("events", lines.map(|one| line(one, case.time)).collect());
    Ok(notes.0)
}

/// `1.250 s before: worker (812) ended by signal 9`
fn line(one: &Neighbour, now: WallNanos) -> String {
    let millis = now.0.saturating_sub(one.time.0) / 1_000_000;
    let what = match one.end {
        None => "began".to_owned(),
        Some(None) => "ended".to_owned(),
        Some(Some(End::Code(code))) => format!("ended with code {code}"),
        Some(Some(End::Signal { signal, .. })) => format!("ended by signal {signal}"),
    };
    let (seconds, rest) = (millis / 1_000, millis % 1_000);
    format!(
        "{seconds}.{rest:03} s before: {} ({}) {what}",
        one.name, one.pid
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{incident::ended::tests::ended, process::event::Value};

    fn event(pid: u32, parent: u32, time_ms: u64, service: &str) -> Neighbour {
        Neighbour {
            time: WallNanos(time_ms * 1_000_000),
            pid,
            parent_pid: Some(parent),
            name: "worker".to_owned(),
            end: None,
            services: vec![service.into()],
        }
    }

    #[test]
    fn who_is_near_is_told_in_order() {
        let mut ring = Ring::default();
        for pid in 100..2_000 {
            ring.note(event(pid, 1, 1, "other"));
        }
        ring.note(event(10, 5, 1_000, "x"));
        ring.note(event(11, 1, 2_000, "shop"));
        // Children of init are no siblings.
        ring.note(event(12, 1, 2_000, "y"));
        let end = End::Signal {
            signal: 9,
            core_dumped: false,
        };
        ring.note(Neighbour {
            end: Some(Some(end)),
            ..event(10, 5, 3_000, "x")
        });
        ring.note(event(7, 5, 3_500, "shop"));
        assert_eq!(ring.0.len(), REMEMBERED);

        let mut me = ended(end).process;
        (me.pid, me.parent_pid) = (7, Some(5));
        let siblings = ring.around(&me, &["shop".into()]);
        let case = Case {
            time: WallNanos(4_250_000_000),
            siblings,
            ..Case::default()
        };
        let facts = gather(&case).unwrap();
        let lines = [
            "3.250 s before: worker (10) began",
            "2.250 s before: worker (11) began",
            "1.250 s before: worker (10) ended by signal 9",
        ];
        let lines = lines.map(str::to_owned).to_vec();
        assert_eq!(
            facts,
            Facts::from([("events".to_owned(), Value::List(lines))])
        );
    }
}
