//! The members with series of their own: those that used the most CPU.

use std::cmp::Reverse;

use super::{
    figures::Figures,
    metrics::{Moment, NameOf},
    report::{AttributeValue, PROCESS_PID, TopMember},
    series::Attributes,
    service::{Member, Service, counter},
};
use crate::units::{ProcessKey, WallNanos};

/// The largest members, the largest first.
#[derive(Debug)]
pub struct Top(pub Vec<Single>);

/// One of them.
#[derive(Debug)]
pub struct Single {
    /// Which process: its start as of when it joined, so that its series have
    /// one name for as long as it is a member.
    key: ProcessKey,
    /// The moment of its birth: from there its series count.
    pub start: WallNanos,
    /// Name of the executable file.
    name: Option<String>,
    /// What it used and holds.
    pub figures: Figures,
}

impl Top {
    /// The `number` members that used the most CPU since the last report,
    /// among equals those that used the most in their life. Whoever cannot be
    /// looked at has no rank.
    #[must_use]
    pub fn of(service: &Service, number: usize, now: Moment, name_of: NameOf<'_>) -> Self {
        if number == 0 {
            return Self(Vec::new());
        }
        let mut ranked: Vec<(&Member, Figures)> = service
            .living()
            .filter_map(|member| Some((member, Figures::of_member(service, member, now)?)))
            .collect();
        let mark = service.mark(now.boot);
        ranked.sort_by_cached_key(|(member, figures)| {
            let sum = |pair: [u64; 2]| pair[0].saturating_add(pair[1]);
            let lately = mark.and_then(|mark| member.used_since(&mark)).map(sum);
            let life = [counter::USER, counter::SYSTEM].map(|mode| figures.counters[mode]);
            (
                Reverse(lately.unwrap_or(0)),
                Reverse(sum(life.map(Option::unwrap_or_default))),
                member.key.pid,
            )
        });
        ranked.truncate(number);
        let single = |(member, figures): (&Member, Figures)| {
            let age = now.boot.0.saturating_sub(member.key.start.0);
            Single {
                key: member.key,
                start: WallNanos(now.wall.0.saturating_sub(age)),
                name: name_of(member.key.pid),
                figures,
            }
        };
        Self(ranked.into_iter().map(single).collect())
    }

    /// As reported.
    #[must_use]
    pub fn members(self) -> Vec<TopMember> {
        let member = |single: Single| TopMember {
            pid: single.key.pid,
            overview: single.figures.overview(),
            name: single.name,
        };
        self.0.into_iter().map(member).collect()
    }
}

impl Single {
    /// What tells its series from those of others, also of a later process
    /// with its pid.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        let mut attributes = vec![
            (PROCESS_PID, AttributeValue::Int(i64::from(self.key.pid))),
            (
                "process.creation.time",
                AttributeValue::Text(self.start.to_string().into()),
            ),
        ];
        if let Some(name) = &self.name {
            let name = AttributeValue::Text(name.clone().into());
            attributes.push(("process.executable.name", name));
        }
        attributes
    }
}
