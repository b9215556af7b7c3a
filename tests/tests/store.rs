//! The store on the disk: what lies in its way, who may read it, and what
//! `sensor store` says of it. Some need root, to be somebody else.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

#[path = "store/framework.rs"]
mod framework;
#[path = "store/modes.rs"]
mod modes;
#[path = "store/show.rs"]
mod show;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use sensor_tests::{
    plugins::Plugins,
    sensor::{Lines, end, sensor},
};

/// A directory of one's own, with plugins that nobody matches.
struct Place {
    root: tempfile::TempDir,
    plugins: Plugins,
}

impl Place {
    fn new() -> Self {
        let plugins = Plugins::new();
        let _ = plugins.watch(false);
        Self {
            root: tempfile::tempdir().unwrap(),
            plugins,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// `sensor run` on this store.
    fn run(&self, store: &Path) -> Command {
        let mut command = sensor([
            "run",
            "--no-ebpf",
            "--interval",
            "100ms",
            "--output",
            "json",
            "--plugins",
            &self.plugins.flag(),
            "--metadata-db-path",
        ]);
        command.arg(store);
        command
    }

    /// Runs it until it has reported twice, so the first interval is written,
    /// and ends it.
    fn work(&self, command: &mut Command) -> String {
        let lines = Lines::start(command);
        lines.wait("two reports", |said| (said.lines.len() > 1).then_some(()));
        let (ended, said) = lines.interrupt();
        assert_eq!(ended.status, 0, "{}", said.errors);
        said.errors
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let files = std::fs::read_dir(self.path(directory)).unwrap();
        let mut names: Vec<_> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// `sensor store WHAT` on a store.
fn store(what: &str, path: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let mut command = sensor(["store", what, "--metadata-db-path"]);
    end(command.arg(path).args(more))
}
