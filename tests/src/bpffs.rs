//! A BPF file system of one's own, so that tests neither need one on the host
//! nor meet each other's pins.

use std::path::Path;

use crate::{isolated, sensor::skipped};

/// Where the sensor keeps its pins.
pub const PINS: &str = "/sys/fs/bpf/sensor";
const BPFFS: &str = "/sys/fs/bpf";

/// Gives the calling thread, and what it starts from now on, a mount namespace
/// with an empty BPF file system at the usual place. False, and noted as
/// skipped, where the host does not allow it.
#[must_use]
pub fn own_bpffs(test: &str) -> bool {
    isolated::namespaces(test, 0) && mounted("bpf", BPFFS, test)
}

/// The same without a BPF file system.
#[must_use]
pub fn no_bpffs(test: &str) -> bool {
    isolated::namespaces(test, 0) && mounted("tmpfs", BPFFS, test)
}

/// Gives the calling thread, and what it starts from now on, an empty file
/// system for each of these places, so that a journal can be kept there.
#[must_use]
pub fn own_places(test: &str, places: &[&str]) -> bool {
    isolated::namespaces(test, 0) && places.iter().all(|place| mounted("tmpfs", place, test))
}

/// Paths of all pins, in order.
#[must_use]
pub fn pins() -> Vec<String> {
    fn walk(dir: &Path, into: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => walk(&path, into),
                false => into.push(path.display().to_string()),
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new(PINS), &mut found);
    found.sort_unstable();
    found
}

fn mounted(kind: &str, at: &str, test: &str) -> bool {
    match isolated::mount(kind, Path::new(at), 0, "mode=0755") {
        Ok(()) => true,
        Err(error) => {
            skipped(test, &format!("needs to mount {kind} at {at} ({error})"));
            false
        }
    }
}
