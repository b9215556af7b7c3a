//! What fuzzing has learnt, as a test: every seed, and every seed cut off, for
//! its target; then a short run with bytes that nearly are seeds. They are the
//! same each time, but for `SENSOR_FUZZ_SEED=NUMBER`; `SENSOR_FUZZ_INPUTS` says
//! how many, and `SENSOR_FUZZ_TARGET` for which target.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

#[path = "replay/mutation.rs"]
mod mutation;

use std::{
    collections::BTreeSet,
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use mutation::{Numbers, mutate};
use sensor_fuzz::targets::ALL;

/// Beginnings of each seed that are tried.
const CUTS: usize = 32;
/// Inputs of the short run for a target.
const INPUTS: u64 = 500;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

#[test]
fn every_seed_is_survived_whole_and_cut_off() {
    let mut found = Vec::new();
    for (name, run) in ALL {
        let directory = corpus().join(name);
        let mut seeds = 0;
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let cuts = (0..CUTS).map(|cut| bytes.len() * cut / CUTS);
            for length in cuts.chain([bytes.len()]) {
                let one = AssertUnwindSafe(|| run(&bytes[..length]));
                if catch_unwind(one).is_err() {
                    found.push(format!("{}, {length} bytes", path.display()));
                }
            }
            seeds += 1;
        }
        assert!(seeds > 0, "no seeds for {name}");
    }
    assert!(found.is_empty(), "findings:\n{}", found.join("\n"));
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

#[test]
fn what_is_nearly_a_seed_is_survived() {
    let start = number("SENSOR_FUZZ_SEED").unwrap_or(1);
    let inputs = number("SENSOR_FUZZ_INPUTS").unwrap_or(INPUTS);
    let only = env::var("SENSOR_FUZZ_TARGET").ok();
    let mut found = Vec::new();
    for (name, run) in ALL {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let entries = fs::read_dir(corpus().join(name)).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort_unstable();
        let seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
        let mut numbers = Numbers(start);
        for _ in 0..inputs {
            let seed = &seeds[numbers.below(seeds.len())];
            let other = &seeds[numbers.below(seeds.len())];
            let bytes = mutate(&mut numbers, seed, other);
            let one = AssertUnwindSafe(|| run(&bytes));
            if catch_unwind(one).is_err() {
                let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("finding-{name}"));
                fs::write(&file, &bytes).unwrap();
                found.push(file.display().to_string());
                break;
            }
        }
    }
    assert!(
        found.is_empty(),
        "findings, for the corpus:\n{}",
        found.join("\n")
    );
}

#[test]
fn every_directory_of_seeds_has_a_target() {
    let entries = fs::read_dir(corpus()).unwrap().flatten();
    let directories = entries.filter(|entry| entry.path().is_dir());
    let names = directories.map(|entry| entry.file_name().into_string().unwrap());
    let names: BTreeSet<String> = names.collect();
    let targets = ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names, targets);
}
