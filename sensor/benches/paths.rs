//! The hot paths: one set of rounds, for two kinds of measurement.
//!
//! `cargo bench -p sensor` takes their time, with divan. `paths --count NAME`
//! goes through one of them in the function [`counted`], for a tool that
//! counts instructions: `cargo xtask gate`. `paths --names` lists them;
//! `paths --verified` tells how much of the hooks the verifier looked at.

mod paths {
    pub mod patterns;
    pub mod records;
    pub mod rounds;
}

use std::{
    hint::black_box,
    io::{self, Write},
    process::ExitCode,
};

use sensor::source::ebpf::Kernel;

use paths::rounds::{self, Round};

/// Rounds before it counts: what is filled once is full then.
const WARM: usize = 2;
/// Rounds that count.
const COUNTED: usize = 4;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--names"] => {
            let names = rounds::ALL.map(|(name, _)| name).join("\n");
            match writeln!(io::stdout(), "{names}") {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
        ["--count", name] => count(name),
        ["--verified"] => verified(),
        _ => {
            divan::main();
            ExitCode::SUCCESS
        }
    }
}

fn count(name: &str) -> ExitCode {
    let Some(mut round) = rounds::of(name) else {
        eprintln!("no path is called `{name}`");
        return ExitCode::from(64);
    };
    for _ in 0..WARM {
        round();
    }
    for _ in 0..COUNTED {
        counted(&mut round);
    }
    ExitCode::SUCCESS
}

/// What the verifier went through to accept each hook, a line each: name and
/// number of instructions.
fn verified() -> ExitCode {
    let kernel = match Kernel::attach(4_096) {
        Ok(kernel) => kernel,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    for (hook, instructions) in kernel.verified() {
        println!("{hook} {instructions}");
    }
    ExitCode::SUCCESS
}

/// What runs in here counts; the tool finds it by its name.
#[inline(never)]
fn counted(round: &mut Round) {
    black_box(round)();
}

#[divan::bench(args = rounds::ALL.map(|(name, _)| name))]
fn path(bencher: divan::Bencher<'_, '_>, name: &str) {
    if let Some(round) = rounds::of(name) {
        bencher.bench_local(round);
    }
}
