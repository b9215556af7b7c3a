//! What fuzzing has learnt, as a test: every seed, and every seed cut off, for
//! its target.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use sensor_fuzz::targets::ALL;

/// Beginnings of each seed that are tried.
const CUTS: usize = 32;

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

#[test]
fn every_directory_of_seeds_has_a_target() {
    let entries = fs::read_dir(corpus()).unwrap().flatten();
    let directories = entries.filter(|entry| entry.path().is_dir());
    let names = directories.map(|entry| entry.file_name().into_string().unwrap());
    let names: BTreeSet<String> = names.collect();
    let targets = ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names, targets);
}
