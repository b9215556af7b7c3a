//! `process`: what the table knows of it: whence it came, what it used.

use super::{Cache, Case, Cost, Facts, Kind, Notes};
use crate::process::event::ExitDetail;

/// The provider.
pub static KIND: Kind = Kind {
    name: "process",
    cost: Cost::Nothing,
    cache: Cache::Never,
    gather,
};

/// Most parents that are told.
const ANCESTORS: usize = 16;

fn gather(case: &Case) -> Result<Facts, String> {
    let mut notes = Notes::default();
    let Some(process) = &case.process else {
        return Ok(notes.0);
    };
    notes.int("pid", Some(u64::from(process.pid)));
    notes.int("parent_pid", process.parent_pid.map(u64::from));
    notes.text("executable_path", case.executable());
    if let Some(args) = &process.args {
        // Scrubbed where the event was made.
        let texts = args
            .args
            .iter()
            .map(|arg| String::from_utf8_lossy(arg).into_owned());
        notes.list("command_args", texts.collect());
    }
    notes.int("user_id", process.user_id.map(u64::from));
    notes.text("cgroup", process.cgroup.as_deref());
    let age = case.time.0.checked_sub(process.creation_time.0);
    notes.int("age_ms", age.map(|ns| ns / 1_000_000));
    let ancestry = case.ancestry.iter().take(ANCESTORS);
    let ancestry = ancestry.map(|one| format!("{} {}", one.pid, one.name));
    notes.list("ancestry", ancestry.collect());
    if let Some(detail) = &case.detail {
        figures(&mut notes, detail);
    }
    Ok(notes.0)
}

fn figures(notes: &mut Notes, detail: &ExitDetail) {
    // Destructured, so that a new figure cannot be forgotten here.
    let ExitDetail {
        end: _,
        cpu_ns,
        cpu_user_ns,
        cpu_system_ns,
        peak_rss_bytes,
        disk_read_bytes,
        disk_write_bytes,
        io_rchar,
        io_wchar,
        voluntary,
        involuntary,
        minor_faults,
        major_faults,
        runqueue_ns,
        threads,
    } = *detail;
    for (key, figure) in [
        ("cpu_time_ns", cpu_ns),
        ("cpu_user_ns", cpu_user_ns),
        ("cpu_system_ns", cpu_system_ns),
        ("peak_rss_bytes", peak_rss_bytes),
        ("disk_read_bytes", disk_read_bytes),
        ("disk_write_bytes", disk_write_bytes),
        ("io_rchar", io_rchar),
        ("io_wchar", io_wchar),
        ("context_switches_voluntary", voluntary),
        ("context_switches_involuntary", involuntary),
        ("faults_minor", minor_faults),
        ("faults_major", major_faults),
        ("runqueue_time_ns", runqueue_ns),
        ("threads", threads),
    ] {
        notes.int(key, figure);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        incident::context::Ancestor,
        process::event::{Arguments, Value},
        units::WallNanos,
    };

    #[test]
    fn what_is_known_is_told_and_nothing_else() {
        assert!(gather(&Case::default()).unwrap().is_empty());
        let mut case = Case::of_living(std::process::id());
        let process = case.process.as_mut().unwrap();
        process.creation_time = WallNanos(1_000_000_000);
        process.args = Some(Arc::new(Arguments {
            args: vec![b"a".to_vec(), b"\xff".to_vec()],
            truncated: false,
        }));
        case.time = WallNanos(3_500_000_000);
        case.ancestry = vec![Ancestor {
            pid: 1,
            name: "init".to_owned(),
        }];
        case.detail = Some(Box::new(ExitDetail {
            cpu_ns: Some(5),
            ..ExitDetail::default()
        }));
        let facts = gather(&case).unwrap();
        assert_eq!(facts["age_ms"], Value::Int(2_500));
        assert_eq!(facts["ancestry"], Value::List(vec!["1 init".to_owned()]));
        let args = vec!["a".to_owned(), "\u{fffd}".to_owned()];
        assert_eq!(facts["command_args"], Value::List(args));
        assert_eq!(facts["cpu_time_ns"], Value::Int(5));
        assert!(!facts.contains_key("peak_rss_bytes") && !facts.contains_key("cgroup"));
    }
}
