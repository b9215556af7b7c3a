//! The store of the daemon: opened at the start, written every interval.

use std::{collections::HashMap, fs, path::PathBuf, sync::Arc};

use super::{delivery::Delivery, setup::Stop, store};
use crate::{
    aggregate::report::Report,
    cli::RunArgs,
    clock,
    config::Config,
    engine::Engine,
    exit::Exit,
    export::{HostResource, Interval, Keeper, Shelf},
    store::{
        Indexed, Known, Opened, Seen, Store, StoreConfig, default_path,
        records::{Host, Totals},
        totals,
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
                "{}; nothing survives a restart (--metadata-db-path names another place)",
                stop.lines.join("; ")
            );
            Ok(Self::default())
        })
    }

    /// Tells the engine who was there before the start, and which host this
    /// is in what is exported.
    pub fn remind(&mut self, engine: &mut Engine, host: &mut HostResource) {
        let totals = std::mem::take(&mut self.totals);
        let remembered = totals::remembered(&self.known, &totals);
        engine.registry().remember(remembered, clock::wall());
        let this = |(name, _): &&(String, Host)| *name == host.host_name;
        if let Some((_, known)) = self.known.hosts.iter().find(this)
            && !known.id.is_empty()
        {
            host.host_id = Some(known.id.clone());
        }
    }

    /// The store itself.
    #[must_use]
    pub fn into_store(self) -> Option<Store> {
        self.store
    }

    /// Starts whoever delivers, and whoever writes.
    ///
    /// # Errors
    ///
    /// Where settings or the system do not allow it.
    pub fn start(
        self,
        deliver: impl FnOnce(Option<Waiting>) -> Result<Option<Delivery>, Stop>,
    ) -> Result<(Option<Delivery>, Option<Keeper>), Stop> {
        let Some(store) = self.store else {
            return Ok((deliver(None)?, None));
        };
        let shelf = Arc::new(Shelf::new(store));
        let delivery = deliver(Some((Arc::clone(&shelf), self.waiting)))?;
        let lanes = delivery
            .as_ref()
            .map(|delivery| delivery.exporter.lanes())
            .unwrap_or_default();
        let keeper = Keeper::start(shelf, lanes)
            .map_err(|error| Stop::new(Exit::Software, error.to_string()))?;
        Ok((delivery, Some(keeper)))
    }
}

/// The store that somebody named.
#[must_use]
pub fn path(args: &RunArgs, config: &Config) -> Option<PathBuf> {
    let named = args.metadata_db_path.clone();
    named.or_else(|| config.store.path.clone())
}

/// What there is to write about a report.
#[must_use]
pub fn interval(report: &Report, host: &HostResource, engine: &mut Engine) -> Interval {
    Interval {
        totals: totals::rows(&engine.registry().saved()),
        seen: Some(seen(report, host)),
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
