//! sensor.toml and a variable for the exporter: whatever is in them, the
//! answer is a configuration that can be shown, or its problems.
//!
//! `NAME=VALUE`, and behind that line the file.
use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use sensor::config::{Config, Environment, ExportFlags, export_settings, show::settings};

/// Tries one input.
pub(super) fn run(input: &[u8]) {
    let mut parts = input.splitn(2, |&byte| byte == b'\n');
    let variable = parts.next().unwrap_or_default();
    let Ok(text) = std::str::from_utf8(parts.next().unwrap_or_default()) else {
        return;
    };
    let config = match Config::parse(Path::new("sensor.toml"), text) {
        Ok(config) => config,
        Err(problems) => return assert!(!problems.is_empty()),
    };
    let lookup = |name: &str| -> Option<OsString> {
        let value = variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(OsStr::from_bytes(value).to_owned())
    };
    let environment = Environment::new(&lookup);
    match export_settings(&ExportFlags::default(), &environment, &config) {
        Ok(export) => assert!(!settings(&config, export.as_ref()).is_empty()),
        Err(problems) => assert!(!problems.is_empty()),
    }
}
