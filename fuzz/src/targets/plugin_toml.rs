//! plugin.toml: whatever is in it, the answer is a plugin or its problems;
//! and of a plugin, its examples can be tried.
use std::path::Path;

/// Tries one input.
pub(super) fn run(bytes: &[u8]) {
    let text = super::text(bytes);
    let file = Path::new("plugin.toml");
    match sensor::plugin::parse_toml(file, text) {
        Ok(plugin) => drop(sensor::plugin::check_examples(&plugin, file)),
        Err(problems) => assert!(!problems.is_empty()),
    }
}
