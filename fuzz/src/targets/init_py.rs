//! `__init__.py`: whatever is in it, the answer is a plugin or its problems;
//! and a plugin is the same after its migration.
use std::path::Path;

use sensor::plugin::{legacy_as_toml, parse_init_py, parse_toml};

/// Tries one input.
pub(super) fn run(bytes: &[u8]) {
    let text = super::text(bytes);
    match parse_init_py(Path::new("__init__.py"), text) {
        Ok(plugin) => {
            let migrated = parse_toml(Path::new("plugin.toml"), &legacy_as_toml(&plugin));
            assert_eq!(migrated, Ok(plugin));
        }
        Err(problems) => assert!(!problems.is_empty()),
    }
}
