//! The committed figures.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

const HEAD: &str = "# Written by `cargo xtask gate --write`.\n\n";

/// Figures by name.
pub type Figures = BTreeMap<String, u64>;
/// Figures by the conditions under which they hold.
pub type Section = BTreeMap<String, Figures>;

/// All of them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Instructions of the hot paths, by compiler and processor.
    #[serde(default)]
    pub instructions: Section,
    /// Instructions and bytes of stack of the kernel programs.
    #[serde(default)]
    pub object: Section,
    /// Instructions that the verifier goes through, by kernel.
    #[serde(default)]
    pub verifier: Section,
}

impl Baseline {
    /// Reads it; empty where there is none yet.
    pub fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(path)?;
        toml::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Writes it.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = format!("{HEAD}{}", toml::to_string(self)?);
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}
