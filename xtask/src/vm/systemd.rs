//! systemd as process 1: this host's, with the few units that make a boot.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::archive::Archive;
use crate::shell::root;

/// Where distributions keep units.
const UNITS: &str = "usr/lib/systemd/system";
/// What is taken from the host.
const PROGRAMS: [&str; 7] = [
    "usr/lib/systemd/systemd",
    "usr/lib/systemd/systemd-journald",
    "usr/bin/systemctl",
    "usr/bin/journalctl",
    // What our unit calls, and a shell.
    "usr/bin/install",
    "usr/bin/kill",
    "usr/bin/sh",
];
/// The least that brings up a journal.
const FROM_HOST: [&str; 19] = [
    "basic.target",
    "final.target",
    "local-fs.target",
    "local-fs-pre.target",
    "multi-user.target",
    "network.target",
    "paths.target",
    "shutdown.target",
    "slices.target",
    "sockets.target",
    "swap.target",
    "sysinit.target",
    "systemd-journald-dev-log.socket",
    "systemd-journald.service",
    "systemd-journald.socket",
    "timers.target",
    "umount.target",
    "user.slice",
    "time-set.target",
];
/// What pulls in what; the rest of it is not there.
const WANTS: [(&str, &str); 3] = [
    ("sysinit.target", "systemd-journald.service"),
    ("sockets.target", "systemd-journald.socket"),
    ("sockets.target", "systemd-journald-dev-log.socket"),
];
const DEFAULT: &str = "\
[Unit]
Requires=basic.target vm-steps.service
After=basic.target
AllowIsolate=yes
";
const STEPS: &str = "\
[Unit]
Requires=basic.target
After=basic.target

[Service]
ExecStart=/usr/bin/vm-init steps
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
";

/// Programs of the host, and where they go.
pub fn programs() -> impl Iterator<Item = (String, PathBuf)> {
    PROGRAMS
        .map(|name| (name.to_owned(), Path::new("/").join(name)))
        .into_iter()
}

/// Everything but programs: links, units, configuration.
pub fn add_tree(archive: &mut Archive) -> Result<()> {
    for name in ["bin", "sbin", "lib", "lib64"] {
        let target = format!("usr/{}", if name == "sbin" { "bin" } else { name });
        archive.link(name, &target)?;
    }
    archive.link("init", "usr/lib/systemd/systemd")?;
    archive.link("var/run", "../run")?;
    for name in FROM_HOST {
        let path = Path::new("/").join(UNITS).join(name);
        let unit = fs::read(&path)
            .with_context(|| format!("no {}: is systemd installed?", path.display()))?;
        archive.file(&format!("{UNITS}/{name}"), &unit, 0o644)?;
    }
    for (target, unit) in WANTS {
        archive.link(
            &format!("{UNITS}/{target}.wants/{unit}"),
            &format!("../{unit}"),
        )?;
    }
    let packaged = fs::read(root().join("deploy/systemd/sensor.service"))?;
    archive.file(&format!("{UNITS}/sensor.service"), &packaged, 0o644)?;
    for (name, text) in [
        ("etc/systemd/system/default.target", DEFAULT),
        ("etc/systemd/system/vm-steps.service", STEPS),
        ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
        ("etc/hostname", "vm\n"),
    ] {
        archive.file(name, text.as_bytes(), 0o644)?;
    }
    for directory in ["run", "var/lib", "var/tmp", "root", "etc/sensor/plugins"] {
        archive.directory(directory)?;
    }
    Ok(())
}
