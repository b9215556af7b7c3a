//! An engine, and short ways to feed it and to ask it.

use std::{sync::Arc, time::Duration};

use sensor_common::{
    event::{Exec, Exit, Figures, Fork, Header, Late, UNKNOWN_PAGES},
    kind,
};

use super::super::{Config, Engine, ExecContext, Known, Publish, reload::Reload, scans::Found};
use crate::{
    aggregate::{
        metrics::{Moment, Sight},
        registry::{Registry, Spec},
        report::{PointValue, Report},
        service::Look,
    },
    collect::Reading,
    decode::{Event, ExecTail},
    incident::ended::Rules,
    plugin::{GroupBy, Matcher, MetricsOptions, Plugin, ServiceSpec, carried},
    process::{
        event::{ExitDetail, ProcessEvent, What},
        table::{Limits, RawArguments, ticks_of_start},
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

/// The sensor's own pid.
pub const SENSOR: u32 = 4_000_000;

pub struct Bench {
    pub engine: Engine,
    pub out: Vec<ProcessEvent>,
    pub plugins: Vec<Plugin>,
}

/// A plugin with one service, without groups.
pub fn plugin(name: &str, pattern: &str) -> Plugin {
    let host = Plugin::host();
    let service = ServiceSpec {
        pattern: pattern.to_owned(),
        namespace: "test".to_owned(),
        ..host.services[0].clone()
    };
    Plugin {
        name: name.to_owned(),
        services: vec![service],
        group_by: GroupBy::None,
        ..Plugin::default()
    }
}

fn specs(plugins: &[Plugin]) -> Vec<Spec> {
    let services = plugins.iter().flat_map(|plugin| {
        let services = plugin.services.iter();
        services.map(move |service| (plugin, service))
    });
    services
        .map(|(plugin, service)| Spec {
            plugin: plugin.name.as_str().into(),
            name: service.name.clone(),
            namespace: service.namespace.clone(),
            pattern: service.pattern.clone(),
            version: plugin.version.clone(),
            description: None,
            attributes: plugin.attributes.clone(),
            group_by: plugin.group_by,
            max_groups: 3,
            interval: Duration::from_secs(1),
            events: true,
            scheduler: true,
            capture_args: true,
            logs: plugin.logs.clone(),
            metrics: MetricsOptions::default(),
            custom: None,
        })
        .collect()
}

pub fn found(id: Id, parent: u32, name: &str) -> Found {
    Found {
        pid: id.0,
        parent,
        start_ticks: ticks_of_start(BootNanos(id.1)),
        comm: name.as_bytes().to_vec(),
        path: Some(format!("/bin/{name}").into_bytes()),
        args: Some(RawArguments {
            bytes: Arc::from(name.as_bytes()),
            truncated: false,
        }),
        user: None,
        cgroup: None,
    }
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
    Look::Seen(Arc::new(reading(user, system)))
}

impl Bench {
    /// Services `web` and `db`, each with the processes of that name.
    pub fn new() -> Self {
        Self::with(65_536, GroupBy::None, &["^web$", "^db$"])
    }

    pub fn with(processes: usize, group_by: GroupBy, patterns: &[&str]) -> Self {
        let plugins = patterns.iter().map(|pattern| Plugin {
            group_by,
            ..plugin(pattern.trim_matches(['^', '$']), pattern)
        });
        Self::of(processes, plugins.collect())
    }

    /// Services as these plugins have them.
    pub fn of(processes: usize, plugins: Vec<Plugin>) -> Self {
        let engine = Engine::new(Config {
            matcher: Matcher::new(&plugins, SENSOR).unwrap(),
            registry: Registry::new(specs(&plugins), "host".to_owned()),
            scrubber: Arc::new(Scrubber::new(&ScrubConfig::default()).unwrap()),
            publish: Publish::All,
            capture_args: true,
            limits: Limits {
                processes,
                text_bytes: 1 << 20,
            },
            offset: WallOffset(0),
            attached: Some(BootNanos(ATTACHED)),
            page_size: 4096,
            known: Known {
                io: true,
                runqueue: true,
                peak: true,
            },
            incidents: Some(Rules {
                ignored: [15].into(),
                siblings: true,
            }),
            seed: 7,
        });
        Self {
            engine,
            out: Vec::new(),
            plugins,
        }
    }

    /// Other plugins; whom they watch is for the caller to find.
    pub fn reload(&mut self, plugins: Vec<Plugin>, now: u64) -> Report {
        let reload = Reload {
            matcher: Matcher::new(&plugins, SENSOR).unwrap(),
            specs: specs(&plugins),
            carried: carried(&self.plugins, &plugins),
        };
        self.plugins = plugins;
        let now = Moment {
            boot: BootNanos(now),
            wall: WallNanos(now),
            memory_bytes: Some(1 << 20),
        };
        self.engine.reload(reload, now, Sight::Events)
    }

    pub fn rematch(&mut self, id: Id, name: &str, now: u64) {
        self.engine.rematch(found(id, 1, name), BootNanos(now));
    }

    /// Members of a plugin's services.
    pub fn pids(&mut self, plugin: &str) -> Vec<u32> {
        let report = self.report(100 * SECOND);
        let services = report.services.into_iter();
        let services = services.filter(|service| service.identity.plugin == plugin);
        services.flat_map(|service| service.pids).collect()
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

    /// An exec of a child of `parent`.
    pub fn exec_below(&mut self, parent: Id, id: Id, time: u64, name: &str) {
        exec(id, time, name, cpu(7), |event| {
            let Event::Exec(record, tail) = event else {
                panic!("no exec");
            };
            let mut record = record.clone();
            record.parent_pid = parent.0;
            record.parent_start = parent.1;
            self.event(&Event::Exec(record, tail.clone()));
        });
    }

    pub fn exit(&mut self, id: Id, time: u64, status: u32, used: u64) {
        self.event(&exit(id, time, status, cpu(used), 0));
    }

    pub fn found(&mut self, id: Id, name: &str, now: u64) {
        self.found_below(1, id, name, now);
    }

    pub fn found_below(&mut self, parent: u32, id: Id, name: &str, now: u64) {
        let found = found(id, parent, name);
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

pub fn header(kind: u32, (pid, start): Id, time: u64) -> Header {
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

pub fn rename(id: Id, time: u64) -> Event<'static> {
    Event::Rename(header(kind::RENAME, id, time))
}

pub fn late(id: Id, time: u64, threads: u32, figures: Figures) -> Event<'static> {
    Event::Late(Box::new(Late {
        header: header(kind::LATE, id, time),
        threads,
        padding: 0,
        figures,
    }))
}
