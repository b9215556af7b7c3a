use std::{
    io,
    ops::Bound,
    sync::{Arc, Mutex},
};

use redb::{BackendError, Database, StorageBackend, TableDefinition};
use uuid::Uuid;

use super::{
    Changes, Opened, Request, Seen, Store, StoreConfig, StoreError, records::Totals, schema,
    service_key,
};
use crate::{
    aggregate::report::{Instrument, ServiceIdentity},
    export::HostResource,
    incident::follow::Position,
    units::WallNanos,
};

/// A signal of the queue.
const METRICS: u8 = 1;

pub fn config(directory: &tempfile::TempDir) -> StoreConfig {
    StoreConfig {
        path: directory.path().join("state/metadata.redb"),
        strict: false,
    }
}

pub fn open(config: &StoreConfig) -> Store {
    let Opened { store, warnings } = Store::open(config).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    store
}

fn identity(name: &str) -> Arc<ServiceIdentity> {
    Arc::new(ServiceIdentity {
        name: name.to_owned(),
        namespace: "Strategy₿".to_owned(),
        instance_id: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()),
        version: None,
        description: Some("counts money".to_owned()),
        plugin: "till".to_owned(),
        group: None,
        attributes: Vec::new(),
    })
}

/// An interval with one request, of a size that follows from its number.
pub fn interval(number: u64) -> Changes {
    let size = 1 + (number * 7_919) % 50_000;
    Changes {
        time: WallNanos(1_000 + number),
        gone: number
            .checked_sub(5)
            .map(|old| (METRICS, old))
            .into_iter()
            .collect(),
        accepted: vec![Request {
            place: (METRICS, number),
            records: number,
            since: WallNanos(number),
            bytes: vec![u8::try_from(number % 251).unwrap(); usize::try_from(size).unwrap()].into(),
        }],
        mark: None,
        logs: Some(vec![Position {
            path: format!("/var/log/{}.log", number % 2).into(),
            device: 1,
            inode: number % 3,
            offset: number,
        }]),
        totals: vec![(
            service_key("n", "s", None),
            Totals {
                starts: number,
                ..Totals::default()
            },
        )],
        seen: Some(Seen {
            host: HostResource {
                host_name: "till-3".to_owned(),
                host_id: None,
                agent_instance_id: Uuid::nil(),
            },
            services: vec![identity("Till")],
            metrics: vec![("cpu_usage".into(), "%".into(), Instrument::Gauge)],
        }),
    }
}

/// Panics unless the store holds what it must after interval `number`, and
/// nothing else.
fn assert_holds(store: &Store, number: u64) {
    let first = number.saturating_sub(4);
    let index = store.index().unwrap();
    let places: Vec<_> = index.iter().map(|entry| entry.place.1).collect();
    assert_eq!(places, (first..=number).collect::<Vec<_>>());
    for entry in index {
        let expected = &interval(entry.place.1).accepted[0];
        let bytes = store.request(entry.place).unwrap().unwrap();
        assert!(bytes == expected.bytes, "request {}", entry.place.1);
        assert_eq!(entry.records, expected.records);
    }
    let totals = store.totals().unwrap();
    assert_eq!(totals[&service_key("n", "s", None)].starts, number);
    assert_eq!(Some(store.log_files().unwrap()), interval(number).logs);
    let known = store.known().unwrap();
    assert_eq!(known.services.len(), 1);
    assert_eq!(known.services[0].first_seen_ns, 1_000);
    assert_eq!(known.services[0].last_seen_ns, 1_000 + number);
}

#[test]
fn a_store_that_was_closed_opens_again_with_all_that_is_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(&directory);
    for number in 0..20_u64 {
        let store = open(&config);
        if let Some(before) = number.checked_sub(1) {
            assert_holds(&store, before);
        }
        store.commit(&interval(number)).unwrap();
        assert_holds(&store, number);
    }
}

#[test]
fn a_store_that_lost_its_name_is_put_there_again() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(&directory);
    let mut store = open(&config);
    for number in 0..10 {
        store.commit(&interval(number)).unwrap();
    }
    let parent = config.path.parent().unwrap();
    for number in 10..12 {
        store.ensure_in_place().unwrap();
        match number {
            10 => std::fs::remove_file(&config.path).unwrap(),
            _ => std::fs::remove_dir_all(parent).unwrap(),
        }
        store.ensure_in_place().unwrap();
        store.commit(&interval(number)).unwrap();
        assert_holds(&store, number);
    }
    assert!(matches!(Store::open(&config), Err(StoreError::Held { .. })));
    // Somebody else's file stays as it is, and reading goes on.
    std::fs::rename(&config.path, directory.path().join("moved")).unwrap();
    std::fs::write(&config.path, "other").unwrap();
    let refused = store.ensure_in_place().unwrap_err();
    assert!(matches!(refused, StoreError::Unsafe { .. }), "{refused}");
    assert_holds(&store, 11);
    assert_eq!(std::fs::read(&config.path).unwrap(), b"other");
    std::fs::rename(directory.path().join("moved"), &config.path).unwrap();
    store.ensure_in_place().unwrap();
    store.reopen().unwrap();
    assert_holds(&store, 11);
}

#[test]
fn another_boot_ends_all_series_and_keeps_who_was_seen() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&config(&directory));
    store.begin_boot("one").unwrap();
    store.commit(&interval(0)).unwrap();
    store.begin_boot("one").unwrap();
    assert_eq!(store.totals().unwrap().len(), 1);
    store.begin_boot("two").unwrap();
    assert_eq!(store.totals().unwrap().len(), 0);
    assert_eq!(store.known().unwrap().services.len(), 1);
    assert_eq!(store.index().unwrap().len(), 1);
}

#[test]
fn a_store_of_version_1_is_brought_to_the_current_one() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(&directory);
    std::fs::create_dir(config.path.parent().unwrap()).unwrap();
    std::fs::write(&config.path, include_bytes!("fixtures/store-1.0.redb")).unwrap();
    let store = open(&config);
    let known = store.known().unwrap();
    let ids: Vec<_> = known
        .services
        .iter()
        .map(|service| (service.service_id.as_str(), service.instance_id.as_str()))
        .collect();
    assert_eq!(
        ids,
        [
            ("strategy_worker0", "01900000-0000-7000-8000-000000000000"),
            ("strategy_worker1", "01900000-0000-7000-8000-000000000001"),
            ("strategy_worker2", "01900000-0000-7000-8000-000000000002"),
        ]
    );
    assert_eq!(known.services[1].name, "Strategy₿.Worker1");
    assert_eq!(known.hosts[0].0, "till-3");
    let versions: Vec<_> = known.history.iter().map(|(version, _)| version.0).collect();
    assert_eq!(versions, [1, 2, 3]);
    store.commit(&interval(0)).unwrap();
    drop(store);
    open(&config);
    let files = std::fs::read_dir(config.path.parent().unwrap()).unwrap();
    let mut names: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["metadata.redb", "metadata.redb.lock"]);
}

/// A disk whose power is cut, or that fails, at the n-th write or sync.
#[derive(Debug)]
struct Disk {
    memory: Arc<Mutex<Image>>,
}

#[derive(Debug, Default)]
struct Image {
    bytes: Vec<u8>,
    /// Writes and syncs so far.
    steps: usize,
    /// The step at which it fails.
    fails_at: usize,
    /// What becomes of the writes before that.
    fate: Fate,
    /// As of the last sync.
    synced: Vec<u8>,
    /// It was a store before it failed.
    made: bool,
}

/// What arrived on the disk when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Fate {
    /// Every write before.
    #[default]
    Kept,
    /// Of the last write, a half.
    Torn,
    /// Only what was synced.
    Lost,
}

impl Image {
    fn step(&mut self) -> io::Result<()> {
        self.steps += 1;
        match self.steps >= self.fails_at {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.memory.lock().unwrap().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let image = self.memory.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let part = image.bytes.get(start..start + out.len());
        out.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut image = self.memory.lock().unwrap();
        image.step()?;
        image.bytes.resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut image = self.memory.lock().unwrap();
        image.step()?;
        image.synced = image.bytes.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut image = self.memory.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let failed = image.step();
        let arrives = match (&failed, image.fate) {
            (Ok(()), _) => data.len(),
            (Err(_), Fate::Torn) => data.len() / 2,
            (Err(_), _) => 0,
        };
        image.bytes[start..start + arrives].copy_from_slice(&data[..arrives]);
        failed
    }

    // Nobody else can reach the memory.

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
}

/// Runs intervals on the disk until one fails; the number of the last one
/// that was acknowledged.
fn work(memory: &Arc<Mutex<Image>>, from: u64, to: u64) -> Option<u64> {
    let disk = Disk {
        memory: Arc::clone(memory),
    };
    let database = Store::database_on(disk).ok()?;
    memory.lock().unwrap().made = true;
    let store = Store::without_owner(database);
    let mut done = None;
    for number in from..to {
        if store.commit(&interval(number)).is_err() {
            break;
        }
        done = Some(number);
    }
    done
}

fn image_that(fails_at: usize, fate: Fate) -> Arc<Mutex<Image>> {
    Arc::new(Mutex::new(Image {
        fails_at,
        fate,
        ..Image::default()
    }))
}

#[test]
fn after_every_write_or_sync_that_fails_the_store_holds_what_was_acknowledged() {
    const INTERVALS: u64 = 8;
    let whole = image_that(usize::MAX, Fate::Kept);
    assert_eq!(work(&whole, 0, INTERVALS), Some(INTERVALS - 1));
    let steps = whole.lock().unwrap().steps;
    assert!(steps > 30, "{steps}");
    for fails_at in 1..=steps {
        for fate in [Fate::Kept, Fate::Torn, Fate::Lost] {
            let memory = image_that(fails_at, fate);
            let acknowledged = work(&memory, 0, INTERVALS);
            {
                let mut image = memory.lock().unwrap();
                image.fails_at = usize::MAX;
                if fate == Fate::Lost {
                    image.bytes = image.synced.clone();
                }
            }
            let database = Store::database_on(Disk {
                memory: Arc::clone(&memory),
            });
            let database = match database {
                // It failed while the file was being made; a file gets its
                // name only after that.
                Err(_) if acknowledged.is_none() && !memory.lock().unwrap().made => continue,
                other => other.unwrap(),
            };
            let store = Store::without_owner(database);
            // What was not acknowledged may be there, whole, or not at all.
            let there = store.index().unwrap().last().map(|entry| entry.place.1);
            let next = acknowledged.map_or(0, |number| number + 1);
            assert!(
                there == acknowledged || there == Some(next),
                "step {fails_at}, {fate:?}: {there:?} after {acknowledged:?}"
            );
            if let Some(number) = there {
                assert_holds(&store, number);
            }
            let next = there.map_or(0, |number| number + 1);
            store.commit(&interval(next)).unwrap();
            assert_holds(&store, next);
        }
    }
}

#[test]
fn a_store_has_one_owner_who_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(&directory);
    let _store = open(&config);
    match Store::open(&config) {
        Err(StoreError::Held { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_newer_store_is_refused_and_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(&directory);
    let store = open(&config);
    let write = store.database().unwrap().begin_write().unwrap();
    schema::note(&write, schema::Version(schema::CURRENT.0 + 1)).unwrap();
    write.commit().unwrap();
    drop(store);
    let before = std::fs::read(&config.path).unwrap();
    match Store::open(&config) {
        Err(error @ StoreError::Newer { .. }) => {
            assert!(error.to_string().contains("newer sensor"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert!(std::fs::read(&config.path).unwrap() == before, "changed");
}

#[test]
fn what_is_no_store_is_moved_aside_unchanged_or_refused() {
    for content in [
        &b"not a store"[..],
        &[0; 100_000],
        b"redb\x1a\x0a\xa9\x0d\x0a",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(&directory);
        std::fs::create_dir(config.path.parent().unwrap()).unwrap();
        std::fs::write(&config.path, content).unwrap();
        config.strict = true;
        assert!(matches!(
            Store::open(&config),
            Err(StoreError::Refused { .. })
        ));
        assert_eq!(std::fs::read(&config.path).unwrap(), content);
        config.strict = false;
        let Opened { store, warnings } = Store::open(&config).unwrap();
        assert!(warnings[0].contains(".corrupt-"), "{warnings:?}");
        drop(store);
        let aside = std::fs::read_dir(config.path.parent().unwrap()).unwrap();
        let aside = aside
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().contains(".corrupt-"))
            .unwrap();
        assert_eq!(std::fs::read(aside).unwrap(), content);
        open(&config);
    }
}

#[test]
fn a_database_without_a_version_is_legacy() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(&directory);
    std::fs::create_dir(config.path.parent().unwrap()).unwrap();
    let other = Database::create(&config.path).unwrap();
    let write = other.begin_write().unwrap();
    let table: TableDefinition<'_, u64, u64> = TableDefinition::new("things");
    write.open_table(table).unwrap().insert(1, 2).unwrap();
    write.commit().unwrap();
    drop(other);
    let before = std::fs::read(&config.path).unwrap();
    let Opened { warnings, .. } = Store::open(&config).unwrap();
    assert!(warnings[0].contains(".legacy"), "{warnings:?}");
    let aside = config.path.with_file_name("metadata.redb.legacy");
    assert!(std::fs::read(aside).unwrap() == before, "changed");
}

/// docs/STORE.md names every table, and each field of each record.
#[test]
fn the_format_document_is_of_this_format() {
    let document = include_str!("../../../docs/STORE.md");
    let directory = tempfile::tempdir().unwrap();
    let store = open(&config(&directory));
    let read = redb::ReadableDatabase::begin_read(store.database().unwrap()).unwrap();
    let mut tables: Vec<_> = read
        .list_tables()
        .unwrap()
        .map(|table| redb::TableHandle::name(&table).to_owned())
        .collect();
    let (_, rest) = document.split_once("## Tables").unwrap();
    let (listed, rest) = rest.split_once("## Records").unwrap();
    let (records, _) = rest.split_once("## Versions").unwrap();
    let first = |line: &str| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned());
    let mut told: Vec<_> = listed.lines().filter_map(first).collect();
    tables.sort();
    told.sort();
    assert_eq!(told, tables);
    assert!(document.contains(&format!("\n| {} |", schema::CURRENT.0)));

    let mut fields = Vec::new();
    let mut tag = "";
    for line in include_str!("records.rs").lines().map(str::trim) {
        if let Some((_, rest)) = line.split_once("tag = \"") {
            tag = rest.split('"').next().unwrap();
        } else if let Some(name) = line.strip_prefix("pub struct ") {
            fields.push(format!("### {}", name.split(' ').next().unwrap()));
        } else if let Some(name) = line.strip_prefix("pub ").and_then(|l| l.split_once(": "))
            && !name.0.starts_with("fn ")
        {
            fields.push(format!("{tag} `{}`", name.0));
        }
    }
    let told: Vec<_> = records
        .lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            match cells[..] {
                [title] if title.starts_with("### ") => Some(title.to_owned()),
                [_, tag, _, name, _] if name.starts_with('`') => Some(format!("{tag} {name}")),
                _ => None,
            }
        })
        .collect();
    assert_eq!(told, fields);
}
