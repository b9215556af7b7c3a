use proptest::prelude::*;

use super::*;

/// A file that SQLite made, and what lies beside it.
struct Real {
    main: &'static [u8],
    wal: Option<&'static [u8]>,
    journal: Option<&'static [u8]>,
}

macro_rules! real {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/framework/", $name)).as_slice()
    };
}

const PLAIN: Real = alone(real!("plain.db"));
const WIDE: Real = alone(real!("wide.db"));
const MANY: Real = alone(real!("many.db"));
const FOREIGN: Real = alone(real!("foreign.db"));
const LOG: Real = Real {
    main: real!("log.db"),
    wal: Some(real!("log.db-wal")),
    journal: None,
};
const HOT: Real = Real {
    main: real!("hot.db"),
    wal: None,
    journal: Some(real!("hot.db-journal")),
};
const HOST: &str = "6b1f4d1e-0000-4000-8000-000000000001";

const fn alone(main: &'static [u8]) -> Real {
    Real {
        main,
        wal: None,
        journal: None,
    }
}

fn of(real: &Real) -> Framework {
    parse(real.main, real.wal, real.journal).unwrap().unwrap()
}

fn names(framework: &Framework) -> Vec<&str> {
    let services = framework.services.iter();
    services
        .map(|(_, service)| service.full_name.as_str())
        .collect()
}

#[test]
fn hosts_and_services_are_read_with_all_there_is_to_know() {
    let found = of(&PLAIN);
    assert_eq!(found.damage, None);
    assert_eq!(found.hosts.len(), 2);
    let (id, host) = &found.hosts[0];
    assert_eq!((id.as_str(), host.host_name.as_str()), (HOST, "till-3"));
    // 2025-01-02T03:04:05.678901Z and 2025-06-07T08:09:10Z.
    assert_eq!(host.first_seen_ns, 1_735_787_045_678_901_000);
    assert_eq!(host.last_seen_ns, 1_749_283_750_000_000_000);
    assert_eq!(names(&found), ["m8mulprc", "till", "till"]);
    let expected = LegacyService {
        full_name: "m8mulprc".to_owned(),
        display_name: "M8Mulprc".to_owned(),
        version: "0.1.0".to_owned(),
        description: "counts ₿".to_owned(),
        namespace: "Strategy₿".to_owned(),
        host_id: HOST.to_owned(),
        first_seen_ns: 1_735_787_045_000_000_000,
        last_seen_ns: 1_749_283_750_000_000_000,
    };
    let id = "6b1f4d1e-0000-4000-9000-000000000001".to_owned();
    assert_eq!(found.services[0], (id, expected));
}

#[test]
fn columns_count_by_name_and_missing_ones_are_empty() {
    let found = of(&WIDE);
    assert_eq!(found.damage, None);
    assert_eq!(found.hosts[0].0, HOST);
    assert_eq!(found.hosts[0].1.host_name, "till-3");
    assert_eq!(found.hosts[0].1.first_seen_ns, 0);
    assert_eq!(found.hosts[0].1.last_seen_ns, 1_735_787_045_000_000_000);
    assert_eq!(names(&found), ["m8mulprc", "till"]);
    let (_, first) = &found.services[0];
    assert_eq!(first.description, "₿".repeat(MAX_TEXT / "₿".len()));
    assert_eq!(first.version, "");
    assert_eq!(found.services[1].1.version, "2");
    assert_eq!(found.services[1].1.last_seen_ns, 1_749_283_751_000_000_000);
}

#[test]
fn trees_of_several_levels_are_walked_in_order() {
    let found = of(&MANY);
    assert_eq!(found.damage, None);
    let expected: Vec<_> = (0..120).map(|n| format!("service_{n:03}")).collect();
    assert_eq!(names(&found), expected);
    assert!(
        found
            .services
            .iter()
            .all(|(_, one)| one.namespace == "Strategy₿")
    );
}

#[test]
fn what_was_committed_to_the_log_counts_and_nothing_else() {
    assert_eq!(names(&of(&LOG)), ["m8mulprc", "till"]);
    assert_eq!(names(&of(&alone(LOG.main))), ["m8mulprc"]);
    // Where the last frame that ends a transaction is damaged, it does not count.
    let wal = LOG.wal.unwrap();
    for at in [0, 16, 24, 40, 60] {
        let mut wal = wal.to_vec();
        wal[at] ^= 1;
        let found = parse(LOG.main, Some(&wal), None).unwrap().unwrap();
        assert_eq!(names(&found), ["m8mulprc"], "byte {at}");
    }
    for cut in [0, 31, 32, 56, 100] {
        let found = parse(LOG.main, Some(&wal[..cut]), None).unwrap().unwrap();
        assert_eq!(names(&found), ["m8mulprc"], "cut at {cut}");
    }
}

#[test]
fn a_transaction_that_did_not_end_is_taken_back_as_the_journal_says() {
    let found = of(&HOT);
    assert_eq!(found.damage, None);
    assert_eq!(names(&found), ["m8mulprc", "till", "till"]);
    let without = parse(HOT.main, None, None).unwrap().unwrap();
    assert_ne!(without, found);
    // A journal that is done with begins with zeros.
    let mut done = HOT.journal.unwrap().to_vec();
    done[..28].fill(0);
    let with_done = parse(HOT.main, None, Some(&done)).unwrap().unwrap();
    assert_eq!(with_done, without);
}

#[test]
fn what_is_not_the_frameworks_is_told_apart() {
    assert_eq!(parse(FOREIGN.main, None, None).unwrap(), None);
    for content in [
        &b""[..],
        b"SQLite format 3",
        b"redb\x1a\x0a\xa9\x0d\x0a",
        &[0; 4_096],
    ] {
        let found = parse(content, None, None);
        assert!(matches!(found, Err(SqliteError::NotSqlite)), "{found:?}");
    }
    let found = parse(&PLAIN.main[..100], None, None);
    assert!(matches!(found, Err(SqliteError::Damaged(_))), "{found:?}");
}

#[test]
fn what_is_damaged_is_passed_over_and_named() {
    let page_size = 4_096;
    let mut hurt = 0;
    for page in 1..PLAIN.main.len() / page_size {
        let mut main = PLAIN.main.to_vec();
        main[page * page_size..][..page_size].fill(0xff);
        let found = parse(&main, None, None).unwrap().unwrap();
        assert!(found.hosts.len() + found.services.len() >= 2, "page {page}");
        hurt += usize::from(found.damage.is_some());
        assert_eq!(
            found.damage.is_some(),
            (found.hosts.len(), found.services.len()) != (2, 3)
                || found.services[0].1.namespace.is_empty(),
            "page {page}"
        );
    }
    assert_eq!(hurt, 3, "hosts, namespaces and services have a page each");
}

fn mutated() -> impl Strategy<Value = (usize, Vec<(prop::sample::Index, u8)>, usize)> {
    let bytes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20);
    (0..5_usize, bytes, 0..3_usize)
}

proptest! {
    /// Whatever happened to a real file, reading it ends, and names what is
    /// wrong or finds no more than there was room for.
    #[test]
    fn mutated_files_are_read_or_refused((which, bytes, part) in mutated()) {
        let real = [PLAIN, WIDE, MANY, LOG, HOT].into_iter().nth(which).unwrap();
        let mut main = real.main.to_vec();
        let mut wal = real.wal.map(<[u8]>::to_vec);
        let mut journal = real.journal.map(<[u8]>::to_vec);
        for (at, byte) in bytes {
            let target = match part {
                // Headers and the lists of cells decide most.
                0 => &mut main[..8_192],
                1 => &mut main,
                _ => wal.as_mut().or(journal.as_mut()).unwrap_or(&mut main),
            };
            let at = at.index(target.len());
            target[at] = byte;
        }
        if let Ok(Some(found)) = parse(&main, wal.as_deref(), journal.as_deref()) {
            prop_assert!(found.services.len() <= MAX_ROWS);
        }
    }

    /// A file that is cut off is never taken for whole, unless nothing is
    /// missing in what counts.
    #[test]
    fn a_file_that_is_cut_off_is_refused_or_says_so(cut in 0..PLAIN.main.len()) {
        let whole = of(&PLAIN);
        if let Ok(Some(found)) = parse(&PLAIN.main[..cut], None, None) {
            prop_assert!(found == whole || found.damage.is_some());
        }
    }
}

/// A page that leads to itself, or twice to the same one.
#[test]
fn loops_end() {
    let mut main = MANY.main.to_vec();
    let page_size = 512;
    let mut interior = 0;
    for page in 1..main.len() / page_size {
        let at = page * page_size;
        if main[at] == 0x05 {
            interior += 1;
            let number = u32::try_from(page + 1).unwrap();
            main[at + 8..at + 12].copy_from_slice(&number.to_be_bytes());
        }
    }
    assert!(interior > 0);
    let found = parse(&main, None, None).unwrap().unwrap();
    assert!(found.damage.is_some());
}
