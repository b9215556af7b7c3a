//! An engine, and short ways to feed it and to ask it.

use std::{sync::Arc, time::Duration};

use sensor_common::{
    event::{Exec, Exit, Figures, Fork, Header, Late, UNKNOWN_PAGES},
    kind,
};

use super::super::{Config, Engine, ExecContext, Known, Publish, scans::Found};
use crate::{
    aggregate::{
        metrics::{Moment, Sight},
        registry::{Registry, Spec},
        report::{PointValue, Report},
        service::Look,
    },
    collect::Reading,
    decode::{Event, ExecTail},
    plugin::{GroupBy, Matcher, MetricsOptions, Plugin, ServiceSpec},
    process::{
        event::{ExitDetail, ProcessEvent, What},
        table::{RawArguments, ticks_of_start},
    },
    procfs::Comm,
    scrub::{ScrubConfig, Scrubber},
    units::{BootNanos, ProcessKey, WallNanos, WallOffset},
};

pub const MS: u64 = 1_000_000;
pub const SECOND: u64 = 1_000 * MS;
/// When the hooks were attached.
pub const ATTACHED: u64 = SECOND;

/// A process: pid and start.
pub type Id = (u32, u64);

pub struct Bench {
    pub engine: Engine,
    pub out: Vec<ProcessEvent>,
}

pub fn key((pid, start): Id) -> ProcessKey {
    ProcessKey {
        pid,
        start: BootNanos(start),
    }
}

pub fn cpu(ns: u64) -> Figures {
    Figures {
        cpu: ns,
        user: ns,
        ..Figures::default()
    }
}

pub fn reading(user: u64, system: u64) -> Reading {
    Reading {
        pid: 0,
        start_ticks: 0,
        comm: Comm::new(b"web"),
        state: b'S',
        ppid: 1,
        cpu_user_ns: user,
        cpu_system_ns: system,
        rss_bytes: 4096,
        vms_bytes: 8192,
        read_bytes: Some(1),
        write_bytes: Some(2),
        rchar: Some(3),
        wchar: Some(4),
        voluntary: Some(5),
        involuntary: Some(6),
        minor_faults: 7,
        major_faults: 8,
        threads: 1,
        fds: Some(3),
        runqueue_ns: Some(9),
    }
}

pub fn seen(user: u64, system: u64) -> Look {
    Look::Seen(Box::new(reading(user, system)))
}

impl Bench {
    /// Services `web` and `db`, each with the processes of that name.
    pub fn new() -> Self {
        Self::with(65_536, GroupBy::None, &["^web$", "^db$"])
    }

    pub fn with(processes: usize, group_by: GroupBy, patterns: &[&str]) -> Self {
        let service = Plugin::host().services[0].clone();
        let services = patterns.iter().map(|&pattern| ServiceSpec {
            pattern: pattern.to_owned(),
            ..service.clone()
        });
        let plugin = Plugin {
            services: services.collect(),
            ..Plugin::default()
        };
        let specs = patterns.iter().map(|pattern| Spec {
            plugin: pattern.trim_matches(['^', '$']).into(),
            name: service.name.clone(),
            namespace: "test".to_owned(),
            pattern: (*pattern).to_owned(),
            version: None,
            description: None,
            attributes: Vec::new(),
            group_by,
            max_groups: 3,
            interval: Duration::from_secs(1),
            events: true,
            capture_args: true,
            metrics: MetricsOptions::default(),
            custom: None,
        });
        let engine = Engine::new(Config {
            matcher: Matcher::new(std::slice::from_ref(&plugin), u32::MAX).unwrap(),
            registry: Registry::new(specs.collect(), "host".to_owned()),
            scrubber: Scrubber::new(&ScrubConfig::default()).unwrap(),
            publish: Publish::All,
            capture_args: true,
            processes,
            offset: WallOffset(0),
            attached: Some(BootNanos(ATTACHED)),
            page_size: 4096,
            known: Known {
                io: true,
                runqueue: true,
                peak: true,
            },
            seed: 7,
        });
        Self {
            engine,
            out: Vec::new(),
        }
    }

    pub fn event(&mut self, event: &Event<'_>) {
        self.engine
            .event(event, ExecContext::default(), &mut self.out);
    }

    pub fn fork(&mut self, parent: Id, child: Id) {
        self.event(&fork(parent, child));
    }

    pub fn exec(&mut self, id: Id, time: u64, name: &str, used: u64) {
        exec(id, time, name, cpu(used), |event| self.event(event));
    }

    pub fn exit(&mut self, id: Id, time: u64, status: u32, used: u64) {
        self.event(&exit(id, time, status, cpu(used), 0));
    }

    pub fn found(&mut self, id: Id, name: &str, now: u64) {
        let found = Found {
            pid: id.0,
            parent: 1,
            start_ticks: ticks_of_start(BootNanos(id.1)),
            comm: name.as_bytes().to_vec(),
            path: Some(format!("/bin/{name}").into_bytes()),
            args: Some(RawArguments {
                bytes: Arc::from(name.as_bytes()),
                truncated: false,
            }),
            user: None,
            cgroup: None,
        };
        self.engine.found(found, BootNanos(now));
    }

    pub fn tick(&mut self, now: u64) {
        self.engine.tick(BootNanos(now), &mut self.out);
    }

    pub fn gone(&mut self, missing: &[ProcessKey], now: u64) {
        self.engine.gone(missing, BootNanos(now), &mut self.out);
    }

    pub fn look(&mut self, id: Id, look: &Look) {
        self.engine.look(key(id), look);
    }

    pub fn report(&mut self, now: u64) -> Report {
        let now = Moment {
            boot: BootNanos(now),
            wall: WallNanos(now),
            memory_bytes: Some(1 << 20),
        };
        let due = vec![true; self.engine.specs().len()];
        self.engine.report(&due, now, Sight::Events)
    }

    /// A point of the services of a plugin; `attribute` is a part of one.
    pub fn value(&mut self, plugin: &str, metric: &str, attribute: &str) -> Option<PointValue> {
        let report = self.report(100 * SECOND);
        let services = report.services.into_iter();
        services
            .filter(|service| service.identity.plugin == plugin)
            .flat_map(|service| service.metrics)
            .filter(|found| found.name == metric)
            .flat_map(|found| found.points)
            .find(|point| format!("{:?}", point.attributes).contains(attribute))
            .map(|point| point.value)
    }

    pub fn int(&mut self, plugin: &str, metric: &str) -> Option<i64> {
        match self.value(plugin, metric, "")? {
            PointValue::Int(value) => Some(value),
            other => panic!("{other:?}"),
        }
    }

    /// CPU time in user mode of a service, ns.
    pub fn user(&mut self, plugin: &str) -> Option<u64> {
        self.mode(plugin, "user")
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole nanoseconds that were divided"
    )]
    pub fn mode(&mut self, plugin: &str, mode: &str) -> Option<u64> {
        match self.value(plugin, "process.cpu.time", mode)? {
            PointValue::Double(seconds) => Some((seconds * 1e9).round() as u64),
            other => panic!("{other:?}"),
        }
    }

    pub fn starts(&mut self, plugin: &str) -> Option<i64> {
        self.int(plugin, "sensor.process.starts")
    }

    /// The exit events so far.
    pub fn exits(&self) -> Vec<(&ProcessEvent, &ExitDetail)> {
        let exits = self.out.iter().filter_map(|event| match &event.what {
            What::Exit(detail) => Some((event, detail.as_ref())),
            What::Exec => None,
        });
        exits.collect()
    }
}

fn header(kind: u32, (pid, start): Id, time: u64) -> Header {
    Header {
        kind,
        pid,
        time,
        start,
    }
}

pub fn fork(parent: Id, child: Id) -> Event<'static> {
    Event::Fork(Fork {
        header: header(kind::FORK, child, child.1),
        parent_pid: parent.0,
        parent_start: parent.1,
        ..Fork::default()
    })
}

pub fn exec(id: Id, time: u64, name: &str, figures: Figures, with: impl FnOnce(&Event<'_>)) {
    let mut comm = [0; 16];
    comm[..name.len()].copy_from_slice(name.as_bytes());
    let args = format!("{name}\0");
    let record = Exec {
        header: header(kind::EXEC, id, time),
        parent_pid: 1,
        figures,
        comm,
        args_total: args.len() as u64,
        ..Exec::default()
    };
    let tail = ExecTail {
        path: Some(format!("/bin/{name}").into_bytes()),
        args: args.as_bytes(),
    };
    with(&Event::Exec(Box::new(record), tail));
}

pub fn exit(id: Id, time: u64, status: u32, figures: Figures, pending: u32) -> Event<'static> {
    Event::Exit(Box::new(Exit {
        header: header(kind::EXIT, id, time),
        parent_pid: 1,
        status,
        threads: pending.saturating_add(1),
        pending,
        figures,
        peak_pages: 10,
        exec_peak_pages: UNKNOWN_PAGES,
        ..Exit::default()
    }))
}

pub fn late(id: Id, time: u64, threads: u32, figures: Figures) -> Event<'static> {
    Event::Late(Box::new(Late {
        header: header(kind::LATE, id, time),
        threads,
        padding: 0,
        figures,
    }))
}
