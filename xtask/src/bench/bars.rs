//! The bars that the sensor has set itself, and whether it meets them.

use super::{
    measure::{CAPTURED, Figures, ToolFigures},
    tools::{EVENTS, PAIR, RUN},
};

/// Most that the storm may be slowed by, %.
const SLOWER: f64 = 3.0;
/// Most own CPU time, as a share of execsnoop's and exitsnoop's together.
const CPU_SHARE: f64 = 0.5;
/// Most kernel time, as a share of theirs.
const KERNEL_SHARE: f64 = 0.25;
/// Most resident memory, MB: for now, and in the end.
const MEMORY: [(f64, &str); 2] = [(20.0, "memory"), (15.0, "memory, in the end")];
/// Longest time to attach, ms.
const ATTACH: f64 = 300.0;
/// Most CPU time while nothing happens, ms a second.
const IDLE: f64 = 0.5;

/// One bar.
pub struct Bar {
    pub name: String,
    pub measured: String,
    pub wanted: String,
    pub verdict: &'static str,
}

impl Bar {
    fn new(name: String, measured: String, wanted: String, met: bool) -> Self {
        let verdict = if met { "met" } else { "MISSED" };
        Self {
            name,
            measured,
            wanted,
            verdict,
        }
    }

    pub fn at_most(name: String, measured: f64, most: f64, unit: &str) -> Self {
        // As shown, so that the verdict never contradicts the figure.
        let rounded = (measured * 100.0).round() / 100.0;
        Self::new(
            name,
            format!("{rounded:.2}{unit}"),
            format!("<= {most}{unit}"),
            rounded <= most,
        )
    }

    pub fn at_least(name: String, measured: f64, least: f64, unit: &str) -> Self {
        let rounded = (measured * 100.0).round() / 100.0;
        Self::new(
            name,
            format!("{rounded:.2}{unit}"),
            format!(">= {least}{unit}"),
            rounded >= least,
        )
    }

    /// Two counts that are to be the same.
    pub fn equal(name: &str, measured: f64, wanted: f64) -> Self {
        let met = measured == wanted;
        Self::new(
            name.to_owned(),
            measured.to_string(),
            wanted.to_string(),
            met,
        )
    }

    /// As it is in a terminal.
    pub fn line(&self) -> String {
        let Self {
            name,
            measured,
            wanted,
            verdict,
        } = self;
        format!("{name:<42}{measured:>12}{wanted:>14}  {verdict}")
    }

    /// A share of what the two peers take; not measured without them.
    fn share(name: String, ours: &[f64], theirs: Option<&[f64]>, most: f64) -> Self {
        match theirs.filter(|theirs| !theirs.is_empty()) {
            Some(theirs) => Self::at_most(name, median(ours) / median(theirs), most, ""),
            None => Self {
                name,
                measured: "-".to_owned(),
                wanted: format!("<= {most}"),
                verdict: "not measured",
            },
        }
    }
}

/// Every bar.
pub fn of(figures: &Figures) -> Vec<Bar> {
    let pair = figures.tools.get(PAIR);
    let mut bars = Vec::new();
    for name in [RUN, EVENTS] {
        if let Some(tool) = figures.tools.get(name) {
            bars.extend(of_tool(name, tool, pair));
        }
    }
    for (name, figures) in [
        ("sensor attached", &figures.attached_ms),
        ("sensor, first event printed", &figures.first_event_ms),
    ] {
        if !figures.is_empty() {
            bars.push(Bar::at_most(
                name.to_owned(),
                median(figures),
                ATTACH,
                " ms",
            ));
        }
    }
    bars
}

fn of_tool(name: &str, tool: &ToolFigures, pair: Option<&ToolFigures>) -> Vec<Bar> {
    let called = |what: &str| format!("{name}: {what}");
    let seen = tool.seen.execs.min(tool.seen.exits);
    let memory = tool.memory.resident as f64 / 1e6;
    let peak = tool.memory.peak as f64 / 1e6;
    let mut bars = vec![
        Bar::at_most(
            called("slows the storm by"),
            median(&tool.slower),
            SLOWER,
            " %",
        ),
        Bar::at_most(
            called("quickest tenth"),
            median(&tool.slower_quick),
            SLOWER,
            " %",
        ),
        Bar::share(
            called("CPU, of the pair's"),
            &tool.cpu_us,
            pair.map(|pair| &*pair.cpu_us),
            CPU_SHARE,
        ),
        Bar::share(
            called("kernel, of the pair's"),
            &tool.kernel_ns,
            pair.map(|pair| &*pair.kernel_ns),
            KERNEL_SHARE,
        ),
        Bar::new(
            called("captured"),
            seen.to_string(),
            CAPTURED.to_string(),
            [tool.seen.execs, tool.seen.exits] == [u64::from(CAPTURED); 2],
        ),
    ];
    for (most, what) in MEMORY {
        bars.push(Bar::at_most(called(what), memory, most, " MB"));
    }
    bars.push(Bar {
        name: called("memory, peak"),
        measured: format!("{peak:.2} MB"),
        wanted: "-".to_owned(),
        verdict: "no bar",
    });
    bars.push(Bar::at_most(called("idle"), tool.idle_ms, IDLE, " ms/s"));
    bars
}

/// The middle figure; not a number where there is none.
pub fn median(figures: &[f64]) -> f64 {
    quantile(figures, 0.5)
}

/// Between which figures the middle half lies.
pub fn middle_half(figures: &[f64]) -> (f64, f64) {
    (quantile(figures, 0.25), quantile(figures, 0.75))
}

/// Between two figures, in proportion.
fn quantile(figures: &[f64], share: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = share * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the last index"
    )]
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_figures() {
        for (figures, low, middle, high) in [
            (&[4.0][..], 4.0, 4.0, 4.0),
            (&[3.0, 1.0, 2.0], 1.5, 2.0, 2.5),
            (&[4.0, 1.0, 3.0, 2.0], 1.75, 2.5, 3.25),
        ] {
            assert_eq!(middle_half(figures), (low, high));
            assert_eq!(median(figures), middle);
        }
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_bar_without_the_peers_is_not_met() {
        let bar = Bar::share("x".to_owned(), &[1.0], None, 0.5);
        assert_eq!(bar.verdict, "not measured");
        let bar = Bar::share("x".to_owned(), &[1.0], Some(&[2.0]), 0.5);
        assert_eq!(bar.verdict, "met");
        let bar = Bar::share("x".to_owned(), &[1.1], Some(&[2.0]), 0.5);
        assert_eq!(bar.verdict, "MISSED");
    }
}
