//! The kernel tests on other kernels: virtual machines of some minutes, with
//! an init of our own and nothing else in them; and the service under systemd.

mod archive;
mod boot;
mod image;
mod kernel;
mod systemd;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::{Result, ensure};

use self::{boot::Hardware, kernel::Kernel};
use crate::shell::root;

/// What `cargo xtask test-vm` takes.
#[derive(clap::Args)]
pub struct VmArgs {
    /// Only kernels whose version begins so: 6.1. or 6.12
    #[arg(long, value_name = "VERSION", default_value = "")]
    kernel: String,

    /// Only the test of the service, with systemd as process 1
    #[arg(long)]
    systemd: bool,

    /// Machines at a time, each with a CPU and 1.5 GiB
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,

    /// Only tests whose name contains this, also those that are left out else
    #[arg(value_name = "TEST", default_value = "")]
    test: String,
}

/// Tests that run in each machine: those whose answer a kernel decides, and of
/// these few, because a start of the sensor takes ten seconds there.
///
/// What is left out: `disk_traffic_equals_wait4` (there is no disk), races of
/// threads and storms of many thousands, restarts among them (one interpreted
/// CPU, minutes), and all that compares the sensor with itself.
const STEPS: [(&str, &[&str]); 3] = [
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
];

/// What runs where systemd is process 1: one long test, step by step.
const WITH_SYSTEMD: &str = "systemd";

/// A machine to boot.
struct Machine {
    hardware: Hardware,
    name: String,
    kernel: Kernel,
    image: PathBuf,
}

/// Boots every kernel of the matrix and runs the tests in it.
pub fn test(args: &VmArgs) -> Result<()> {
    let work = root().join("target/vm");
    fs::create_dir_all(&work)?;
    let mut machines = machines(args, &work)?;
    ensure!(
        !machines.is_empty(),
        "no kernel begins with {:?}",
        args.kernel
    );
    // The longest ones first.
    machines.reverse();
    let (waiting, failed) = (Mutex::new(machines), Mutex::new(Vec::new()));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
    thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(|| {
                while let Some(machine) = next() {
                    let name = machine.name;
                    println!("{name}: starting");
                    if let Err(error) = boot::run(
                        machine.hardware,
                        &name,
                        &machine.kernel,
                        &machine.image,
                        &work,
                    ) {
                        println!("{name}: {error:#}");
                        failed
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    ensure!(failed.is_empty(), "failed on {}", failed.join(", "));
    Ok(())
}

/// Every kernel with the tests of `STEPS`, and the newest one with systemd.
fn machines(args: &VmArgs, work: &Path) -> Result<Vec<Machine>> {
    let tests: Vec<&str> = STEPS.iter().map(|(test, _)| *test).collect();
    let built = image::Built::new(&[tests.as_slice(), &[WITH_SYSTEMD]].concat())?;
    let kernels = kernel::matrix(work)?;
    let chosen = || {
        kernels
            .iter()
            .filter(|kernel| kernel.version.starts_with(&args.kernel))
    };
    let mut machines = Vec::new();
    if !args.systemd {
        let image = built.pack(work, &steps(&args.test))?;
        machines.extend(chosen().map(|kernel| Machine {
            hardware: Hardware::Exact,
            name: kernel.version.clone(),
            kernel: kernel.clone(),
            image: image.clone(),
        }));
    }
    if (args.systemd || args.test.is_empty())
        && let Some(kernel) = chosen().next_back()
    {
        let words = vec!["--ignored", "--nocapture", args.test.as_str()];
        machines.push(Machine {
            hardware: Hardware::Cheap,
            name: format!("systemd-{}", kernel.version),
            kernel: kernel.clone(),
            image: built.pack_with_systemd(work, &[(WITH_SYSTEMD, words)])?,
        });
    }
    Ok(machines)
}

/// The test programs with their arguments; only tests like `name`, if any.
fn steps(name: &str) -> Vec<image::Step<'_>> {
    let arguments = |words: &[&'static str]| {
        let (mut chosen, names): (Vec<&str>, Vec<&str>) =
            words.iter().partition(|word| word.starts_with("--"));
        match name {
            "" => chosen.extend(names),
            name => chosen.push(name),
        }
        // What is skipped says so on the console.
        chosen.extend(["--test-threads=1", "--nocapture"]);
        chosen
    };
    STEPS
        .iter()
        .map(|(test, words)| (*test, arguments(words)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file of a test program, and those in the folder of its name.
    fn sources(test: &str) -> String {
        let tests = root().join("tests/tests");
        let mut text = fs::read_to_string(tests.join(test).with_extension("rs")).unwrap();
        for file in fs::read_dir(tests.join(test)).into_iter().flatten() {
            text += &fs::read_to_string(file.unwrap().path()).unwrap();
        }
        text
    }

    #[test]
    fn every_test_that_is_chosen_exists() {
        for (test, words) in STEPS
            .into_iter()
            .chain([(WITH_SYSTEMD, ["--ignored"].as_slice())])
        {
            let sources = sources(test);
            for word in words {
                let sign = match *word {
                    "--ignored" => "#[test]\n#[ignore".to_owned(),
                    name => format!("#[test]\nfn {name}()"),
                };
                assert!(sources.contains(&sign), "no {word} in {test}");
            }
        }
    }

    #[test]
    fn a_name_is_looked_for_in_every_step() {
        for ((_, arguments), (_, words)) in steps("clock").into_iter().zip(STEPS) {
            assert!(arguments.contains(&"clock"), "{arguments:?}");
            let is_ignored = words.contains(&"--ignored");
            assert_eq!(arguments.contains(&"--ignored"), is_ignored);
            assert_eq!(arguments.len(), 3 + usize::from(is_ignored));
        }
    }
}
