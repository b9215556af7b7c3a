//! The initial file system: init, the tests, the program, their libraries.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use cpio::newc::Builder;
use serde_json::Value;

use crate::shell::{root, run};

/// Where the tests lie in the image; the programs they run are one above, as
/// cargo has them.
const TESTS: &str = "t/deps";
/// Programs beside the tests.
const PROGRAMS: [&str; 2] = ["sensor-under-test", "workload"];
const INIT: &str = "vm-init";

/// Builds the tests and packs them; the path of the archive.
pub fn build(work: &Path, steps: &[(&str, Vec<&str>)]) -> Result<PathBuf> {
    let built = executables()?;
    let find = |name: &str| {
        let found = built.iter().find(|(known, _)| known == name);
        found
            .map(|(_, path)| path.clone())
            .with_context(|| format!("cargo built no {name}"))
    };
    let mut files = vec![("init".to_owned(), find(INIT)?)];
    for program in PROGRAMS {
        files.push((format!("t/{program}"), find(program)?));
    }
    for (test, _) in steps {
        files.push((format!("{TESTS}/{test}"), find(test)?));
    }
    let libraries = libraries(files.iter().map(|(_, path)| path.as_path()))?;
    let list: String = steps
        .iter()
        .map(|(test, args)| format!("/{TESTS}/{test} {}\n", args.join(" ")))
        .collect();

    let path = work.join("initrd.cpio");
    let mut archive = Archive::new(File::create(&path)?);
    for (name, source) in &files {
        let stripped = work.join("stripped");
        run(Command::new("objcopy")
            .arg("--strip-debug")
            .arg(source)
            .arg(&stripped))?;
        archive.file(name, &fs::read(&stripped)?, 0o755)?;
    }
    for library in libraries {
        let name = library.to_string_lossy();
        archive.file(name.trim_start_matches('/'), &fs::read(&library)?, 0o755)?;
    }
    archive.file("steps", list.as_bytes(), 0o644)?;
    archive.file(
        "etc/passwd",
        b"root:x:0:0::/:/\nnobody:x:65534:65534::/:/\n",
        0o644,
    )?;
    for directory in ["proc", "sys", "dev", "tmp"] {
        archive.directory(directory)?;
    }
    archive.finish()?;
    Ok(path)
}

/// Name and path of everything that the package of whole-program tests builds.
fn executables() -> Result<Vec<(String, PathBuf)>> {
    let cargo = |args: &[&str]| -> Result<Vec<u8>> {
        let output = Command::new("cargo")
            .current_dir(root())
            .args(args)
            .args(["--locked", "--package", "sensor-tests"])
            .args(["--message-format", "json-render-diagnostics"])
            .stderr(std::process::Stdio::inherit())
            .output()
            .context("cannot run cargo")?;
        ensure!(output.status.success(), "cargo {} failed", args.join(" "));
        Ok(output.stdout)
    };
    let mut messages = cargo(&["build", "--bins"])?;
    messages.extend(cargo(&["test", "--no-run", "--tests"])?);
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

/// A cpio archive as the kernel unpacks it; parents come before children.
struct Archive {
    output: Option<File>,
    directories: BTreeSet<String>,
    inode: u32,
}

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;

impl Archive {
    fn new(output: File) -> Self {
        Self {
            output: Some(output),
            directories: BTreeSet::new(),
            inode: 1,
        }
    }

    fn file(&mut self, name: &str, content: &[u8], mode: u32) -> Result<()> {
        if let Some((parent, _)) = name.rsplit_once('/') {
            self.directory(parent)?;
        }
        self.entry(name, content, FILE | mode)
    }

    fn directory(&mut self, name: &str) -> Result<()> {
        if let Some((parent, _)) = name.rsplit_once('/') {
            self.directory(parent)?;
        }
        if self.directories.insert(name.to_owned()) {
            self.entry(name, &[], DIRECTORY | 0o755)?;
        }
        Ok(())
    }

    fn entry(&mut self, name: &str, content: &[u8], mode: u32) -> Result<()> {
        let output = self.output.take().context("the archive is finished")?;
        let size = u32::try_from(content.len()).context("a file of 4 GiB")?;
        self.inode += 1;
        let header = Builder::new(name).ino(self.inode).mode(mode).nlink(1);
        let mut writer = header.write(output, size);
        writer.write_all(content)?;
        self.output = Some(writer.finish()?);
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        match self.output.take() {
            Some(output) => cpio::newc::trailer(output).map(drop),
            None => Ok(()),
        }
    }
}
