use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    processes: 20,
    text_bytes: 2_000,
};

fn process(pid: u32, path: &str, args: usize, watched: bool) -> Process {
    Process {
        key: ProcessKey {
            pid,
            start: BootNanos(u64::from(pid)),
        },
        exact: true,
        parent: None,
        program: Program {
            path: Some(path.as_bytes().into()),
            args: (args > 0).then(|| RawArguments {
                bytes: vec![b'a'; args].into(),
                truncated: false,
            }),
            comm: b"c"[..].into(),
        },
        user: None,
        cgroup: Some("/a".into()),
        earlier_peak_pages: None,
        services: if watched { [1].into() } else { Arc::default() },
        lineage: Arc::default(),
        former: Vec::new(),
        scanned: None,
        outputs: Default::default(),
        unexecuted: false,
    }
}

fn put(table: &mut Table, process: Process) {
    if table.make_room(process.key.pid) {
        table.insert(process);
    }
}

#[test]
fn the_same_text_counts_once() {
    let mut table = Table::new(LIMITS);
    put(&mut table, process(1, "/usr/bin/web", 100, true));
    let one = table.text_bytes();
    for pid in 2..=20 {
        put(&mut table, process(pid, "/usr/bin/web", 100, true));
    }
    assert_eq!((table.len(), table.text_bytes()), (20, one));
    assert_eq!(table.texts_evicted(), 0);
    for pid in 1..=20 {
        let key = process(pid, "", 0, true).key;
        table.remove(key).unwrap();
    }
    assert_eq!(table.text_bytes(), 0);
}

#[test]
fn without_room_the_oldest_that_nobody_watches_goes_then_arguments() {
    let mut table = Table::new(LIMITS);
    put(&mut table, process(1, &"x".repeat(700), 0, false));
    put(&mut table, process(2, "/usr/bin/web", 900, true));
    assert_eq!((table.len(), table.evicted()), (2, 0));
    put(&mut table, process(3, "/usr/bin/db", 400, true));
    assert!(table.by_pid(1).is_none());
    assert!(table.by_pid(3).unwrap().program.args.is_some());
    assert_eq!((table.evicted(), table.texts_evicted()), (1, 0));
    // Both are watched: they stay, and the newcomer's arguments do not.
    put(&mut table, process(4, "/usr/bin/dc", 501, true));
    let four = &table.by_pid(4).unwrap().program;
    assert_eq!((four.path.is_some(), four.args.is_some()), (true, false));
    assert_eq!((table.evicted(), table.texts_evicted()), (1, 1));
    // One that could never fit pushes out nobody.
    put(&mut table, process(5, "/usr/bin/dc", 1 << 20, false));
    assert_eq!((table.len(), table.texts_evicted()), (4, 2));
}

proptest! {
    #[test]
    fn texts_never_exceed_the_bound_and_are_given_back(
        steps in prop::collection::vec((1_u32..40, 0_usize..6, 0_usize..800, any::<bool>(), any::<bool>()), 1..200)
    ) {
        let mut table = Table::new(LIMITS);
        for (pid, path, args, watched, goes) in steps {
            let one = process(pid, &"/p".repeat(path * 40 + 1), args, watched);
            if goes {
                table.remove(one.key);
            } else {
                put(&mut table, one);
            }
            prop_assert!(table.len() <= LIMITS.processes);
            prop_assert!(table.text_bytes() <= LIMITS.text_bytes);
        }
        let keys: Vec<ProcessKey> = table.iter().map(|process| process.key).collect();
        for key in keys {
            table.remove(key);
        }
        prop_assert_eq!((table.text_bytes(), table.unwatched()), (0, 0));
    }
}
