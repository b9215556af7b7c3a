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

    /// Only tests whose name contains this
    #[arg(value_name = "TEST", default_value = "")]
    test: String,
}

/// Tests that run in each machine, and their arguments.
const STEPS: [(&str, &[&str]); 2] = [
    ("accounting", &["--test-threads=1"]),
    // Those that change what no test may change on a host that is in use.
    ("vm", &["--test-threads=1", "--ignored"]),
];

/// Boots every kernel of the matrix and runs the tests in it.
pub fn test(args: &VmArgs) -> Result<()> {
    let work = root().join("target/vm");
    fs::create_dir_all(&work)?;
    let mut steps = STEPS.map(|(name, args)| (name, args.to_vec()));
    if !args.test.is_empty() {
        steps
            .iter_mut()
            .for_each(|(_, words)| words.push(&args.test));
    }
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
