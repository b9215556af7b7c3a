//! Chores of the workspace: `cargo xtask CHORE`.

mod bench;
mod ebpf;
mod fuzz;
mod gate;
mod release;
mod shell;
mod test;
mod vm;

use clap::{Parser, Subcommand};

/// Chores of the sensor workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build the kernel programs into sensor-ebpf/prebuilt
    Ebpf {
        /// Only check that the committed object belongs to the sources
        #[arg(long)]
        check: bool,
    },
    /// Install what the tests need, and run all of them
    Test,
    /// Fail where a hot path or a hook costs more than the baseline says
    Gate(gate::GateArgs),
    /// Run the kernel tests on other kernels, in virtual machines
    TestVm(vm::VmArgs),
    /// Measure what the sensor costs, beside its peers
    Bench(bench::BenchArgs),
    /// Build what is handed out, with its bill of materials and checksums
    Release(release::ReleaseArgs),
    /// Run the fuzz targets, each for some seconds
    Fuzz(fuzz::FuzzArgs),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().chore {
        Chore::Ebpf { check: false } => ebpf::build(),
        Chore::Ebpf { check: true } => ebpf::check(),
        Chore::Test => test::run_all(),
        Chore::Gate(args) => gate::gate(&args),
        Chore::TestVm(args) => vm::test(&args),
        Chore::Bench(args) => bench::bench(&args),
        Chore::Release(args) => release::release(&args),
        Chore::Fuzz(args) => fuzz::fuzz(&args),
    }
}
