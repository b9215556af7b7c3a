//! A plugin's files against its manifest.

use std::{collections::BTreeSet, fmt, path::Path};

use super::{
    files::{Facts, Tree},
    manifest::{MANIFEST, Manifest, ManifestError},
};
use crate::config::Problem;

/// Others may write: whatever was verified may be something else by now.
const WORLD_WRITABLE: u32 = 0o002;

/// What is true of one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The file is the one of the manifest.
    Verified,
    /// It is another one, or no readable regular file any more.
    Mismatch,
    /// It is in the manifest only.
    Missing,
    /// It is in the directory only.
    Extra,
    /// Everybody may write to it; the bytes may be right.
    WorldWritable,
}

/// One path and what is true of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Relative to the directory.
    pub path: String,
    /// What is true.
    pub status: Status,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// By path; a file that has two faults is here twice.
    pub findings: Vec<Finding>,
    /// What is noteworthy and no fault, or explains one.
    pub warnings: Vec<String>,
}

impl Status {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Mismatch => "mismatch",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::WorldWritable => "world_writable",
        }
    }
}

/// The line that users know (contract P10).
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.status {
            Status::Verified => "✅ File checksum verified",
            Status::Mismatch => "❌ Checksum mismatch detected for",
            Status::Missing => "❌ Missing file",
            Status::Extra => "❌ Extra file",
            Status::WorldWritable => "❌ World-writable",
        };
        write!(f, "{text}: {}", self.path)
    }
}

impl Report {
    /// Whether everything is as the manifest says.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let verified = |finding: &Finding| finding.status == Status::Verified;
        self.findings.iter().all(verified)
    }

    /// Compares what is there with what should be.
    #[must_use]
    pub fn compare(manifest: &Manifest, tree: &Tree) -> Self {
        let mut report = Self::default();
        let mut seen = BTreeSet::new();
        for (path, facts) in &tree.files {
            seen.insert(path);
            let listed = manifest.files.get(path);
            if path != MANIFEST {
                report.content(path, listed, *facts);
            }
            report.mode(path, listed, facts.mode);
        }
        for (path, mode) in &tree.directories {
            report.mode(path, None, *mode);
        }
        for odd in &tree.odd {
            seen.insert(&odd.path);
            let status = match manifest.files.contains_key(&odd.path) {
                true => Status::Mismatch,
                false => Status::Extra,
            };
            report.push(&odd.path, status);
            report.warnings.push(odd.to_string());
        }
        for path in manifest.files.keys().filter(|path| !seen.contains(path)) {
            report.push(path, Status::Missing);
        }
        report.findings.sort_by(|a, b| a.path.cmp(&b.path));
        report
    }

    fn content(&mut self, path: &str, listed: Option<&Facts>, found: Facts) {
        let same = |listed: &Facts| listed.sha256 == found.sha256 && listed.size == found.size;
        match listed {
            None => self.push(path, Status::Extra),
            Some(listed) if !same(listed) => self.push(path, Status::Mismatch),
            // One line a file: bytes that anybody may change are not verified.
            Some(_) if found.mode & WORLD_WRITABLE != 0 => {}
            Some(_) => self.push(path, Status::Verified),
        }
    }

    fn mode(&mut self, path: &str, listed: Option<&Facts>, mode: u32) {
        if mode & WORLD_WRITABLE != 0 {
            self.push(path, Status::WorldWritable);
        }
        if let Some(listed) = listed.filter(|listed| listed.mode != mode) {
            let text = format!(
                "{path}: the mode is {mode:04o}, the manifest says {:04o}",
                listed.mode
            );
            self.warnings.push(text);
        }
    }

    fn push(&mut self, path: &str, status: Status) {
        let path = path.to_owned();
        self.findings.push(Finding { path, status });
    }
}

/// Verifies a plugin's directory.
///
/// # Errors
/// Where there is nothing to compare: no directory, no valid manifest.
pub fn verify(directory: &Path) -> Result<Report, ManifestError> {
    let tree = Tree::read(directory)
        .map_err(|error| ManifestError::Directory(directory.to_owned(), error))?;
    let manifest = Manifest::of(directory, &tree)?;
    Ok(Report::compare(&manifest, &tree))
}

/// Why the plugin in `directory` must not be used by somebody who asks for
/// verified ones; empty where it may be.
#[must_use]
pub fn faults(directory: &Path) -> Vec<Problem> {
    let file = directory.join(MANIFEST);
    match verify(directory) {
        Ok(report) => {
            let finding = |finding: &Finding| {
                let message = finding.to_string();
                let message = message.trim_start_matches("❌ ");
                Problem::file(&file, format!("{message}; install the plugin again"))
            };
            let faulty = |finding: &&Finding| finding.status != Status::Verified;
            report.findings.iter().filter(faulty).map(finding).collect()
        }
        Err(ManifestError::Invalid(problems)) => problems,
        Err(ManifestError::NotFound(_)) => {
            let shown = directory.display();
            let message = format!(
                "Manifest file not found, and only verified plugins are wanted; `sensor plugin manifest {shown}` writes one"
            );
            vec![Problem::file(&file, message)]
        }
        Err(error) => vec![Problem::file(&file, error.to_string())],
    }
}
