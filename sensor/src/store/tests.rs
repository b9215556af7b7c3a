use redb::{Database, ReadableDatabase, TableDefinition};

use super::{
    Store, StoreConfig, StoreError,
    open::Opened,
    records::{self, Host, Metric, Namespace, Service},
    schema,
};

fn config(directory: &tempfile::TempDir) -> StoreConfig {
    StoreConfig {
        path: directory.path().join("state/metadata.redb"),
        strict: false,
    }
}

fn open(config: &StoreConfig) -> Store {
    let Opened { store, warnings } = Store::open(config).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    store
}

/// What the fixtures hold.
fn fill(store: &Store) {
    let write = store.database.begin_write().unwrap();
    for index in 0..3_u64 {
        let name = format!("Strategy₿.Worker{index}");
        let id = format!("strategy_worker{index}");
        let service = Service {
            instance_id: format!("01900000-0000-7000-8000-00000000000{index}"),
            name,
            namespace: "Strategy₿".to_owned(),
            display_name: format!("Strategy Worker{index}"),
            version: "1.0.0".to_owned(),
            description: String::new(),
            first_seen_ns: 1_700_000_000_000_000_000 + index,
            last_seen_ns: 1_700_000_100_000_000_000 + index,
        };
        let mut services = write.open_table(schema::SERVICES).unwrap();
        let value = records::encode(&service);
        services.insert(id.as_str(), value.as_slice()).unwrap();
    }
    let host = Host {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        first_seen_ns: 1,
        last_seen_ns: 2,
    };
    let namespace = Namespace {
        first_seen_ns: 3,
        last_seen_ns: 4,
    };
    let metric = Metric {
        id: "01900000-0000-7000-8000-000000000009".to_owned(),
        display_name: "CPU Usage".to_owned(),
        unit: "%".to_owned(),
        kind: "gauge".to_owned(),
        decimals: 2,
        is_percentage: true,
        is_counter: false,
    };
    let put = |table, key, value: Vec<u8>| {
        let mut table = write.open_table(table).unwrap();
        table.insert(key, value.as_slice()).unwrap();
    };
    put(schema::HOSTS, "till-3", records::encode(&host));
    put(schema::NAMESPACES, "Strategy₿", records::encode(&namespace));
    put(schema::METRICS, "cpu_usage", records::encode(&metric));
    write.commit().unwrap();
}

#[test]
fn a_store_that_was_closed_opens_again() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(&directory);
    fill(&open(&config));
    let store = open(&config);
    let read = store.database.begin_read().unwrap();
    let services = read.open_table(schema::SERVICES).unwrap();
    let value = services.get("strategy_worker1").unwrap().unwrap();
    let service: Service = records::decode(value.value()).unwrap();
    assert_eq!(service.name, "Strategy₿.Worker1");
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
    let write = store.database.begin_write().unwrap();
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
