//! One interval's changes, in one transaction: one write to the disk.

use std::{borrow::Cow, os::unix::ffi::OsStrExt, sync::Arc};

use redb::{ReadableDatabase, ReadableTable, WriteTransaction};

use super::{
    Store, StoreError,
    guard::guarded,
    records::{self, Host, LegacyHost, LegacyService, Metric, Namespace, Service, Totals},
    schema::{self, service_key},
};
use crate::{
    aggregate::report::{Instrument, ServiceIdentity},
    export::HostResource,
    incident::follow::Position,
    plugin::{display_name, sanitize},
    source::ebpf::Mark,
    units::{BootNanos, WallNanos},
};

/// A request in the queue: its signal and its number, which grows.
pub type Place = (u8, u64);

/// What is to be written.
#[derive(Debug, Default)]
pub struct Changes {
    /// When.
    pub time: WallNanos,
    /// Requests that nobody needs any more.
    pub gone: Vec<Place>,
    /// Requests that were accepted.
    pub accepted: Vec<Request>,
    /// Where series go on, by [`schema::service_key`].
    pub totals: Vec<(Vec<u8>, Totals)>,
    /// Who was reported.
    pub seen: Option<Seen>,
    /// Up to where the totals have the kernel's ring, where that stays.
    pub mark: Option<Mark>,
    /// Up to where named log files were read: all of them, where it changed.
    pub logs: Option<Vec<Position>>,
}

/// Who was reported, and on which host.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The host.
    pub host: HostResource,
    /// Services and groups.
    pub services: Vec<Arc<ServiceIdentity>>,
    /// Name, unit and instrument of each metric, once.
    pub metrics: Vec<(Cow<'static, str>, Cow<'static, str>, Instrument)>,
}

/// A request that waits.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where.
    pub place: Place,
    /// Data points or log records in it.
    pub records: u64,
    /// When it was accepted.
    pub since: WallNanos,
    /// As it will be sent.
    pub bytes: bytes::Bytes,
}

/// What the index says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indexed {
    /// Where.
    pub place: Place,
    /// How large it is.
    pub bytes: u64,
    /// Data points or log records in it.
    pub records: u64,
    /// When it was accepted.
    pub since: WallNanos,
}

impl Seen {
    /// Adds who was seen later.
    pub fn join(&mut self, later: Self) {
        self.host = later.host;
        self.services
            .retain(|old| later.services.iter().all(|new| !same(old, new)));
        self.services.extend(later.services);
        self.metrics.extend(later.metrics);
        self.metrics.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.metrics.dedup_by(|a, b| a.0 == b.0);
    }
}

fn same(one: &ServiceIdentity, other: &ServiceIdentity) -> bool {
    (&one.namespace, &one.name, &one.group) == (&other.namespace, &other.name, &other.group)
}

impl Store {
    /// Writes all of `changes` or nothing; on the disk when this returns.
    ///
    /// # Errors
    ///
    /// What failed; the store must be opened again after that.
    pub fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        guarded(|| self.write(changes))
    }

    fn write(&self, changes: &Changes) -> Result<(), StoreError> {
        let write = self.database()?.begin_write()?;
        {
            let mut bodies = write.open_table(schema::QUEUE)?;
            let mut index = write.open_table(schema::QUEUE_INDEX)?;
            for &place in &changes.gone {
                bodies.remove(place)?;
                index.remove(place)?;
            }
            for request in &changes.accepted {
                bodies.insert(request.place, &*request.bytes)?;
                let row = (request.bytes.len() as u64, request.records, request.since.0);
                index.insert(request.place, row)?;
            }
            let mut totals = write.open_table(schema::TOTALS)?;
            for (key, value) in &changes.totals {
                totals.insert(key.as_slice(), records::encode(value).as_slice())?;
            }
            if let Some(mark) = changes.mark {
                let mut facts = write.open_table(schema::FACTS)?;
                let numbers = [mark.ring.0, mark.position].map(u64::to_le_bytes);
                facts.insert(schema::RING, numbers.as_flattened())?;
            }
            if let Some(logs) = &changes.logs {
                let mut files = write.open_table(schema::LOG_FILES)?;
                files.retain(|_, _| false)?;
                for log in logs {
                    let row = (log.device, log.inode, log.offset);
                    files.insert(log.path.as_os_str().as_bytes(), row)?;
                }
            }
            if let Some(seen) = &changes.seen {
                note_seen(&write, changes.time, seen)?;
            }
        }
        write.commit()?;
        Ok(())
    }

    /// Says which boot of the host the totals are of. Those of another one are
    /// dropped: its processes are gone, and its series have ended.
    ///
    /// # Errors
    ///
    /// What failed; the store must be opened again after that.
    pub fn begin_boot(&self, boot_id: &str) -> Result<(), StoreError> {
        let write = self.database()?.begin_write()?;
        {
            let mut facts = write.open_table(schema::FACTS)?;
            let known = facts.get(schema::BOOT_ID)?;
            if known.is_some_and(|known| known.value() == boot_id.as_bytes()) {
                return Ok(());
            }
            facts.insert(schema::BOOT_ID, boot_id.as_bytes())?;
            facts.remove(schema::RING)?;
            write.open_table(schema::TOTALS)?.retain(|_, _| false)?;
        }
        write.commit()?;
        Ok(())
    }

    /// Up to where the totals have a ring of the kernel's.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn mark(&self) -> Result<Option<Mark>, StoreError> {
        guarded(|| {
            let read = self.database()?.begin_read()?;
            let facts = read.open_table(schema::FACTS)?;
            let fact = facts.get(schema::RING)?;
            Ok(fact.and_then(|fact| {
                let ([ring, position], []) = fact.value().as_chunks::<8>() else {
                    return None;
                };
                Some(Mark {
                    ring: BootNanos(u64::from_le_bytes(*ring)),
                    position: u64::from_le_bytes(*position),
                })
            }))
        })
    }

    /// The bytes of a request.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn request(&self, place: Place) -> Result<Option<bytes::Bytes>, StoreError> {
        guarded(|| {
            let read = self.database()?.begin_read()?;
            let bodies = read.open_table(schema::QUEUE)?;
            let body = bodies.get(place)?;
            Ok(body.map(|body| bytes::Bytes::copy_from_slice(body.value())))
        })
    }
}

/// Adds who is new, and says of the others that they were seen.
fn note_seen(write: &WriteTransaction, time: WallNanos, seen: &Seen) -> Result<(), StoreError> {
    let mut hosts = write.open_table(schema::HOSTS)?;
    let host = seen.host.host_name.as_str();
    let row = match hosts.get(host)? {
        Some(row) => records::decode(row.value())?,
        None => new_host(write, time, &seen.host)?,
    };
    let row = Host {
        last_seen_ns: time.0,
        ..row
    };
    hosts.insert(host, records::encode(&row).as_slice())?;

    let mut namespaces = write.open_table(schema::NAMESPACES)?;
    let mut services = write.open_table(schema::SERVICES)?;
    let mut legacy = write.open_table(schema::LEGACY_SERVICES)?;
    for identity in &seen.services {
        let namespace = identity.namespace.as_str();
        let row = first_or(&namespaces, namespace, || Namespace {
            first_seen_ns: time.0,
            last_seen_ns: 0,
        })?;
        let row = Namespace {
            last_seen_ns: time.0,
            ..row
        };
        namespaces.insert(namespace, records::encode(&row).as_slice())?;
        let key = service_key(namespace, &identity.name, identity.group.as_deref());
        let first = match services.get(key.as_slice())? {
            Some(row) => records::decode(row.value())?,
            None => new_service(&mut legacy, time, identity)?,
        };
        let row = described(identity, first, time);
        services.insert(key.as_slice(), records::encode(&row).as_slice())?;
    }

    let mut metrics = write.open_table(schema::METRICS)?;
    for (name, unit, instrument) in &seen.metrics {
        if metrics.get(&**name)?.is_none() {
            let row = metric(name, unit, *instrument);
            metrics.insert(&**name, records::encode(&row).as_slice())?;
        }
    }
    Ok(())
}

/// A host that was not there; it goes on with the id and the first sight that
/// the framework had for it.
fn new_host(
    write: &WriteTransaction,
    time: WallNanos,
    host: &HostResource,
) -> Result<Host, StoreError> {
    let mut legacy = write.open_table(schema::LEGACY_HOSTS)?;
    let mut found: Option<(String, LegacyHost)> = None;
    for row in legacy.iter()? {
        let (id, row) = row?;
        let row: LegacyHost = records::decode(row.value())?;
        let newest = found.as_ref().map_or(0, |(_, found)| found.last_seen_ns);
        if row.host_name == host.host_name && (found.is_none() || row.last_seen_ns >= newest) {
            found = Some((id.value().to_owned(), row));
        }
    }
    let Some((id, row)) = found else {
        return Ok(Host {
            id: host.host_id.clone().unwrap_or_default(),
            first_seen_ns: time.0,
            last_seen_ns: 0,
        });
    };
    legacy.remove(id.as_str())?;
    Ok(Host {
        id,
        first_seen_ns: earliest(row.first_seen_ns, time),
        last_seen_ns: 0,
    })
}

/// A service that was not there; where it has an id of the framework, nobody
/// else can take that over any more.
fn new_service(
    legacy: &mut redb::Table<'_, &'static str, &'static [u8]>,
    time: WallNanos,
    identity: &ServiceIdentity,
) -> Result<Service, StoreError> {
    let instance_id = identity.instance_id.to_string();
    let mut taken = None;
    for row in legacy.iter()? {
        let (id, row) = row?;
        if uuid::Uuid::parse_str(id.value()) == Ok(identity.instance_id) {
            let row: LegacyService = records::decode(row.value())?;
            taken = Some((id.value().to_owned(), row.first_seen_ns));
        }
    }
    let mut first_seen_ns = time.0;
    if let Some((id, first)) = taken {
        legacy.remove(id.as_str())?;
        first_seen_ns = earliest(first, time);
    }
    Ok(Service {
        instance_id,
        first_seen_ns,
        ..Service::default()
    })
}

/// When somebody was first seen; 0 is no time.
fn earliest(legacy_ns: u64, now: WallNanos) -> u64 {
    match legacy_ns {
        0 => now.0,
        legacy => legacy.min(now.0),
    }
}

/// A service as it is now; id and first sight stay.
fn described(identity: &ServiceIdentity, first: Service, time: WallNanos) -> Service {
    let service_id = sanitize(&identity.name);
    Service {
        name: identity.name.clone(),
        namespace: identity.namespace.clone(),
        display_name: display_name(&service_id),
        version: identity.version.clone().unwrap_or_default(),
        description: identity.description.clone().unwrap_or_default(),
        last_seen_ns: time.0,
        service_id,
        plugin: identity.plugin.clone(),
        group: identity.group.clone(),
        ..first
    }
}

fn first_or<'k, K, R>(
    table: &impl ReadableTable<K, &'static [u8]>,
    key: impl std::borrow::Borrow<K::SelfType<'k>>,
    new: impl FnOnce() -> R,
) -> Result<R, StoreError>
where
    K: redb::Key + 'static,
    R: prost::Message + Default,
{
    match table.get(key)? {
        Some(value) => Ok(records::decode(value.value())?),
        None => Ok(new()),
    }
}

/// How a metric is shown to people.
fn metric(name: &str, unit: &str, instrument: Instrument) -> Metric {
    Metric {
        id: uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).to_string(),
        display_name: display_name(&sanitize(name)),
        unit: unit.to_owned(),
        kind: instrument.name().to_owned(),
        decimals: match unit {
            "1" | "%" | "s" => 2,
            _ => 0,
        },
        is_percentage: unit == "%",
        is_counter: instrument == Instrument::Counter,
    }
}
