use bytes::Bytes;

use super::*;

const NOW: WallNanos = WallNanos(1_000_000_000_000);

fn batch(name: u8, size: usize) -> Batch {
    Batch {
        bytes: Bytes::from(vec![name; size]),
        records: 10,
    }
}

fn names(queue: &mut Queue) -> Vec<u8> {
    let mut names = Vec::new();
    while let Some(Taken::Here(batch)) = queue.take() {
        names.push(batch.bytes[0]);
        queue.done();
    }
    names
}

fn filled(max_bytes: usize) -> Queue {
    let mut queue = Queue::new(1, max_bytes, Duration::from_secs(60));
    for name in 1..=3 {
        assert_eq!(queue.push(batch(name, 10), NOW), Dropped::default());
    }
    queue
}

const TWO: Dropped = Dropped {
    items: 2,
    records: 20,
};

#[test]
fn the_oldest_goes_first_in_both_senses() {
    let mut queue = filled(30);
    assert_eq!(queue.push(batch(4, 15), NOW), TWO);
    assert_eq!((queue.items(), queue.bytes()), (2, 25));
    assert_eq!(names(&mut queue), [3, 4]);
    assert_eq!((queue.items(), queue.bytes()), (0, 0));
}

#[test]
fn what_is_being_sent_is_not_dropped() {
    let mut queue = filled(30);
    let first = queue.take().unwrap();
    assert_eq!(queue.push(batch(4, 20), NOW), TWO);
    queue.release();
    assert_eq!(queue.take().unwrap(), first);
    assert_eq!(names(&mut queue), [1, 4]);
}

#[test]
fn what_can_never_fit_costs_nobody_else() {
    let mut queue = filled(30);
    let one = Dropped {
        items: 1,
        records: 10,
    };
    assert_eq!(queue.push(batch(4, 31), NOW), one);
    queue.take().unwrap();
    assert_eq!(queue.push(batch(5, 21), NOW), one);
    assert_eq!(names(&mut queue), [1, 2, 3]);
}

#[test]
fn done_without_take_removes_nothing() {
    let mut queue = filled(30);
    queue.done();
    assert_eq!(queue.items(), 3);
}

/// Three requests of 10 bytes that were written.
fn stored() -> Queue {
    let mut queue = Queue::new(1, 30, Duration::from_secs(60));
    assert_eq!(queue.restore(&[]), Dropped::default());
    for name in 1..=3 {
        assert_eq!(queue.push(batch(name, 10), NOW), Dropped::default());
    }
    write(&mut queue);
    queue
}

fn write(queue: &mut Queue) -> Vec<Place> {
    let (accepted, gone) = queue.changes();
    queue.written(&accepted, gone.len());
    gone
}

#[test]
fn with_a_store_nothing_is_sent_before_it_was_written() {
    let mut queue = Queue::new(1, 30, Duration::from_secs(60));
    assert_eq!(queue.restore(&[]), Dropped::default());
    assert_eq!(queue.push(batch(1, 10), NOW), Dropped::default());
    assert_eq!(queue.take(), None);
    write(&mut queue);
    assert_eq!(queue.take(), Some(Taken::Stored((1, 1), 10)));
    assert_eq!((queue.unwritten(), queue.bytes()), (0, 10));
    queue.done();
    assert_eq!(write(&mut queue), [(1, 1)]);
    assert_eq!(write(&mut queue), []);
}

#[test]
fn what_is_dropped_is_forgotten_by_the_store_too() {
    let mut queue = stored();
    assert_eq!(queue.push(batch(4, 15), NOW), TWO);
    assert_eq!(write(&mut queue), [(1, 1), (1, 2)]);
}

#[test]
fn while_the_disk_fails_memory_has_to_do() {
    let mut queue = stored();
    while queue.take().is_some() {
        queue.done();
    }
    assert_eq!(queue.push(batch(4, 10), NOW), Dropped::default());
    queue.fails();
    assert_eq!(names(&mut queue), [4]);
    assert_eq!(queue.push(batch(5, 10), NOW), Dropped::default());
    let gone = write(&mut queue);
    assert_eq!(gone, [(1, 1), (1, 2), (1, 3), (1, 4)]);
    assert_eq!(queue.take(), Some(Taken::Stored((1, 5), 10)));
}

#[test]
fn what_cannot_be_read_holds_up_nobody_while_the_disk_fails() {
    let mut queue = stored();
    assert_eq!(queue.push(batch(4, 0), NOW), Dropped::default());
    queue.take().unwrap();
    queue.release();
    assert_eq!(queue.take_from_memory(), None);
    queue.fails();
    assert_eq!(queue.take_from_memory().unwrap().bytes.len(), 0);
    // Of the others the oldest goes, not the one that is being sent.
    assert_eq!(queue.push(batch(5, 20), NOW), TWO);
    queue.done();
    assert_eq!(queue.take(), Some(Taken::Stored((1, 3), 10)));
    assert_eq!((queue.items(), queue.bytes()), (2, 30));
    // It is not there after all.
    let one = Dropped {
        items: 1,
        records: 10,
    };
    assert_eq!(queue.lost(), one);
    assert_eq!(queue.lost(), Dropped::default());
    assert_eq!(names(&mut queue), [5]);
}

#[test]
fn memory_is_bounded_while_the_disk_fails() {
    let mut queue = Queue::new(1, usize::MAX, Duration::from_secs(60));
    assert_eq!(queue.restore(&[]), Dropped::default());
    queue.fails();
    let half = MEMORY_BYTES / 2;
    for name in 1..=2 {
        assert_eq!(queue.push(batch(name, half), NOW), Dropped::default());
    }
    let one = Dropped {
        items: 1,
        records: 10,
    };
    assert_eq!(queue.push(batch(3, half), NOW), one);
    assert_eq!(names(&mut queue), [2, 3]);
}

#[test]
fn what_waited_before_a_restart_goes_first_and_numbers_go_on() {
    let mut queue = Queue::new(2, 30, Duration::from_secs(60));
    let indexed = |signal, number| Indexed {
        place: (signal, number),
        bytes: 10,
        records: 10,
        since: NOW,
    };
    let index: Vec<_> = (1..=4).map(|n| indexed(2, 10 + n)).collect();
    let foreign = indexed(1, 99);
    let one = Dropped {
        items: 1,
        records: 10,
    };
    assert_eq!(queue.restore(&[vec![foreign], index].concat()), one);
    assert_eq!(queue.take(), Some(Taken::Stored((2, 12), 10)));
    let (_, gone) = queue.changes();
    assert_eq!(gone, [(2, 11)]);
    queue.release();
    assert_eq!(queue.push(batch(1, 10), NOW), one);
    assert_eq!(queue.changes().0[0].place, (2, 15));
}

#[test]
fn what_is_too_old_is_dropped_but_not_what_is_being_sent() {
    let mut queue = stored();
    let later = WallNanos(NOW.0 + 61_000_000_000);
    queue.take().unwrap();
    assert_eq!(queue.expire(NOW), Dropped::default());
    assert_eq!(queue.expire(later), TWO);
    assert_eq!(queue.items(), 1);
    // A clock that was set back makes nothing old.
    queue.release();
    assert_eq!(queue.expire(WallNanos(0)), Dropped::default());
}
