//! What is measured: each path with its input made ready, so that a round is
//! nothing but the path.

use std::{hint::black_box, sync::Arc};

use sensor::{
    aggregate::{
        metrics::{Moment, Sight},
        registry::Registry,
        report::Report,
        service::Look,
    },
    app::setup,
    collect::Reading,
    config::Config,
    decode::decode,
    engine::{self, Engine, ExecContext, Known, Publish, scans::Found},
    export::{
        HostResource,
        wire::{MAX_REQUEST_BYTES, log_batches, metric_batches},
    },
    plugin::{Args, Candidate, GroupBy, MatchOn, Matcher, Plugin},
    process::{
        event::ProcessEvent,
        table::{Limits, start_of_ticks},
    },
    procfs::{Comm, Io, Schedstat, Stat, Statm, Status},
    scrub::{ScrubConfig, Scrubber},
    units::{BootNanos, ProcessKey, WallNanos, WallOffset},
};
use uuid::Uuid;

use super::{
    patterns::{self, line, name},
    records::Lives,
};

/// One path, once.
pub type Round = Box<dyn FnMut()>;

/// A path's name, and how it is made ready.
pub type Path = (&'static str, fn() -> Round);

/// Every path by name, and how it is made ready.
pub const ALL: [Path; 8] = [
    ("decode", decode_records),
    ("match", match_new_processes),
    ("engine", short_processes),
    ("scan", scan_known_processes),
    ("parse", parse_proc_files),
    ("aggregate", look_and_report),
    ("encode-metrics", encode_metrics),
    ("encode-logs", encode_logs),
];

/// Processes of one round.
const PROCESSES: usize = 250;

/// A path that is ready.
pub fn of(name: &str) -> Option<Round> {
    let found = ALL.iter().find(|(known, _)| *known == name);
    found.map(|(_, ready)| ready())
}

/// Records of fork, exec and exit become events.
fn decode_records() -> Round {
    let mut lives = Lives::new();
    let records: Vec<Vec<u8>> = (0..PROCESSES).flat_map(|_| lives.next()).collect();
    Box::new(move || {
        for record in &records {
            let _ = black_box(decode(black_box(record)));
        }
    })
}

/// New processes against 200 patterns on their command lines.
fn match_new_processes() -> Round {
    let plugins: Vec<Plugin> = (0..200)
        .map(|index| patterns::plugin(MatchOn::Cmdline, index))
        .collect();
    let matcher = matcher(&plugins);
    let mut number = 0;
    let mut out = Vec::new();
    Box::new(move || {
        for _ in 0..PROCESSES {
            number += 1;
            let name = name(number);
            let line = line(&name);
            let candidate = Candidate {
                pid: 1,
                comm: name.as_bytes(),
                args: Some(Args::NulSeparated(&line)),
                ..Candidate::default()
            };
            matcher.matches(black_box(&candidate), &mut out);
            black_box(&out);
        }
    })
}

/// From the ring to what is told: decoding, table, matching, accounting, and
/// the events of those that are watched, one of 16.
fn short_processes() -> Round {
    let mut engine = engine(GroupBy::None, "^nginx");
    let mut lives = Lives::new();
    let mut out = Vec::new();
    Box::new(move || {
        live(&mut engine, &mut lives, &mut out);
        out.clear();
    })
}

fn live(engine: &mut Engine, lives: &mut Lives, out: &mut Vec<ProcessEvent>) {
    for _ in 0..PROCESSES {
        for record in lives.next() {
            if let Ok(event) = decode(&record) {
                engine.event(&event, ExecContext::default(), out);
            }
        }
    }
}

/// A walk over /proc finds who is known already.
fn scan_known_processes() -> Round {
    let engine = populated();
    Box::new(move || {
        for number in 0..PROCESSES {
            let (pid, start, name) = process(number);
            black_box(engine.holds(pid, start, name.as_bytes()));
        }
    })
}

/// The files of one process that is looked at.
fn parse_proc_files() -> Round {
    const STAT: &[u8] = b"4242 (nginx: worker) S 4241 4241 4241 0 -1 4194368 1893 0 3 0 812 304 \
        0 0 20 0 1 0 183046 62554112 3771 18446744073709551615 94026781601792 94026782573317 \
        140727893215920 0 0 0 0 1073745920 402745863 0 0 0 17 1 0 0 0 0 0 94026783074480 \
        94026783254664 94026802376704 140727893220101 140727893220121 140727893220121 \
        140727893221352 0\n";
    const STATM: &[u8] = b"15272 3771 2913 238 0 2093 0\n";
    const STATUS: &[u8] = b"Name:\tnginx\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t4242\n\
        Ngid:\t0\nPid:\t4242\nPPid:\t4241\nTracerPid:\t0\nUid:\t33\t33\t33\t33\n\
        Gid:\t33\t33\t33\t33\nFDSize:\t64\nGroups:\t33 \nVmPeak:\t   61088 kB\n\
        VmSize:\t   61088 kB\nVmRSS:\t   15084 kB\nThreads:\t1\nSigQ:\t0/96365\n\
        Cpus_allowed:\t3\nMems_allowed:\t00000000,00000001\nvoluntary_ctxt_switches:\t18231\n\
        nonvoluntary_ctxt_switches:\t77\n";
    const IO: &[u8] = b"rchar: 918273\nwchar: 8273\nsyscr: 4231\nsyscw: 311\n\
        read_bytes: 40960\nwrite_bytes: 12288\ncancelled_write_bytes: 0\n";
    const SCHEDSTAT: &[u8] = b"8120394857 302938475 18308\n";
    Box::new(|| {
        for _ in 0..PROCESSES {
            black_box(Stat::parse(black_box(STAT)));
            black_box(Statm::parse(black_box(STATM)));
            black_box(Status::parse(black_box(STATUS)));
            black_box(Io::parse(black_box(IO)));
            black_box(Schedstat::parse(black_box(SCHEDSTAT)));
        }
    })
}

/// What a collection makes of the figures of members in groups: sums, rates,
/// points.
fn look_and_report() -> Round {
    let mut engine = populated();
    let mut seconds = 100;
    Box::new(move || {
        seconds += 1;
        black_box(collect(&mut engine, seconds));
    })
}

/// A report becomes requests.
fn encode_metrics() -> Round {
    let mut engine = populated();
    let _ = collect(&mut engine, 100);
    let report = collect(&mut engine, 160);
    let host = host();
    Box::new(move || {
        black_box(metric_batches(&report, &host, MAX_REQUEST_BYTES));
    })
}

/// Process events become requests.
fn encode_logs() -> Round {
    let mut engine = engine(GroupBy::None, ".*");
    let mut events = Vec::new();
    live(&mut engine, &mut Lives::new(), &mut events);
    let host = host();
    Box::new(move || {
        black_box(log_batches(&events, &host, MAX_REQUEST_BYTES));
    })
}

fn collect(engine: &mut Engine, seconds: u64) -> Report {
    for number in 0..PROCESSES {
        let (pid, start, name) = process(number);
        let key = ProcessKey {
            pid,
            start: start_of_ticks(start),
        };
        let look = Look::Seen(Arc::new(reading(pid, start, &name, seconds)));
        engine.look(key, &look);
    }
    let now = Moment {
        boot: BootNanos(seconds * 1_000_000_000),
        wall: WallNanos(seconds * 1_000_000_000),
        memory_bytes: Some(1 << 34),
    };
    engine.report(&[true], now, Sight::Events)
}

/// An engine that knows as many processes as a round has, in 100 groups.
fn populated() -> Engine {
    let mut engine = engine(GroupBy::Executable, ".*");
    for number in 0..PROCESSES {
        let (pid, start_ticks, comm) = process(number);
        let found = Found {
            pid,
            parent: 1,
            start_ticks,
            path: Some(format!("/usr/bin/{}", name(number % 100)).into_bytes()),
            comm: comm.into_bytes(),
            args: None,
            user: Some(1_000),
            cgroup: Some(Arc::from("/system.slice/nginx.service")),
        };
        engine.found(found, BootNanos(90_000_000_000));
    }
    engine
}

/// Pid, start in ticks and name of a process that is there all the time.
fn process(number: usize) -> (u32, u64, String) {
    let pid = u32::try_from(number + 1_000).unwrap_or(u32::MAX);
    (pid, 100 + u64::from(pid), name(number))
}

fn reading(pid: u32, start_ticks: u64, name: &str, seconds: u64) -> Reading {
    Reading {
        pid,
        start_ticks,
        comm: Comm::new(name.as_bytes()),
        state: b'S',
        ppid: 1,
        cpu_user_ns: seconds * 10_000_000,
        cpu_system_ns: seconds * 5_000_000,
        rss_bytes: 15 << 20,
        vms_bytes: 60 << 20,
        read_bytes: Some(seconds * 4_096),
        write_bytes: Some(seconds * 512),
        rchar: Some(seconds * 9_000),
        wchar: Some(seconds * 800),
        voluntary: Some(seconds * 3),
        involuntary: Some(seconds),
        minor_faults: 1_893,
        major_faults: 3,
        threads: 1,
        fds: Some(12),
        runqueue_ns: Some(seconds * 70_000),
    }
}

/// An engine with one service.
fn engine(group_by: GroupBy, pattern: &str) -> Engine {
    let mut plugin = Plugin::host();
    plugin.group_by = group_by;
    plugin.match_on = MatchOn::Name;
    plugin.events_enabled = true;
    for service in &mut plugin.services {
        pattern.clone_into(&mut service.pattern);
    }
    let plugins = [plugin];
    let config = Config::default();
    Engine::new(engine::Config {
        matcher: matcher(&plugins),
        registry: Registry::new(setup::specs(&plugins, &config, None), "host".to_owned()),
        scrubber: unwrap(Scrubber::new(&ScrubConfig::default())).into(),
        incidents: None,
        publish: Publish::Enabled,
        capture_args: true,
        limits: Limits {
            processes: config.limits.processes,
            text_bytes: config.limits.text_bytes,
        },
        offset: WallOffset(0),
        attached: Some(BootNanos(0)),
        page_size: 4_096,
        known: Known {
            io: true,
            runqueue: true,
            peak: true,
        },
        seed: 7,
    })
}

fn matcher(plugins: &[Plugin]) -> Matcher {
    unwrap(Matcher::new(plugins, u32::MAX))
}

fn host() -> HostResource {
    HostResource {
        host_name: "bench".to_owned(),
        host_id: None,
        agent_instance_id: Uuid::from_u128(7),
    }
}

/// What is measured is fixed: a fault in it is one of this file.
fn unwrap<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
