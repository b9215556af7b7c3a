//! What has been received becomes incidents of a process.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
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
    decode::MAX_BODIES,
    find::{Found, Reported, Rules, TraceId, in_logs, in_spans},
    peer::{Peer, inner_pid},
    refusal::Refusal,
    traces::{Part, Traces},
};
use crate::{
    clock,
    engine::Described,
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
}

/// Where a report comes from.
#[derive(Debug)]
struct Origin {
    sender: Sender,
    /// `service.name` of the resource.
    service: Option<String>,
}

/// Who sent it.
#[derive(Debug)]
enum Sender {
    Known(Box<Described>),
    Pid(u32),
    Nobody,
}

impl Sender {
    /// 0 where nobody knows.
    fn pid(&self) -> u32 {
        match self {
            Self::Known(known) => known.process.pid,
            Self::Pid(pid) => *pid,
            Self::Nobody => 0,
        }
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

    pub async fn spans(&self, request: ExportTraceServiceRequest, peer: &Peer) {
        let awaited = lock(&self.traces).awaited();
        let found = in_spans(&request, &self.rules(), clock::wall().0, &awaited);
        drop(request);
        self.counts.accepted("traces");
        self.take(found, peer).await;
    }

    pub async fn logs(&self, request: ExportLogsServiceRequest, peer: &Peer) {
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
        for (origin, found) in due {
            self.hand_on(&origin, found);
        }
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&lock(&self.rules))
    }

    async fn take(&self, reported: Vec<Reported>, peer: &Peer) {
        for one in reported {
            self.reporter.lost(one.omitted);
            let sender = self.sender(one.pid, peer).await;
            let origin = Arc::new(Origin {
                sender,
                service: one.service.clone(),
            });
            let mut ready = Vec::new();
            for (trace, part) in parts(one) {
                let key = (trace, origin.sender.pid());
                let origin = Arc::clone(&origin);
                ready.extend(lock(&self.traces).take(key, part, origin, Instant::now()));
            }
            self.hand_on(&origin, ready);
        }
    }

    fn hand_on(&self, origin: &Origin, found: Vec<Found>) {
        if found.is_empty() {
            return;
        }
        let is_watched =
            matches!(&origin.sender, Sender::Known(known) if !known.services.is_empty());
        self.counts.incidents(found.len(), is_watched);
        self.reporter.take(reported(origin, found));
    }

    /// The process that the resource names, else the one that is connected.
    async fn sender(&self, pid: Option<u32>, peer: &Peer) -> Sender {
        if let Some(pid) = pid {
            // In a container the resource has a pid that is another's here.
            let is_peer = |peer: &u32| *peer != pid && inner_pid(*peer) == Some(pid);
            let pid = peer.said().filter(is_peer).unwrap_or(pid);
            if let Some(known) = self.asker.process(pid).await {
                return Sender::Known(known);
            }
        }
        let alive = |pid: &u32| Path::new("/proc").join(pid.to_string()).exists();
        let Some(peer) = peer.pid(&self.asker).await else {
            return pid.filter(alive).map_or(Sender::Nobody, Sender::Pid);
        };
        match self.asker.process(peer).await {
            Some(known) => Sender::Known(known),
            None => Sender::Pid(peer),
        }
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
    match &origin.sender {
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
