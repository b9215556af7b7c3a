//! Kernels to boot: Debian's, for clouds, which have no modules that matter.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::shell::run;

/// Packages that depend on the newest kernel of a series.
const SERIES: [&str; 2] = ["linux-image-cloud-amd64", "linux-image-6.12-cloud-amd64"];

/// A kernel that can be booted.
#[derive(Clone)]
pub struct Kernel {
    /// As `uname -r` says.
    pub version: String,
    /// Its image.
    pub image: PathBuf,
}

/// Downloads what is missing.
pub fn matrix(work: &Path) -> Result<Vec<Kernel>> {
    let all =
        || -> Result<Vec<Kernel>> { SERIES.iter().map(|series| fetch(work, series)).collect() };
    all().or_else(|_| {
        // Lists of packages that are old name kernels that are gone.
        run(Command::new("apt-get").args(["update", "-qq"]))?;
        all()
    })
}

fn fetch(work: &Path, series: &str) -> Result<Kernel> {
    let package = newest(series)?;
    let version = package.trim_start_matches("linux-image-").to_owned();
    let unpacked = work.join(&package);
    let image = unpacked.join(format!("boot/vmlinuz-{version}"));
    if !image.is_file() {
        let downloads = work.join("downloads");
        // What an interrupted run left is not taken for a kernel.
        let _ = fs::remove_dir_all(&downloads);
        fs::create_dir_all(&downloads)?;
        run(Command::new("apt-get")
            .args(["download", "-qq", "-o", "APT::Sandbox::User=root", &package])
            .current_dir(&downloads))?;
        let archive = fs::read_dir(&downloads)?
            .next()
            .with_context(|| format!("apt-get downloaded nothing for {package}"))??;
        run(Command::new("dpkg-deb")
            .arg("-x")
            .arg(archive.path())
            .arg(&unpacked))?;
        fs::remove_dir_all(&downloads)?;
    }
    ensure!(image.is_file(), "{package} has no {}", image.display());
    Ok(Kernel { version, image })
}

/// The package that a package of a series depends on.
fn newest(series: &str) -> Result<String> {
    let output = Command::new("apt-cache")
        .args(["show", "--no-all-versions", series])
        .output()
        .context("cannot run apt-cache")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .filter_map(|line| line.strip_prefix("Depends: "))
        .flat_map(|list| list.split([',', ' ']))
        .find(|word| word.starts_with("linux-image-"))
        .map(str::to_owned)
        .with_context(|| format!("{series} is not known to apt; try `apt-get update`"))
}
