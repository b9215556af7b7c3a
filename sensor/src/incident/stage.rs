//! The stage between the core and the transports: a thread of its own, so that
//! the engine waits for no file. It looks for last words, joins them with the
//! end of their process and with what is known around it, folds repeats, and
//! hands on what is left.

mod join;
mod report;

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use self::report::Place;
pub use self::report::{Reported, Reporter};
use super::{
    context::Gatherer,
    ended::Ended,
    fingerprint::fingerprint,
    follow::{Follower, Paths, Position},
    journal,
    log::{LogOptions, format::Formats},
    memory::{Joined, Memory},
    record::Incident,
    window::Windows,
    words::{self, Words},
};
use crate::{clock, units::WallNanos};

/// Ends that wait for the stage. One takes about a millisecond.
const WAITING: usize = 4_096;
/// How long the start waits for the ends of log files.
const BEGIN: Duration = Duration::from_secs(5);
/// What is handed on at once.
const TOGETHER: usize = 64;
/// Ends that wait for the journal; those above it do without.
const UNSETTLED: usize = 1_024;
/// How long the stage may take to end.
const LAST: Duration = Duration::from_secs(3);

/// Takes what the stage has to say, and scrubs it.
pub type Sink = Box<dyn FnMut(Vec<Incident>) + Send>;

/// What the stage is made of.
pub struct Config {
    /// Repeats of a fingerprint within it are folded; `None`: nothing is.
    pub window: Option<Duration>,
    /// Asked for what is known around an incident.
    pub context: Gatherer,
    /// How text is read.
    pub logs: LogOptions,
    /// Up to where log files were read before the start.
    pub positions: Vec<Position>,
    /// Where incidents go.
    pub sink: Sink,
}

/// The engine's end of the stage.
pub struct Stage {
    inbox: SyncSender<Input>,
    reporter: Reporter,
    counts: Arc<Counts>,
    positions: Positions,
    finished: Receiver<()>,
    thread: JoinHandle<()>,
}

/// What the stage did.
#[derive(Debug, Default)]
struct Counts {
    dropped: AtomicU64,
    told: AtomicU64,
}

/// Up to where log files were read and their incidents handed on, until
/// somebody takes it.
type Positions = Arc<Mutex<Option<Vec<Position>>>>;

#[derive(Debug)]
enum Input {
    Ended(Box<Ended>),
    Joined(Vec<Joined>),
    Reported(Box<Reported>, Place),
    Follow(Vec<Paths>),
    Settle(SyncSender<()>),
    Know(Arc<Formats>),
    Finish,
}

impl Stage {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Where there can be no more threads.
    pub fn start(config: Config) -> io::Result<Self> {
        let (inbox, outbox) = sync_channel(WAITING);
        let (finish, finished) = sync_channel(1);
        let counts = Arc::new(Counts::default());
        let positions = Positions::default();
        let worker = Worker {
            fold: config.window.map(Windows::new),
            context: config.context,
            follower: Follower::new(config.logs.clone(), config.positions),
            positions: Arc::clone(&positions),
            logs: config.logs,
            memory: Memory::of_host(),
            sink: config.sink,
            counts: Arc::clone(&counts),
            unsettled: VecDeque::new(),
            ready: Vec::new(),
        };
        let thread = thread::Builder::new()
            .name("words".to_owned())
            .spawn(move || {
                worker.work(&outbox);
                let _ = finish.send(());
            })?;
        Ok(Self {
            reporter: Reporter::new(inbox.clone(), Arc::clone(&counts)),
            inbox,
            counts,
            positions,
            finished,
            thread,
        })
    }

    /// Takes in abnormal ends. Never waits: what finds no room is dropped and
    /// counted.
    pub fn take(&self, ended: Vec<Ended>) {
        for one in ended {
            match self.inbox.try_send(Input::Ended(Box::new(one))) {
                Ok(()) => {}
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                    self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Takes in who has become a member: what its cgroup's counter said before
    /// it ended is the evidence afterwards. Who finds no room has none.
    pub fn watch(&self, joined: Vec<Joined>) {
        if !joined.is_empty() {
            let _ = self.inbox.try_send(Input::Joined(joined));
        }
    }

    /// The way in for what applications report. All of them share
    /// its places.
    #[must_use]
    pub fn reporter(&self) -> Reporter {
        self.reporter.clone()
    }

    /// Follows these log files from now on, and no others.
    pub fn follow(&self, paths: Vec<Paths>) {
        if self.inbox.try_send(Input::Follow(paths)).is_err() {
            tracing::warn!("the log files of plugins go on as before: too much is going on");
        }
    }

    /// Waits, but not for ever, until what was asked for is done: what is
    /// written to a log file from then on is read.
    pub fn settle(&self) {
        let (done, waits) = sync_channel(1);
        let asked = self.inbox.try_send(Input::Settle(done));
        // A file system that hangs must not keep the sensor from its work.
        if asked.is_err() || waits.recv_timeout(BEGIN).is_err() {
            tracing::warn!("the log files of plugins are not found in time; it goes on");
        }
    }

    /// Reads logs and last words by these formats from now on.
    pub fn know(&self, formats: Arc<Formats>) {
        if self.inbox.try_send(Input::Know(formats)).is_err() {
            tracing::warn!("the formats of logs stay as they were: too much is going on");
        }
    }

    /// Up to where log files were read, if that has changed since the last
    /// call: every incident before it was handed on.
    #[must_use]
    pub fn positions(&self) -> Option<Vec<Position>> {
        lock(&self.positions).take()
    }

    /// Incidents that found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    /// Incidents that were handed on, repeats counted.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.counts.told.load(Ordering::Relaxed)
    }

    /// Tells everything that waits and all repeats, and ends the thread; one
    /// that hangs in a file is left behind. Returns the last
    /// [`positions`](Self::positions).
    #[must_use]
    pub fn finish(self) -> Option<Vec<Position>> {
        let Self {
            inbox,
            reporter,
            positions,
            finished,
            thread,
            counts: _,
        } = self;
        // Where there is no room the worker is busy, and the end of the
        // channel tells it.
        let _ = inbox.try_send(Input::Finish);
        drop((inbox, reporter));
        if finished.recv_timeout(LAST).is_ok() {
            let _ = thread.join();
        } else {
            tracing::warn!("last words were not gathered in time");
        }
        lock(&positions).take()
    }
}

fn lock(positions: &Positions) -> MutexGuard<'_, Option<Vec<Position>>> {
    positions.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Worker {
    fold: Option<Windows>,
    context: Gatherer,
    logs: LogOptions,
    memory: Memory,
    follower: Follower,
    positions: Positions,
    sink: Sink,
    counts: Arc<Counts>,
    /// Ends whose words may still be on their way to the journal, oldest
    /// first.
    unsettled: VecDeque<Unsettled>,
    ready: Vec<Incident>,
}

/// An end that waits for the journal.
struct Unsettled {
    due: Instant,
    pid: u32,
    born: WallNanos,
    incident: Incident,
}

impl Worker {
    fn work(mut self, outbox: &Receiver<Input>) {
        loop {
            let window = self.fold.as_ref().and_then(Windows::next);
            let settled = self.unsettled.front().map(|one| one.due);
            let next = [window, settled, self.follower.next(), self.memory.next()];
            let next = next.into_iter().flatten().min();
            let mut input = match next {
                None => outbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(next) => outbox.recv_timeout(next.saturating_duration_since(Instant::now())),
            };
            for _ in 0..TOGETHER {
                match input {
                    Ok(Input::Ended(ended)) => self.mourn(*ended),
                    Ok(Input::Joined(joined)) => self.memory.watch(&joined, Instant::now()),
                    Ok(Input::Reported(reported, place)) => {
                        self.take_reported(*reported);
                        drop(place);
                    }
                    Ok(Input::Follow(paths)) => self.follower.follow(paths),
                    Ok(Input::Know(formats)) => self.know(formats),
                    Ok(Input::Settle(done)) => drop(done.try_send(())),
                    Ok(Input::Finish) | Err(RecvTimeoutError::Disconnected) => {
                        return self.finish();
                    }
                    Err(RecvTimeoutError::Timeout) => break,
                }
                input = outbox.try_recv().map_err(|_| RecvTimeoutError::Timeout);
            }
            let now = Instant::now();
            self.memory.look(now);
            self.memory.settle(now);
            self.look_in_journal(Some(now));
            let mut found = Vec::new();
            let mut keep = |incident| found.push(incident);
            self.follower.look(now, clock::wall().0, &mut keep);
            self.take_in(found);
            if let Some(fold) = &mut self.fold {
                fold.due(now, &mut self.ready);
            }
            self.tell();
            self.note();
        }
    }

    fn mourn(&mut self, mut ended: Ended) {
        let counted = self.memory.judge(&ended);
        ended.oom = ended.oom.or(counted);
        let words = words::of(&ended);
        let case = Arc::new(ended.case());
        let waits = words.is_empty() && ended.in_journal && journal::exists();
        let mut incident = ended.incident(clock::wall());
        incident.context = self.context.gather(&case);
        match &case.process {
            Some(process) if waits && self.unsettled.len() < UNSETTLED => {
                self.unsettled.push_back(Unsettled {
                    due: Instant::now() + journal::SETTLES,
                    pid: process.pid,
                    born: process.creation_time,
                    incident,
                });
            }
            _ => self.close(incident, &words),
        }
    }

    /// Looks in the journal for those that have waited long enough, or for all.
    fn look_in_journal(&mut self, now: Option<Instant>) {
        let due = |one: &mut Unsettled| now.is_none_or(|now| one.due <= now);
        let mut open = None;
        while let Some(one) = self.unsettled.pop_front_if(due) {
            // Once for all that are due: there may be hundreds of files.
            let open = open.get_or_insert_with(journal::open);
            let words = open.words(one.pid, one.born);
            self.close(one.incident, words.as_slice());
        }
    }

    fn close(&mut self, mut incident: Incident, words: &[Words]) {
        self.join(&mut incident, words);
        incident.fingerprint = fingerprint(&incident);
        self.take_in(vec![incident]);
    }

    fn take_reported(&mut self, Reported { incidents, case }: Reported) {
        // All of one process, at one time.
        let context = self.context.gather(&Arc::new(case));
        // One after the other: most are repeats, and end here.
        for mut incident in incidents {
            incident.fingerprint = fingerprint(&incident);
            incident.context = context.clone();
            self.take_in(vec![incident]);
        }
    }

    fn know(&mut self, formats: Arc<Formats>) {
        self.logs.formats = Arc::clone(&formats);
        let mut found = Vec::new();
        let mut keep = |incident| found.push(incident);
        self.follower.know(formats, &mut keep);
        self.take_in(found);
    }

    fn take_in(&mut self, incidents: Vec<Incident>) {
        for incident in incidents {
            match &mut self.fold {
                Some(fold) => fold.take(incident, Instant::now(), &mut self.ready),
                None => self.ready.push(incident),
            }
        }
    }

    fn tell(&mut self) {
        if self.ready.is_empty() {
            return;
        }
        let ready = std::mem::take(&mut self.ready);
        let told = ready.iter().map(|incident| incident.count).sum();
        self.counts.told.fetch_add(told, Ordering::Relaxed);
        (self.sink)(ready);
    }

    /// Says up to where files were read; after what was found there was told.
    fn note(&mut self) {
        if let Some(moved) = self.follower.positions() {
            *lock(&self.positions) = Some(moved);
        }
    }

    fn finish(mut self) {
        self.look_in_journal(None);
        let mut found = Vec::new();
        self.follower.finish(&mut |incident| found.push(incident));
        self.take_in(found);
        if let Some(fold) = &mut self.fold {
            fold.finish(&mut self.ready);
        }
        self.tell();
        self.note();
    }
}
