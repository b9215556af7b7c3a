//! What has been received becomes incidents of a process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
    vec,
};

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::yield_now,
    time::timeout,
};

use super::{
    ask::Asker,
    counts::Counts,
    decode::{Body, Form, MAX_BODIES},
    find::{Found, Reported, Rules, TraceId, in_logs, in_spans},
    peer::Peer,
    refusal::Refusal,
    sender::{self, Held, Sender, Senders},
    traces::{Part, Traces},
};
use crate::{
    clock,
    incident::{
        context::Case,
        stage::{self, Reporter},
    },
    units::WallNanos,
};

/// Requests that are decoded, or wait for the engine, at once; others wait.
const AT_ONCE: usize = 2;
/// How long a request waits for its turn. Whoever sent it may try again.
const TURN: Duration = Duration::from_secs(3);
/// How often all others are looked at before one is decoded: a body of 4 MiB
/// comes in pieces.
const ROUNDS: usize = 16;

/// How often it is looked for what has waited long enough.
const LOOK: Duration = Duration::from_millis(250);

/// Takes in requests of all connections.
#[derive(Debug)]
pub(super) struct Intake {
    rules: Arc<Mutex<Arc<Rules>>>,
    asker: Asker,
    reporter: Reporter,
    traces: Mutex<Traces<Arc<Origin>>>,
    pub counts: Arc<Counts>,
    /// Who decodes a request holds one.
    turns: Semaphore,
    /// Bytes that bodies may take until they are decoded.
    pub bodies: Semaphore,
    /// Bytes that senders may take.
    senders: Arc<Semaphore>,
}

/// Where requests of one connection go.
#[derive(Debug)]
pub(super) struct Export {
    pub intake: Arc<Intake>,
    pub peer: Peer,
}

/// What is exported.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signal {
    Traces,
    Logs,
    Metrics,
}

impl Export {
    /// Decodes a request, and takes in what it says. Whoever calls has a turn.
    pub async fn take(&self, signal: Signal, body: Body<'_>, form: Form) -> Result<(), Refusal> {
        let Self { intake, peer } = self;
        match signal {
            Signal::Traces => intake.spans(body.decode(form)?, peer).await,
            Signal::Logs => intake.logs(body.decode(form)?, peer).await,
            // Taken and thrown away, so that an application that sends them by
            // default does not complain.
            Signal::Metrics => intake.counts.accepted("metrics"),
        }
        Ok(())
    }
}

/// Where a report comes from.
#[derive(Debug)]
struct Origin {
    from: Arc<Held>,
    /// `service.name` of the resource.
    service: Option<String>,
}

/// What was found in a request and not handed on; it is lost where the request
/// is cut off, and counted then.
struct Untold<'a> {
    reporter: &'a Reporter,
    left: vec::IntoIter<Reported>,
}

impl Drop for Untold<'_> {
    fn drop(&mut self) {
        let lost = self.left.as_slice().iter();
        let lost = lost.map(|one| one.found.len() as u64 + one.omitted);
        self.reporter.lost(lost.sum());
    }
}

impl Intake {
    pub fn new(
        rules: Arc<Mutex<Arc<Rules>>>,
        asker: Asker,
        reporter: Reporter,
        counts: Arc<Counts>,
    ) -> Self {
        Self {
            rules,
            asker,
            reporter,
            traces: Mutex::default(),
            counts,
            turns: Semaphore::new(AT_ONCE),
            bodies: Semaphore::new(MAX_BODIES),
            senders: Arc::new(Semaphore::new(sender::MOST_BYTES)),
        }
    }

    /// Waits for the turn to decode a request, a while.
    pub async fn turn(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let turn = timeout(TURN, self.turns.acquire()).await;
        let turn = turn.map_err(|_| Refusal::Busy)?;
        // To decode holds up this thread. What has come for others meanwhile
        // is read before, else they are late for nothing.
        for _ in 0..ROUNDS {
            yield_now().await;
        }
        turn.map_err(|_| Refusal::Ending)
    }

    async fn spans(&self, request: ExportTraceServiceRequest, peer: &Peer) {
        let awaited = lock(&self.traces).awaited();
        let found = in_spans(&request, &self.rules(), clock::wall().0, &awaited);
        drop(request);
        self.counts.accepted("traces");
        self.take(found, peer).await;
    }

    async fn logs(&self, request: ExportLogsServiceRequest, peer: &Peer) {
        let found = in_logs(&request, &self.rules(), clock::wall().0);
        drop(request);
        self.counts.accepted("logs");
        self.take(found, peer).await;
    }

    /// Hands on what has waited long enough, again and again.
    pub async fn look(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.due(Some(Instant::now()));
        }
    }

    /// Hands on what has waited until then, or all of it.
    pub fn due(&self, now: Option<Instant>) {
        let due = lock(&self.traces).due(now);
        // What has one origin is one report, which has its process once.
        let mut reports: HashMap<*const Origin, (Arc<Origin>, Vec<Found>)> = HashMap::new();
        for (origin, found) in due {
            let report = reports.entry(Arc::as_ptr(&origin));
            report.or_insert((origin, Vec::new())).1.extend(found);
        }
        for (origin, found) in reports.into_values() {
            self.hand_on(&origin, found);
        }
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&lock(&self.rules))
    }

    async fn take(&self, reported: Vec<Reported>, peer: &Peer) {
        // The last one has what the others left.
        let mut room = reported.last().map_or(0, |one| one.room);
        let mut senders = Senders::new(&self.asker, peer, &self.senders);
        let mut untold = Untold {
            reporter: &self.reporter,
            left: reported.into_iter(),
        };
        while let Some(pid) = untold.left.as_slice().first().map(|one| one.pid) {
            let from = senders.of(pid).await;
            let Some(one) = untold.left.next() else {
                break;
            };
            self.reporter.lost(one.omitted);
            let origin = Arc::new(Origin {
                from,
                service: one.service.clone(),
            });
            let mut ready = Vec::new();
            for (trace, part) in parts(one) {
                let key = (trace, origin.from.sender.pid());
                let waits = origin.from.may_wait().then(|| Arc::clone(&origin));
                let mut traces = lock(&self.traces);
                ready.extend(traces.take(key, part, waits, &mut room, Instant::now()));
            }
            self.hand_on(&origin, ready);
        }
    }

    fn hand_on(&self, origin: &Origin, found: Vec<Found>) {
        if found.is_empty() {
            return;
        }
        let is_watched =
            matches!(&origin.from.sender, Sender::Known(known) if !known.services.is_empty());
        self.counts.incidents(found.len(), is_watched);
        self.reporter.take(reported(origin, found));
    }
}

/// What belongs to one trace each, in the order in which they began.
fn parts(reported: Reported) -> Vec<(TraceId, Part)> {
    let mut parts = Parts::default();
    for one in reported.found {
        parts.of(one.trace_id).found.push(one);
    }
    for one in reported.heads {
        let head = &mut parts.of(one.trace_id).head;
        // One that is ignored counts; the first one, else.
        if head.is_none() || one.is_ignored {
            *head = Some(one);
        }
    }
    for trace in reported.hushed {
        parts.of(trace).hushed = true;
    }
    parts.all
}

#[derive(Default)]
struct Parts {
    all: Vec<(TraceId, Part)>,
    places: HashMap<TraceId, usize>,
}

impl Parts {
    fn of(&mut self, trace: TraceId) -> &mut Part {
        let place = *self.places.entry(trace).or_insert(self.all.len());
        if place == self.all.len() {
            self.all.push((trace, Part::default()));
        }
        &mut self.all[place].1
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reported(origin: &Origin, found: Vec<Found>) -> stage::Reported {
    let mut case = Case {
        time: WallNanos(clock::wall().0),
        ..Case::default()
    };
    let mut pid = None;
    match &origin.from.sender {
        Sender::Known(known) => {
            case.process = Some(known.process.clone());
            case.ancestry = known.ancestry.clone();
            case.services = known.services.clone();
        }
        Sender::Pid(of) => pid = Some(*of),
        Sender::Nobody => {}
    }
    // A plugin's name is the one that events have; the application's own is
    // better than none.
    if case.services.is_empty() {
        let own = origin.service.as_deref();
        case.services.extend(own.map(Arc::from));
    }
    let incidents = found.into_iter().map(|found| {
        let mut incident = found.incident;
        incident.process = case.process.clone();
        incident.pid = pid;
        incident.services = case.services.clone();
        incident
    });
    stage::Reported {
        incidents: incidents.collect(),
        case,
    }
}
