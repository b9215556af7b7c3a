//! The initial file system: init, the tests, the program, their libraries.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{archive::Archive, systemd};
use crate::shell::{self, run};

/// Where the tests lie in the image; the programs they run are one above, as
/// cargo has them.
const TESTS: &str = "t/deps";
/// Programs beside the tests.
const PROGRAMS: [&str; 2] = ["sensor-under-test", "workload"];
const INIT: &str = "vm-init";

/// A test program, and its arguments.
pub type Step<'a> = (&'a str, Vec<&'a str>);

/// What cargo has built of the package of whole-program tests.
pub struct Built(Vec<(String, PathBuf)>);

impl Built {
    /// Builds these tests, and what they need.
    pub fn new(tests: &[&str]) -> Result<Self> {
        executables(tests).map(Self)
    }

    fn find(&self, name: &str) -> Result<PathBuf> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found
            .map(|(_, path)| path.clone())
            .with_context(|| format!("cargo built no {name}"))
    }

    /// Packs tests with an init of our own; the path of the archive.
    pub fn pack(&self, work: &Path, steps: &[Step<'_>]) -> Result<PathBuf> {
        let mut files = self.files(steps)?;
        files.push(("init".to_owned(), self.find(INIT)?));
        let path = work.join("initrd.cpio");
        let mut archive = Archive::new(File::create(&path)?);
        add_programs(&mut archive, work, &files)?;
        add_common(&mut archive, steps)?;
        archive.finish()?;
        Ok(path)
    }

    /// Packs tests and systemd, which starts them; the path of the archive.
    pub fn pack_with_systemd(&self, work: &Path, steps: &[Step<'_>]) -> Result<PathBuf> {
        let mut files = self.files(steps)?;
        files.push(("usr/bin/vm-init".to_owned(), self.find(INIT)?));
        files.push(("usr/bin/sensor".to_owned(), self.find(PROGRAMS[0])?));
        files.extend(systemd::programs());
        let path = work.join("systemd.cpio");
        let mut archive = Archive::new(File::create(&path)?);
        systemd::add_tree(&mut archive)?;
        add_programs(&mut archive, work, &files)?;
        add_common(&mut archive, steps)?;
        archive.finish()?;
        Ok(path)
    }

    /// Where the tests and the programs they run lie in an image.
    fn files(&self, steps: &[Step<'_>]) -> Result<Vec<(String, PathBuf)>> {
        let mut files = Vec::new();
        for program in PROGRAMS {
            files.push((format!("t/{program}"), self.find(program)?));
        }
        for (test, _) in steps {
            files.push((format!("{TESTS}/{test}"), self.find(test)?));
        }
        Ok(files)
    }
}

/// Adds programs without what only a debugger reads, and their libraries.
fn add_programs(archive: &mut Archive, work: &Path, files: &[(String, PathBuf)]) -> Result<()> {
    for (name, source) in files {
        let stripped = work.join("stripped");
        run(Command::new("objcopy")
            .arg("--strip-debug")
            .arg(source)
            .arg(&stripped))?;
        archive.file(name, &fs::read(&stripped)?, 0o755)?;
    }
    for library in libraries(files.iter().map(|(_, path)| path.as_path()))? {
        // /lib and /lib64 are links where systemd is.
        let name = library.to_string_lossy();
        let name = name.trim_start_matches('/');
        let name = match archive.has_link("lib") && name.starts_with("lib") {
            true => format!("usr/{name}"),
            false => name.to_owned(),
        };
        archive.file(&name, &fs::read(&library)?, 0o755)?;
    }
    Ok(())
}

fn add_common(archive: &mut Archive, steps: &[Step<'_>]) -> Result<()> {
    let list: String = steps
        .iter()
        .map(|(test, args)| format!("/{TESTS}/{test} {}\n", args.join(" ")))
        .collect();
    archive.file("steps", list.as_bytes(), 0o644)?;
    archive.file(
        "etc/passwd",
        b"root:x:0:0::/:/\nnobody:x:65534:65534::/:/\n",
        0o644,
    )?;
    archive.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n", 0o644)?;
    for directory in ["proc", "sys", "dev", "tmp"] {
        archive.directory(directory)?;
    }
    Ok(())
}

/// Name and path of programs and tests of the package of whole-program tests.
fn executables(tests: &[&str]) -> Result<Vec<(String, PathBuf)>> {
    // Of the whole workspace, as `cargo xtask test` builds them: for one package
    // alone, dependencies have other features and are built again.
    let output = shell::cargo()
        .args(["test", "--no-run", "--locked"])
        .args(["--message-format", "json-render-diagnostics"])
        .args(tests.iter().flat_map(|test| ["--test", test]))
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(output.status.success(), "the tests do not build");
    let messages = output.stdout;
    let mut found = Vec::new();
    for message in serde_json::Deserializer::from_slice(&messages).into_iter::<Value>() {
        let message = message?;
        let (Some(path), Some(name)) = (
            message["executable"].as_str(),
            message["target"]["name"].as_str(),
        ) else {
            continue;
        };
        // The unit tests of a program have its name, too.
        let is_bin = message["target"]["kind"][0] == "bin";
        if is_bin && message["profile"]["test"] == true {
            continue;
        }
        found.push((name.to_owned(), PathBuf::from(path)));
    }
    Ok(found)
}

/// The shared libraries of programs, and the loader.
fn libraries<'a>(programs: impl Iterator<Item = &'a Path>) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for program in programs {
        let output = Command::new("ldd")
            .arg(program)
            .output()
            .context("cannot run ldd")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let words = text.split_ascii_whitespace();
        found.extend(
            words
                .filter(|word| word.starts_with('/'))
                .map(PathBuf::from),
        );
    }
    Ok(found)
}
