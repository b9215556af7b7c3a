//! Moves events from the kernel, or from scans, into the engine, and finds out
//! what a record leaves open. The stage between the source and the core.

mod scanned;
mod scheduler;
mod tap;
mod users;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use self::{
    scanned::{complete, found_of, named, raw_arguments},
    scheduler::Follower,
    users::Users,
};
use sensor_common::{
    event::{Exec, UNKNOWN_UID},
    loss::Loss,
};

use crate::{
    aggregate::{
        metrics::{Moment, Sight},
        report::Report,
    },
    clock,
    collect::scan::{ARGS_LIMIT, Scanned, Wants, scan},
    decode::{Event, decode},
    engine::{Engine, ExecContext, reload::Reload, scans::Found},
    process::{event::ProcessEvent, table::RawArguments},
    procfs::{Proc, ReadError, Stat},
    source::{
        cgroup::Cgroups,
        ebpf::{self, Kernel},
    },
    units::{BootNanos, ProcessKey},
};

/// Arguments that did not fit the record are read from /proc up to here: as
/// long as the kernel allows one argument to be, twice.
const LONG_ARGS: usize = 256 * 1024;
/// What the ring adds to each record, bytes (`BPF_RINGBUF_HDR_SZ`).
const RECORD_HEAD: u64 = 8;
/// How long the consumer stays awake after the last record.
const LINGER: Duration = Duration::from_millis(40);
/// How often the scheduler's clock is observed.
const OBSERVE: Duration = Duration::from_secs(1);
/// How often, at most, losses make it walk /proc: under a load that loses
/// events all the time the walk must not cost more of them.
const RECONCILE: Duration = Duration::from_secs(1);

/// At whom a scan looks closely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Those that the table does not have, or by another name.
    New,
    /// All: a lost exec may have left the name as it was.
    All,
    /// All, by the rules that the last reload brought.
    Rules,
}

/// The source and the core, connected.
pub struct Pump {
    /// The kernel programs; `None` without them.
    pub kernel: Option<Kernel>,
    /// The core.
    pub engine: Engine,
    /// The host's /proc.
    pub proc: Proc,
    cgroups: Cgroups,
    wanted: Wants,
    rejected: u64,
    most_waiting: u64,
    seen_loss: Loss,
    /// When the table was last compared with /proc.
    reconciled: Option<Instant>,
    /// Something was lost since.
    behind: bool,
    /// What becomes of the scheduler's hook.
    scheduler: Follower,
    /// And of the one on system calls.
    tap: tap::Follower,
    users: Users,
    last_event: Instant,
    /// Hooks have been told that they must wake the consumer.
    sleepy: bool,
    observed: Instant,
}

impl Pump {
    /// Connects them. `wanted` is what a scan has to find out of processes.
    #[must_use]
    pub fn new(kernel: Option<Kernel>, engine: Engine, proc: Proc, wanted: Wants) -> Self {
        let now = Instant::now();
        Self {
            kernel,
            engine,
            proc,
            cgroups: Cgroups::new(),
            wanted,
            rejected: 0,
            most_waiting: 0,
            seen_loss: Loss::default(),
            reconciled: None,
            behind: false,
            scheduler: Follower::default(),
            tap: tap::Follower::default(),
            users: Users::default(),
            last_event: now,
            sleepy: false,
            observed: now,
        }
    }

    /// Records that were not understood.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// Size of the ring, and most bytes found waiting in it since the last
    /// call.
    pub fn ring_use(&mut self) -> [(&'static str, u64); 2] {
        let size = self.kernel.as_ref().map_or(0, Kernel::ring_bytes);
        [
            ("size", size),
            ("used_max", std::mem::take(&mut self.most_waiting)),
        ]
    }

    /// What the hooks could not hand over.
    #[must_use]
    pub fn loss(&self) -> Loss {
        let mut loss = self.kernel.as_ref().map(Kernel::loss).unwrap_or_default();
        loss.tap += self.tap.refused;
        loss
    }

    /// When to look at the ring again, though nobody says that there is
    /// something: soon after the last record, else with the next observation
    /// of the clock.
    #[must_use]
    pub fn next_look(&mut self) -> Instant {
        let now = Instant::now();
        let Some(kernel) = &self.kernel else {
            return now + Duration::from_secs(3600);
        };
        if now.duration_since(self.last_event) <= LINGER {
            self.sleepy = false;
            kernel.stay_awake();
            now + ebpf::LOOK_EVERY
        } else if !self.sleepy {
            self.sleepy = true;
            kernel.go_to_sleep();
            now + ebpf::LOOK_EVERY
        } else {
            self.observed + OBSERVE
        }
    }

    /// Takes in everything that the ring has now.
    pub fn drain(&mut self, out: &mut Vec<ProcessEvent>) {
        let Some(kernel) = &mut self.kernel else {
            return;
        };
        if self.observed.elapsed() >= OBSERVE {
            ebpf::observe_clock();
            self.observed = Instant::now();
        }
        let mut bytes = 0;
        while let Some(record) = kernel.read() {
            bytes += record.len() as u64 + RECORD_HEAD;
            match decode(record) {
                Ok(event) => {
                    if let Event::Exec(exec, _) = &event {
                        learn_user(&mut self.engine, &mut self.users, exec.uid);
                    }
                    let context = context(&event, &self.engine, &mut self.proc, &mut self.cgroups);
                    self.engine.event(&event, context, out);
                }
                Err(_) => self.rejected += 1,
            }
        }
        self.most_waiting = self.most_waiting.max(bytes);
        if bytes > 0 {
            self.last_event = Instant::now();
        }
        self.engine.tick(clock::boot(), out);
        self.tell_scheduler();
        self.tell_tap();
    }

    /// Brings the table up to date with /proc where events were lost since the
    /// last time; soon, where that was just now.
    pub fn reconcile_after_loss(&mut self, out: &mut Vec<ProcessEvent>) -> bool {
        let loss = self.loss();
        let lost = |loss: &Loss| [loss.fork, loss.exec, loss.exit, loss.rename];
        self.behind |= lost(&loss) != lost(&self.seen_loss);
        let just_now = |last: Instant| last.elapsed() < RECONCILE;
        if !self.behind || self.reconciled.is_some_and(just_now) {
            return false;
        }
        let execs_lost = loss.exec != self.seen_loss.exec;
        self.seen_loss = loss;
        self.behind = false;
        let depth = if execs_lost { Depth::All } else { Depth::New };
        self.look_at_all(depth, out);
        self.reconciled = Some(Instant::now());
        true
    }

    /// Goes on where the daemon before has stopped: members that it knew are
    /// taken in, and then what the ring has of them and of others.
    pub fn go_on(&mut self, out: &mut Vec<ProcessEvent>) {
        self.engine.restore();
        self.drain(out);
    }

    /// Looks at every process: takes in the new ones, and takes those that are
    /// missing as ended.
    pub fn scan(&mut self, out: &mut Vec<ProcessEvent>) {
        self.look_at_all(Depth::New, out);
    }

    /// Takes over other plugins: what was on its way is told by the old ones,
    /// what ends with them is in the report, and whom the new ones watch is
    /// found by one scan.
    pub fn reload(
        &mut self,
        reload: Reload,
        wanted: Wants,
        now: Moment,
        out: &mut Vec<ProcessEvent>,
    ) -> Report {
        self.drain(out);
        // For those that it was counted for.
        self.read_scheduler();
        let look = reload.has_new_rules() || wanted != self.wanted;
        self.wanted = wanted;
        let sight = match &self.kernel {
            Some(kernel) => {
                kernel.watch_renames(reload.matcher.needs().name);
                Sight::Events
            }
            None => Sight::Scans,
        };
        let report = self.engine.reload(reload, now, sight);
        if let Some(kernel) = &self.kernel {
            kernel.watch_outputs(self.engine.wants_outputs());
        }
        if look {
            self.look_at_all(Depth::Rules, out);
        }
        report
    }

    fn look_at_all(&mut self, depth: Depth, out: &mut Vec<ProcessEvent>) {
        let before = clock::boot();
        let Self {
            engine,
            proc,
            wanted,
            kernel,
            users,
            ..
        } = self;
        let mut listed = Vec::new();
        let done = proc.pids(&mut listed);
        // Who is listed lives, even where nothing of it can be read.
        let mut pids: HashSet<u32> = listed.iter().copied().collect();
        if depth == Depth::New && kernel.is_none() && wanted.only_names() {
            listed.retain(|&pid| engine.table().by_pid(pid).is_some() || named(engine, proc, pid));
        }
        scan(proc, &listed, |proc, mut found| {
            let stat = &found.stat;
            if stat.process_ended() {
                pids.remove(&stat.pid);
                return;
            }
            pids.insert(stat.pid);
            if stat.is_kernel_thread() {
                return;
            }
            if depth == Depth::New && engine.holds(stat.pid, stat.start_ticks, &stat.comm) {
                return;
            }
            if complete(&mut found, engine, proc, *wanted, depth) != Err(ReadError::Gone) {
                if let Some(user) = found.uid {
                    learn_user(engine, users, user);
                }
                let (found, now) = (found_of(found), clock::boot());
                match depth {
                    Depth::Rules => engine.rematch(found, now),
                    Depth::New | Depth::All => engine.found(found, now),
                }
            }
        });
        // Half a list would make the other half look dead.
        let mut missing: Vec<ProcessKey> = match done {
            Ok(()) => engine.missing(&pids),
            Err(_) => Vec::new(),
        };
        missing.retain(|key| key.start < before);
        // Who ended while the scan ran has its exit in the ring.
        self.drain(out);
        self.engine.gone(&missing, before, out);
        self.tell_scheduler();
        self.tell_tap();
    }

    /// A process that took another name, as it is now; `None` where it has
    /// gone, or is called again as it was.
    pub fn renamed(&mut self, key: ProcessKey) -> Option<Found> {
        let mut now = Scanned::read(&mut self.proc, key.pid).ok()?;
        let Stat {
            pid,
            start_ticks,
            comm,
            ..
        } = &now.stat;
        let known = self.engine.table().holds_scanned(*pid, *start_ticks);
        if !known || self.engine.holds(*pid, *start_ticks, comm) {
            return None;
        }
        now.complete(&mut self.proc, self.wanted.members).ok()?;
        Some(found_of(now))
    }

    /// Ends: no more events, everything that is known is told.
    pub fn finish(&mut self, out: &mut Vec<ProcessEvent>) {
        if let Some(kernel) = &mut self.kernel {
            // Nobody listens from here on, also where the other hooks stay.
            let _ = kernel.follow_tap(false);
            kernel.detach();
        }
        self.drain(out);
        self.engine.flush(out);
    }
}

/// Looks up what a user is called, where somebody groups by that.
fn learn_user(engine: &mut Engine, users: &mut Users, id: u32) {
    if id != UNKNOWN_UID
        && engine.registry().wants_user(id)
        && let Ok(name) = users.name_of(id)
    {
        engine.registry().learn_user(id, name);
    }
}

/// Finds out what a record leaves open.
fn context(
    event: &Event<'_>,
    engine: &Engine,
    proc: &mut Proc,
    cgroups: &mut Cgroups,
) -> ExecContext {
    let mut context = ExecContext::default();
    let (pid, cgroup) = match event {
        Event::Fork(fork) => (fork.header.pid, fork.cgroup),
        Event::Exec(exec, tail) => {
            if exec.args_total > tail.args.len() as u64 {
                context.args = long_arguments(proc, exec);
            }
            if tail.path.is_none() {
                context.path = proc.exe(exec.header.pid).ok().map(<[u8]>::to_vec);
            }
            (exec.header.pid, exec.cgroup)
        }
        Event::Exit(_) | Event::Late(_) | Event::Rename(_) | Event::Output(..) | Event::Tap(..) => {
            return context;
        }
    };
    if !engine.knows_cgroup(cgroup) {
        let hint = match proc.cgroup(pid) {
            Ok(Some(path)) => Some(String::from_utf8_lossy(path).into_owned()),
            _ => None,
        };
        context.cgroup = cgroups.path(cgroup, hint.as_deref());
    }
    context
}

/// Arguments that were too long for the record, while the process lives.
fn long_arguments(proc: &mut Proc, exec: &Exec) -> Option<RawArguments> {
    let pid = exec.header.pid;
    let args = proc.args(pid, LONG_ARGS).ok()?;
    // The pid may have another owner, or the process another program, by now.
    let now = proc.stat(pid).ok()?;
    let same =
        crate::process::table::ticks_of_start(BootNanos(exec.header.start)) == now.start_ticks;
    let length: usize = args.args.iter().map(|arg| arg.len() + 1).sum();
    let whole = args.truncated || length as u64 == exec.args_total;
    (same && whole && length >= ARGS_LIMIT).then(|| raw_arguments(&args))
}
