//! All tests: those beside the code, and those of the whole program on the
//! real kernel, real processes and a real collector.

use std::{fs, process::Command};

use anyhow::Result;

use crate::shell::{cargo, root, run};

/// Where tests that cannot run here write their name and the reason.
const SKIPPED: &str = "SENSOR_SKIPPED";

/// Installs what the tests need, runs them, and names those that were skipped.
pub fn run_all() -> Result<()> {
    run(Command::new(root().join(".ci/setup")).current_dir(root()))?;
    let skipped = root().join("target/skipped-tests.txt");
    fs::create_dir_all(root().join("target"))?;
    fs::write(&skipped, "")?;
    let call = |args: &[&str]| {
        let mut cargo = cargo();
        cargo
            .args(args)
            .env(SKIPPED, &skipped)
            // Backtraces of expected failures are noise.
            .env_remove("RUST_BACKTRACE");
        run(&mut cargo)
    };
    // The program under test, once, before tests compete for the build lock.
    call(&["build", "--locked", "--package", "sensor"])?;
    let result = call(&["nextest", "run", "--locked", "--no-fail-fast"]);
    let names = fs::read_to_string(&skipped)?;
    println!("\nskipped tests: {}", names.lines().count());
    for line in names.lines() {
        println!("  {line}");
    }
    result
}
