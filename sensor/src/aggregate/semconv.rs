//! The metrics of OpenTelemetry's semantic conventions, and the sensor's own
//! beside them, as otel.md lists them.

use super::{
    figures::Figures,
    histogram::Histogram,
    report::{AttributeValue, Instrument, PointValue},
    scheduled::Scheduled,
    series::{About, Attributes, Builder, int, seconds},
    service::{COUNTERS, ExitKey, Service, counter},
};

const MODE: &str = "cpu.mode";

/// Adds what there is to say of a service as well as of one member.
pub fn figures(builder: &mut Builder, figures: &Figures) {
    counters(builder, figures);
    let [user, system] = figures.rates;
    builder.points(
        About::new(
            "process.cpu.utilization",
            "1",
            "CPU time per elapsed time since the last report, by mode.",
            Instrument::Gauge,
        ),
        [
            (text(MODE, "user"), user.map(PointValue::Double)),
            (text(MODE, "system"), system.map(PointValue::Double)),
        ],
    );
    for (name, unit, description, value) in [
        (
            "process.memory.usage",
            "By",
            "Resident memory.",
            figures.rss_bytes,
        ),
        (
            "process.memory.virtual",
            "By",
            "Virtual memory.",
            figures.vms_bytes,
        ),
        (
            "process.thread.count",
            "{thread}",
            "Threads.",
            figures.threads,
        ),
        (
            "process.unix.file_descriptor.count",
            "{file_descriptor}",
            "Open file descriptors.",
            figures.fds,
        ),
    ] {
        let about = About::new(name, unit, description, Instrument::UpDownCounter);
        builder.point(about, value.map(int));
    }
    builder.point(
        About::new(
            "process.uptime",
            "s",
            "Age of the oldest member.",
            Instrument::Gauge,
        ),
        figures.uptime_seconds.map(PointValue::Double),
    );
}

fn counters(builder: &mut Builder, figures: &Figures) {
    let time = |index: usize| figures.counters[index].map(|ns| PointValue::Double(seconds(ns)));
    let whole = |index: usize| figures.counters[index].map(int);
    let mut sum = |name, unit, description, points: Vec<(Attributes, Option<PointValue>)>| {
        let about = About::new(name, unit, description, Instrument::Counter);
        builder.points(about, points);
    };
    sum(
        "process.cpu.time",
        "s",
        "CPU time, by mode.",
        vec![
            (text(MODE, "user"), time(counter::USER)),
            (text(MODE, "system"), time(counter::SYSTEM)),
        ],
    );
    let direction = "disk.io.direction";
    sum(
        "process.disk.io",
        "By",
        "Bytes read from and written to storage.",
        vec![
            (text(direction, "read"), whole(counter::READ)),
            (text(direction, "write"), whole(counter::WRITE)),
        ],
    );
    let kind = "process.context_switch.type";
    sum(
        "process.context_switches",
        "{context_switch}",
        "Switches away from a thread.",
        vec![
            (text(kind, "voluntary"), whole(counter::VOLUNTARY)),
            (text(kind, "involuntary"), whole(counter::INVOLUNTARY)),
        ],
    );
    let kind = "system.paging.fault.type";
    sum(
        "process.paging.faults",
        "{fault}",
        "Page faults.",
        vec![
            (text(kind, "major"), whole(counter::MAJOR)),
            (text(kind, "minor"), whole(counter::MINOR)),
        ],
    );
    sum(
        "sensor.process.runqueue.time",
        "s",
        "Time spent runnable but waiting for a CPU.",
        vec![(vec![], time(counter::RUNQUEUE))],
    );
}

/// Adds the number of members: 0 where none is left (contract S3).
pub fn count(builder: &mut Builder, service: &Service) {
    let about = About::new(
        "sensor.process.count",
        "{process}",
        "Members of the service.",
        Instrument::UpDownCounter,
    );
    builder.point(about, Some(int(service.living().count() as u64)));
}

/// Adds what only kernel events tell.
pub fn events(builder: &mut Builder, service: &Service) {
    let sum = |name, description| About::new(name, "{process}", description, Instrument::Counter);
    builder.point(
        sum(
            "sensor.process.starts",
            "Members that were started, however short they lived.",
        ),
        Some(int(service.starts)),
    );
    let exits = service.exits.iter().map(|(key, count)| {
        let number = |key, value: u8| vec![(key, AttributeValue::Int(i64::from(value)))];
        let attributes = match *key {
            Some(ExitKey::Code(code)) => number("process.exit.code", code),
            Some(ExitKey::Signal(signal)) => number("sensor.exit.signal", signal),
            None => vec![],
        };
        (attributes, Some(int(*count)))
    });
    builder.points(
        sum(
            "sensor.process.exits",
            "Members that ended, by exit code or signal.",
        ),
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
        histogram_point(builder, name, unit, description, histogram);
    }
}

/// Adds what only the scheduler's hook tells.
pub fn scheduled(builder: &mut Builder, scheduled: &Scheduled) {
    for (name, description, histogram) in [
        (
            "sensor.process.runqueue.latency",
            "How long threads waited for a CPU, each time.",
            &scheduled.latency,
        ),
        (
            "sensor.process.cpu.burst",
            "How long threads had a CPU, each time.",
            &scheduled.burst,
        ),
    ] {
        histogram_point(builder, name, "s", description, histogram);
    }
    let about = About::new(
        "sensor.process.preemptions",
        "{preemption}",
        "Switches away from a thread that could have gone on.",
        Instrument::Counter,
    );
    builder.point(about, Some(int(scheduled.preemptions)));
}

/// A distribution without values has no point.
fn histogram_point(
    builder: &mut Builder,
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    histogram: &Histogram,
) {
    let about = About::new(name, unit, description, Instrument::ExponentialHistogram);
    let known = histogram.count() > 0;
    let value = known.then(|| PointValue::Histogram(Box::new(histogram.value())));
    builder.point(about, value);
}

fn text(key: &'static str, value: &'static str) -> Attributes {
    vec![(key, AttributeValue::Text(value.into()))]
}

const _: () = assert!(COUNTERS == counter::RUNQUEUE + 1);
