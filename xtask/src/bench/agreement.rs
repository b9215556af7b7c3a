//! Whether the sensor and runqlat tell the same of the same waits.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{bars::Bar, pipe, running::Running, tools};

/// Quantiles that are compared.
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];
/// What the program of `perf bench sched pipe` calls one of the two.
const NAME: &str = "sched-pipe";
const METRIC: &str = "sensor.process.runqueue.latency";
/// Kernel programs of runqlat.
pub const PROGRAMS: usize = 3;

const INTERVAL: Duration = Duration::from_secs(1);

/// Upper bounds of buckets, us, and how many waits each has; ascending.
type Buckets = Vec<(f64, u64)>;

/// Lets both look at one run; a line for each quantile.
pub fn run(program: &Path, directory: &Path) -> Result<String> {
    let runqlat = tools::find("runqlat").context("runqlat")?;
    let mut command = std::process::Command::new(runqlat);
    command.args(["-P", "999999", "1"]);
    let output = directory.join("runqlat");
    let file = fs::File::create(&output)?;
    let log = directory.join("log");
    let mut theirs = Running::start("runqlat", vec![(command, Some(file))], &log)?;
    theirs.settle(PROGRAMS)?;
    let daemon = pipe::daemon(program, directory, pipe::PERF, INTERVAL)?;
    pipe::loops()?;
    daemon.wait(2)?;
    let report = daemon.last()?;
    daemon.running.stop()?;
    theirs.stop()?;
    let theirs = of_runqlat(&fs::read_to_string(&output)?);
    let ours = of_report(&report).context("the sensor tells of no waits")?;
    let mut text = String::new();
    for share in QUANTILES {
        let (Some(ours), Some(theirs)) = (quantile(&ours, share), quantile(&theirs, share)) else {
            anyhow::bail!("runqlat tells of no waits of {NAME}");
        };
        let apart = (ours / theirs).log2().abs();
        let bar = Bar::at_most(
            format!("pipe: p{} of waits, buckets apart", share * 100.0),
            apart,
            1.0,
            "",
        );
        writeln!(text, "{}", bar.line())?;
        writeln!(text, "    at most {ours:.1} us, by runqlat {theirs:.0} us")?;
    }
    Ok(text)
}

/// All tables of processes of that name, in one.
fn of_runqlat(text: &str) -> Buckets {
    let mut buckets = Buckets::new();
    let mut counts = false;
    for line in text.lines() {
        if let Some(process) = line.strip_prefix("pid = ") {
            counts = process
                .split_once(' ')
                .is_some_and(|(_, name)| name == NAME);
            continue;
        }
        // `         2 -> 3          : 1        |****|`
        let mut words = line.split_ascii_whitespace();
        let (Some(_), Some("->"), Some(to), Some(":"), Some(count)) = (
            words.next(),
            words.next(),
            words.next(),
            words.next(),
            words.next(),
        ) else {
            continue;
        };
        let (Ok(to), Ok(count), true) = (to.parse::<f64>(), count.parse(), counts) else {
            continue;
        };
        match buckets.iter_mut().find(|(bound, _)| *bound == to + 1.0) {
            Some((_, sum)) => *sum += count,
            None => buckets.push((to + 1.0, count)),
        }
    }
    buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    buckets
}

/// The exponential histogram of the service; its buckets are in seconds.
fn of_report(report: &Value) -> Option<Buckets> {
    let services = report["services"].as_array()?.iter();
    let mut metrics = services
        .filter_map(|service| service["metrics"].as_array())
        .flatten();
    let point = &metrics.find(|metric| metric["name"] == METRIC)?["points"][0];
    let positive = &point["positive"];
    let offset = positive["offset"].as_i64()?;
    let zero = (0.0, point["zero_count"].as_u64().unwrap_or(0));
    let counts = positive["counts"].as_array()?.iter().zip(offset..);
    let buckets = counts.filter_map(|(count, index)| {
        // Scale 0: bucket `i` ends at two to the power of `i + 1`.
        let bound = f64::from(i32::try_from(index).ok()? + 1).exp2() * 1e6;
        Some((bound, count.as_u64()?))
    });
    Some([zero].into_iter().chain(buckets).collect())
}

/// The upper bound of the bucket in which it is.
fn quantile(buckets: &Buckets, share: f64) -> Option<f64> {
    let all: u64 = buckets.iter().map(|(_, count)| count).sum();
    let mut below = 0;
    let (bound, _) = buckets.iter().find(|(_, count)| {
        below += count;
        below as f64 >= share * all as f64 && below > 0
    })?;
    Some(*bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_one_name_are_joined() {
        let text = "pid = 7 bash\n     usecs               : count    distribution\n\
            \x20        0 -> 1          : 9        |***|\n\npid = 8 sched-pipe\n\
            \x20        0 -> 1          : 2        |***|\n\
            \x20        2 -> 3          : 5        |***|\n\npid = 9 sched-pipe\n\
            \x20        2 -> 3          : 1        |***|\n";
        let buckets = of_runqlat(text);
        assert_eq!(buckets, [(2.0, 2), (4.0, 6)]);
        assert_eq!(quantile(&buckets, 0.25), Some(2.0));
        assert_eq!(quantile(&buckets, 0.5), Some(4.0));
        assert_eq!(quantile(&Vec::new(), 0.5), None);
    }

    #[test]
    fn buckets_of_a_report_are_in_microseconds() {
        let report = serde_json::json!({"services": [{"metrics": [{"name": METRIC, "points": [
            {"zero_count": 3, "positive": {"offset": -20, "counts": [1, 4]}}]}]}]});
        let buckets = of_report(&report).unwrap();
        assert_eq!(buckets[0], (0.0, 3));
        assert_eq!(buckets[2].1, 4);
        assert!((buckets[2].0 - 3.814_697).abs() < 1e-5);
    }
}
