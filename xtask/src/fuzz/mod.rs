//! `cargo xtask fuzz`: foreign bytes for everything that reads some.
//!
//! A target is a file in fuzz/src/targets; its seeds are in fuzz/corpus. What a
//! run finds out goes to target/fuzz, and the next run goes on from there.

mod build;
mod target;

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use self::target::Target;
use crate::shell::root;

/// Flags of `cargo xtask fuzz`.
#[derive(Args)]
pub struct FuzzArgs {
    /// Which targets, by name; without a name all of them
    targets: Vec<String>,

    /// How long each runs
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,

    /// How many run at once; as many as there are CPUs unless said
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    /// Keep what was found out in fuzz/corpus, as few inputs as it takes
    #[arg(long)]
    keep: bool,
}

/// Builds the targets and runs each; fails where one has a finding.
pub fn fuzz(args: &FuzzArgs) -> Result<()> {
    let names = chosen(&args.targets)?;
    let program = build::build()?;
    let jobs = args
        .jobs
        .or_else(|| thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get);
    let left = Mutex::new(names.iter());
    let found = Mutex::new(Vec::new());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(name) = next() {
            let target = Target::new(name, &program);
            let result = target.run(args.seconds).and_then(|run| {
                println!("{name:<16} {run}");
                match args.keep {
                    true => target.keep(),
                    false => Ok(()),
                }
            });
            if let Err(error) = result {
                println!("{name:<16} FAILED");
                found
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(format!("{name}: {error:#}"));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs.min(names.len()) {
            scope.spawn(work);
        }
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    ensure!(found.is_empty(), "{}", found.join("\n\n"));
    Ok(())
}

/// The targets that are asked for; all that are not there are named.
fn chosen(wanted: &[String]) -> Result<Vec<String>> {
    let all = all()?;
    let unknown: Vec<&str> = wanted
        .iter()
        .filter(|name| !all.contains(name))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        bail!(
            "no such target: {}; there are {}",
            unknown.join(", "),
            all.join(", ")
        );
    }
    match wanted {
        [] => Ok(all),
        wanted => Ok(wanted.to_vec()),
    }
}

/// Every file in fuzz/src/targets but the list of them.
fn all() -> Result<Vec<String>> {
    let directory = root().join("fuzz/src/targets");
    let entries = directory
        .read_dir()
        .with_context(|| format!("cannot read {}", directory.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path: PathBuf = entry?.path();
        if let (Some(name), Some("rs")) = (
            path.file_stem().and_then(|name| name.to_str()),
            path.extension().and_then(|extension| extension.to_str()),
        ) {
            names.extend((name != "mod").then(|| name.to_owned()));
        }
    }
    names.sort();
    Ok(names)
}
