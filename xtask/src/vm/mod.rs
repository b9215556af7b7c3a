//! The kernel tests on other kernels: virtual machines of a few seconds, with
//! an init of our own and nothing else in them.

mod boot;
mod image;
mod kernel;

use std::fs;

use anyhow::{Result, ensure};

use crate::shell::root;

/// What `cargo xtask test-vm` takes.
#[derive(clap::Args)]
pub struct VmArgs {
    /// Only kernels whose version begins so: 6.1. or 6.12
    #[arg(long, value_name = "VERSION", default_value = "")]
    kernel: String,

    /// Only tests whose name contains this, also those that are left out else
    #[arg(value_name = "TEST", default_value = "")]
    test: String,
}

/// Tests that run in each machine: those whose answer a kernel decides, and of
/// these few, because a start of the sensor takes ten seconds there.
///
/// What is left out: `disk_traffic_equals_wait4` (there is no disk), races of
/// threads and storms of many thousands (one interpreted CPU, minutes), and
/// all that compares the sensor with itself.
const STEPS: [(&str, &[&str]); 4] = [
    (
        "accounting",
        &[
            "signals_are_told_with_and_without_a_core_dump",
            "a_process_older_than_the_sensor_ends_with_its_whole_life",
            "cpu_time_equals_wait4_on_an_idle_machine",
            "memory_and_switches_equal_wait4",
            "a_fork_without_exec_has_an_exit_only_with_what_it_inherited",
            "an_exec_from_another_thread_keeps_the_process",
        ],
    ),
    // Those that change what no test may change on a host that is in use.
    ("vm", &["--ignored"]),
    ("scheduler", &["every_turn_is_counted_exactly"]),
    ("pins", &["a_daemon_that_is_killed_loses_no_event"]),
];

/// Boots every kernel of the matrix and runs the tests in it.
pub fn test(args: &VmArgs) -> Result<()> {
    let work = root().join("target/vm");
    fs::create_dir_all(&work)?;
    let steps = STEPS.map(|(name, words)| {
        let (mut chosen, names): (Vec<&str>, Vec<&str>) =
            words.iter().partition(|word| word.starts_with("--"));
        match args.test.as_str() {
            "" => chosen.extend(names),
            test => chosen.push(test),
        }
        chosen.push("--test-threads=1");
        (name, chosen)
    });
    let image = image::build(&work, &steps)?;
    let mut failed = Vec::new();
    let mut booted = 0;
    for kernel in kernel::matrix(&work)? {
        if !kernel.version.starts_with(&args.kernel) {
            continue;
        }
        booted += 1;
        println!("\nlinux {}", kernel.version);
        if let Err(error) = boot::run(&kernel, &image, &work) {
            println!("linux {}: {error:#}", kernel.version);
            failed.push(kernel.version);
        }
    }
    ensure!(booted > 0, "no kernel begins with {:?}", args.kernel);
    ensure!(failed.is_empty(), "failed on linux {}", failed.join(", "));
    Ok(())
}
