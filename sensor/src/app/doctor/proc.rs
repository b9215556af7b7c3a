//! Whether /proc shows the figures of everybody.

use std::fs;

use super::{Check, Status};
use crate::{
    procfs::{Proc, ReadError, mount},
    source::capability,
};

const NAME: &str = "proc";
/// As many processes as are looked at to see whether /proc is open.
const PROCESSES_TRIED: usize = 1_000;

/// Reads what only the owner of a process, or a privileged reader, may.
pub(super) fn check() -> Check {
    let mut pids = Vec::new();
    let listed = Proc::open().and_then(|mut proc| proc.pids(&mut pids).map(|()| proc));
    let mut proc = match listed {
        Ok(proc) => proc,
        Err(error) => {
            return Check::new(NAME, Status::Failed, format!("/proc: {error}"))
                .remedy("mount /proc");
        }
    };
    pids.truncate(PROCESSES_TRIED);
    let mut closed = 0;
    let mut open = 0;
    for pid in pids {
        match proc.io(pid) {
            Ok(_) => open += 1,
            Err(ReadError::Denied) => closed += 1,
            Err(_) => {}
        }
    }
    if open + closed == 0 {
        // The doctor itself would be there.
        return Check::new(NAME, Status::Failed, "/proc shows no process").remedy("mount /proc");
    }
    if !mount::has_host_pids() {
        return Check::new(NAME, Status::Degraded, mount::OTHER_PIDS)
            .remedy("run it with the host's pids: hostPID, --pid=host");
    }
    let missing = capability::missing_for_reading();
    let hidden = fs::read_to_string("/proc/self/mountinfo")
        .ok()
        .and_then(|mounts| hidden_by(&mounts).map(str::to_owned));
    match (hidden, missing.as_slice(), closed) {
        // Who may trace sees everybody.
        (Some(option), missing, _) if missing.contains(&"CAP_SYS_PTRACE") => {
            let detail = format!(
                "mounted with {option}: other users' processes are hidden, {} missing",
                missing.join(" and ")
            );
            Check::new(NAME, Status::Degraded, detail)
                .remedy("run as root or with CAP_SYS_PTRACE, or `mount -o remount,hidepid=0 /proc`")
        }
        (_, _, 0) => Check::ok(NAME, format!("figures of all {open} processes tried")),
        // A few may stay closed to everybody.
        (_, [], _) => {
            let all = closed + open;
            Check::ok(NAME, format!("figures of {open} of {all} processes"))
        }
        (_, missing, _) => Check::new(
            NAME,
            Status::Degraded,
            format!(
                "figures of {closed} of {} processes are closed: {} missing",
                closed + open,
                missing.join(" and ")
            ),
        )
        .remedy(match capability::count_here() {
            true => "run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
            false => capability::OUTSIDE,
        }),
    }
}

/// The option of the mount at /proc that hides processes (proc(5)), in what
/// /proc/self/mountinfo says: the last mount at a place is the one that is
/// seen.
fn hidden_by(mounts: &str) -> Option<&str> {
    let at_proc = |line: &&str| line.split(' ').nth(4) == Some("/proc");
    let line = mounts.lines().rfind(at_proc)?;
    let options = line.rsplit(' ').next()?.split(',');
    let mut hiding = options.filter(|option| option.starts_with("hidepid="));
    hiding.find(|option| !matches!(*option, "hidepid=0" | "hidepid=off"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_processes_is_found() {
        let mount = |options: &str| {
            format!("21 1 0:20 / /proc rw,nosuid shared:5 - proc proc rw{options}\n")
        };
        assert_eq!(hidden_by(&mount("")), None);
        assert_eq!(hidden_by(&mount(",hidepid=off")), None);
        assert_eq!(hidden_by(&mount(",hidepid=2")), Some("hidepid=2"));
        let both = mount(",hidepid=invisible") + &mount("");
        assert_eq!(hidden_by(&both), None);
        let both = mount("") + &mount(",gid=4,hidepid=invisible");
        assert_eq!(hidden_by(&both), Some("hidepid=invisible"));
        assert_eq!(hidden_by("1 2 3\n"), None);
    }
}
