//! The cumulative side of a service as a record, and back.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::{
    Known,
    records::{
        CustomCounter, Distribution, Exits, Known as KnownNumber, Last, Member, Number, Scheduled,
        Totals,
    },
    service_key,
};
use crate::{
    aggregate::{
        custom::SavedFigure,
        registry::{Identifier, Remembered},
        report::HistogramValue,
        scheduled::SavedScheduled,
        service::{COUNTERS, Counters, ExitKey, Saved},
    },
    collect::number,
    units::{BootNanos, ProcessKey, WallNanos},
};

/// Rows for the store.
#[must_use]
pub fn rows(saved: &[(Identifier, Saved)]) -> Vec<(Vec<u8>, Totals)> {
    let row = |((namespace, name, group), saved): &(Identifier, Saved)| {
        let key = service_key(namespace, name, group.as_deref());
        (key, record(saved))
    };
    saved.iter().map(row).collect()
}

/// What the engine is to remember of all services. One that was never in a
/// report has totals all the same, where a ring that stays was read up to
/// there: without them, what was read would be missing.
#[must_use]
pub fn remembered(
    known: &Known,
    totals: &HashMap<Vec<u8>, Totals>,
) -> HashMap<Identifier, Remembered> {
    let unreported = totals.iter().filter_map(|(key, totals)| {
        let remembered = Remembered {
            instance_id: None,
            saved: Some(saved(totals)),
        };
        Some((identifier(key)?, remembered))
    });
    let mut services: HashMap<_, _> = unreported.collect();
    services.extend(known.services.iter().map(|service| {
        let group = service.group.clone();
        let key = service_key(&service.namespace, &service.name, group.as_deref());
        let remembered = Remembered {
            instance_id: Uuid::parse_str(&service.instance_id).ok(),
            saved: totals.get(&key).map(saved),
        };
        let identifier = (service.namespace.clone(), service.name.clone(), group);
        (identifier, remembered)
    }));
    services
}

/// The way back from [`service_key`]; `None` where a part has a NUL itself.
fn identifier(key: &[u8]) -> Option<Identifier> {
    let text = std::str::from_utf8(key).ok()?;
    let mut parts = text.split('\0').map(str::to_owned);
    let (namespace, name, group) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = parts.next().is_none();
    whole.then(|| {
        (
            namespace,
            name,
            Some(group).filter(|group| !group.is_empty()),
        )
    })
}

/// Goes the way there and back with figures that came from elsewhere.
pub(super) fn check(totals: &Totals) {
    let there = record(&saved(totals));
    let _ = saved(&there);
}

fn record(saved: &Saved) -> Totals {
    let exits = saved.exits.iter().map(|(key, &count)| {
        let (code, signal) = match *key {
            Some(ExitKey::Code(code)) => (Some(u32::from(code)), None),
            Some(ExitKey::Signal(signal)) => (None, Some(u32::from(signal))),
            None => (None, None),
        };
        Exits {
            code,
            signal,
            count,
        }
    });
    let members = saved.members.iter().map(|(key, life)| Member {
        pid: key.pid,
        start_ns: key.start.0,
        life: life.iter().map(|&value| KnownNumber { value }).collect(),
    });
    Totals {
        start_ns: saved.start.0,
        counted: saved.counted.to_vec(),
        known: saved.known.to_vec(),
        starts: saved.starts,
        exits: exits.collect(),
        lifetime: Some(distribution(&saved.lifetime)),
        peak: Some(distribution(&saved.peak)),
        members: members.collect(),
        custom: saved.custom.iter().map(custom).collect(),
        scheduled: saved.scheduled.as_ref().map(scheduled),
    }
}

fn saved(totals: &Totals) -> Saved {
    let mut counted = [0; COUNTERS];
    for (counted, &stored) in counted.iter_mut().zip(&totals.counted) {
        *counted = stored;
    }
    let mut known = [false; COUNTERS];
    for (known, &stored) in known.iter_mut().zip(&totals.known) {
        *known = stored;
    }
    let mut exits = BTreeMap::new();
    for ended in &totals.exits {
        let narrow = |value: u32| u8::try_from(value).unwrap_or(u8::MAX);
        let key = match (ended.code, ended.signal) {
            (Some(code), _) => Some(ExitKey::Code(narrow(code))),
            (None, Some(signal)) => Some(ExitKey::Signal(narrow(signal))),
            (None, None) => None,
        };
        let count: &mut u64 = exits.entry(key).or_default();
        *count = count.saturating_add(ended.count);
    }
    let members = totals.members.iter().map(|member| {
        let mut life: Counters = [None; COUNTERS];
        for (life, stored) in life.iter_mut().zip(&member.life) {
            *life = stored.value;
        }
        (key(member.pid, member.start_ns), life)
    });
    Saved {
        start: WallNanos(totals.start_ns),
        counted,
        known,
        starts: totals.starts,
        exits,
        lifetime: histogram(totals.lifetime.as_ref()),
        peak: histogram(totals.peak.as_ref()),
        members: members.collect(),
        scheduled: totals.scheduled.as_ref().map(saved_scheduled),
        custom: totals.custom.iter().filter_map(figure).collect(),
    }
}

fn key(pid: u32, start_ns: u64) -> ProcessKey {
    ProcessKey {
        pid,
        start: BootNanos(start_ns),
    }
}

fn scheduled(saved: &SavedScheduled) -> Scheduled {
    Scheduled {
        latency: Some(distribution(&saved.latency)),
        burst: Some(distribution(&saved.burst)),
        preemptions: saved.preemptions,
    }
}

fn saved_scheduled(stored: &Scheduled) -> SavedScheduled {
    SavedScheduled {
        latency: histogram(stored.latency.as_ref()),
        burst: histogram(stored.burst.as_ref()),
        preemptions: stored.preemptions,
    }
}

fn distribution(value: &HistogramValue) -> Distribution {
    Distribution {
        count: value.count,
        sum: value.sum,
        min: value.min,
        max: value.max,
        scale: value.scale,
        zero_count: value.zero_count,
        offset: value.offset,
        counts: value.counts.clone(),
    }
}

fn histogram(stored: Option<&Distribution>) -> HistogramValue {
    let stored = stored.cloned().unwrap_or_default();
    HistogramValue {
        count: stored.count,
        sum: stored.sum,
        min: stored.min,
        max: stored.max,
        scale: stored.scale,
        zero_count: stored.zero_count,
        offset: stored.offset,
        counts: stored.counts,
    }
}

fn custom(figure: &SavedFigure) -> CustomCounter {
    let last = figure.last.iter().map(|&(owner, number)| Last {
        pid: owner.map(|key| key.pid),
        start: owner.map_or(0, |key| key.start.0),
        number: Some(stored(number)),
    });
    CustomCounter {
        metric: figure.metric.clone(),
        total: Some(stored(figure.total)),
        last: last.collect(),
    }
}

fn figure(counter: &CustomCounter) -> Option<SavedFigure> {
    let last = counter.last.iter().filter_map(|last| {
        let owner = last.pid.map(|pid| key(pid, last.start));
        Some((owner, number_of(last.number.as_ref()?)?))
    });
    Some(SavedFigure {
        metric: counter.metric.clone(),
        total: number_of(counter.total.as_ref()?)?,
        last: last.collect(),
    })
}

fn stored(number: number::Number) -> Number {
    match number {
        number::Number::Int(int) => Number {
            int: Some(int),
            double: None,
        },
        number::Number::Double(double) => Number {
            int: None,
            double: Some(double),
        },
    }
}

fn number_of(stored: &Number) -> Option<number::Number> {
    match (stored.int, stored.double) {
        (Some(int), _) => Some(number::Number::Int(int)),
        (None, Some(double)) => double.is_finite().then_some(number::Number::Double(double)),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkpoint of the kernel's ring may be all that was written of a
    /// service before the sensor was killed.
    #[test]
    fn a_service_that_was_never_reported_keeps_its_totals() {
        for group in [None, Some("web".to_owned())] {
            let identifier = ("Shop".to_owned(), "till".to_owned(), group);
            let totals = Totals {
                starts: 7,
                ..Totals::default()
            };
            let (namespace, name, group) = &identifier;
            let key = service_key(namespace, name, group.as_deref());
            let found = remembered(&Known::default(), &HashMap::from([(key, totals)]));
            let saved = found[&identifier].saved.as_ref();
            assert_eq!(saved.map(|saved| saved.starts), Some(7), "{identifier:?}");
        }
    }

    #[test]
    fn a_key_that_could_be_two_services_is_none() {
        assert_eq!(identifier(&service_key("a\0b", "c", None)), None);
        assert_eq!(identifier(b"no key"), None);
    }
}
