//! The plugins' own metrics: one number a service from those of its members.

use std::{
    borrow::Cow,
    cmp::Ordering,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    report::{Instrument as Kind, PointValue},
    series::{About, Builder},
};
use crate::{
    collect::{
        custom::{Cause, CustomSet, Finding},
        number::{Number, whole},
    },
    plugin::{Aggregate, CustomMetric, Instrument, display_name},
    process::table::ticks_of_start,
    units::{BootNanos, ProcessKey},
};

/// Whose number it is: a member's, whose start is in clock ticks here, or,
/// from a file that is the same for all, nobody's.
pub type Owner = Option<ProcessKey>;

/// What was read at one collection.
#[derive(Debug, Default)]
pub struct Round(Vec<(Owner, Finding)>);

impl Round {
    /// Takes in what was found of a member, or in the files of all.
    pub fn add(&mut self, owner: Owner, found: impl IntoIterator<Item = Finding>) {
        // The start becomes exact in the course of time; the owner is the same.
        let owner = owner.map(|key| ProcessKey {
            start: BootNanos(ticks_of_start(key.start)),
            ..key
        });
        let owned = found.into_iter().map(|finding| (owner, finding));
        self.0.extend(owned);
    }
}

/// What the metrics of a service say.
#[derive(Debug, Default)]
pub struct CustomFigures {
    set: Option<Arc<CustomSet>>,
    figures: Vec<Figure>,
    /// Counters of before a restart that are not declared yet.
    before: Vec<SavedFigure>,
}

/// One metric.
#[derive(Debug)]
struct Figure {
    metric: CustomMetric,
    /// The display rule applied to its name.
    description: String,
    /// A number with a fraction was there once, or will be: a series does not
    /// change its type for each number.
    fractional: bool,
    /// What there is to tell.
    now: Option<Number>,
    /// Of a counter: what was counted so far, where anything was.
    total: Option<Number>,
    /// Of a counter: the last number of each owner.
    last: HashMap<Owner, Number>,
}

impl CustomFigures {
    /// Takes in a collection. Metrics that are declared as before go on
    /// counting where they were.
    pub fn take(&mut self, set: &Arc<CustomSet>, round: Round) {
        let known = self.set.as_ref();
        if !known.is_some_and(|known| Arc::ptr_eq(known, set)) {
            self.declare(set);
        }
        let mut found: Vec<Vec<(Owner, Result<Number, Cause>)>> = Vec::new();
        found.resize_with(self.figures.len(), Vec::new);
        for (owner, (index, number)) in round.0 {
            if let Some(found) = found.get_mut(index) {
                found.push((owner, number));
            }
        }
        for (figure, found) in self.figures.iter_mut().zip(found) {
            figure.take(&found);
        }
    }

    fn declare(&mut self, set: &Arc<CustomSet>) {
        let mut before = std::mem::take(&mut self.figures);
        let figure = |metric: &CustomMetric| {
            let same = before.iter().position(|figure| figure.metric == *metric);
            same.map_or_else(|| Figure::new(metric), |at| before.swap_remove(at))
        };
        self.figures = set.metrics.iter().map(figure).collect();
        for figure in &mut self.figures {
            figure.resume(&mut self.before);
        }
        self.set = Some(Arc::clone(set));
    }

    /// Adds the metrics that have something to tell.
    pub fn add(&self, builder: &mut Builder) {
        for figure in &self.figures {
            if let Some(value) = figure.value() {
                builder.point(figure.about(), Some(value));
            }
        }
    }
}

/// A counter of a plugin's own, at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedFigure {
    /// What is counted.
    pub metric: String,
    /// What was counted so far.
    pub total: Number,
    /// The last number of each owner.
    pub last: Vec<(Owner, Number)>,
}

impl CustomFigures {
    /// The counters now.
    #[must_use]
    pub fn saved(&self) -> Vec<SavedFigure> {
        let figures = self.figures.iter();
        let counters = figures.filter_map(|figure| {
            Some(SavedFigure {
                metric: figure.metric.name.clone(),
                total: figure.total?,
                last: figure
                    .last
                    .iter()
                    .map(|(&owner, &last)| (owner, last))
                    .collect(),
            })
        });
        counters.chain(self.before.iter().cloned()).collect()
    }

    /// Goes on from there, once the metrics are declared.
    pub fn resume(&mut self, saved: Vec<SavedFigure>) {
        self.before = saved;
    }
}

impl Figure {
    fn resume(&mut self, before: &mut Vec<SavedFigure>) {
        let is_this = |saved: &SavedFigure| saved.metric == self.metric.name;
        let is_counter = self.metric.instrument == Instrument::Counter;
        if let Some(at) = before.iter().position(is_this).filter(|_| is_counter) {
            let saved = before.swap_remove(at);
            self.total = Some(saved.total);
            self.last = saved.last.into_iter().collect();
        }
    }

    fn new(metric: &CustomMetric) -> Self {
        let scale = metric.scale.factor();
        Self {
            metric: metric.clone(),
            description: display_name(&metric.name),
            fractional: metric.aggregate == Aggregate::Avg || whole(scale).is_none(),
            now: None,
            total: None,
            last: HashMap::new(),
        }
    }

    fn about(&self) -> About {
        About {
            name: Cow::Owned(self.metric.name.clone()),
            unit: Cow::Owned(self.metric.unit.clone()),
            description: Cow::Owned(self.description.clone()),
            instrument: match self.metric.instrument {
                Instrument::Gauge => Kind::Gauge,
                Instrument::Counter => Kind::Counter,
                Instrument::UpDownCounter => Kind::UpDownCounter,
            },
        }
    }

    fn value(&self) -> Option<PointValue> {
        self.now.map(|number| match number {
            Number::Int(whole) if !self.fractional => PointValue::Int(whole),
            number => PointValue::Double(number.as_f64()),
        })
    }

    /// What is not there does not count; what is there and cannot be read
    /// makes the whole unknown (contract S6).
    fn take(&mut self, found: &[(Owner, Result<Number, Cause>)]) {
        let hidden = |(_, number): &(Owner, Result<Number, Cause>)| {
            number.is_err_and(|cause| !cause.is_absence())
        };
        let hidden = found.iter().any(hidden);
        let numbers = || {
            let numbers = found.iter();
            numbers.filter_map(|&(owner, number)| Some((owner, number.ok()?)))
        };
        let fractional = |(_, number)| matches!(number, Number::Double(_));
        self.fractional |= numbers().any(fractional);
        let now = if self.metric.instrument == Instrument::Counter {
            for (owner, number) in numbers() {
                self.count(owner, number);
            }
            // A file of the host is there for the next member, too.
            if self.last.len() > found.len() {
                let there: HashSet<Owner> = found.iter().map(|(owner, _)| *owner).collect();
                self.last
                    .retain(|owner, _| owner.is_none() || there.contains(owner));
            }
            self.total
        } else {
            aggregate(self.metric.aggregate, numbers().map(|(_, number)| number))
        };
        self.now = now.filter(|_| !hidden);
    }

    /// A number that falls has begun again at 0, as that of a new process
    /// does.
    fn count(&mut self, owner: Owner, number: Number) {
        let before = self.last.insert(owner, number);
        let more = match before {
            Some(before) if number.order(before) != Ordering::Less => number.minus(before),
            _ => number,
        };
        self.total = Some(self.total.unwrap_or(Number::ZERO).plus(more));
    }
}

fn aggregate(how: Aggregate, numbers: impl Iterator<Item = Number>) -> Option<Number> {
    let mut count = 0_u32;
    let numbers = numbers.inspect(|_| count = count.saturating_add(1));
    let larger = |order| move |a: Number, b: Number| if a.order(b) == order { b } else { a };
    let one = match how {
        Aggregate::Sum | Aggregate::Avg => numbers.reduce(Number::plus),
        Aggregate::Max => numbers.reduce(larger(Ordering::Less)),
        Aggregate::Min => numbers.reduce(larger(Ordering::Greater)),
    }?;
    Some(match how {
        Aggregate::Avg => Number::Double(one.as_f64() / f64::from(count)),
        _ => one,
    })
}

#[cfg(test)]
#[path = "custom_tests.rs"]
mod tests;
