//! What is handed out: the program, its bill of materials, their checksums;
//! the same bytes wherever it is built.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::shell::{self, root, run};

/// Writes the bill of materials (CycloneDX).
const CYCLONEDX: &str = "cargo-cyclonedx";
const CYCLONEDX_VERSION: &str = "0.5.9";
const BILL: &str = "sensor.cdx.json";
const PROGRAM: &str = "sensor";
const SUMS: &str = "SHA256SUMS";

/// Flags of `cargo xtask release`.
#[derive(Args)]
pub struct ReleaseArgs {
    /// Build a second time, in another directory, and compare every byte
    #[arg(long)]
    twice: bool,
}

/// Builds from what is committed, into target/dist.
pub fn release(args: &ReleaseArgs) -> Result<()> {
    let clean = shell::output(git(&root()).args(["status", "--porcelain"]))?;
    ensure!(
        clean.is_empty(),
        "a release is made of what is committed; this is not:\n{clean}"
    );
    let dist = root().join("target/dist");
    let _ = fs::remove_dir_all(&dist);
    fs::create_dir_all(&dist)?;
    let program = build(&root(), &root().join("target"))?;
    fs::copy(&program, dist.join(PROGRAM))?;
    bill(&dist.join(BILL))?;
    let mut sums = String::new();
    for name in [PROGRAM, BILL] {
        // The format of sha256sum(1).
        sums += &format!("{}  {name}\n", sum(&dist.join(name))?);
    }
    fs::write(dist.join(SUMS), &sums)?;
    print!("{sums}");
    match args.twice {
        true => again(&dist.join(PROGRAM)),
        false => Ok(()),
    }
}

/// Builds from a clone elsewhere: another path, another target directory.
fn again(first: &Path) -> Result<()> {
    let elsewhere = std::env::temp_dir().join(format!("sensor-release-{}", std::process::id()));
    let result = (|| {
        run(Command::new("git")
            .args(["clone", "--quiet"])
            .args([&root(), &elsewhere]))?;
        let second = build(&elsewhere, &elsewhere.join("target"))?;
        let (first, second) = (sum(first)?, sum(&second)?);
        ensure!(
            first == second,
            "the same sources gave other bytes: {first} here, {second} elsewhere"
        );
        println!("the same bytes elsewhere");
        Ok(())
    })();
    fs::remove_dir_all(&elsewhere).context("the second build stays")?;
    result
}

/// Builds the program; the paths of this machine are not in it.
fn build(sources: &Path, target: &Path) -> Result<PathBuf> {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"));
    let cargo_home = cargo_home.or_else(home).context("no CARGO_HOME, no HOME")?;
    let flags = [
        format!("--remap-path-prefix={}=/sensor", sources.display()),
        format!("--remap-path-prefix={}=/cargo", cargo_home.display()),
    ];
    run(Command::new("cargo")
        .current_dir(sources)
        .args(["build", "--release", "--locked", "--package", "sensor"])
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("CARGO_INCREMENTAL", "0")
        .env("SOURCE_DATE_EPOCH", commit_time(sources)?))?;
    Ok(target.join("release").join(PROGRAM))
}

/// Lists every crate that the program is made of.
fn bill(to: &Path) -> Result<()> {
    let there = shell::output(Command::new(CYCLONEDX).args(["cyclonedx", "--version"]));
    if !there.is_ok_and(|version| version.contains(CYCLONEDX_VERSION)) {
        run(Command::new("cargo")
            .args(["install", "--quiet", "--locked", CYCLONEDX])
            .args(["--version", CYCLONEDX_VERSION]))?;
    }
    let host = shell::output(Command::new("rustc").arg("--print=host-tuple"))?;
    run(Command::new("cargo")
        .current_dir(root())
        .args([
            "cyclonedx",
            "--quiet",
            "--format",
            "json",
            "--no-build-deps",
        ])
        .args(["--describe", "crate", "--target", host.trim()])
        .args(["--manifest-path", "sensor/Cargo.toml"])
        .env("SOURCE_DATE_EPOCH", commit_time(&root())?))?;
    let text = fs::read_to_string(root().join("sensor").join(BILL))
        .with_context(|| format!("{CYCLONEDX} wrote no {BILL}"))?;
    // It writes one for each package of the workspace.
    for entry in fs::read_dir(root())? {
        let directory = entry?.path();
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        let _ = fs::remove_file(directory.join(format!("{name}.cdx.json")));
        let _ = fs::remove_file(directory.join(format!("sensor-{name}.cdx.json")));
    }
    // It names packages of the workspace by where they lie.
    let text = text.replace(&root().display().to_string(), "/sensor");
    let mut bill: Value = serde_json::from_str(&text)?;
    leave_out_tests(&mut bill)?;
    fs::write(to, serde_json::to_string_pretty(&bill)? + "\n")?;
    Ok(())
}

/// It lists what only tests need, too.
fn leave_out_tests(bill: &mut Value) -> Result<()> {
    let tree = shell::output(
        Command::new("cargo")
            .current_dir(root())
            .args([
                "tree",
                "--locked",
                "--package",
                "sensor",
                "--edges",
                "normal",
            ])
            .args(["--prefix", "none", "--format", "{p}"]),
    )?;
    // `name v1.2.3 (where)`
    let used: HashSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?.strip_prefix('v')?))
        })
        .collect();
    let is_used = |one: &Value| {
        let names = one["name"].as_str().zip(one["version"].as_str());
        names.is_some_and(|names| used.contains(&names))
    };
    let components = bill["components"].as_array_mut();
    let components = components.context("a bill without components")?;
    let (used, other): (Vec<Value>, Vec<Value>) = components.drain(..).partition(is_used);
    *components = used;
    let other: HashSet<&str> = other
        .iter()
        .filter_map(|one| one["bom-ref"].as_str())
        .collect();
    let is_other = |one: &Value| one.as_str().is_some_and(|name| other.contains(name));
    if let Some(edges) = bill["dependencies"].as_array_mut() {
        edges.retain(|edge| !is_other(&edge["ref"]));
        for edge in edges {
            if let Some(on) = edge["dependsOn"].as_array_mut() {
                on.retain(|one| !is_other(one));
            }
        }
    }
    Ok(())
}

/// When the commit was made, s since 1970.
fn commit_time(sources: &Path) -> Result<String> {
    shell::first_line(git(sources).args(["log", "-1", "--format=%ct"]))
}

fn git(directory: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(directory);
    git
}

fn sum(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let sum = Sha256::digest(bytes);
    Ok(sum.iter().map(|byte| format!("{byte:02x}")).collect())
}
