//! An instrumented program, built by a stable compiler.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::shell::{first_line, root, run};

const PROFILE: &str = "fuzz";

/// What libFuzzer needs: counters of every edge and where it is, and the
/// operands of comparisons.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-sanitizer-coverage-stack-depth",
];

/// Builds the program with all targets, and says where it is.
pub fn build() -> Result<PathBuf> {
    let host = host()?;
    let mut flags = COVERAGE.map(str::to_owned).to_vec();
    if has_address_sanitizer(&host)? {
        flags.push("-Zsanitizer=address".to_owned());
    } else {
        println!("no AddressSanitizer: this toolchain has no runtime for it");
    }
    let target_dir = root().join("target/fuzz");
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(root())
        .args(["build", "--quiet", "--locked", "--package", "sensor-fuzz"])
        .args(["--features", "libfuzzer"])
        .args(["--profile", PROFILE, "--target", &host])
        .arg("--target-dir")
        .arg(&target_dir)
        // The flags are not stable; the compiler is.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    run(&mut cargo)
        .context("cannot build the fuzz targets: they need a C++ compiler; see .ci/setup")?;
    Ok(target_dir.join(host).join(PROFILE).join("sensor-fuzz"))
}

/// The target triple of this machine: named, so that the flags hold for the
/// targets and not for what runs while they are built.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    ensure!(output.status.success(), "`rustc -vV` failed");
    host.map(str::to_owned).context("`rustc -vV` names no host")
}

/// Whether the compiler has the runtime of AddressSanitizer: those of
/// distributions have none.
fn has_address_sanitizer(host: &str) -> Result<bool> {
    let sysroot = first_line(Command::new("rustc").args(["--print", "sysroot"]))?;
    let libraries = Path::new(&sysroot)
        .join("lib/rustlib")
        .join(host)
        .join("lib");
    let mut names = fs::read_dir(&libraries)
        .with_context(|| format!("cannot read {}", libraries.display()))?
        .flatten()
        .map(|entry| entry.file_name());
    Ok(names.any(|name| name.to_string_lossy().ends_with("_rt.asan.a")))
}
