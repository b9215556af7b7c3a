//! The figures of a service, or of one member, at the moment of a report:
//! what both ways of naming metrics are made from.

use super::{
    metrics::Moment,
    report::Overview,
    series::seconds,
    service::{Counters, Mark, Member, Service, counter},
};

/// CPU time per elapsed time, in user mode and in the kernel; 1.0 is one CPU.
pub type Rates = [Option<f64>; 2];

/// The figures; `None`: unknown.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Sums so far: of a service since it is one, of a member since its birth.
    pub counters: Counters,
    /// Since the last report; see [`Service::mark`].
    pub rates: Rates,
    /// Resident memory, bytes.
    pub rss_bytes: Option<u64>,
    /// Virtual memory, bytes.
    pub vms_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open file descriptors.
    pub fds: Option<u64>,
    /// Age, of a service that of its oldest member, s.
    pub uptime_seconds: Option<f64>,
}

impl Figures {
    /// The figures of a service.
    #[must_use]
    pub fn of_service(service: &Service, now: Moment) -> Self {
        let counters = service.counters();
        let oldest = service.living().map(|member| member.key.start).min();
        Self {
            counters,
            rates: service_rates(service, &counters, now),
            rss_bytes: service.sum(|reading| Some(reading.rss_bytes)),
            vms_bytes: service.sum(|reading| Some(reading.vms_bytes)),
            threads: service.sum(|reading| Some(reading.threads)),
            fds: service.sum(|reading| reading.fds),
            uptime_seconds: oldest.map(|start| seconds(now.boot.0.saturating_sub(start.0))),
        }
    }

    /// The figures of one member; `None` where it could not be looked at.
    #[must_use]
    pub fn of_member(service: &Service, member: &Member, now: Moment) -> Option<Self> {
        let reading = member.reading.as_deref()?;
        Some(Self {
            counters: member.life(),
            rates: member_rates(service, member, now),
            rss_bytes: Some(reading.rss_bytes),
            vms_bytes: Some(reading.vms_bytes),
            threads: Some(reading.threads),
            fds: reading.fds,
            uptime_seconds: Some(seconds(now.boot.0.saturating_sub(member.key.start.0))),
        })
    }

    /// Both modes together.
    #[must_use]
    pub fn utilization(&self) -> Option<f64> {
        let [user, system] = self.rates;
        Some(user? + system?)
    }

    /// What people look at first.
    #[must_use]
    pub fn overview(&self) -> Overview {
        let cpu = |index: usize| self.counters[index];
        let used = cpu(counter::USER).zip(cpu(counter::SYSTEM));
        Overview {
            utilization: self.utilization(),
            cpu_seconds: used.map(|(user, system)| seconds(user.saturating_add(system))),
            rss_bytes: self.rss_bytes,
            threads: self.threads,
            starts: None,
            exits: None,
        }
    }
}

/// Rates of a service: what members used that ended meanwhile counts too. It
/// takes two reports, and somebody who lives (contract S3, S7).
fn service_rates(service: &Service, counters: &Counters, now: Moment) -> Rates {
    let mark = service.mark(now.boot);
    let Some(mark) = mark.filter(|_| service.living().next().is_some()) else {
        return [None; 2];
    };
    let used = |index: usize, earlier: Option<u64>| {
        let used = counters[index]?.saturating_sub(earlier?);
        per_time(used, &mark, now)
    };
    let [user, system] = mark.cpu;
    [used(counter::USER, user), used(counter::SYSTEM, system)]
}

/// Rates of a member, over the same time as those of its service.
pub(super) fn member_rates(service: &Service, member: &Member, now: Moment) -> Rates {
    let mark = service.mark(now.boot);
    let used = mark.and_then(|mark| Some((mark, member.used_since(&mark)?)));
    match used {
        Some((mark, used)) => used.map(|used| per_time(used, &mark, now)),
        None => [None; 2],
    }
}

fn per_time(used: u64, mark: &Mark, now: Moment) -> Option<f64> {
    let wall = now.boot.0.saturating_sub(mark.time.0);
    (wall > 0).then(|| used as f64 / wall as f64)
}
