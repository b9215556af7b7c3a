//! Integrity and installation of plugins, by the program itself. The tests of
//! the host's own units need root and mount namespaces of their own; nothing
//! outside their directories is touched, and systemctl is never the real one.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

#[path = "install/faults.rs"]
mod faults;
#[path = "install/integrity.rs"]
mod integrity;
#[path = "install/system.rs"]
mod system;
#[path = "install/units.rs"]
mod units;
#[path = "install/user.rs"]
mod user;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use sensor_tests::{process::built, sensor::skipped};
use tempfile::TempDir;

/// A home, a source of plugins, and a PATH without the real systemctl.
struct Host {
    dir: TempDir,
}

/// How a command ended, and what it said.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Host {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["home", "bin", "units", "base"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(path)
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Makes a systemctl that notes its arguments and ends with `code`.
    fn with_systemctl(&self, code: i32) {
        let path = self.at("bin/systemctl");
        let script =
            format!("#!/bin/sh\necho \"$@\" >> \"${{0%/*}}/calls\"\necho no >&2\nexit {code}\n");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What systemctl was called with.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.at("bin/calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    /// Writes the source of a plugin, with a file below it.
    fn source(&self, name: &str, version: &str) -> PathBuf {
        let source = self.at(name);
        fs::create_dir_all(source.join("docs")).unwrap();
        let text = format!(
            "[plugin]\nname = \"{name}\"\nversion = \"{version}\"\ndescription = \"{name} {version}\"\n\
             [service]\nnamespace = \"tests\"\nprocess_name = \"^{name}$\"\n"
        );
        fs::write(source.join("plugin.toml"), text).unwrap();
        fs::write(source.join("docs/README.md"), version).unwrap();
        source
    }

    /// The program, for this home.
    fn command(&self, args: &[&str]) -> Command {
        self.prepared(Command::new(built("sensor-under-test")), args)
    }

    /// The program in a mount namespace of its own, in which `setup` was run;
    /// the host's units are those of `units`.
    fn in_namespace(&self, setup: &str, args: &[&str]) -> Command {
        let mut command = Command::new("/usr/bin/unshare");
        let script = format!(
            "set -e\nmount --bind \"$UNITS\" /etc/systemd/system\n{setup}\n\
             set +e\nPATH=\"$BIN\" \"$@\"\ncode=$?\n\
             echo \"in base:\" $(ls -A \"$BASE\")\nexit $code"
        );
        command.args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            &script,
            "sh",
        ]);
        command.arg(built("sensor-under-test"));
        let mut command = self.prepared(command, args);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        for (name, path) in [("UNITS", "units"), ("BASE", "base"), ("BIN", "bin")] {
            command.env(name, self.at(path));
        }
        command
    }

    fn prepared(&self, mut command: Command, args: &[&str]) -> Command {
        command.args(args).env_clear().current_dir(self.dir.path());
        command.env("HOME", self.at("home")).stdin(Stdio::null());
        command.env("PATH", self.at("bin"));
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        end(&mut self.command(args))
    }

    /// Everything below a directory with its mode, sorted; backups and what
    /// is passed over included.
    fn tree(&self, path: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![self.at(path)];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(&directory).into_iter().flatten() {
                let path = entry.unwrap().path();
                let metadata = fs::symlink_metadata(&path).unwrap();
                let name = path
                    .strip_prefix(self.at(""))
                    .unwrap()
                    .display()
                    .to_string();
                found.push(format!(
                    "{:o} {name}",
                    metadata.permissions().mode() & 0o7777
                ));
                if metadata.is_dir() {
                    open.push(path);
                }
            }
        }
        found.sort_by(|a, b| a[4..].cmp(&b[4..]));
        found
    }
}

fn end(command: &mut Command) -> Ended {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended {
        code: status.code(),
        out: text(stdout),
        err: text(stderr),
    }
}

/// Whether root runs the tests, with the right to mount; says so where not.
fn may_mount(test: &str) -> bool {
    let script = "mount --bind /etc/systemd/system /etc/systemd/system";
    let done = Command::new("/usr/bin/unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", script])
        .stderr(Stdio::null())
        .status();
    let may = done.is_ok_and(|status| status.success());
    if !may {
        skipped(test, "needs root, mounts and /etc/systemd/system");
    }
    may
}

/// The only backup of `name` in `directory`.
fn backup(directory: &Path, name: &str) -> PathBuf {
    let mark = format!("{name}.backup-");
    let entries = fs::read_dir(directory).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let is_backup = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(&mark)
    };
    let found = paths.by_ref().find(is_backup);
    let found = found.unwrap_or_else(|| panic!("no {mark}… in {}", directory.display()));
    assert!(!paths.any(|path| is_backup(&path)));
    found
}
