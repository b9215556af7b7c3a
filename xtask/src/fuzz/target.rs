//! One target: it runs, and what it says about that.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::shell::root;

/// Most memory of one target; the figures of AddressSanitizer are in it.
const MEMORY_MB: u32 = 2_048;
/// Longest time for one input, seconds: real ones take far less than one.
const TIMEOUT: u32 = 20;
/// Longest input that is kept in fuzz/corpus, bytes.
const LONGEST_SEED: u32 = 4_096;
/// Tells the program which target it is.
const VARIABLE: &str = "SENSOR_FUZZ_TARGET";
/// Lines of a target's output that are shown where it fails.
const SHOWN: usize = 25;

/// A target that is built.
pub struct Target<'a> {
    name: &'a str,
    program: &'a Path,
}

/// What a run without a finding came to.
pub struct Run {
    executions: u64,
    seconds: u64,
    /// Edges that the seeds reach, and those that are reached now.
    coverage: (u64, u64),
    /// Inputs that reached something new.
    added: u64,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seeds, now) = self.coverage;
        write!(
            f,
            "{:>9} runs in {:>3} s, edges {seeds:>5} -> {now:>5}, {} new inputs",
            self.executions, self.seconds, self.added
        )
    }
}

impl<'a> Target<'a> {
    /// The target of this name in the program of all.
    pub fn new(name: &'a str, program: &'a Path) -> Self {
        Self { name, program }
    }

    /// Runs it from its seeds, and from what earlier runs found out.
    pub fn run(&self, seconds: u32) -> Result<Run> {
        let (seeds, learnt) = (self.seeds(), self.working("corpus")?);
        let findings = self.working("findings")?;
        fs::create_dir_all(&seeds).with_context(|| format!("cannot make {}", seeds.display()))?;
        let mut command = Command::new(self.program);
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-rss_limit_mb={MEMORY_MB}"))
            .arg(format!("-timeout={TIMEOUT}"))
            .arg(format!("-artifact_prefix={}/", findings.display()))
            .args(["-print_final_stats=1", "-use_value_profile=1"]);
        let words = root().join(format!("fuzz/words/{}", self.name));
        if words.is_file() {
            command.arg(format!("-dict={}", words.display()));
        }
        command.arg(learnt).arg(seeds);
        let text = self.output(&mut command)?;
        Run::of(&text).context("libFuzzer says nothing of the run")
    }

    /// Puts what is worth keeping among the seeds.
    pub fn keep(&self) -> Result<()> {
        let mut command = Command::new(self.program);
        command
            .arg("-merge=1")
            .arg(format!("-max_len={LONGEST_SEED}"))
            .args([self.seeds(), self.working("corpus")?]);
        self.output(&mut command).map(drop)
    }

    /// What it says; an error where it has a finding.
    fn output(&self, command: &mut Command) -> Result<String> {
        let output = command
            .current_dir(root())
            .env(VARIABLE, self.name)
            .env_remove("RUST_BACKTRACE")
            .output()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.len().saturating_sub(SHOWN);
        let shown = lines[first..].join("\n");
        match text.rsplit_once("Test unit written to ") {
            Some((_, path)) => {
                let path = path.lines().next().unwrap_or_default();
                bail!(
                    "{shown}\nthe input: {path}\nto repeat: {VARIABLE}={} {} {path}",
                    self.name,
                    self.program.display()
                )
            }
            None => bail!(
                "{} failed: {}\n{shown}",
                self.program.display(),
                output.status
            ),
        }
    }

    fn seeds(&self) -> PathBuf {
        root().join("fuzz/corpus").join(self.name)
    }

    /// A directory of the target that is not committed.
    fn working(&self, what: &str) -> Result<PathBuf> {
        let directory = root().join("target/fuzz").join(what).join(self.name);
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        Ok(directory)
    }
}

impl Run {
    /// Reads libFuzzer's own words.
    fn of(text: &str) -> Option<Self> {
        let coverage: Vec<u64> = text
            .lines()
            .filter_map(|line| line.split_once(" cov: ")?.1.split(' ').next()?.parse().ok())
            .collect();
        let seeds = text
            .lines()
            .find(|line| line.contains("\tINITED "))
            .and_then(|line| line.split_once(" cov: ")?.1.split(' ').next()?.parse().ok());
        let last = *coverage.last()?;
        let (_, done) = text.rsplit_once("Done ")?;
        let (executions, rest) = done.split_once(" runs in ")?;
        let added = text
            .rsplit_once("stat::new_units_added:")
            .and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok());
        Some(Self {
            executions: executions.parse().ok()?,
            seconds: rest.split(' ').next()?.parse().ok()?,
            coverage: (seeds.unwrap_or(last), last),
            added: added.unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_libfuzzer_are_understood() {
        let text = "#3\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 30Mb\n\
            #9\tNEW    cov: 15 ft: 19 corp: 2/5b lim: 4 exec/s: 0 rss: 30Mb L: 4/4\n\
            #100\tDONE   cov: 15 ft: 19 corp: 2/5b lim: 4 exec/s: 50 rss: 31Mb\n\
            Done 100 runs in 2 second(s)\nstat::new_units_added:          1\n";
        let run = Run::of(text).map(|run| run.to_string());
        assert_eq!(
            run.as_deref(),
            Some("      100 runs in   2 s, edges    12 ->    15, 1 new inputs")
        );
        assert!(Run::of("==1== ERROR: libFuzzer").is_none());
    }
}
