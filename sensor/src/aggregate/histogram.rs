//! A base-2 exponential histogram (OpenTelemetry data model) that gives up
//! resolution where its values spread too far for its buckets.

use std::collections::VecDeque;

use super::report::HistogramValue;

/// Most buckets of one histogram: the default of the OpenTelemetry SDKs.
const BUCKETS: u32 = 160;
/// Highest resolution; bucket indices of any double fit an `i32`.
const MAX_SCALE: i32 = 20;
/// Lowest resolution: one bucket holds everything.
const MIN_SCALE: i32 = -10;

/// Resolution of [`Histogram::of_powers_of_two`].
const POWERS_OF_TWO: i32 = 0;

/// A cumulative distribution of values that are zero or more.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
    scale: i32,
    zero_count: u64,
    offset: i32,
    counts: VecDeque<u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            count: 0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            scale: MAX_SCALE,
            zero_count: 0,
            offset: 0,
            counts: VecDeque::new(),
        }
    }
}

impl Histogram {
    /// A distribution of values that come counted, by powers of two: nothing is
    /// lost on the way, and least and greatest are unknown.
    #[must_use]
    pub fn of_powers_of_two() -> Self {
        Self {
            scale: POWERS_OF_TWO,
            ..Self::default()
        }
    }

    /// Takes in values of `(2^exponent, 2^(exponent + 1)]`, or zeros where there
    /// is no exponent. Their sum comes with [`Self::add_sum`].
    pub fn add(&mut self, exponent: Option<i32>, times: u64) {
        if times == 0 {
            return;
        }
        self.count = self.count.saturating_add(times);
        let Some(exponent) = exponent else {
            self.zero_count = self.zero_count.saturating_add(times);
            return;
        };
        let index = |scale: i32| exponent >> POWERS_OF_TWO.saturating_sub(scale).clamp(0, 31);
        while !self.fits(index(self.scale)) {
            self.halve();
        }
        let index = index(self.scale);
        self.grow_to(index);
        let at = usize::try_from(index - self.offset).unwrap_or_default();
        self.counts[at] = self.counts[at].saturating_add(times);
    }

    /// Adds to the sum of the values.
    pub fn add_sum(&mut self, more: f64) {
        self.sum += more;
    }

    /// Takes in one value; what is not finite or below zero is no value.
    pub fn record(&mut self, value: f64) {
        if !value.is_finite() || value < 0.0 {
            return;
        }
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if value == 0.0 {
            self.zero_count += 1;
            return;
        }
        let mut index = bucket(value, self.scale);
        while !self.fits(index) {
            self.halve();
            index = bucket(value, self.scale);
        }
        self.grow_to(index);
        let at = usize::try_from(index - self.offset).unwrap_or_default();
        self.counts[at] += 1;
    }

    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The value for the wire.
    #[must_use]
    pub fn value(&self) -> HistogramValue {
        HistogramValue {
            count: self.count,
            sum: self.sum,
            min: Some(self.min).filter(|min| min.is_finite()),
            max: Some(self.max).filter(|max| max.is_finite()),
            scale: self.scale,
            zero_count: self.zero_count,
            offset: self.offset,
            counts: self.counts.iter().copied().collect(),
        }
    }

    fn fits(&self, index: i32) -> bool {
        if self.counts.is_empty() || self.scale <= MIN_SCALE {
            return true;
        }
        let len = i32::try_from(self.counts.len()).unwrap_or(i32::MAX);
        let low = self.offset.min(index);
        let high = self.offset.saturating_add(len - 1).max(index);
        low.abs_diff(high) < BUCKETS
    }

    fn grow_to(&mut self, index: i32) {
        if self.counts.is_empty() {
            self.offset = index;
        }
        while index < self.offset {
            self.counts.push_front(0);
            self.offset -= 1;
        }
        while self.counts.len() <= usize::try_from(index - self.offset).unwrap_or_default() {
            self.counts.push_back(0);
        }
    }

    /// Joins neighbouring buckets: half the resolution, twice the range.
    fn halve(&mut self) {
        let offset = self.offset >> 1;
        let mut counts = VecDeque::with_capacity(self.counts.len() / 2 + 1);
        for (index, count) in (self.offset..).zip(&self.counts) {
            let at = usize::try_from((index >> 1) - offset).unwrap_or_default();
            if counts.len() <= at {
                counts.push_back(0);
            }
            counts[at] += count;
        }
        self.offset = offset;
        self.counts = counts;
        self.scale -= 1;
    }
}

/// A distribution that goes on; what cannot be one begins anew.
impl From<HistogramValue> for Histogram {
    fn from(value: HistogramValue) -> Self {
        let sound = (MIN_SCALE..=MAX_SCALE).contains(&value.scale)
            && value.counts.len() <= BUCKETS as usize
            && value.offset.checked_add_unsigned(BUCKETS).is_some()
            && sum_of(&value) == Some(value.count);
        if !sound || value.count == 0 {
            return Self::default();
        }
        Self {
            count: value.count,
            sum: value.sum,
            min: value.min.unwrap_or(f64::INFINITY),
            max: value.max.unwrap_or(f64::NEG_INFINITY),
            scale: value.scale,
            zero_count: value.zero_count,
            offset: value.offset,
            counts: value.counts.into(),
        }
    }
}

fn sum_of(value: &HistogramValue) -> Option<u64> {
    let mut counts = value.counts.iter();
    counts.try_fold(value.zero_count, |sum, count| sum.checked_add(*count))
}

/// The bucket whose bounds are `base^index` (exclusive) and `base^(index+1)`
/// (inclusive).
#[expect(
    clippy::cast_possible_truncation,
    reason = "at most 2^20 * 1075 in size"
)]
fn bucket(value: f64, scale: i32) -> i32 {
    let exact = value.log2() * f64::from(scale).exp2();
    exact.ceil() as i32 - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn powers_of_two_lie_at_the_upper_bound() {
        assert_eq!(bucket(4.0, 0), 1);
        assert_eq!(bucket(4.1, 0), 2);
        assert_eq!(bucket(0.5, 0), -2);
        assert_eq!(bucket(4.0, -1), 0);
    }

    #[test]
    fn what_comes_counted_stays_as_it_is() {
        let mut histogram = Histogram::of_powers_of_two();
        assert_eq!(histogram.value().count, 0);
        histogram.add(Some(-20), 3);
        histogram.add(Some(-30), u64::from(u32::MAX) + 1);
        histogram.add(Some(16), 1);
        histogram.add(None, 2);
        histogram.add(Some(3), 0);
        histogram.add_sum(4.5);
        let value = histogram.value();
        assert_eq!((value.scale, value.offset), (0, -30));
        assert_eq!(value.counts.len(), 47);
        assert_eq!(value.counts[0], u64::from(u32::MAX) + 1);
        assert_eq!((value.counts[10], value.counts[46]), (3, 1));
        assert_eq!((value.zero_count, value.sum), (2, 4.5));
        assert_eq!(value.count, u64::from(u32::MAX) + 7);
        assert_eq!((value.min, value.max), (None, None));
        assert_eq!(Histogram::from(value), histogram);
    }

    proptest! {
        #[test]
        fn every_value_lies_in_its_bucket(values in prop::collection::vec(1e-9_f64..1e12, 1..200)) {
            let mut histogram = Histogram::default();
            for &value in &values {
                histogram.record(value);
            }
            let got = histogram.value();
            prop_assert!(got.counts.len() <= BUCKETS as usize);
            prop_assert_eq!(got.count, values.len() as u64);
            prop_assert_eq!(got.counts.iter().sum::<u64>(), got.count);
            prop_assert_eq!(Histogram::from(got.clone()), histogram);
            let mut expected = vec![0; got.counts.len()];
            for &value in &values {
                expected[usize::try_from(bucket(value, got.scale) - got.offset).unwrap()] += 1;
            }
            // Values at a bound may fall on either side after rounding.
            let moved: u64 = expected.iter().zip(&got.counts).map(|(a, b): (&u64, &u64)| a.abs_diff(*b)).sum();
            prop_assert!(moved <= 2, "{expected:?} {:?}", got.counts);
        }
    }
}
