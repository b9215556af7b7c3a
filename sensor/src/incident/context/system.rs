//! `system`: memory, disk and pressure of the host.

use std::{path::Path, time::Duration};

use super::{Cache, Case, Cost, Facts, Kind, Notes, look};

/// The provider.
pub static KIND: Kind = Kind {
    name: "system",
    // The root file system may be far away.
    cost: Cost::UpTo(Duration::from_millis(500)),
    cache: Cache::Host(Duration::from_secs(1)),
    gather,
};

fn gather(_: &Case) -> Result<Facts, String> {
    let mut notes = Notes::default();
    let cpus = std::thread::available_parallelism().ok();
    notes.int("cpus", cpus.and_then(|cpus| u64::try_from(cpus.get()).ok()));
    if let Ok(text) = look::text(Path::new("/proc/meminfo"), 64 << 10) {
        memory(&mut notes, &text);
    }
    for resource in ["cpu", "memory", "io"] {
        // Not there where the kernel was built or booted without it.
        if let Ok(text) = look::text(Path::new(&format!("/proc/pressure/{resource}")), 4_096) {
            pressure(&mut notes, resource, &text);
        }
    }
    if let Ok(disk) = rustix::fs::statvfs("/") {
        notes.int("disk_total_bytes", disk.f_blocks.checked_mul(disk.f_frsize));
        notes.int(
            "disk_available_bytes",
            disk.f_bavail.checked_mul(disk.f_frsize),
        );
        // Some file systems have no fixed number of inodes and say 0.
        let inodes = (disk.f_files > 0).then_some(disk.f_favail);
        notes.int("disk_available_inodes", inodes);
    }
    Ok(notes.0)
}

/// proc_meminfo(5), which counts in KiB.
fn memory(notes: &mut Notes, text: &str) {
    for (name, key) in [
        ("MemTotal:", "memory_total_bytes"),
        ("MemAvailable:", "memory_available_bytes"),
        ("SwapTotal:", "swap_total_bytes"),
        ("SwapFree:", "swap_free_bytes"),
    ] {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let bytes = number.and_then(|number| number.trim().parse::<u64>().ok()?.checked_mul(1_024));
        notes.int(key, bytes);
    }
}

/// Documentation/accounting/psi.rst: shares of the last 10 s, in percent, as
/// the kernel prints them.
fn pressure(notes: &mut Notes, resource: &str, text: &str) {
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(kind @ ("some" | "full")) = words.next() else {
            continue;
        };
        let average = words.find_map(|word| word.strip_prefix("avg10="));
        let average = average.filter(|text| text.parse::<f64>().is_ok());
        notes.text(&format!("pressure_{resource}_{kind}_10s"), average);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::event::Value;

    #[test]
    fn files_of_the_kernel_are_read() {
        let mut notes = Notes::default();
        memory(
            &mut notes,
            "MemTotal:        8000 kB\nMemFree:  1 kB\nMemAvailable:    10 kB\nSwapTotal: x kB\n",
        );
        pressure(
            &mut notes,
            "io",
            "some avg10=1.53 avg60=0.87 avg300=0.99 total=3\nfull avg10=0.00 avg60=0 total=1\nodd\n",
        );
        let wanted = [
            ("memory_available_bytes", Value::Int(10 << 10)),
            ("memory_total_bytes", Value::Int(8_000 << 10)),
            ("pressure_io_full_10s", Value::Text("0.00".to_owned())),
            ("pressure_io_some_10s", Value::Text("1.53".to_owned())),
        ];
        let wanted = wanted.map(|(key, value)| (key.to_owned(), value));
        assert_eq!(notes.0, Facts::from(wanted));
    }
}
