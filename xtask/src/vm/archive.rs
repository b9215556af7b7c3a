//! An initial file system, as the kernel unpacks it.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Write},
};

use anyhow::{Context, Result};
use cpio::newc::Builder;

/// A cpio archive; parents come before children.
pub struct Archive {
    output: Option<File>,
    directories: BTreeSet<String>,
    links: BTreeSet<String>,
    inode: u32,
}

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_777;

impl Archive {
    /// An empty one.
    pub fn new(output: File) -> Self {
        Self {
            output: Some(output),
            directories: BTreeSet::new(),
            links: BTreeSet::new(),
            inode: 1,
        }
    }

    /// Adds a file, and the directories above it.
    pub fn file(&mut self, name: &str, content: &[u8], mode: u32) -> Result<()> {
        if let Some((parent, _)) = name.rsplit_once('/') {
            self.directory(parent)?;
        }
        self.entry(name, content, FILE | mode)
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, name: &str, target: &str) -> Result<()> {
        self.links.insert(name.to_owned());
        if let Some((parent, _)) = name.rsplit_once('/') {
            self.directory(parent)?;
        }
        self.entry(name, target.as_bytes(), LINK)
    }

    /// Adds a directory, and those above it.
    pub fn directory(&mut self, name: &str) -> Result<()> {
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

    /// Whether there is a symbolic link of this name.
    pub fn has_link(&self, name: &str) -> bool {
        self.links.contains(name)
    }

    /// Writes the end.
    pub fn finish(mut self) -> io::Result<()> {
        match self.output.take() {
            Some(output) => cpio::newc::trailer(output).map(drop),
            None => Ok(()),
        }
    }
}
