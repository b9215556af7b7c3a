//! Reports and events for people: aligned, 80 columns, no colour.

use super::terminal::{bytes, duration, escaped, fitted};
use crate::{
    aggregate::report::{Metric, Overview, PointValue, Report, ServiceIdentity, ServiceReport},
    incident::record::Incident,
    process::event::{End, ProcessEvent, What},
    units::WallNanos,
};

/// Head of the table of services.
pub const SERVICES_HEAD: &str =
    "SERVICE                 PROCS  CPU%    CPU TIME     RSS  THREADS  STARTS  EXITS";

/// Columns of the first cell, and what of them a group leaves the service.
const NAME_WIDTH: usize = 22;
const LEAST_NAME: usize = 6;

/// One report as a table, the busiest service first.
#[must_use]
pub fn report(report: &Report) -> String {
    let mut services: Vec<&ServiceReport> = report.services.iter().collect();
    services.sort_by(|a, b| {
        let rank = |service: &ServiceReport| {
            let overview = &service.overview;
            (overview.utilization, overview.cpu_seconds)
        };
        let by = |value: Option<f64>| value.unwrap_or(-1.0);
        let ((rate_a, time_a), (rate_b, time_b)) = (rank(a), rank(b));
        by(rate_b)
            .total_cmp(&by(rate_a))
            .then(by(time_b).total_cmp(&by(time_a)))
            .then(a.identity.name.cmp(&b.identity.name))
    });
    let mut text = String::from(SERVICES_HEAD.trim_end());
    text.push('\n');
    for service in services {
        for row in rows(service) {
            text.push_str(row.trim_end());
            text.push('\n');
        }
    }
    text
}

/// A service, its largest members and its plugin's own metrics.
fn rows(service: &ServiceReport) -> Vec<String> {
    let count = service.process_count.to_string();
    let mut rows = vec![row(&title(&service.identity), &count, &service.overview)];
    rows.extend(service.top.iter().map(|member| {
        let name = member.name.as_deref().unwrap_or_default();
        let name = escaped(&format!("  {} {name}", member.pid));
        row(&name, "", &member.overview)
    }));
    let own = service.metrics.get(service.own.clone());
    rows.extend(own.unwrap_or_default().iter().flat_map(own_rows));
    rows
}

/// The name of a service, and of its group where that is another.
fn title(service: &ServiceIdentity) -> String {
    let name = escaped(&service.name);
    let group = service.group.as_deref().unwrap_or_default();
    if group.is_empty() || service.name == group {
        return name;
    }
    // Only the group tells the rows of a service apart, and of a path only the
    // end does: so it is the name that is cut first.
    let group = escaped(group);
    let room = NAME_WIDTH - LEAST_NAME - " ()".len();
    let end = match group.chars().count() {
        fits if fits <= room => group,
        long => format!(
            "…{}",
            group.chars().skip(long - room + 1).collect::<String>()
        ),
    };
    let left = NAME_WIDTH - " ()".len() - end.chars().count();
    format!("{} ({end})", fitted(&name, left))
}

fn row(name: &str, count: &str, figures: &Overview) -> String {
    let whole = |value: Option<u64>| value.map(|value| value.to_string());
    let cell = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    format!(
        "{:<NAME_WIDTH$} {:>6} {:>5} {:>11} {:>7} {:>8} {:>7} {:>6}",
        fitted(name, NAME_WIDTH),
        count,
        cell(
            figures
                .utilization
                .map(|rate| format!("{:.1}", rate * 100.0))
        ),
        cell(figures.cpu_seconds.map(seconds)),
        cell(figures.rss_bytes.map(bytes)),
        cell(whole(figures.threads)),
        cell(whole(figures.starts)),
        cell(whole(figures.exits)),
    )
}

fn own_rows(metric: &Metric) -> impl Iterator<Item = String> {
    metric.points.iter().map(|point| {
        let value = match &point.value {
            PointValue::Int(int) => int.to_string(),
            PointValue::Double(double) => double.to_string(),
            PointValue::Histogram(histogram) => histogram.sum.to_string(),
        };
        let line = format!("  {} {value} {}", metric.name, metric.unit);
        fitted(&escaped(&line), 80)
    })
}

fn seconds(seconds: f64) -> String {
    duration(whole_number(seconds * 1e9))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what is wanted"
)]
fn whole_number(value: f64) -> u64 {
    value as u64
}

/// Head of the stream of events.
pub const EVENTS_HEAD: &str = "TIME             PID    END  LIVED     CPU    PEAK  COMMAND";

/// One event as a line, cut to the width of a terminal where there is one.
#[must_use]
pub fn event(event: &ProcessEvent, width: Option<usize>) -> String {
    let process = &event.process;
    let time = event.time.to_string();
    let clock = time.get(11..23).unwrap_or_default();
    let (end, lived, cpu, peak) = match &event.what {
        What::Exec => (
            "exec".to_owned(),
            String::new(),
            String::new(),
            String::new(),
        ),
        What::Exit(detail) => (
            detail.end.map_or("gone".to_owned(), end),
            duration(event.time.0.saturating_sub(process.creation_time.0)),
            detail.cpu_ns.map(duration).unwrap_or_default(),
            detail.peak_rss_bytes.map(bytes).unwrap_or_default(),
        ),
    };
    let line = format!(
        "{clock} {:>7} {end:>6} {lived:>6} {cpu:>7} {peak:>7}  {}",
        process.pid,
        command(event)
    );
    match width {
        Some(width) => fitted(&line, width),
        None => line,
    }
}

/// One incident as a line below the events, cut as they are.
#[must_use]
pub fn incident(incident: &Incident, width: Option<usize>) -> String {
    let time = WallNanos(incident.time.unwrap_or(incident.observed)).to_string();
    let clock = time.get(11..23).unwrap_or_default();
    let process = incident.process.as_ref().map(|process| process.pid);
    let pid = process.or(incident.pid);
    let pid = pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let cause = incident.cause.as_deref().unwrap_or("reported");
    let mut line = format!("{clock} {pid:>7}  ! {}", escaped(cause));
    if let Some(headline) = incident.headline().filter(|text| text != cause) {
        line.push_str(": ");
        line.push_str(&escaped(&headline));
    }
    match width {
        Some(width) => fitted(&line, width),
        None => line,
    }
}

fn end(end: End) -> String {
    match end {
        End::Code(code) => format!("{code}"),
        End::Signal {
            signal,
            core_dumped,
        } => {
            let core = if core_dumped { "+core" } else { "" };
            format!("{}{core}", signal_name(signal))
        }
    }
}

fn signal_name(signal: u8) -> String {
    let name = match signal {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        4 => "ILL",
        6 => "ABRT",
        7 => "BUS",
        8 => "FPE",
        9 => "KILL",
        11 => "SEGV",
        13 => "PIPE",
        14 => "ALRM",
        15 => "TERM",
        _ => return format!("SIG{signal}"),
    };
    name.to_owned()
}

fn command(event: &ProcessEvent) -> String {
    let process = &event.process;
    let path = process.executable_path.as_deref().unwrap_or(b"?");
    let mut text = escaped(&String::from_utf8_lossy(path));
    if let Some(args) = &process.args {
        for arg in args.args.iter().skip(1) {
            text.push(' ');
            text.push_str(&escaped(&String::from_utf8_lossy(arg)));
        }
        if args.truncated {
            text.push_str(" …");
        }
    }
    text
}
