//! What may lie where the store should be.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use proptest::prelude::*;

use super::{
    Claimant, Opened, Reader, Store, StoreConfig, StoreError,
    tests::{config, interval, open},
};

const PLAIN: &[u8] = include_bytes!("fixtures/framework/plain.db");
const HOT: &[u8] = include_bytes!("fixtures/framework/hot.db");
const FOREIGN: &[u8] = include_bytes!("fixtures/framework/foreign.db");
const JOURNAL: &[u8] = include_bytes!("fixtures/framework/hot.db-journal");
const TILL: &str = "6b1f4d1e-0000-4000-9000-000000000002";
/// No opening takes longer.
const LIMIT: Duration = Duration::from_secs(30);

fn directory(config: &StoreConfig) -> &Path {
    let directory = config.path.parent().unwrap();
    fs::create_dir_all(directory).unwrap();
    directory
}

fn names(config: &StoreConfig) -> Vec<String> {
    let files = fs::read_dir(config.path.parent().unwrap()).unwrap();
    let mut names: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".lock"))
        .collect();
    names.sort();
    names
}

/// Opens on a thread of its own, so that a hang is a failure.
fn open_in_time(config: &StoreConfig) -> Result<Opened, StoreError> {
    let (sender, receiver) = mpsc::channel();
    let config = config.clone();
    let opening = thread::spawn(move || sender.send(Store::open(&config)).is_ok());
    let result = receiver.recv_timeout(LIMIT).expect("it hangs or panics");
    assert!(opening.join().unwrap());
    result
}

fn knows_the_framework(store: &Store) {
    let known = store.known().unwrap();
    assert_eq!(known.legacy_services.len(), 3);
    assert_eq!(known.legacy_hosts.len(), 2);
    let claimants = [Claimant {
        service_id: "strategy_till",
        plugin: "till",
    }];
    let ids = known.legacy_ids("till-3", &claimants);
    assert_eq!(ids["strategy_till"].to_string(), TILL);
}

#[test]
fn the_frameworks_file_beside_makes_way_once() {
    let temporary = tempfile::tempdir().unwrap();
    let config = config(&temporary);
    let old = directory(&config).join("metadata.db");
    fs::write(&old, HOT).unwrap();
    fs::write(old.with_extension("db-journal"), JOURNAL).unwrap();
    fs::write(old.with_extension("db-shm"), b"shared").unwrap();
    let Opened { store, warnings } = Store::open(&config).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("3 services"), "{warnings:?}");
    knows_the_framework(&store);
    drop(store);
    assert_eq!(
        names(&config),
        [
            "metadata.db.legacy",
            "metadata.db.legacy-journal",
            "metadata.db.legacy-shm",
            "metadata.redb"
        ]
    );
    let kept = old.with_extension("db.legacy");
    assert!(fs::read(&kept).unwrap() == HOT);
    assert_eq!(fs::metadata(&kept).unwrap().nlink(), 1);
    knows_the_framework(&open(&config));
    // Another one is not ours to take: the store exists.
    fs::write(&old, PLAIN).unwrap();
    open(&config);
    assert!(fs::read(&old).unwrap() == PLAIN);
}

#[test]
fn the_frameworks_file_in_the_place_of_the_store_makes_way() {
    for strict in [false, true] {
        let temporary = tempfile::tempdir().unwrap();
        let mut config = config(&temporary);
        config.strict = strict;
        config.path = directory(&config).join("metadata.db");
        fs::write(&config.path, PLAIN).unwrap();
        // Somebody else's, which must stay.
        fs::write(config.path.with_extension("db.legacy"), b"mine").unwrap();
        let Opened { store, warnings } = Store::open(&config).unwrap();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        knows_the_framework(&store);
        drop(store);
        assert_eq!(
            names(&config),
            ["metadata.db", "metadata.db.legacy", "metadata.db.legacy.1"]
        );
        let at = |name: &str| fs::read(config.path.with_file_name(name)).unwrap();
        assert!(at("metadata.db.legacy") == b"mine");
        assert!(at("metadata.db.legacy.1") == PLAIN);
        knows_the_framework(&open(&config));
    }
}

#[test]
fn an_id_that_was_taken_over_is_no_longer_unclaimed() {
    let temporary = tempfile::tempdir().unwrap();
    let config = config(&temporary);
    fs::write(directory(&config).join("metadata.db"), PLAIN).unwrap();
    let store = Store::open(&config).unwrap().store;
    let mut changes = interval(0);
    changes.time = crate::units::WallNanos(1_800_000_000_000_000_000);
    let seen = changes.seen.as_mut().unwrap();
    let mut identity = (*seen.services[0]).clone();
    identity.instance_id = TILL.parse().unwrap();
    seen.services = vec![identity.into()];
    store.commit(&changes).unwrap();
    let known = store.known().unwrap();
    assert_eq!(known.services[0].instance_id, TILL);
    assert_eq!(known.services[0].first_seen_ns, 1_735_787_045_000_000_000);
    assert_eq!(known.legacy_services.len(), 2);
    // The host of this name goes on, too; the other one stays.
    assert_eq!(known.hosts[0].1.first_seen_ns, 1_735_787_045_678_901_000);
    let id = "6b1f4d1e-0000-4000-8000-000000000001";
    assert_eq!(known.host_id("till-3"), Some(id));
    assert_eq!(known.legacy_hosts.len(), 1);
}

#[test]
fn an_empty_file_is_no_store() {
    let temporary = tempfile::tempdir().unwrap();
    let mut config = config(&temporary);
    drop(Store::open(&config).unwrap());
    fs::write(&config.path, b"").unwrap();
    config.strict = true;
    let refused = Store::open(&config).unwrap_err();
    assert!(matches!(refused, StoreError::Refused { .. }), "{refused}");
    assert_eq!(fs::metadata(&config.path).unwrap().len(), 0);
    config.strict = false;
    let warnings = Store::open(&config).unwrap().warnings;
    assert!(warnings[0].contains("is empty"), "{warnings:?}");
    assert!(names(&config).iter().any(|name| name.contains(".corrupt-")));
}

#[test]
fn sqlite_of_somebody_else_is_kept_aside_or_left_alone() {
    let temporary = tempfile::tempdir().unwrap();
    let mut config = config(&temporary);
    let beside = directory(&config).join("metadata.db");
    fs::write(&beside, FOREIGN).unwrap();
    open(&config);
    assert_eq!(names(&config), ["metadata.db", "metadata.redb"]);

    config.path = beside;
    config.strict = true;
    let refused = Store::open(&config).unwrap_err();
    assert!(matches!(refused, StoreError::Refused { .. }), "{refused}");
    assert!(fs::read(&config.path).unwrap() == FOREIGN);
    config.strict = false;
    fs::write(config.path.with_extension("db-wal"), b"log").unwrap();
    let warnings = Store::open(&config).unwrap().warnings;
    assert!(warnings[0].contains("services and hosts"), "{warnings:?}");
    let names = names(&config);
    assert!(names[1].starts_with("metadata.db.corrupt-"), "{names:?}");
    assert_eq!(names[2], format!("{}-wal", names[1]));
    assert!(fs::read(config.path.with_file_name(&names[1])).unwrap() == FOREIGN);
}

#[test]
fn a_framework_file_that_is_damaged_gives_what_it_has_and_none_where_we_are_strict() {
    let temporary = tempfile::tempdir().unwrap();
    let mut config = config(&temporary);
    let old = directory(&config).join("metadata.db");
    let half = &PLAIN[..PLAIN.len() / 3];
    fs::write(&old, half).unwrap();
    config.strict = true;
    let refused = Store::open(&config).unwrap_err();
    assert!(refused.to_string().contains("metadata.db is"), "{refused}");
    assert_eq!(names(&config), ["metadata.db"]);
    config.strict = false;
    let warnings = Store::open(&config).unwrap().warnings;
    assert!(warnings[0].contains("in part only"), "{warnings:?}");
    assert!(fs::read(old.with_extension("db.legacy")).unwrap() == half);
}

/// What is in the way, and what it is called in the message.
fn obstacles(at: &Path, real: &Path) -> Vec<(PathBuf, &'static str)> {
    fs::create_dir_all(at).unwrap();
    let link = at.join("link");
    symlink(real, &link).unwrap();
    let dangling = at.join("dangling");
    symlink(at.join("nothing"), &dangling).unwrap();
    let fifo = at.join("fifo");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).unwrap();
    let socket = at.join("socket");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let directory = at.join("directory");
    fs::create_dir(&directory).unwrap();
    vec![
        (link, "symbolic link"),
        (dangling, "symbolic link"),
        (fifo, "regular file"),
        (socket, "regular file"),
        (PathBuf::from("/dev/null"), "regular file"),
        (directory, "cannot open"),
    ]
}

#[test]
fn whatever_is_no_file_is_refused_and_makes_nobody_wait() {
    let temporary = tempfile::tempdir().unwrap();
    let real = temporary.path().join("real");
    fs::write(&real, b"precious").unwrap();
    for (path, expected) in obstacles(&temporary.path().join("store"), &real) {
        let config = StoreConfig {
            path,
            strict: false,
        };
        let error = open_in_time(&config).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(Reader::open(&config.path).is_err(), "{:?}", config.path);
    }
    assert_eq!(fs::read(&real).unwrap(), b"precious");
    // At the lock, whoever has the store is unknown; nobody waits either.
    for (path, _) in obstacles(&temporary.path().join("lock"), &real) {
        if path.starts_with("/dev") {
            continue;
        }
        let store = path.with_extension("redb");
        fs::rename(&path, path.with_extension("redb.lock")).unwrap();
        open_in_time(&StoreConfig {
            path: store.clone(),
            strict: false,
        })
        .unwrap_err();
        assert!(Reader::open(&store).is_err());
        assert!(!store.exists());
    }
    // Beside the store they are in nobody's way.
    for (path, _) in obstacles(&temporary.path().join("beside"), &real) {
        if path.starts_with("/dev") {
            continue;
        }
        let place = path.with_file_name(format!("{}-place", path.file_name().unwrap().display()));
        fs::create_dir(&place).unwrap();
        let old = place.join("metadata.db");
        fs::rename(&path, &old).unwrap();
        let config = StoreConfig {
            path: place.join("metadata.redb"),
            strict: false,
        };
        let warnings = open_in_time(&config).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(fs::symlink_metadata(&old).is_ok());
        let kind = fs::symlink_metadata(&old).unwrap().file_type();
        assert!(!kind.is_file() && !kind.is_block_device());
    }
    assert_eq!(fs::read(&real).unwrap(), b"precious");
}

#[test]
fn a_directory_through_a_link_is_fine_and_keeps_its_mode() {
    let temporary = tempfile::tempdir().unwrap();
    let real = temporary.path().join("real");
    fs::create_dir(&real).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o755)).unwrap();
    symlink(&real, temporary.path().join("link")).unwrap();
    open(&StoreConfig {
        path: temporary.path().join("link/metadata.redb"),
        strict: false,
    });
    assert!(real.join("metadata.redb").is_file());
    assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, 0o755);
}

#[test]
fn a_path_that_cannot_be_made_is_an_error_of_opening() {
    let temporary = tempfile::tempdir().unwrap();
    fs::write(temporary.path().join("file"), b"").unwrap();
    for path in ["file/metadata.redb", "file/deep/metadata.redb"] {
        let config = StoreConfig {
            path: temporary.path().join(path),
            strict: false,
        };
        let error = open_in_time(&config).unwrap_err();
        assert!(
            matches!(error, StoreError::Open { .. } | StoreError::Unsafe { .. }),
            "{error}"
        );
    }
    let config = StoreConfig {
        path: PathBuf::from("/proc/nowhere/metadata.redb"),
        strict: false,
    };
    assert!(matches!(
        open_in_time(&config),
        Err(StoreError::Open { .. })
    ));
}

/// A store with something in every table.
fn full() -> Vec<u8> {
    let temporary = tempfile::tempdir().unwrap();
    let config = config(&temporary);
    fs::write(directory(&config).join("metadata.db"), PLAIN).unwrap();
    let store = Store::open(&config).unwrap().store;
    for number in 0..8 {
        store.commit(&interval(number)).unwrap();
    }
    drop(store);
    fs::read(&config.path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever happened to the file: afterwards there is a store that works,
    /// and what was there is there still, or it was refused unchanged.
    #[test]
    fn a_damaged_store_never_panics_or_hangs(
        bytes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        where_to in 0..3_usize,
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        use std::sync::OnceLock;
        static FULL: OnceLock<Vec<u8>> = OnceLock::new();
        let mut content = FULL.get_or_init(full).clone();
        for (at, byte) in bytes {
            // The header, the first pages, anywhere.
            let end = [320, 65_536, content.len()][where_to].min(content.len());
            content[at.index(end)] = byte;
        }
        if let Some(cut) = cut {
            content.truncate(cut.index(content.len()));
        }
        let temporary = tempfile::tempdir().unwrap();
        let config = config(&temporary);
        directory(&config);
        fs::write(&config.path, &content).unwrap();
        if let Ok(reader) = Reader::open(&config.path) {
            let _ = (reader.known(), reader.waiting());
        }
        let _ = super::verify(&config.path);
        prop_assert!(fs::read(&config.path).unwrap() == content, "reading changed it");
        match open_in_time(&config) {
            Err(_) => prop_assert!(fs::read(&config.path).unwrap() == content, "changed"),
            Ok(Opened { store, warnings }) => {
                if !warnings.is_empty() {
                    let aside = names(&config).into_iter().find(|name| name != "metadata.redb");
                    let aside = config.path.with_file_name(aside.unwrap());
                    prop_assert!(fs::read(aside).unwrap() == content);
                    store.commit(&interval(9)).unwrap();
                }
                // It may be damaged where nothing has looked yet.
                let _ = store.commit(&interval(10));
                for entry in store.index().unwrap_or_default() {
                    let _ = store.request(entry.place);
                }
            }
        }
    }
}
