//! `cargo xtask gate`: nothing may cost 5 % more than the committed baseline
//! says. It counts instructions, which is the same on a noisy machine: those
//! of the hot paths under callgrind, those of the kernel programs, and those
//! that the verifier goes through.

mod baseline;
mod count;
mod object;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use self::{
    baseline::{Baseline, Figures},
    count::Paths,
};
use crate::shell;

/// Most that a figure may grow by, %.
const GROWTH: u64 = 5;

/// Flags of `cargo xtask gate`.
#[derive(Args)]
pub struct GateArgs {
    /// Only the kernel programs, for which nothing is built with optimisation
    #[arg(long)]
    hooks: bool,
    /// Write the figures of today as the new baseline
    #[arg(long)]
    write: bool,
}

/// Counts, compares, and fails where something has grown.
pub fn gate(args: &GateArgs) -> Result<()> {
    let file = file();
    let mut baseline = Baseline::read(&file)?;
    let paths = Paths::build(match args.hooks {
        // With the profile of the tests: most of it is built already.
        true => &["--profile", "dev"],
        false => &["--profile", "gate", "--package", "sensor"],
    })?;
    let mut gate = Gate {
        write: args.write,
        failures: 0,
    };
    if !args.hooks {
        gate.compare(
            "instructions",
            &mut baseline.instructions,
            &count::toolchain()?,
            paths.count()?,
        );
    }
    gate.compare(
        "object",
        &mut baseline.object,
        "any",
        object::figures(&shell::root().join("sensor-ebpf/prebuilt/sensor.bpf.o"))?,
    );
    match paths.verified()? {
        Ok(figures) => gate.compare(
            "verifier",
            &mut baseline.verifier,
            &count::kernel()?,
            figures,
        ),
        Err(reason) => println!("SKIPPED: verifier: {reason}"),
    }
    if args.write {
        baseline.write(&file)?;
        println!("wrote {}", file.display());
        return Ok(());
    }
    ensure!(
        gate.failures == 0,
        "{} figures are out of bounds; where that is meant: cargo xtask gate --write",
        gate.failures
    );
    Ok(())
}

fn file() -> PathBuf {
    shell::root().join("xtask/src/gate/baseline.toml")
}

struct Gate {
    write: bool,
    failures: usize,
}

impl Gate {
    /// Compares what was counted with what holds under the same `conditions`.
    fn compare(
        &mut self,
        what: &str,
        baseline: &mut baseline::Section,
        conditions: &str,
        counted: Figures,
    ) {
        if self.write {
            baseline.insert(conditions.to_owned(), counted);
            return;
        }
        let Some(known) = baseline.get(conditions) else {
            let known: Vec<&str> = baseline.keys().map(String::as_str).collect();
            println!(
                "SKIPPED: {what}: no baseline for {conditions}, only for: {}",
                known.join(", ")
            );
            return;
        };
        for (name, verdict) in verdicts(known, &counted) {
            let line = match &verdict {
                Verdict::Same(line) => line,
                Verdict::Fault(line) => {
                    self.failures += 1;
                    line
                }
            };
            println!("{what:<12} {name:<22} {line}");
        }
    }
}

/// How one figure compares.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Same(String),
    Fault(String),
}

fn verdicts(known: &Figures, counted: &Figures) -> Vec<(String, Verdict)> {
    let gone = known.keys().filter(|name| !counted.contains_key(*name));
    let gone = gone.map(|name| (name.clone(), Verdict::Fault("GONE".to_owned())));
    let there = counted.iter().map(|(name, &now)| {
        let verdict = match known.get(name) {
            None => Verdict::Fault(format!("{now:>10} NEW, in no baseline")),
            Some(&before) => against(before, now),
        };
        (name.clone(), verdict)
    });
    there.chain(gone).collect()
}

fn against(before: u64, now: u64) -> Verdict {
    let change = (now as f64 / before.max(1) as f64 - 1.0) * 100.0;
    let line = format!("{now:>10} {change:>+6.1} %");
    let most = u128::from(before) * u128::from(100 + GROWTH);
    if u128::from(now) * 100 > most {
        return Verdict::Fault(format!("{line} GROWN, of {before}"));
    }
    Verdict::Same(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(of: &[(&str, u64)]) -> Figures {
        of.iter().map(|&(name, n)| (name.to_owned(), n)).collect()
    }

    #[test]
    fn five_percent_pass_and_more_does_not() {
        assert_eq!(
            against(1000, 1050),
            Verdict::Same("      1050   +5.0 %".into())
        );
        assert!(matches!(against(1000, 1051), Verdict::Fault(_)));
        assert!(matches!(against(1000, 10), Verdict::Same(_)));
        assert!(matches!(against(0, 1), Verdict::Fault(_)));
        assert!(matches!(against(0, 0), Verdict::Same(_)));
    }

    #[test]
    fn what_is_new_or_gone_is_a_fault() {
        let known = figures(&[("kept", 10), ("gone", 10)]);
        let counted = figures(&[("kept", 10), ("new", 10)]);
        let faults: Vec<String> = verdicts(&known, &counted)
            .into_iter()
            .filter(|(_, verdict)| matches!(verdict, Verdict::Fault(_)))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(faults, ["new", "gone"]);
    }
}
