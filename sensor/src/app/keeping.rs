//! The store of the daemon: opened at the start, written every interval.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::PathBuf,
    sync::Arc,
};

use uuid::Uuid;

use super::{delivery::Delivery, setup::Stop, store};
use crate::{
    aggregate::{
        registry::{Identifier, Spec},
        report::Report,
    },
    cli::RunArgs,
    clock,
    config::Config,
    engine::Engine,
    exit::Exit,
    export::{
        HostResource, Interval, Keeper, Shelf,
        otlp::Signal,
        wire::{MAX_REQUEST_BYTES, metric_batches},
    },
    incident::{follow::Position, transport::Outlet},
    plugin::{GroupBy, sanitize},
    pump::Pump,
    source::ebpf::{Kernel, Mark},
    store::{
        Changes, Claimant, Indexed, Known, Opened, Reader, Request, Seen, Store, StoreConfig,
        default_path, records::Totals, totals,
    },
};

/// Where requests are, and which waited there before the start.
pub type Waiting = (Arc<Shelf>, Vec<Indexed>);

/// What the store remembers, and the store.
#[derive(Default)]
pub struct Memory {
    /// `None`: nothing survives.
    store: Option<Store>,
    /// Everybody who was ever seen.
    pub known: Known,
    /// Where series go on, by [`crate::store::service_key`].
    pub totals: HashMap<Vec<u8>, Totals>,
    /// What waits for the collector.
    waiting: Vec<Indexed>,
    /// Up to where the totals have the kernel's ring.
    pub mark: Option<Mark>,
    /// Up to where named log files were read.
    pub logs: Vec<Position>,
}

impl Memory {
    /// Opens the store of the flags, of the configuration, or the usual one.
    /// The usual one need not be possible: nobody asked for it.
    ///
    /// # Errors
    ///
    /// Where it is held by another, newer, or cannot be made.
    pub fn open(args: &RunArgs, config: &Config) -> Result<Self, Stop> {
        let named = path(args, config);
        let is_named = named.is_some();
        let wish = StoreConfig {
            path: named.unwrap_or_else(default_path),
            strict: args.strict_store || config.store.strict,
        };
        let open = || {
            let Opened { store, warnings } = Store::open(&wish)?;
            for warning in &warnings {
                tracing::warn!("{warning}");
            }
            store.begin_boot(&boot_id())?;
            Ok(Self {
                known: store.known()?,
                totals: store.totals()?,
                waiting: store.index()?,
                mark: store.mark()?,
                logs: store.log_files()?,
                store: Some(store),
            })
        };
        open().or_else(|error| {
            let stop = store::stop(&error);
            if is_named || stop.exit != Exit::CannotCreate {
                return Err(stop);
            }
            // No warning: that is how it is for a user without privilege.
            tracing::info!(
                "{}; until then nothing survives a restart",
                stop.lines.join("; ")
            );
            Ok(Self::default())
        })
    }

    /// Looks into the store without counting on it: what `--run-once` needs.
    /// One that somebody named is made where it is missing, and written.
    ///
    /// # Errors
    ///
    /// Where one that somebody named cannot be used, and is not just held by
    /// a daemon.
    pub fn look(args: &RunArgs, config: &Config) -> Result<Self, Stop> {
        let named = path(args, config);
        if named.is_some() {
            match Self::open(args, config) {
                Err(stop) if stop.exit == Exit::TempFail => {
                    tracing::warn!("{}; nothing is written", stop.lines.join("; "));
                }
                other => return other,
            }
        }
        let path = named.unwrap_or_else(default_path);
        let known = Reader::open(&path).and_then(|reader| reader.known());
        let known = known.unwrap_or_else(|error| {
            tracing::debug!("{}", store::stop(&error).lines.join("; "));
            Known::default()
        });
        Ok(Self {
            known,
            ..Self::default()
        })
    }

    /// Writes who was seen, and with `unsent` the report for the next daemon to
    /// send. False where nothing was written.
    #[must_use]
    pub fn keep(&self, report: &Report, host: &HostResource, unsent: bool) -> bool {
        let Some(store) = &self.store else {
            return false;
        };
        let signal = Signal::Metrics;
        let mine = |indexed: &&Indexed| indexed.place.0 == signal.number();
        let last = self.waiting.iter().rfind(mine);
        let first = last.map_or(1, |indexed| indexed.place.1 + 1);
        let batches = match unsent {
            true => metric_batches(report, host, MAX_REQUEST_BYTES),
            false => Vec::new(),
        };
        let time = clock::wall();
        let accepted = (first..).zip(batches).map(|(number, batch)| Request {
            place: (signal.number(), number),
            records: batch.records,
            since: time,
            bytes: batch.bytes,
        });
        let changes = Changes {
            time,
            accepted: accepted.collect(),
            seen: Some(seen(report, host)),
            ..Changes::default()
        };
        let written = store.commit(&changes);
        if let Err(error) = &written {
            tracing::warn!("{}", store::stop(error).lines.join("; "));
        }
        written.is_ok()
    }

    /// As [`remind`](Self::remind), but without figures: one look shows what
    /// /proc shows. Returns the ids of all services that were ever seen.
    pub fn remind_identities(
        &mut self,
        engine: &mut Engine,
        host: &mut HostResource,
    ) -> HashSet<Uuid> {
        self.totals.clear();
        self.remind(engine, host);
        let ids = self.known.services.iter();
        ids.filter_map(|service| Uuid::parse_str(&service.instance_id).ok())
            .collect()
    }

    /// Tells the engine who was there before the start, and which host this
    /// is in what is exported. Returns what is left of the framework.
    pub fn remind(&mut self, engine: &mut Engine, host: &mut HostResource) -> Unclaimed {
        let totals = std::mem::take(&mut self.totals);
        let mut remembered = totals::remembered(&self.known, &totals);
        let mut unclaimed = Unclaimed {
            known: Known {
                legacy_hosts: self.known.legacy_hosts.clone(),
                legacy_services: self.known.legacy_services.clone(),
                ..Known::default()
            },
            host_name: host.host_name.clone(),
        };
        for (identifier, id) in unclaimed.claim(engine.specs()) {
            let known = remembered.entry(identifier).or_default();
            known.instance_id.get_or_insert(id);
        }
        engine.registry().remember(remembered, clock::wall());
        if let Some(id) = self.known.host_id(&host.host_name) {
            host.host_id = Some(id.to_owned());
        }
        unclaimed
    }

    /// Starts whoever delivers, and whoever writes.
    ///
    /// # Errors
    ///
    /// Where settings or the system do not allow it.
    pub fn start(
        self,
        deliver: impl FnOnce(Option<Waiting>) -> Result<Ways, Stop>,
    ) -> Result<(Ways, Option<Keeper>), Stop> {
        let Some(store) = self.store else {
            return Ok((deliver(None)?, None));
        };
        let shelf = Arc::new(Shelf::new(store));
        let ways = deliver(Some((Arc::clone(&shelf), self.waiting)))?;
        let exporter = ways.delivery.as_ref();
        let lanes = exporter.map(|delivery| delivery.exporter.lanes());
        let incidents = ways.outlet.as_ref().map(Outlet::lanes);
        let lanes = [lanes, incidents].into_iter().flatten().flatten();
        let keeper = Keeper::start(shelf, lanes.collect())
            .map_err(|error| Stop::new(Exit::Software, error.to_string()))?;
        if let Some(outlet) = &ways.outlet {
            outlet.write_with(keeper.pen());
        }
        Ok((ways, Some(keeper)))
    }
}

/// What the framework knew and nobody has taken over.
pub struct Unclaimed {
    /// Nothing else is in it.
    known: Known,
    host_name: String,
}

impl Unclaimed {
    /// The ids that services take over, once each; groups it had none.
    pub fn claim(&mut self, specs: &[Spec]) -> Vec<(Identifier, Uuid)> {
        let services: Vec<_> = specs
            .iter()
            .filter(|spec| spec.group_by == GroupBy::None)
            .map(|spec| (spec, spec.name.to_string()))
            .map(|(spec, name)| (spec, sanitize(&name), name))
            .collect();
        let claimants: Vec<_> = services
            .iter()
            .map(|(spec, service_id, _)| Claimant {
                service_id,
                plugin: &spec.plugin,
            })
            .collect();
        let ids = self.known.legacy_ids(&self.host_name, &claimants);
        let claimed = services.iter().filter_map(|(spec, service_id, name)| {
            let identifier = (spec.namespace.clone(), name.clone(), None);
            Some((identifier, *ids.get(service_id.as_str())?))
        });
        let claimed: Vec<_> = claimed.collect();
        let is_left = |id: &str| {
            let id = Uuid::parse_str(id).ok();
            claimed.iter().all(|(_, claimed)| Some(*claimed) != id)
        };
        self.known.legacy_services.retain(|(id, _)| is_left(id));
        claimed
    }
}

/// The ways out.
#[derive(Default)]
pub struct Ways {
    /// Metrics and events.
    pub delivery: Option<Delivery>,
    /// Incidents.
    pub outlet: Option<Outlet>,
}

/// The store that somebody named.
#[must_use]
pub fn path(args: &RunArgs, config: &Config) -> Option<PathBuf> {
    let named = args.metadata_db_path.clone();
    named.or_else(|| config.store.path.clone())
}

/// What there is to write about a report.
#[must_use]
pub fn interval(report: &Report, host: &HostResource, pump: &mut Pump) -> Interval {
    Interval {
        seen: Some(seen(report, host)),
        ..now(pump)
    }
}

/// The same between two reports.
#[must_use]
pub fn now(pump: &mut Pump) -> Interval {
    let kernel = pump.kernel.as_ref().filter(|kernel| kernel.is_pinned());
    Interval {
        mark: kernel.map(Kernel::mark),
        totals: totals::rows(&pump.engine.saved(clock::boot())),
        seen: None,
        logs: None,
    }
}

/// Tells one boot of the host from another (random(4)); empty where the kernel
/// does not say.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

/// Who is in a report.
#[must_use]
pub fn seen(report: &Report, host: &HostResource) -> Seen {
    let mut metrics: Vec<_> = report
        .services
        .iter()
        .flat_map(|service| &service.metrics)
        .map(|metric| {
            let (name, unit) = (metric.name.clone(), metric.unit.clone());
            (name, unit, metric.instrument)
        })
        .collect();
    metrics.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    metrics.dedup_by(|a, b| a.0 == b.0);
    let services = report.services.iter();
    Seen {
        host: host.clone(),
        services: services
            .map(|service| Arc::clone(&service.identity))
            .collect(),
        metrics,
    }
}
