use super::*;
use crate::{
    plugin::{Find, Scale},
    units::{BootNanos, WallNanos},
};

fn metric(instrument: Instrument, aggregate: Aggregate) -> CustomMetric {
    CustomMetric {
        name: "app.cache_cpu".to_owned(),
        file: "/proc/{pid}/status".to_owned(),
        find: Find::Field("x".to_owned()),
        unit: "By".to_owned(),
        scale: Scale::new(1.0),
        instrument,
        aggregate,
    }
}

fn set(metric: CustomMetric) -> Arc<CustomSet> {
    let (set, faults) = CustomSet::new("app", &[metric]);
    assert_eq!(faults, []);
    set.unwrap()
}

fn member(pid: u32) -> Owner {
    Some(ProcessKey {
        pid,
        start: BootNanos(u64::from(pid)),
    })
}

fn int(number: i64) -> Result<Number, Cause> {
    Ok(Number::Int(number))
}

type Found<'a> = &'a [(Owner, Result<Number, Cause>)];

struct Bench {
    figures: CustomFigures,
    set: Arc<CustomSet>,
}

impl Bench {
    fn new(instrument: Instrument, aggregate: Aggregate) -> Self {
        Self {
            figures: CustomFigures::default(),
            set: set(metric(instrument, aggregate)),
        }
    }

    fn take(&mut self, found: Found<'_>) -> Option<PointValue> {
        let mut round = Round::default();
        for &(owner, number) in found {
            round.add(owner, [(0, number)]);
        }
        self.figures.take(&self.set, round);
        let mut builder = Builder::new(WallNanos(1));
        self.figures.add(&mut builder);
        let metric = builder.finish().pop()?;
        assert_eq!(
            (&*metric.name, &*metric.unit, &*metric.description),
            ("app.cache_cpu", "By", "App Cache CPU")
        );
        Some(metric.points[0].value.clone())
    }
}

#[test]
fn numbers_of_the_members_become_one() {
    use Aggregate::{Avg, Max, Min, Sum};
    let three = [
        (member(1), int(5)),
        (member(2), int(-2)),
        (member(3), int(4)),
    ];
    for (aggregate, expected) in [
        (Sum, PointValue::Int(7)),
        (Max, PointValue::Int(5)),
        (Min, PointValue::Int(-2)),
        (Avg, PointValue::Double(7.0 / 3.0)),
    ] {
        let mut bench = Bench::new(Instrument::Gauge, aggregate);
        assert_eq!(bench.take(&three), Some(expected));
        // Where it was found, and nowhere else.
        let absent = [
            (member(1), int(6)),
            (member(2), Err(Cause::NotFound)),
            (member(3), Err(Cause::NoFile)),
        ];
        let six = match aggregate {
            Avg => PointValue::Double(6.0),
            _ => PointValue::Int(6),
        };
        assert_eq!(bench.take(&absent), Some(six));
        assert_eq!(bench.take(&absent[1..]), None);
        // A sum over a part would be a lie.
        let hidden = [(member(1), int(6)), (member(2), Err(Cause::Denied))];
        assert_eq!(bench.take(&hidden), None);
        assert_eq!(bench.take(&[]), None);
    }
}

#[test]
fn what_a_member_counted_stays() {
    let mut bench = Bench::new(Instrument::Counter, Aggregate::Sum);
    assert_eq!(bench.take(&[]), None, "nobody ever counted");
    let expected = |total| Some(PointValue::Int(total));
    let (one, two) = (member(1), member(2));
    assert_eq!(
        bench.take(&[(one, int(100)), (two, int(10))]),
        expected(110)
    );
    assert_eq!(
        bench.take(&[(one, int(103)), (two, int(10))]),
        expected(113)
    );
    // One ends, and its successor begins.
    assert_eq!(bench.take(&[(two, int(11))]), expected(114));
    assert_eq!(
        bench.take(&[(two, int(11)), (member(3), int(4))]),
        expected(118)
    );
    // One begins again within its life.
    assert_eq!(
        bench.take(&[(two, int(2)), (member(3), int(4))]),
        expected(120)
    );
    // One cannot be read for a while: nothing is told, nothing is lost.
    let hidden = (two, Err(Cause::Denied));
    assert_eq!(bench.take(&[hidden, (member(3), int(5))]), None);
    assert_eq!(
        bench.take(&[(two, int(5)), (member(3), int(5))]),
        expected(124)
    );
    assert_eq!(bench.take(&[]), expected(124));
    assert_eq!(bench.figures.figures[0].last.len(), 0, "bounded by members");
}

#[test]
fn a_file_for_all_counts_once_also_after_a_while_without_members() {
    let mut bench = Bench::new(Instrument::Counter, Aggregate::Sum);
    for (found, total) in [
        (&[(None, int(7))][..], 7),
        (&[(None, int(9))], 9),
        (&[], 9),
        (&[(None, int(12))], 12),
    ] {
        assert_eq!(bench.take(found), Some(PointValue::Int(total)));
    }
}

#[test]
fn a_series_does_not_change_its_type_back_and_forth() {
    let mut bench = Bench::new(Instrument::UpDownCounter, Aggregate::Sum);
    let double = |value| Some(PointValue::Double(value));
    assert_eq!(bench.take(&[(None, int(1))]), Some(PointValue::Int(1)));
    assert_eq!(bench.take(&[(None, Ok(Number::Double(0.5)))]), double(0.5));
    assert_eq!(bench.take(&[(None, int(1))]), double(1.0));
}

#[test]
fn a_new_declaration_goes_on_where_the_metric_is_the_same() {
    let mut bench = Bench::new(Instrument::Counter, Aggregate::Sum);
    let one = [(member(1), int(5))];
    bench.take(&one);
    bench.set = set(metric(Instrument::Counter, Aggregate::Sum));
    assert_eq!(bench.take(&one), Some(PointValue::Int(5)));
    let other = CustomMetric {
        scale: Scale::new(2.0),
        ..metric(Instrument::Counter, Aggregate::Sum)
    };
    bench.set = set(other);
    assert_eq!(bench.take(&[]), None);
}
