//! `sensor plugin` as people and programs use it, and the guide of
//! plugins/README.md, run line by line.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

#[path = "plugin/guide.rs"]
mod guide;
#[path = "plugin/list.rs"]
mod list;
#[path = "plugin/write.rs"]
mod write;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use sensor_tests::{
    plugins::Plugins,
    sensor::{end, sensor},
};
use serde_json::Value;

/// `sensor plugin` with these arguments, in a directory.
fn plugin(directory: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = sensor(["plugin"].iter().chain(args));
    end(command.current_dir(directory))
}

/// The directory of the plugins that are shipped.
fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")
}
