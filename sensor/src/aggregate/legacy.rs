//! The 16 metrics of the Python framework (plugins.md), with full precision.

use std::borrow::Cow;

use super::{
    figures::{Figures, member_rates},
    metrics::Moment,
    report::{Instrument, PointValue},
    series::{About, Builder, int, seconds},
    service::{Service, counter},
};

/// Every name with its unit, instrument and display name.
pub const METRICS: [(&str, &str, Instrument, &str); 16] = {
    use Instrument::{Counter, Gauge, UpDownCounter};
    [
        ("cpu_usage", "%", Gauge, "CPU Usage"),
        ("memory_usage", "%", Gauge, "Memory Usage"),
        ("process_count", "processes", UpDownCounter, "Process Count"),
        ("thread_count", "threads", UpDownCounter, "Thread Count"),
        ("disk_read_bytes", "bytes", Counter, "Disk Read Bytes"),
        ("disk_write_bytes", "bytes", Counter, "Disk Write Bytes"),
        (
            "open_file_descriptors",
            "descriptors",
            UpDownCounter,
            "Open File Descriptors",
        ),
        (
            "voluntary_ctx_switches",
            "switches",
            Counter,
            "Voluntary Ctx Switches",
        ),
        (
            "nonvoluntary_ctx_switches",
            "switches",
            Counter,
            "Nonvoluntary Ctx Switches",
        ),
        (
            "avg_threads_per_process",
            "threads",
            Gauge,
            "Avg Threads Per Process",
        ),
        (
            "max_threads_per_process",
            "threads",
            Gauge,
            "Max Threads Per Process",
        ),
        (
            "min_threads_per_process",
            "threads",
            Gauge,
            "Min Threads Per Process",
        ),
        (
            "cpu_user_time_total",
            "seconds",
            Counter,
            "CPU User Time Total",
        ),
        (
            "cpu_system_time_total",
            "seconds",
            Counter,
            "CPU System Time Total",
        ),
        ("memory_rss_total", "bytes", Gauge, "Memory Rss Total"),
        ("memory_vms_total", "bytes", Gauge, "Memory Vms Total"),
    ]
};

/// The values of [`METRICS`], in its order.
type Values = [Option<PointValue>; 16];

/// Adds the metrics of a service. `prefix` is its identifier where that goes
/// before each name (contract S8).
pub fn of_service(
    builder: &mut Builder,
    service: &Service,
    figures: &Figures,
    now: Moment,
    prefix: Option<&str>,
) {
    let members = service.living().count();
    let mean = |sum: f64| sum / members as f64;
    let mean_usage = service.living().try_fold(0.0, |sum, member| {
        let [user, system] = member_rates(service, member, now);
        Some(sum + user? + system?)
    });
    let threads = || {
        let readings = service.living().map(|member| member.reading.as_deref());
        readings.map(|reading| reading.map(|reading| reading.threads))
    };
    // Of nobody there is neither a mean nor a sum over all.
    let known = figures.threads.is_some();
    let values = Values::from([
        mean_usage
            .filter(|_| members > 0)
            .map(|sum| PointValue::Double(100.0 * mean(sum))),
        figures
            .rss_bytes
            .and_then(|rss| Some(PointValue::Double(share(rss, now)? / members as f64))),
        Some(int(members as u64)),
        figures.threads.map(int),
        figures.counters[counter::READ].map(int),
        figures.counters[counter::WRITE].map(int),
        figures.fds.map(int),
        figures.counters[counter::VOLUNTARY].map(int),
        figures.counters[counter::INVOLUNTARY].map(int),
        figures
            .threads
            .map(|threads| PointValue::Double(mean(threads as f64))),
        threads().flatten().max().filter(|_| known).map(int),
        threads().flatten().min().filter(|_| known).map(int),
        time(figures, counter::USER),
        time(figures, counter::SYSTEM),
        figures.rss_bytes.map(int),
        figures.vms_bytes.map(int),
    ]);
    add(builder, values, prefix);
}

/// Adds the metrics of one member; those over members have no meaning here.
pub fn of_member(builder: &mut Builder, figures: &Figures, now: Moment, prefix: Option<&str>) {
    let values = Values::from([
        figures
            .utilization()
            .map(|rate| PointValue::Double(100.0 * rate)),
        figures
            .rss_bytes
            .and_then(|rss| share(rss, now))
            .map(PointValue::Double),
        None,
        figures.threads.map(int),
        figures.counters[counter::READ].map(int),
        figures.counters[counter::WRITE].map(int),
        figures.fds.map(int),
        figures.counters[counter::VOLUNTARY].map(int),
        figures.counters[counter::INVOLUNTARY].map(int),
        None,
        None,
        None,
        time(figures, counter::USER),
        time(figures, counter::SYSTEM),
        figures.rss_bytes.map(int),
        figures.vms_bytes.map(int),
    ]);
    add(builder, values, prefix);
}

fn add(builder: &mut Builder, values: Values, prefix: Option<&str>) {
    for ((name, unit, instrument, display_name), value) in METRICS.into_iter().zip(values) {
        let name = match prefix {
            Some(prefix) => Cow::Owned(format!("{prefix}.{name}")),
            None => Cow::Borrowed(name),
        };
        let about = About {
            name,
            ..About::new("", unit, display_name, instrument)
        };
        builder.point(about, value);
    }
}

/// Percent of the host's memory.
fn share(bytes: u64, now: Moment) -> Option<f64> {
    let all = now.memory_bytes.filter(|&all| all > 0)?;
    Some(100.0 * bytes as f64 / all as f64)
}

fn time(figures: &Figures, index: usize) -> Option<PointValue> {
    figures.counters[index].map(|ns| PointValue::Double(seconds(ns)))
}
