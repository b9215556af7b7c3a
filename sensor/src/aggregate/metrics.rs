//! The metrics of one service, as otel.md lists them.

use super::{
    report::{AttributeValue, Instrument, Metric, Point, PointValue, ServiceReport},
    service::{COUNTERS, Counters, ExitKey, Service, counter},
};
use crate::units::{BootNanos, WallNanos};

/// The moment of a report on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// On the boot clock.
    pub boot: BootNanos,
    /// On the wall clock.
    pub wall: WallNanos,
}

/// Whether kernel events are there: without them starts, exits and what
/// processes used until their end are unknown, not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Hooks see every process.
    Events,
    /// Scans see who lives long enough.
    Scans,
}

/// Builds the report of a service; keeps what the next one needs for rates.
pub fn report(service: &mut Service, now: Moment, sight: Sight) -> ServiceReport {
    let counters = service.counters();
    let mut builder = Builder {
        start: service.start,
        metrics: Vec::with_capacity(18),
    };
    builder.counters(&counters);
    builder.utilization(service, &counters, now);
    builder.gauges(service, now);
    if sight == Sight::Events {
        builder.events(service);
    }
    ServiceReport {
        identity: service.identity.clone(),
        process_count: service.living().count() as u64,
        pids: service.living().map(|member| member.key.pid).collect(),
        metrics: builder.metrics,
        ended: Vec::new(),
    }
}

/// The metrics that say how things are now; counters and histograms say what
/// has been.
pub fn of_the_moment(metrics: &[Metric]) -> impl Iterator<Item = &Metric> {
    metrics.iter().filter(|metric| {
        matches!(
            metric.instrument,
            Instrument::Gauge | Instrument::UpDownCounter
        )
    })
}

/// Those of `before` that are missing in `now`: with the last member, memory
/// and the like end (contract S3).
#[must_use]
pub fn ended(before: &[Metric], now: &[Metric]) -> Vec<Metric> {
    let missing = |metric: &&Metric| !now.iter().any(|other| other.name == metric.name);
    before.iter().filter(missing).cloned().collect()
}

struct Builder {
    start: WallNanos,
    metrics: Vec<Metric>,
}

type Attributes = Vec<(&'static str, AttributeValue)>;

const MODE: &str = "cpu.mode";
const USER: AttributeValue = AttributeValue::Text("user");
const SYSTEM: AttributeValue = AttributeValue::Text("system");

impl Builder {
    fn counters(&mut self, counters: &Counters) {
        let seconds = |index: usize| counters[index].map(|ns| PointValue::Double(seconds(ns)));
        let whole = |index: usize| counters[index].map(int);
        let text = AttributeValue::Text;
        self.sum(
            "process.cpu.time",
            "s",
            "CPU time, by mode.",
            [
                (vec![(MODE, USER)], seconds(counter::USER)),
                (vec![(MODE, SYSTEM)], seconds(counter::SYSTEM)),
            ],
        );
        let direction = "disk.io.direction";
        self.sum(
            "process.disk.io",
            "By",
            "Bytes read from and written to storage.",
            [
                (vec![(direction, text("read"))], whole(counter::READ)),
                (vec![(direction, text("write"))], whole(counter::WRITE)),
            ],
        );
        let kind = "process.context_switch.type";
        self.sum(
            "process.context_switches",
            "{context_switch}",
            "Switches away from a thread.",
            [
                (vec![(kind, text("voluntary"))], whole(counter::VOLUNTARY)),
                (
                    vec![(kind, text("involuntary"))],
                    whole(counter::INVOLUNTARY),
                ),
            ],
        );
        let kind = "system.paging.fault.type";
        self.sum(
            "process.paging.faults",
            "{fault}",
            "Page faults.",
            [
                (vec![(kind, text("major"))], whole(counter::MAJOR)),
                (vec![(kind, text("minor"))], whole(counter::MINOR)),
            ],
        );
        self.sum(
            "sensor.process.runqueue.time",
            "s",
            "Time spent runnable but waiting for a CPU.",
            [(vec![], seconds(counter::RUNQUEUE))],
        );
    }

    fn utilization(&mut self, service: &mut Service, counters: &Counters, now: Moment) {
        let cpu = [counters[counter::USER], counters[counter::SYSTEM]];
        let last = service.last_report.replace((now.boot, cpu));
        let Some((then, earlier)) = last else {
            return;
        };
        let wall = now.boot.0.saturating_sub(then.0);
        if service.living().next().is_none() || wall == 0 {
            return;
        }
        let rate = |mode: usize| {
            let used = cpu[mode]?.saturating_sub(earlier[mode]?);
            Some(PointValue::Double(used as f64 / wall as f64))
        };
        self.points(
            "process.cpu.utilization",
            "1",
            "CPU time per elapsed time since the last report, by mode.",
            Instrument::Gauge,
            [
                (vec![(MODE, USER)], rate(0)),
                (vec![(MODE, SYSTEM)], rate(1)),
            ],
        );
    }

    fn gauges(&mut self, service: &Service, now: Moment) {
        for (name, unit, description, value) in [
            (
                "process.memory.usage",
                "By",
                "Resident memory.",
                service.sum(|reading| Some(reading.rss_bytes)),
            ),
            (
                "process.memory.virtual",
                "By",
                "Virtual memory.",
                service.sum(|reading| Some(reading.vms_bytes)),
            ),
            (
                "process.thread.count",
                "{thread}",
                "Threads.",
                service.sum(|reading| Some(reading.threads)),
            ),
            (
                "process.unix.file_descriptor.count",
                "{file_descriptor}",
                "Open file descriptors.",
                service.sum(|reading| reading.fds),
            ),
        ] {
            let points = [(vec![], value.map(int))];
            self.points(name, unit, description, Instrument::UpDownCounter, points);
        }
        let oldest = service.living().map(|member| member.key.start).min();
        let uptime = oldest.map(|start| seconds(now.boot.0.saturating_sub(start.0)));
        self.points(
            "process.uptime",
            "s",
            "Age of the oldest member.",
            Instrument::Gauge,
            [(vec![], uptime.map(PointValue::Double))],
        );
        self.points(
            "sensor.process.count",
            "{process}",
            "Members of the service.",
            Instrument::UpDownCounter,
            [(vec![], Some(int(service.living().count() as u64)))],
        );
    }

    fn events(&mut self, service: &Service) {
        self.sum(
            "sensor.process.starts",
            "{process}",
            "Members that were started, however short they lived.",
            [(vec![], Some(int(service.starts)))],
        );
        let exits: Vec<_> = service
            .exits
            .iter()
            .map(|(key, count)| {
                let attributes = match key {
                    Some(ExitKey::Code(code)) => {
                        vec![("process.exit.code", AttributeValue::Int(i64::from(*code)))]
                    }
                    Some(ExitKey::Signal(signal)) => {
                        vec![(
                            "sensor.exit.signal",
                            AttributeValue::Int(i64::from(*signal)),
                        )]
                    }
                    None => vec![],
                };
                (attributes, Some(int(*count)))
            })
            .collect();
        self.sum(
            "sensor.process.exits",
            "{process}",
            "Members that ended, by exit code or signal.",
            exits,
        );
        for (name, unit, description, histogram) in [
            (
                "sensor.process.lifetime",
                "s",
                "How long members lived.",
                &service.lifetime,
            ),
            (
                "sensor.process.memory.peak",
                "By",
                "Peak resident memory of members, at their end.",
                &service.peak,
            ),
        ] {
            let value =
                (histogram.count() > 0).then(|| PointValue::Histogram(Box::new(histogram.value())));
            let points = [(vec![], value)];
            self.points(
                name,
                unit,
                description,
                Instrument::ExponentialHistogram,
                points,
            );
        }
    }

    fn sum(
        &mut self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        points: impl IntoIterator<Item = (Attributes, Option<PointValue>)>,
    ) {
        self.points(name, unit, description, Instrument::Counter, points);
    }

    /// Adds a metric, unless no point of it is known.
    fn points(
        &mut self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        instrument: Instrument,
        points: impl IntoIterator<Item = (Attributes, Option<PointValue>)>,
    ) {
        let start = (instrument != Instrument::Gauge).then_some(self.start);
        let points: Vec<Point> = points
            .into_iter()
            .filter_map(|(attributes, value)| {
                Some(Point {
                    attributes,
                    start,
                    value: value?,
                })
            })
            .collect();
        if !points.is_empty() {
            self.metrics.push(Metric {
                name,
                unit,
                description,
                instrument,
                points,
            });
        }
    }
}

fn int(value: u64) -> PointValue {
    PointValue::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

const _: () = assert!(COUNTERS == counter::RUNQUEUE + 1);
