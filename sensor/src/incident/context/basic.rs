//! `basic`: which host it was, and how busy.

use std::path::Path;

use super::{Cache, Case, Cost, Facts, Kind, Notes, look};

/// The provider.
pub static KIND: Kind = Kind {
    name: "basic",
    cost: Cost::Nothing,
    cache: Cache::Never,
    gather,
};

fn gather(_: &Case) -> Result<Facts, String> {
    let mut notes = Notes::default();
    let names = rustix::system::uname();
    notes.text("host_name", Some(names.nodename().to_string_lossy()));
    notes.text("kernel", Some(names.release().to_string_lossy()));
    let read = |path: &str| look::text(Path::new(path), 4_096).ok();
    notes.int(
        "uptime_seconds",
        read("/proc/uptime").as_deref().and_then(uptime),
    );
    let load = read("/proc/loadavg");
    let load = load.as_deref().and_then(load_averages);
    for (key, value) in ["load_1m", "load_5m", "load_15m"]
        .iter()
        .zip(load.iter().flatten())
    {
        notes.text(key, Some(*value));
    }
    Ok(notes.0)
}

/// The first number of proc_uptime(5), whole seconds.
fn uptime(text: &str) -> Option<u64> {
    text.split(['.', ' ']).next()?.parse().ok()
}

/// The first three numbers of proc_loadavg(5), as they stand there.
fn load_averages(text: &str) -> Option<[&str; 3]> {
    let mut words = text.split_ascii_whitespace();
    let mut next = || words.next().filter(|word| word.parse::<f64>().is_ok());
    Some([next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_kernel_are_read() {
        assert_eq!(uptime("350735.47 234388.90\n"), Some(350_735));
        assert_eq!(uptime(""), None);
        let load = load_averages("0.52 1.00 12.34 2/513 4711\n");
        assert_eq!(load, Some(["0.52", "1.00", "12.34"]));
        assert_eq!(load_averages("x y z"), None);
    }
}
