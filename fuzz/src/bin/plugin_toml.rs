//! plugin.toml: whatever is in it, the answer is a plugin or its problems;
//! and of a plugin, its examples can be tried.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let file = Path::new("plugin.toml");
    match sensor::plugin::parse_toml(file, text) {
        Ok(plugin) => drop(sensor::plugin::check_examples(&plugin, file)),
        Err(problems) => assert!(!problems.is_empty()),
    }
});
