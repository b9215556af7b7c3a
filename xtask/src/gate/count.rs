//! Counts instructions of the benchmark `paths`, path by path.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::baseline::Figures;
use crate::shell;

/// The function of the benchmark in which it counts.
const TOGGLE: &str = "*paths*counted*";

/// The benchmark, built.
pub struct Paths(PathBuf);

/// What cargo says of a target that it built.
#[derive(Deserialize)]
struct Message {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

impl Paths {
    /// Builds it, with these flags of cargo's besides.
    pub fn build(how: &[&str]) -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .current_dir(shell::root())
            .args(["bench", "--locked", "--no-run", "--bench", "paths"])
            .args(how)
            .args(["--message-format", "json-render-diagnostics"])
            .stderr(std::process::Stdio::inherit())
            .output()
            .context("cannot run cargo")?;
        ensure!(output.status.success(), "the benchmark does not build");
        let text = String::from_utf8(output.stdout)?;
        // The program itself is built too, and named before or after.
        let built = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Message>(line).ok())
            .filter(|message| message.target.name == "paths")
            .find_map(|message| message.executable);
        built.map(Self).context("cargo built no benchmark")
    }

    /// Instructions of each path.
    pub fn count(&self) -> Result<Figures> {
        let names = self.ask(&["--names"])?;
        names
            .lines()
            .map(|name| Ok((name.to_owned(), self.count_one(name)?)))
            .collect()
    }

    fn count_one(&self, name: &str) -> Result<u64> {
        let directory = self.0.parent().context("a program in no directory")?;
        let profile = directory.join(format!("callgrind.{name}.out"));
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--collect-atstart=no"])
            .arg(format!("--toggle-collect={TOGGLE}"))
            .arg(format!("--callgrind-out-file={}", profile.display()))
            .arg(&self.0)
            .args(["--count", name])
            // What else is in the environment moves the stack.
            .env_clear()
            .output()
            .context("cannot run valgrind (apt-get install valgrind)")?;
        ensure!(
            output.status.success(),
            "valgrind fails at the path {name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let total = total(&profile)?;
        ensure!(total > 0, "nothing was counted of the path {name}");
        fs::remove_file(&profile)?;
        Ok(total)
    }

    /// Instructions that the verifier went through, by hook; or why that is
    /// not known here.
    pub fn verified(&self) -> Result<Result<Figures, String>> {
        // SAFETY: no arguments.
        if unsafe { libc::geteuid() } != 0 {
            return Ok(Err("kernel programs are loaded by root only".to_owned()));
        }
        let text = self.ask(&["--verified"])?;
        let mut figures = Figures::new();
        for line in text.lines() {
            let Some((hook, count)) = line.split_once(' ') else {
                bail!("cannot read `{line}`");
            };
            figures.insert(hook.to_owned(), count.parse()?);
        }
        Ok(match figures.is_empty() {
            true => Err("this kernel does not tell (Linux 5.16 does)".to_owned()),
            false => Ok(figures),
        })
    }

    fn ask(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.0).args(arguments).output()?;
        ensure!(
            output.status.success(),
            "paths {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// All instructions of a profile (valgrind's manual, chapter callgrind).
fn total(profile: &Path) -> Result<u64> {
    let text = fs::read_to_string(profile)?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("totals: "))
        .with_context(|| format!("{} has no total", profile.display()))?;
    Ok(line.trim().parse()?)
}

/// What instructions depend on: the compiler, and the processor that valgrind
/// makes of this one. It presents one of a few fixed processors, so that
/// libraries choose the same functions on all machines of a kind.
pub fn toolchain() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = shell::first_line(Command::new(rustc).arg("--version"))?;
    let number = version.split(' ').nth(1).unwrap_or("unknown");
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let has = |flag: &str| cpuinfo.split_ascii_whitespace().any(|word| word == flag);
    let kind = ["avx2", "avx", "sse4_2"]
        .into_iter()
        .find(|&flag| has(flag));
    let (arch, kind) = (std::env::consts::ARCH, kind.unwrap_or("plain"));
    Ok(format!("rustc {number} {arch} {kind}"))
}

/// What the verifier depends on: the kernel's version, without that of its
/// fixes and of its vendor.
pub fn kernel() -> Result<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.trim().split('.');
    let version: Vec<&str> = numbers.by_ref().take(2).collect();
    Ok(format!("Linux {}", version.join(".")))
}
