//! What has been received becomes incidents of a process.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use tokio::sync::Semaphore;

use super::{
    ask::Asker,
    find::{Found, Reported, Rules, in_logs, in_spans},
    once::Once,
    peer::{Peer, inner_pid},
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

/// Requests that are read at once; others wait.
const AT_ONCE: usize = 16;

/// Takes in requests of all connections.
#[derive(Debug)]
pub(super) struct Intake {
    rules: Rules,
    asker: Asker,
    reporter: Reporter,
    once: Mutex<Once>,
    /// Who reads a request holds one.
    pub turns: Semaphore,
}

/// Who sent it.
enum Sender {
    Known(Box<Described>),
    Pid(u32),
    Nobody,
}

impl Intake {
    pub fn new(rules: Rules, asker: Asker, reporter: Reporter) -> Self {
        Self {
            rules,
            asker,
            reporter,
            once: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
        }
    }

    pub async fn spans(&self, request: ExportTraceServiceRequest, peer: &Peer) {
        let found = in_spans(&request, &self.rules, clock::wall().0);
        drop(request);
        self.take(found, peer).await;
    }

    pub async fn logs(&self, request: ExportLogsServiceRequest, peer: &Peer) {
        let found = in_logs(&request, &self.rules, clock::wall().0);
        drop(request);
        self.take(found, peer).await;
    }

    async fn take(&self, reported: Vec<Reported>, peer: &Peer) {
        for mut one in reported {
            self.forget_known(&mut one.found);
            if !one.found.is_empty() {
                let sender = self.sender(one.pid, peer).await;
                self.reporter.take(hand_on(one, sender));
            }
        }
    }

    fn forget_known(&self, found: &mut Vec<Found>) {
        let mut once = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        found.retain(|one| once.is_first(one, now));
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

fn hand_on(reported: Reported, sender: Sender) -> stage::Reported {
    let mut case = Case {
        time: WallNanos(clock::wall().0),
        ..Case::default()
    };
    let mut pid = None;
    match sender {
        Sender::Known(known) => {
            case.process = Some(known.process);
            case.ancestry = known.ancestry;
            case.services = known.services;
        }
        Sender::Pid(of) => pid = Some(of),
        Sender::Nobody => {}
    }
    // A plugin's name is the one that events have; the application's own is
    // better than none.
    if case.services.is_empty() {
        case.services.extend(reported.service.map(Arc::from));
    }
    let incidents = reported.found.into_iter().map(|found| {
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
