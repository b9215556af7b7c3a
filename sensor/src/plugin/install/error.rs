//! Why nothing was installed or removed.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    config::{Problem, problem::lines},
    plugin::files::{Odd, REMEDY},
};

/// Why nothing was installed or removed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The plugin cannot be used as it is.
    #[error("{}", lines("", .0))]
    Plugin(Vec<Problem>),
    /// What is no regular file is not copied.
    #[error("{}\n{REMEDY}", lines(&format!("{}/", .0.display()), .1))]
    Odd(PathBuf, Vec<Odd>),
    /// The copy is not what was read before.
    #[error("{} changed while it was installed", .0.display())]
    Changed(PathBuf),
    /// Something has the place already.
    #[error("{} {}", .0.display(), .1)]
    Taken(PathBuf, String),
    /// There is nothing to remove.
    #[error("{0}")]
    NotInstalled(String),
    /// The system refused, and everything is as it was, but for what is named.
    #[error("{}: {source}{}{}", path.display(), if left.is_empty() { "" } else { "\n" }, lines("", left))]
    System {
        /// What it was about.
        path: PathBuf,
        /// Why.
        source: io::Error,
        /// What could not be taken back.
        left: Vec<String>,
    },
}

impl InstallError {
    /// The system refused something about `path`.
    pub(super) fn system(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::System {
            path,
            source,
            left: Vec::new(),
        }
    }
}
