//! The way out: a queue and a task for each transport, on a thread of its own.

use std::{
    io,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    runtime,
    sync::{oneshot, watch},
    time::Instant,
};

use super::{
    BuildError, Kind, Parcel, Surroundings,
    route::{GOODS, Route},
};
use crate::{
    config::{Config, TransportConfig, incident::default_settings},
    export::{
        Pen, SignalStats,
        exporter::{Lane, worker},
        wire::Batch,
    },
    store::Indexed,
};

/// Tells tasks when to stop; the second of two begins when the first is over.
type Stop = watch::Sender<Option<Instant>>;

/// What the outlet needs to run.
#[derive(Debug)]
pub struct OutletConfig {
    /// Where incidents go.
    pub transports: Vec<TransportConfig>,
    /// What the transports need.
    pub surroundings: Surroundings,
    /// What waits in the store from before.
    pub waiting: Vec<Indexed>,
    /// Most bytes that may wait for one transport.
    pub queue_max_bytes: usize,
    /// How long an incident may wait for one.
    pub queue_max_age: Duration,
    /// How long an incident waits for a transport that fails until the
    /// fallback gets a copy.
    pub patience: Duration,
}

/// Most bytes that wait for one transport, however large the queue may be.
const QUEUE_BYTES: u64 = 64 << 20;

impl OutletConfig {
    /// As the configuration says.
    #[must_use]
    pub fn of(config: &Config, surroundings: Surroundings, waiting: Vec<Indexed>) -> Self {
        let bytes = (config.queue.max_bytes / 4).min(QUEUE_BYTES);
        Self {
            transports: config.incident.transports.clone(),
            surroundings,
            waiting,
            queue_max_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            queue_max_age: config.queue.max_age,
            patience: PATIENCE,
        }
    }
}

/// How long an incident waits for a transport that fails until the fallback
/// gets it, too.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no outlet.
#[derive(Debug, thiserror::Error)]
pub enum OutletError {
    /// Files that a transport names are missing or wrong.
    #[error("{}", .0.join("\n"))]
    Settings(Vec<String>),
    /// There can be no more threads.
    #[error("the thread of the transports cannot be started")]
    Thread(#[source] io::Error),
}

/// The end at which incidents are put in; clones share it.
#[derive(Clone)]
pub struct Outlet {
    shared: Arc<Shared>,
}

struct Shared {
    nodes: Vec<Node>,
    pen: OnceLock<Pen>,
    /// Incidents that had nowhere to go.
    homeless: AtomicU64,
    thread: Mutex<Option<(oneshot::Sender<Duration>, JoinHandle<()>)>>,
}

struct Node {
    kind: &'static Kind,
    route: Option<Arc<Route>>,
    fallback: Option<usize>,
    /// It gets what others cannot deliver, and nothing else.
    is_fallback: bool,
}

/// What became of the incidents of one transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportStats {
    /// Its type.
    pub kind: &'static str,
    /// Where it sends to, for people.
    pub target: String,
    /// Records are incidents.
    pub sent: SignalStats,
    /// Copies that its fallback got.
    pub fallen_back: u64,
}

impl Outlet {
    /// Starts the thread. Nothing is connected before there is something to
    /// send.
    ///
    /// # Errors
    ///
    /// Every problem of the files that transports name.
    pub fn start(config: OutletConfig) -> Result<Self, OutletError> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(OutletError::Thread)?;
        let (nodes, mut tasks) = build(&config)?;
        forget_orphans(&config, &nodes);
        let (ask, asked) = oneshot::channel::<Duration>();
        let shared = Arc::new(Shared {
            nodes,
            pen: OnceLock::new(),
            homeless: AtomicU64::new(0),
            thread: Mutex::new(None),
        });
        let mine = Arc::clone(&shared);
        let durable = config.surroundings.shelf.is_some();
        let thread = thread::Builder::new()
            .name("incidents".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let stops = [watch::channel(None), watch::channel(None)];
                    let mut running = [Vec::new(), Vec::new()];
                    for (index, carrier) in tasks.drain(..) {
                        let Some(node) = mine.nodes.get(index) else {
                            continue;
                        };
                        let Some(route) = node.route.as_ref() else {
                            continue;
                        };
                        let phase = usize::from(node.is_fallback);
                        let stop = stops[phase].1.clone();
                        tokio::spawn(Arc::clone(route).watch(stop.clone()));
                        let lane = Arc::clone(&route.lane);
                        running[phase].push(tokio::spawn(worker::run(lane, GOODS, carrier, stop)));
                    }
                    let Ok(limit) = asked.await else { return };
                    let [first, second] = running;
                    let half = Instant::now() + limit / 2;
                    drain(&stops[0].0, first, half).await;
                    if !durable {
                        mine.hand_over();
                    }
                    drain(&stops[1].0, second, half + limit / 2).await;
                });
                // A file system that hangs must not keep the sensor from ending.
                runtime.shutdown_background();
            })
            .map_err(OutletError::Thread)?;
        *shared.thread() = Some((ask, thread));
        Ok(Self { shared })
    }

    /// Puts an incident in; never waits. Where a queue is full its oldest is
    /// dropped and counted.
    pub fn offer(&self, parcel: &Parcel) {
        let nodes = &self.shared.nodes;
        let mut homeless = true;
        for (index, node) in nodes.iter().enumerate() {
            if node.is_fallback {
                continue;
            }
            if let Some(route) = self.shared.entry(index) {
                route.lane.push(vec![Batch {
                    bytes: parcel.json().clone(),
                    records: 1,
                }]);
                homeless = false;
            }
        }
        if homeless {
            self.shared.homeless.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(pen) = self.shared.pen.get() {
            pen.write();
        }
    }

    /// The queues, for whoever writes them down.
    #[must_use]
    pub fn lanes(&self) -> Vec<Arc<Lane>> {
        let routes = self.shared.routes();
        let durable = routes.filter(|route| route.is_durable);
        durable.map(|route| Arc::clone(&route.lane)).collect()
    }

    /// From now on what is put in is written at once; until then it waits for
    /// the end of the interval.
    pub fn write_with(&self, pen: Pen) {
        for route in self.shared.routes() {
            route.write_with(pen.clone());
        }
        let _ = self.shared.pen.set(pen);
    }

    /// The counters of each transport, in the order of the configuration.
    #[must_use]
    pub fn stats(&self) -> Vec<TransportStats> {
        let named = self.shared.nodes.iter().filter_map(|node| {
            let route = node.route.as_ref()?;
            Some(TransportStats {
                kind: node.kind.name,
                target: route.target.clone(),
                sent: route.lane.stats(),
                fallen_back: route.fallen_back.load(Ordering::Relaxed),
            })
        });
        named.collect()
    }

    /// Incidents that no transport could be asked to take.
    #[must_use]
    pub fn homeless(&self) -> u64 {
        self.shared.homeless.load(Ordering::Relaxed)
    }

    /// Sends what waits, for `limit` at most, and ends the thread. What is left
    /// stays in the store where there is one.
    pub fn shutdown(&self, limit: Duration) {
        let Some((ask, thread)) = self.shared.thread().take() else {
            return;
        };
        let _ = ask.send(limit);
        let _ = thread.join();
        let left: usize = self
            .shared
            .routes()
            .map(|route| route.lane.stats().queue_items)
            .sum();
        if left > 0 {
            let durable = self.shared.routes().any(|route| route.is_durable);
            let fate = if durable && self.shared.pen.get().is_some() {
                "wait in the store"
            } else {
                "are lost"
            };
            tracing::warn!("{left} incidents, not delivered in time, {fate}");
        }
    }
}

impl Shared {
    /// Who gets what is meant for a node: itself, or where it cannot work, its
    /// fallback.
    fn entry(&self, mut index: usize) -> Option<&Arc<Route>> {
        for _ in 0..=self.nodes.len() {
            let node = self.nodes.get(index)?;
            match &node.route {
                Some(route) => return Some(route),
                None => index = node.fallback?,
            }
        }
        None
    }

    fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.nodes.iter().filter_map(|node| node.route.as_ref())
    }

    /// What waits, and would be lost, goes to the fallbacks.
    fn hand_over(&self) {
        for node in self.nodes.iter().filter(|node| !node.is_fallback) {
            if let Some(route) = &node.route {
                route.fall_back(Duration::ZERO);
            }
        }
    }

    fn thread(
        &self,
    ) -> std::sync::MutexGuard<'_, Option<(oneshot::Sender<Duration>, JoinHandle<()>)>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn drain(stop: &Stop, tasks: Vec<tokio::task::JoinHandle<()>>, deadline: Instant) {
    let _ = stop.send(Some(deadline));
    for task in tasks {
        let abort = task.abort_handle();
        if tokio::time::timeout_at(deadline, task).await.is_err() {
            abort.abort();
        }
    }
}

type Tasks = Vec<(usize, super::route::Carrier)>;

fn build(config: &OutletConfig) -> Result<(Vec<Node>, Tasks), OutletError> {
    let mut listed = config.transports.clone();
    for position in 0.. {
        // A fallback that the file does not list has its defaults.
        let Some(one) = listed.get(position) else {
            break;
        };
        if let Some(kind) = one.fallback
            && listed.iter().all(|other| other.kind.name != kind.name)
            && let Ok(settings) = default_settings(kind)
        {
            listed.push(TransportConfig {
                kind,
                settings,
                fallback: None,
            });
        }
    }
    let first_of = |kind: &Kind| listed.iter().position(|one| one.kind.name == kind.name);
    let mut nodes: Vec<Node> = Vec::new();
    for (index, one) in listed.iter().enumerate() {
        let named = listed
            .iter()
            .any(|other| other.fallback.is_some_and(|k| k.name == one.kind.name));
        nodes.push(Node {
            kind: one.kind,
            route: None,
            fallback: one.fallback.and_then(first_of),
            is_fallback: named && first_of(one.kind) == Some(index),
        });
    }
    // Fallbacks first, so that the others find them.
    let mut order: Vec<usize> = Vec::new();
    while order.len() < nodes.len() {
        let before = order.len();
        for (index, node) in nodes.iter().enumerate() {
            let ready = node
                .fallback
                .is_none_or(|fallback| order.contains(&fallback));
            if ready && !order.contains(&index) {
                order.push(index);
            }
        }
        if order.len() == before {
            // A ring, which the configuration refuses.
            break;
        }
    }
    let (mut tasks, mut problems) = (Vec::new(), Vec::new());
    for index in order {
        let Some(one) = listed.get(index) else {
            continue;
        };
        let same = listed.iter().take(index);
        let same = same
            .filter(|other| other.kind.name == one.kind.name)
            .count();
        let number = one.kind.number + u8::try_from(same).unwrap_or(u8::MAX);
        let transport = match one.settings.build(&config.surroundings) {
            Ok(transport) => transport,
            Err(BuildError::Unavailable(reason)) => {
                tracing::info!("incidents do not go to {}: {reason}", one.kind.name);
                continue;
            }
            Err(BuildError::Faulty(lines)) => {
                problems.extend(lines);
                continue;
            }
        };
        let mut lane = Lane::new(number, config.queue_max_bytes, config.queue_max_age);
        let shelf = config.surroundings.shelf.as_ref();
        let shelf = shelf.filter(|_| one.settings.is_durable());
        if let Some(shelf) = shelf {
            lane = lane.with_shelf(shelf, &config.waiting);
        }
        let fallback = nodes.get(index).and_then(|node| node.fallback);
        let fallback = fallback.and_then(|at| entry(&nodes, at));
        let route = Arc::new(Route::new(
            lane,
            transport.target(),
            shelf.is_some(),
            fallback,
            config.patience,
        ));
        tasks.push((index, Arc::clone(&route).carrier(transport)));
        if let Some(node) = nodes.get_mut(index) {
            node.route = Some(route);
        }
    }
    match problems.is_empty() {
        true => Ok((nodes, tasks)),
        false => Err(OutletError::Settings(problems)),
    }
}

fn entry(nodes: &[Node], mut index: usize) -> Option<Arc<Route>> {
    for _ in 0..=nodes.len() {
        let node = nodes.get(index)?;
        match &node.route {
            Some(route) => return Some(Arc::clone(route)),
            None => index = node.fallback?,
        }
    }
    None
}

/// Drops what waits for transports that the configuration does not have any
/// more.
fn forget_orphans(config: &OutletConfig, nodes: &[Node]) {
    let Some(shelf) = &config.surroundings.shelf else {
        return;
    };
    let routes = || nodes.iter().filter_map(|node| node.route.as_ref());
    let mine = |number: u8| routes().any(|route| route.lane.number() == number);
    let orphans: Vec<_> = config
        .waiting
        .iter()
        .map(|indexed| indexed.place)
        .filter(|place| super::is_queue(place.0) && !mine(place.0))
        .collect();
    if orphans.is_empty() {
        return;
    }
    tracing::warn!(
        "{} incidents waited for transports that are not configured any more; they are dropped",
        orphans.len()
    );
    if let Err(reason) = shelf.forget(orphans) {
        tracing::warn!("{reason}");
    }
}

#[cfg(test)]
#[path = "outlet_tests.rs"]
mod tests;
