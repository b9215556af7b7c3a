//! A fault in something that a person wrote.

use std::fmt;
use std::path::PathBuf;

/// One fault of a file, a flag or a variable, worded for the person who
/// wrote it: what is wrong and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file at fault; empty for a flag or a variable.
    pub file: PathBuf,
    /// Line in it, from 1, where the fault has a place.
    pub line: Option<usize>,
    /// The dotted key, or the name of the flag or variable.
    pub key: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// A fault of the file as a whole.
    #[must_use]
    pub fn file(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: None,
            key: None,
            message: message.into(),
        }
    }

    /// A fault of the environment variable or command line flag `name`.
    #[must_use]
    pub fn setting(name: &str, message: impl Into<String>) -> Self {
        Self {
            file: PathBuf::new(),
            line: None,
            key: Some(name.to_owned()),
            message: message.into(),
        }
    }
}

/// `file:line: key: message`, each part only where it is known.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.as_os_str().is_empty() {
            write!(f, "{}", self.file.display())?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// A line for each part, all with the same beginning.
pub fn lines(prefix: &str, parts: &[impl fmt::Display]) -> String {
    let lines: Vec<String> = parts.iter().map(|part| format!("{prefix}{part}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_leaves_out_what_is_unknown() {
        let whole = Problem {
            file: "/etc/a.toml".into(),
            line: Some(3),
            key: Some("host.enabled".to_owned()),
            message: "no".to_owned(),
        };
        assert_eq!(whole.to_string(), "/etc/a.toml:3: host.enabled: no");
        assert_eq!(Problem::file("a", "no").to_string(), "a: no");
        assert_eq!(Problem::setting("USE_TLS", "no").to_string(), "USE_TLS: no");
    }
}
