//! Whose writes to descriptor 2 the kernel is to copy, and the end of what
//! they wrote.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use sensor_common::{event::Tap, scheduler::Watched};

use super::{Engine, key_of, scheduling::Change};
use crate::{
    aggregate::registry::Registry,
    incident::record::LAST_WORDS,
    process::table::{Process, TICK_NS},
    units::ProcessKey,
};

/// Bytes of a process that are kept before the oldest go.
const EACH: usize = LAST_WORDS + LAST_WORDS / 2;
/// Bytes of all processes together.
const ALL: usize = 2 << 20;

/// Who is tapped, and what they wrote last.
#[derive(Debug, Default)]
pub struct Taps {
    /// The hook is there.
    on: bool,
    /// Whom the kernel was told of, by pid.
    told: HashMap<u32, (ProcessKey, bool)>,
    /// What it is to be told; `None`: nothing more of this pid.
    changes: BTreeMap<u32, Option<(ProcessKey, bool)>>,
    tails: HashMap<ProcessKey, Tail>,
    /// The same by when they were written to last.
    order: BTreeMap<u64, ProcessKey>,
    /// Writes so far.
    writes: u64,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Tail {
    text: Vec<u8>,
    written: u64,
}

impl Taps {
    /// Lets go what a process wrote.
    pub(super) fn forget(&mut self, key: ProcessKey) {
        let _ = self.take(key);
    }

    /// What a process wrote last.
    pub(super) fn take(&mut self, key: ProcessKey) -> Vec<u8> {
        let Some(tail) = self.tails.remove(&key) else {
            return Vec::new();
        };
        self.order.remove(&tail.written);
        self.bytes -= tail.text.len();
        tail.text
    }

    fn add(&mut self, key: ProcessKey, text: &[u8], is_cut: bool) {
        let mut tail = self.tails.remove(&key).unwrap_or_default();
        self.order.remove(&tail.written);
        self.bytes -= tail.text.len();
        if is_cut && tail.text.last().is_some_and(|&last| last != b'\n') {
            // What is missing must not make one line of two.
            tail.text.push(b'\n');
        }
        tail.text.extend_from_slice(text);
        if tail.text.len() > EACH {
            tail.text.drain(..tail.text.len() - LAST_WORDS);
        }
        self.writes += 1;
        tail.written = self.writes;
        self.bytes += tail.text.len();
        self.order.insert(tail.written, key);
        self.tails.insert(key, tail);
        while self.bytes > ALL
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.forget(oldest);
        }
    }

    fn place(&mut self, process: &Process, wanted: bool) {
        let pid = process.key.pid;
        let pending = self.changes.get(&pid).copied();
        let now = pending.unwrap_or_else(|| self.told.get(&pid).copied());
        let wanted = wanted.then_some((process.key, process.exact));
        if now != wanted {
            self.changes.insert(pid, wanted);
        }
        if wanted.is_none() {
            self.forget(process.key);
        }
    }

    /// The hook on exit has taken it out, unless we put it in after that.
    fn ended(&mut self, key: ProcessKey) {
        self.forget(key);
        let of = |entry: &(ProcessKey, bool)| entry.0.pid == key.pid && entry.0.start <= key.start;
        let pending = self.changes.get(&key.pid).copied();
        if pending.flatten().as_ref().is_some_and(of) {
            self.changes.remove(&key.pid);
        }
        if self.told.get(&key.pid).is_some_and(of) {
            self.changes.insert(key.pid, None);
        }
    }
}

impl Engine {
    /// Whether a plugin asks for the hook.
    #[must_use]
    pub fn wants_taps(&self) -> bool {
        let mut specs = self.config.registry.specs().iter();
        self.config.incidents.is_some() && specs.any(|spec| spec.logs.enabled && spec.logs.tap)
    }

    /// Says that the hook is there from now on, or gone. It knows nobody.
    pub fn follow_taps(&mut self, on: bool) {
        self.taps = Taps {
            on,
            ..Taps::default()
        };
        self.tap_all();
    }

    /// What the kernel is to be told since the last call.
    #[must_use]
    pub fn take_tap_changes(&mut self) -> Vec<Change> {
        let changes = std::mem::take(&mut self.taps.changes).into_iter();
        let told = &mut self.taps.told;
        let tell = |(pid, entry)| match entry {
            Some((key, exact)) => {
                told.insert(pid, (key, exact));
                Change::Watch(pid, watched(key, exact))
            }
            None => {
                told.remove(&pid);
                Change::Forget(pid)
            }
        };
        changes.map(tell).collect()
    }

    /// Takes in that a process has come to its services.
    pub(super) fn tap(&mut self, pid: u32) {
        if !self.taps.on {
            return;
        }
        let Some(process) = self.table.by_pid(pid) else {
            return;
        };
        let wanted = asks_for(process, &self.config.registry);
        self.taps.place(process, wanted);
    }

    /// The same of everybody.
    pub(super) fn tap_all(&mut self) {
        let pids: Vec<u32> = self.table.iter().map(|process| process.key.pid).collect();
        for pid in pids {
            self.tap(pid);
        }
    }

    /// Takes in that a process has ended; what it wrote last.
    pub(super) fn untap(&mut self, key: ProcessKey) -> Vec<u8> {
        let text = self.taps.take(key);
        self.taps.ended(key);
        text
    }

    /// Takes in what a process wrote.
    pub(super) fn tapped(&mut self, tap: &Tap, text: &[u8]) {
        let key = key_of(&tap.header);
        let Some(process) = self.table.find(key).filter(|_| self.taps.on) else {
            return;
        };
        if asks_for(process, &self.config.registry) {
            self.taps.add(key, text, tap.total > tap.len);
        } else if !self.taps.told.contains_key(&key.pid) {
            // A child that the hook on fork put in before the kernel had
            // forgotten its parent.
            self.taps.changes.entry(key.pid).or_insert(None);
        }
    }
}

/// Whether a service of the process wants what it writes.
fn asks_for(process: &Process, registry: &Registry) -> bool {
    process.services.iter().any(|&id| {
        let logs = &registry.spec_of(id).logs;
        logs.enabled && logs.tap
    })
}

fn watched(key: ProcessKey, exact: bool) -> Watched {
    Watched {
        start: key.start.0,
        tolerance: match exact {
            true => 0,
            false => u32::try_from(TICK_NS - 1).unwrap_or(u32::MAX),
        },
        slot: 0,
    }
}
