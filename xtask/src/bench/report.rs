//! The tables, for a terminal of 80 columns and for docs/BENCHMARKS.md.

use std::fmt::Write;

use super::{
    bars::{self, Bar},
    measure::{CAPTURED, Figures, ToolFigures},
    tools::{self, Tool},
};

/// Everything to be told.
pub struct Report<'a> {
    pub tools: &'a [Tool],
    pub figures: &'a Figures,
    pub facts: &'a [(&'static str, String)],
    pub notes: &'a [String],
    /// How to repeat it.
    pub command: String,
}

const HEAD: [&str; 8] = [
    "tool", "slower", "from..to", "CPU", "kernel", "captured", "RSS", "idle",
];
const UNITS: [&str; 8] = ["", "%", "%", "us", "ns", "", "MB", "ms/s"];

impl Report<'_> {
    /// For a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.facts {
            line(&mut text, format_args!("{name:<14} {value}"));
        }
        line(&mut text, format_args!(""));
        row(&mut text, &HEAD.map(str::to_owned));
        row(&mut text, &UNITS.map(str::to_owned));
        for cells in self.rows() {
            row(&mut text, &cells);
        }
        line(&mut text, format_args!("\n{}\n", self.legend().join("\n")));
        let head = ["bar", "measured", "wanted", ""];
        bar_row(&mut text, head);
        for Bar {
            name,
            measured,
            wanted,
            verdict,
        } in self.bars()
        {
            bar_row(&mut text, [&name, &measured, &wanted, verdict]);
        }
        for note in self.remarks() {
            line(&mut text, format_args!("\n{note}"));
        }
        text
    }

    /// For the documentation.
    pub fn markdown(&self) -> String {
        let mut text = String::from("# Benchmarks\n\n");
        text.push_str(
            "Written by `cargo xtask bench --write`, every figure as measured. Absolute times \
             depend on the machine; the ratios are taken within one run.\n\n## Machine\n\n",
        );
        markdown_row(&mut text, &["", ""]);
        markdown_row(&mut text, &["---", "---"]);
        for (name, value) in self.facts {
            markdown_row(&mut text, &[*name, value]);
        }
        let command = &self.command;
        line(
            &mut text,
            format_args!("\nTo repeat, as root: `{command}`\n\n## Short processes: storm\n"),
        );
        let heads: Vec<String> = HEAD
            .iter()
            .zip(UNITS)
            .map(|(head, unit)| match unit {
                "" => (*head).to_owned(),
                unit => format!("{head}, {unit}"),
            })
            .collect();
        markdown_row(&mut text, &heads);
        markdown_row(&mut text, &["---"; HEAD.len()]);
        for cells in self.rows() {
            markdown_row(&mut text, &cells);
        }
        line(
            &mut text,
            format_args!("\n{}\n\n## Bars\n", self.legend().join("\n")),
        );
        markdown_row(&mut text, &["bar", "measured", "wanted", ""]);
        markdown_row(&mut text, &["---"; 4]);
        for bar in self.bars() {
            markdown_row(
                &mut text,
                &[&*bar.name, &bar.measured, &bar.wanted, bar.verdict],
            );
        }
        for note in self.remarks() {
            line(&mut text, format_args!("\n{note}"));
        }
        text
    }

    fn rows(&self) -> Vec<[String; 8]> {
        self.tools
            .iter()
            .filter_map(|tool| Some(cells(tool, self.figures.tools.get(tool.name)?)))
            .collect()
    }

    fn bars(&self) -> Vec<Bar> {
        bars::of(self.figures)
    }

    fn legend(&self) -> Vec<String> {
        [
            "A storm starts a static program that does nothing and waits for it, one after",
            "the other; its first third only wakes the machine up. slower: by how much a",
            "storm takes longer than those before and after it without a tool, in the middle",
            "(of `sensor run` there are more than one a round); from..to: the middle half.",
            "CPU: the tool's own user and system time a process. kernel: run time of its",
            "kernel programs a process, counted in rounds of their own. captured: of",
        ]
        .iter()
        .map(|&line| line.to_owned())
        .chain([
            format!("{CAPTURED} processes of three storms at once (execs; exits where fewer); RSS: after"),
            "those. idle: CPU time while nothing is started. Middle figures of all rounds.".to_owned(),
            "quickest tenth: by how much the storm's quickest processes take longer, all on".to_owned(),
            "one CPU: what the hooks cost, without where the scheduler puts a process and".to_owned(),
            "what else the machine does.".to_owned(),
        ])
        .collect()
    }

    /// What a reader has to know to trust the figures, or not.
    fn remarks(&self) -> Vec<String> {
        let bare = &self.figures.bare_us;
        let (low, high) = bars::middle_half(bare);
        let mut remarks = vec![format!(
            "Without a tool: {:.1} us a process, the middle half of {} storms {low:.1} to {high:.1}.\n\
             Others started {} processes or threads during the storms, {} while idle:\n\
             each adds to the tools' figures. A quiet machine has next to none.",
            bars::median(bare),
            bare.len(),
            self.figures.strangers,
            self.figures.idle_strangers,
        )];
        if let Some(pair) = self.figures.tools.get(tools::PAIR) {
            remarks.push(format!(
                "Quickest tenth with {}: {:.1} %.",
                tools::PAIR,
                bars::median(&pair.slower_quick)
            ));
        }
        remarks.extend(self.notes.iter().cloned());
        remarks
    }
}

fn cells(tool: &Tool, figures: &ToolFigures) -> [String; 8] {
    let (low, high) = bars::middle_half(&figures.slower);
    let seen = match tool.follows {
        (true, true) => figures.seen.execs.min(figures.seen.exits),
        (true, false) => figures.seen.execs,
        _ => figures.seen.exits,
    };
    [
        tool.name.to_owned(),
        format!("{:.1}", bars::median(&figures.slower)),
        format!("{low:.1}..{high:.1}"),
        format!("{:.2}", bars::median(&figures.cpu_us)),
        match figures.kernel_ns.as_slice() {
            [] => "-".to_owned(),
            some => format!("{:.0}", bars::median(some)),
        },
        seen.to_string(),
        format!("{:.1}", figures.memory.resident as f64 / 1e6),
        format!("{:.2}", figures.idle_ms),
    ]
}

fn row(text: &mut String, cells: &[String; 8]) {
    let [name, slower, spread, cpu, kernel, seen, memory, idle] = cells;
    line(
        text,
        format_args!(
            "{name:<22}{slower:>7}{spread:>13}{cpu:>7}{kernel:>8}{seen:>9}{memory:>7}{idle:>7}"
        ),
    );
}

fn bar_row(text: &mut String, [name, measured, wanted, verdict]: [&str; 4]) {
    line(
        text,
        format_args!("{name:<42}{measured:>12}{wanted:>14}  {verdict}"),
    );
}

fn markdown_row(text: &mut String, cells: &[impl AsRef<str>]) {
    for cell in cells {
        let _ = write!(text, "| {} ", cell.as_ref());
    }
    text.push_str("|\n");
}

/// Adds a line without blanks at its end.
fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.push_str(line.to_string().trim_end_matches(' '));
    text.push('\n');
}
