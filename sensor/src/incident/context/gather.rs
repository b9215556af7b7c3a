//! Asks the providers, each within its deadline.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use super::{Cache, Case, Cost, Facts, Kind};
use crate::process::event::Value;

/// Processes whose facts are remembered.
const REMEMBERED: usize = 256;

/// The providers of a configuration, with what they said lately.
pub struct Gatherer {
    asked: Vec<Asked>,
}

struct Asked {
    kind: &'static Kind,
    /// A thread is under way; one that hangs is not joined by others.
    busy: Arc<AtomicBool>,
    /// Answers by pid and start; 0, 0 for those of the host.
    answers: HashMap<(u32, u64), (Instant, Facts)>,
}

impl Gatherer {
    /// Will ask the providers of these names.
    #[must_use]
    pub fn new(names: &[&str]) -> Self {
        let kinds = super::PROVIDERS.iter().copied();
        Self::of(kinds.filter(|kind| names.contains(&kind.name)))
    }

    /// Will ask these.
    pub fn of(kinds: impl IntoIterator<Item = &'static Kind>) -> Self {
        let asked = kinds.into_iter().map(|kind| Asked {
            kind,
            busy: Arc::new(AtomicBool::new(false)),
            answers: HashMap::new(),
        });
        Self {
            asked: asked.collect(),
        }
    }

    /// Everything that the providers say, as `<provider>.<key>`; for one that
    /// says nothing in time, or fails, the reason as `context_error_<name>`.
    /// Takes no longer than the longest deadline: those that may wait are
    /// asked at once.
    pub fn gather(&mut self, case: &Arc<Case>) -> BTreeMap<String, Value> {
        let start = Instant::now();
        let open: Vec<Open> = self.asked.iter_mut().map(|one| one.ask(case)).collect();
        let mut all = BTreeMap::new();
        for (one, open) in self.asked.iter_mut().zip(open) {
            let name = one.kind.name;
            match one.answer(open, case, start) {
                Ok(facts) => {
                    let facts = facts.into_iter();
                    all.extend(facts.map(|(key, value)| (format!("{name}.{key}"), value)));
                }
                Err(reason) => {
                    all.insert(format!("context_error_{name}"), Value::Text(reason));
                }
            }
        }
        all
    }
}

/// A question that was asked.
enum Open {
    Known(Facts),
    Said(Result<Facts, String>),
    Waiting(mpsc::Receiver<Result<Facts, String>>, Duration),
    Busy,
}

impl Asked {
    fn ask(&mut self, case: &Arc<Case>) -> Open {
        if let Some(facts) = self.remembered(case) {
            return Open::Known(facts);
        }
        let limit = match self.kind.cost {
            Cost::Nothing => return Open::Said((self.kind.gather)(case)),
            Cost::UpTo(limit) => limit,
        };
        if self.busy.swap(true, Ordering::AcqRel) {
            return Open::Busy;
        }
        let (say, said) = mpsc::sync_channel(1);
        let (case, busy, gather) = (Arc::clone(case), Arc::clone(&self.busy), self.kind.gather);
        let thread = thread::Builder::new().name(format!("context {}", self.kind.name));
        let started = thread.spawn(move || {
            let _free = Free(busy);
            let _ = say.send(gather(&case));
        });
        match started {
            Ok(_) => Open::Waiting(said, limit),
            Err(error) => {
                self.busy.store(false, Ordering::Release);
                Open::Said(Err(format!("no thread for it: {error}")))
            }
        }
    }

    fn answer(&mut self, open: Open, case: &Case, start: Instant) -> Result<Facts, String> {
        let facts = match open {
            Open::Known(facts) => return Ok(facts),
            Open::Said(said) => said?,
            Open::Busy => return Err("still busy with an earlier incident".to_owned()),
            Open::Waiting(said, limit) => {
                let left = limit.saturating_sub(start.elapsed());
                said.recv_timeout(left).map_err(|error| match error {
                    RecvTimeoutError::Timeout => {
                        format!("no answer within {} ms", limit.as_millis())
                    }
                    RecvTimeoutError::Disconnected => "the provider failed".to_owned(),
                })??
            }
        };
        self.remember(case, &facts);
        Ok(facts)
    }

    fn remembered(&self, case: &Case) -> Option<Facts> {
        let (key, limit) = self.key(case)?;
        let (since, facts) = self.answers.get(&key)?;
        (since.elapsed() < limit).then(|| facts.clone())
    }

    fn remember(&mut self, case: &Case, facts: &Facts) {
        let Some((key, limit)) = self.key(case) else {
            return;
        };
        if self.answers.len() >= REMEMBERED {
            self.answers.retain(|_, (since, _)| since.elapsed() < limit);
        }
        if self.answers.len() >= REMEMBERED {
            self.answers.clear();
        }
        self.answers.insert(key, (Instant::now(), facts.clone()));
    }

    /// Whose answer it is, and how long it is good.
    fn key(&self, case: &Case) -> Option<((u32, u64), Duration)> {
        match self.kind.cache {
            Cache::Never => None,
            Cache::Host(limit) => Some(((0, 0), limit)),
            Cache::Process(limit) => {
                let process = case.process.as_ref()?;
                Some(((process.pid, process.start.0), limit))
            }
        }
    }
}

/// Says that a thread is done, however it ended.
struct Free(Arc<AtomicBool>);

impl Drop for Free {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    fn fact() -> Facts {
        Facts::from([("key".to_owned(), Value::Int(1))])
    }

    static GOOD: Kind = Kind {
        name: "good",
        cost: Cost::Nothing,
        cache: Cache::Never,
        gather: |_| Ok(fact()),
    };
    static FAILS: Kind = Kind {
        name: "fails",
        cost: Cost::Nothing,
        cache: Cache::Never,
        gather: |_| Err("no luck".to_owned()),
    };
    static PANICS: Kind = Kind {
        name: "panics",
        cost: Cost::UpTo(Duration::from_secs(10)),
        cache: Cache::Never,
        gather: |_| panic!("on purpose"),
    };
    static HANGS: Kind = Kind {
        name: "hangs",
        cost: Cost::UpTo(Duration::from_millis(50)),
        cache: Cache::Never,
        gather: |_| loop {
            thread::park();
        },
    };

    #[test]
    fn who_fails_or_hangs_takes_nothing_from_the_others() {
        let mut gatherer = Gatherer::of([&GOOD, &FAILS, &PANICS, &HANGS]);
        let case = Arc::new(Case::default());
        let start = Instant::now();
        let all = gatherer.gather(&case);
        assert!(start.elapsed() < Duration::from_secs(40));
        let text = |text: &str| Value::Text(text.to_owned());
        let wanted = [
            ("context_error_fails", text("no luck")),
            ("context_error_hangs", text("no answer within 50 ms")),
            ("context_error_panics", text("the provider failed")),
            ("good.key", Value::Int(1)),
        ];
        let wanted = wanted.map(|(key, value)| (key.to_owned(), value));
        assert_eq!(all, BTreeMap::from(wanted));
        // The thread that hangs is the only one, however many incidents come.
        let again = gatherer.gather(&case);
        assert_eq!(
            again["context_error_hangs"],
            text("still busy with an earlier incident")
        );
        assert_eq!(again["context_error_panics"], text("the provider failed"));
    }

    static CALLS: AtomicU64 = AtomicU64::new(0);
    static CACHED: Kind = Kind {
        name: "cached",
        cost: Cost::Nothing,
        cache: Cache::Process(Duration::from_secs(3_600)),
        gather: |_| {
            let calls = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
            Ok(Facts::from([(
                "calls".to_owned(),
                Value::Int(i64::try_from(calls).unwrap()),
            )]))
        },
    };

    #[test]
    fn an_answer_is_good_for_its_process() {
        let mut gatherer = Gatherer::of([&CACHED]);
        let mut case = Case::of_living(std::process::id());
        let mut calls = |case: &Case| {
            let all = gatherer.gather(&Arc::new(case.clone()));
            all["cached.calls"].clone()
        };
        assert_eq!(calls(&case), Value::Int(1));
        assert_eq!(calls(&case), Value::Int(1));
        for pid in 1..=600 {
            case.process.as_mut().unwrap().pid = pid;
            assert_eq!(calls(&case), Value::Int(i64::from(pid) + 1));
        }
        assert!(gatherer.asked[0].answers.len() <= REMEMBERED);
    }

    /// Every provider on this host, about this process.
    #[test]
    fn all_providers_answer() {
        let names: Vec<&str> = super::super::PROVIDERS
            .iter()
            .map(|kind| kind.name)
            .collect();
        let case = Arc::new(Case::of_living(std::process::id()));
        let deadline = Instant::now() + Duration::from_secs(40);
        let all = loop {
            // A machine that is busy may keep a provider from its answer.
            let all = Gatherer::new(&names).gather(&case);
            let mut failed = all
                .iter()
                .filter(|(key, _)| key.starts_with("context_error"));
            let is_late = |reason: &Value| matches!(reason, Value::Text(reason) if reason.starts_with("no answer within"));
            assert!(
                failed.clone().all(|(_, reason)| is_late(reason)),
                "{all:#?}"
            );
            if failed.next().is_none() {
                break all;
            }
            assert!(Instant::now() < deadline, "{all:#?}");
        };
        for key in [
            "basic.host_name",
            "process.pid",
            "system.memory_total_bytes",
            "files.descriptors",
        ] {
            assert!(all.contains_key(key), "{key}: {all:#?}");
        }
    }
}
