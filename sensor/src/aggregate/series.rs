//! Metrics as they are built for one report, and the series that end with it.

use std::{borrow::Cow, collections::HashSet};

use super::report::{AttributeValue, Instrument, Metric, PROCESS_PID, Point, PointValue};
use crate::units::WallNanos;

/// Attributes of a series.
pub type Attributes = Vec<(&'static str, AttributeValue)>;

/// What a metric is, apart from its values.
#[derive(Debug, Clone)]
pub struct About {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its unit.
    pub unit: Cow<'static, str>,
    /// What it is, for people.
    pub description: Cow<'static, str>,
    /// How its values behave.
    pub instrument: Instrument,
}

impl About {
    /// A metric whose texts are known when the program is built.
    #[must_use]
    pub fn new(
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        instrument: Instrument,
    ) -> Self {
        Self {
            name: name.into(),
            unit: unit.into(),
            description: description.into(),
            instrument,
        }
    }
}

/// Puts the points of the service, and of single members, under the names of
/// their metrics.
#[derive(Debug)]
pub struct Builder {
    start: WallNanos,
    member: Attributes,
    metrics: Vec<Metric>,
}

impl Builder {
    /// Points count from `start`, which is the service's, until
    /// [`Self::of_member`] says otherwise.
    #[must_use]
    pub fn new(start: WallNanos) -> Self {
        Self {
            start,
            member: Vec::new(),
            metrics: Vec::with_capacity(18),
        }
    }

    /// The next points are of a member, which counts from its own start and
    /// has further attributes.
    pub fn of_member(&mut self, start: WallNanos, attributes: Attributes) {
        self.start = start;
        self.member = attributes;
    }

    /// Adds points to a metric; what is unknown is left out, and so is a
    /// metric of which nothing is known.
    pub fn points(
        &mut self,
        about: About,
        points: impl IntoIterator<Item = (Attributes, Option<PointValue>)>,
    ) {
        let start = (about.instrument != Instrument::Gauge).then_some(self.start);
        let member = &self.member;
        let points = points.into_iter().filter_map(|(mut attributes, value)| {
            attributes.extend_from_slice(member);
            Some(Point {
                attributes,
                start,
                value: value?,
            })
        });
        // Only members add to what is there already.
        let known = match member.as_slice() {
            [] => None,
            _ => self.metrics.iter_mut().find(|one| one.name == about.name),
        };
        if let Some(known) = known {
            known.points.extend(points);
            return;
        }
        let points: Vec<Point> = points.collect();
        if !points.is_empty() {
            let About {
                name,
                unit,
                description,
                instrument,
            } = about;
            self.metrics.push(Metric {
                name,
                unit,
                description,
                instrument,
                points,
            });
        }
    }

    /// Adds the one point of a metric.
    pub fn point(&mut self, about: About, value: Option<PointValue>) {
        self.points(about, [(Vec::new(), value)]);
    }

    /// How many metrics there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.metrics.len()
    }

    /// All metrics.
    #[must_use]
    pub fn finish(self) -> Vec<Metric> {
        self.metrics
    }
}

/// A count as a value.
#[must_use]
pub fn int(value: u64) -> PointValue {
    PointValue::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

/// Nanoseconds as seconds.
#[must_use]
pub fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// The series that can end: those that say how things are now, and all of
/// single members. Counters and histograms of a service say what has been.
#[must_use]
pub fn mortal(metrics: &[Metric]) -> Vec<Metric> {
    let part = |metric: &Metric| {
        let of_now = matches!(
            metric.instrument,
            Instrument::Gauge | Instrument::UpDownCounter
        );
        with_points(metric, |point| of_now || is_of_member(point))
    };
    metrics.iter().filter_map(part).collect()
}

/// The series of `before` that are missing in `now`: with the last member,
/// memory and the like end (contract S3), and with each all that is its own.
#[must_use]
pub fn ended(before: &[Metric], now: &[Metric]) -> Vec<Metric> {
    let part = |metric: &Metric| {
        let points = now
            .iter()
            .find(|other| other.name == metric.name)
            .map_or(&[][..], |other| other.points.as_slice());
        let attributes = |point: &Point| point.attributes.clone();
        let same = |(a, b): (&Point, &Point)| a.attributes == b.attributes;
        // The usual case: nothing has changed, and nothing is to be looked up.
        if metric.points.len() <= points.len() && metric.points.iter().zip(points).all(same) {
            return None;
        }
        let there: HashSet<Attributes> = points.iter().map(attributes).collect();
        with_points(metric, |point| !there.contains(&point.attributes))
    };
    before.iter().filter_map(part).collect()
}

/// Whether a series is of one member.
#[must_use]
pub fn is_of_member(point: &Point) -> bool {
    point.attributes.iter().any(|(key, _)| *key == PROCESS_PID)
}

/// A metric with some of its points; `None` where these are none.
fn with_points(metric: &Metric, wanted: impl Fn(&Point) -> bool) -> Option<Metric> {
    let points: Vec<Point> = metric
        .points
        .iter()
        .filter(|point| wanted(point))
        .cloned()
        .collect();
    (!points.is_empty()).then(|| Metric {
        name: metric.name.clone(),
        unit: metric.unit.clone(),
        description: metric.description.clone(),
        instrument: metric.instrument,
        points,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge(name: &'static str, pids: &[i64]) -> Metric {
        let about = About::new(name, "1", "", Instrument::Gauge);
        let mut builder = Builder::new(WallNanos(1));
        let points = pids.iter().map(|&pid| {
            let attributes = vec![(PROCESS_PID, AttributeValue::Int(pid))];
            (attributes, Some(PointValue::Int(pid)))
        });
        builder.points(about, points);
        builder.finish().remove(0)
    }

    fn pids(metric: &Metric) -> Vec<i64> {
        let pid = |point: &Point| match point.value {
            PointValue::Int(pid) => pid,
            _ => panic!("{point:?}"),
        };
        metric.points.iter().map(pid).collect()
    }

    #[test]
    fn each_series_that_is_missing_ends() {
        let before = [gauge("a", &[1, 2, 3]), gauge("b", &[1])];
        for (now, expected) in [
            (vec![gauge("a", &[1, 2, 3]), gauge("b", &[1])], vec![]),
            (vec![gauge("a", &[3, 1, 2, 4]), gauge("b", &[1])], vec![]),
            (
                vec![gauge("a", &[4, 2]), gauge("b", &[1])],
                vec![("a", vec![1, 3])],
            ),
            (vec![gauge("a", &[3, 2, 1])], vec![("b", vec![1])]),
            (vec![], vec![("a", vec![1, 2, 3]), ("b", vec![1])]),
        ] {
            let ended = ended(&before, &now);
            let shown: Vec<_> = ended.iter().map(|one| (&*one.name, pids(one))).collect();
            assert_eq!(shown, expected);
        }
    }
}
