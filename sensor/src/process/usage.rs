//! What a process has used, in the units that leave the sensor.

use sensor_common::event::Figures;

/// Figures of a process, CPU time split the way the kernel reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// CPU time in user mode, ns.
    pub user_ns: u64,
    /// CPU time in the kernel, ns.
    pub system_ns: u64,
    /// Time runnable but not running, ns.
    pub runqueue_ns: u64,
    /// Voluntary context switches.
    pub voluntary: u64,
    /// Involuntary context switches.
    pub involuntary: u64,
    /// Minor page faults.
    pub minor: u64,
    /// Major page faults.
    pub major: u64,
    /// Bytes read from storage.
    pub read_bytes: u64,
    /// Bytes written to storage.
    pub write_bytes: u64,
    /// Bytes that read calls returned.
    pub rchar: u64,
    /// Bytes that write calls took.
    pub wchar: u64,
}

impl Usage {
    /// CPU time, ns.
    #[must_use]
    pub fn cpu_ns(&self) -> u64 {
        self.user_ns.saturating_add(self.system_ns)
    }
}

/// The sum of CPU time is exact; the kernel splits it in the ratio of the
/// ticks (`cputime_adjust` in kernel/sched/cputime.c), and so do we, so that
/// the result is what `wait4` reports.
impl From<&Figures> for Usage {
    fn from(figures: &Figures) -> Self {
        let Figures {
            cpu,
            user,
            system,
            runqueue,
            voluntary,
            involuntary,
            minor,
            major,
            read_bytes,
            write_bytes,
            rchar,
            wchar,
        } = *figures;
        let system_ns = match (user, system) {
            (_, 0) => 0,
            (0, _) => cpu,
            (user, system) => share(cpu, system, u128::from(user) + u128::from(system)),
        };
        Self {
            user_ns: cpu - system_ns,
            system_ns,
            runqueue_ns: runqueue,
            voluntary,
            involuntary,
            minor,
            major,
            read_bytes,
            write_bytes,
            rchar,
            wchar,
        }
    }
}

/// `whole * part / of`, where `part <= of`.
fn share(whole: u64, part: u64, of: u128) -> u64 {
    u64::try_from(u128::from(whole) * u128::from(part) / of).unwrap_or(whole)
}

/// Adds the figures of further threads, without overflow.
pub fn add(sum: &mut Figures, more: &Figures) {
    let Figures {
        cpu,
        user,
        system,
        runqueue,
        voluntary,
        involuntary,
        minor,
        major,
        read_bytes,
        write_bytes,
        rchar,
        wchar,
    } = more;
    for (sum, more) in [
        (&mut sum.cpu, cpu),
        (&mut sum.user, user),
        (&mut sum.system, system),
        (&mut sum.runqueue, runqueue),
        (&mut sum.voluntary, voluntary),
        (&mut sum.involuntary, involuntary),
        (&mut sum.minor, minor),
        (&mut sum.major, major),
        (&mut sum.read_bytes, read_bytes),
        (&mut sum.write_bytes, write_bytes),
        (&mut sum.rchar, rchar),
        (&mut sum.wchar, wchar),
    ] {
        *sum = sum.saturating_add(*more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_split_in_the_ratio_of_the_ticks() {
        for (cpu, user, system, expected) in [
            (1_000, 0, 0, (1_000, 0)),
            (1_000, 0, 8, (0, 1_000)),
            (1_000, 8, 0, (1_000, 0)),
            (1_000, 12, 4, (750, 250)),
            (
                u64::MAX,
                u64::MAX,
                u64::MAX,
                (u64::MAX / 2 + 1, u64::MAX / 2),
            ),
        ] {
            let usage = Usage::from(&Figures {
                cpu,
                user,
                system,
                ..Figures::default()
            });
            assert_eq!((usage.user_ns, usage.system_ns), expected);
        }
    }
}
