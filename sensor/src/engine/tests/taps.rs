//! Who is tapped, and what is kept of what they write.

use sensor_common::{event::Tap, kind, scheduler::Watched};

use super::bench::*;
use crate::{
    decode::Event, engine::scheduling::Change, incident::record::LAST_WORDS, plugin::LogsOptions,
};

const SHOP: Id = (20, ATTACHED + 2 * MS);
const CHILD: Id = (21, ATTACHED + 3 * MS);
const OTHER: Id = (30, ATTACHED + 4 * MS);

fn bench() -> Bench {
    let shop = crate::plugin::Plugin {
        logs: LogsOptions {
            tap: true,
            ..LogsOptions::default()
        },
        ..plugin("shop", "^shop$")
    };
    let mut bench = Bench::of(100, vec![shop, plugin("other", "^other$")]);
    assert!(bench.engine.wants_taps());
    bench.engine.follow_taps(true);
    for (id, name) in [(SHOP, "shop"), (OTHER, "other")] {
        bench.fork((1, 0), id);
        bench.exec(id, id.1 + 1, name, 1);
    }
    bench
}

fn writes(bench: &mut Bench, id: Id, text: &[u8], total: usize) {
    let tap = Tap {
        header: header(kind::TAP, id, id.1 + 2),
        len: u32::try_from(text.len()).unwrap(),
        total: u32::try_from(total).unwrap(),
    };
    bench.event(&Event::Tap(tap, text));
}

fn last_words(bench: &mut Bench, id: Id) -> Vec<u8> {
    bench.event(&exit(id, id.1 + 9 * MS, 3 << 8, cpu(1), 0));
    let mut ended = bench.engine.take_ended();
    assert_eq!(ended.len(), 1);
    ended.remove(0).tapped
}

fn watch((pid, start): Id) -> Change {
    let watched = Watched {
        start,
        tolerance: 0,
        slot: 0,
    };
    Change::Watch(pid, watched)
}

#[test]
fn members_are_tapped_from_their_exec_to_their_end() {
    let mut bench = bench();
    let told = |bench: &mut Bench| bench.engine.take_tap_changes();
    assert_eq!(told(&mut bench), [watch(SHOP)]);
    bench.fork(SHOP, CHILD);
    assert_eq!(told(&mut bench), [watch(CHILD)]);
    bench.exec(CHILD, CHILD.1 + 5, "true", 1);
    assert_eq!(told(&mut bench), [Change::Forget(CHILD.0)]);
    let _ = last_words(&mut bench, SHOP);
    assert_eq!(told(&mut bench), [Change::Forget(SHOP.0)]);
    bench.engine.follow_taps(false);
    bench.fork((1, 0), (40, ATTACHED + 5 * MS));
    bench.exec((40, ATTACHED + 5 * MS), ATTACHED + 6 * MS, "shop", 1);
    assert_eq!(told(&mut bench), []);
}

#[test]
fn the_end_of_what_a_member_wrote_is_kept() {
    let mut bench = bench();
    writes(&mut bench, SHOP, b"one\n", 4);
    writes(&mut bench, OTHER, b"of nobody's business\n", 21);
    writes(&mut bench, SHOP, b"half of", 7);
    writes(&mut bench, SHOP, b"the end\n", 9_000);
    assert_eq!(last_words(&mut bench, SHOP), b"one\nhalf of\nthe end\n");
    assert_eq!(last_words(&mut bench, OTHER), b"");
}

#[test]
fn another_program_begins_anew() {
    let mut bench = bench();
    writes(&mut bench, SHOP, b"of before\n", 10);
    bench.exec(SHOP, SHOP.1 + 3, "shop", 1);
    writes(&mut bench, SHOP, b"now\n", 4);
    assert_eq!(last_words(&mut bench, SHOP), b"now\n");
}

#[test]
fn what_is_kept_is_bounded_for_one_and_for_all() {
    let mut bench = Bench::of(1_000, {
        let mut shop = plugin("shop", "^shop$");
        shop.logs.tap = true;
        vec![shop]
    });
    bench.engine.follow_taps(true);
    let block = [b"x".repeat(99), b"\n".to_vec()].concat().repeat(80);
    let all: Vec<Id> = (100..400).map(|pid| (pid, ATTACHED + MS)).collect();
    for &id in &all {
        bench.fork((1, 0), id);
        bench.exec(id, id.1 + 1, "shop", 1);
        for _ in 0..10 {
            writes(&mut bench, id, &block, block.len());
        }
    }
    let mut kept = 0;
    for &id in &all {
        let words = last_words(&mut bench, id);
        assert!(words.is_empty() || words.len() >= LAST_WORDS);
        assert!(words.len() <= LAST_WORDS * 2);
        kept += words.len();
    }
    assert!(kept <= 2 << 20, "{kept}");
    assert!(kept > 1 << 20, "{kept}");
}

/// The hook on fork has put it in, whoever was told of it here.
#[test]
fn a_child_of_another_program_is_forgotten_though_nobody_was_told_of_it() {
    let mut bench = bench();
    let told = |bench: &mut Bench| bench.engine.take_tap_changes();
    assert_eq!(told(&mut bench), [watch(SHOP)]);
    bench.fork(SHOP, CHILD);
    bench.exec(CHILD, CHILD.1 + 5, "true", 1);
    assert_eq!(told(&mut bench), [Change::Forget(CHILD.0)]);
    // One that was born before the kernel had forgotten its parent.
    let grandchild = (22, CHILD.1 + 6);
    bench.fork(CHILD, grandchild);
    assert_eq!(told(&mut bench), []);
    writes(&mut bench, grandchild, b"nobody's\n", 9);
    assert_eq!(told(&mut bench), [Change::Forget(grandchild.0)]);
    assert_eq!(last_words(&mut bench, SHOP), b"");
}
