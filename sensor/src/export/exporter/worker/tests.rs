use std::{collections::VecDeque, sync::Mutex, time::Duration};

use super::*;
use crate::export::{exporter::SignalStats, wire::Batch};

const GOODS: Goods = Goods {
    name: "metrics",
    records: "data points",
};

/// Answers from a list, the last one for ever, and notes what came when.
struct Scripted {
    script: VecDeque<Answer>,
    seen: Arc<Mutex<Vec<(f64, u8)>>>,
    start: Instant,
}

#[derive(Clone)]
enum Answer {
    Now(Outcome),
    Never,
}

impl Transport for Scripted {
    async fn send(&mut self, request: Bytes) -> Outcome {
        let at = self.start.elapsed().as_secs_f64();
        self.seen.lock().unwrap().push((at, request[0]));
        let answer = match self.script.len() {
            1 => self.script[0].clone(),
            _ => self.script.pop_front().unwrap(),
        };
        match answer {
            Answer::Now(outcome) => outcome,
            Answer::Never => std::future::pending().await,
        }
    }

    fn target(&self) -> String {
        "collector:4317".to_owned()
    }
}

struct Bench {
    lane: Arc<Lane>,
    seen: Arc<Mutex<Vec<(f64, u8)>>>,
    stop: watch::Sender<Option<Instant>>,
    task: tokio::task::JoinHandle<()>,
}

impl Bench {
    fn new(script: &[Answer]) -> Self {
        let lane = Arc::new(Lane::new(1, 100, Duration::from_secs(3_600)));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = watch::channel(None);
        let transport = Scripted {
            script: script.iter().cloned().collect(),
            seen: Arc::clone(&seen),
            start: Instant::now(),
        };
        let task = tokio::spawn(run(Arc::clone(&lane), GOODS, transport, stopped));
        Self {
            lane,
            seen,
            stop,
            task,
        }
    }

    fn push(&self, names: std::ops::RangeInclusive<u8>) {
        let batch = |name| Batch {
            bytes: vec![name; 10].into(),
            records: 5,
        };
        self.lane.push(names.map(batch).collect());
    }

    /// Lets virtual time pass; the clock is paused.
    async fn run_for(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    async fn drain(self, limit: Duration) -> (Vec<(f64, u8)>, SignalStats, Duration) {
        let start = Instant::now();
        self.stop.send(Some(start + limit)).unwrap();
        self.task.await.unwrap();
        let seen = self.seen.lock().unwrap().clone();
        (seen, self.lane.stats(), start.elapsed())
    }
}

fn ok() -> Answer {
    Answer::Now(Outcome::Delivered {
        rejected: 0,
        message: String::new(),
    })
}

fn away() -> Answer {
    Answer::Now(Outcome::Retry {
        after: None,
        reason: "connection refused".to_owned(),
    })
}

fn asked(seconds: u64) -> Answer {
    Answer::Now(Outcome::Retry {
        after: Some(Duration::from_secs(seconds)),
        reason: "HTTP status 503".to_owned(),
    })
}

fn names(seen: &[(f64, u8)]) -> Vec<u8> {
    seen.iter().map(|(_, name)| *name).collect()
}

const DRAIN: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn a_collector_that_is_away_is_tried_at_least_every_five_seconds_and_order_is_kept() {
    let mut script = vec![away(); 6];
    script.push(ok());
    let bench = Bench::new(&script);
    bench.push(1..=3);
    bench.run_for(60).await;
    let (seen, stats, _) = bench.drain(DRAIN).await;
    assert_eq!(names(&seen), [1, 1, 1, 1, 1, 1, 1, 2, 3]);
    for pair in seen[..7].windows(2) {
        let gap = pair[1].0 - pair[0].0;
        assert!((1.0..=5.01).contains(&gap), "{seen:?}");
    }
    assert_eq!(
        stats,
        SignalStats {
            attempts: 9,
            failures: 6,
            delivered_records: 15,
            ..SignalStats::default()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_the_collector_asks_for_is_kept() {
    let bench = Bench::new(&[asked(30), ok()]);
    bench.push(1..=1);
    bench.run_for(60).await;
    let (seen, _, _) = bench.drain(DRAIN).await;
    assert_eq!(names(&seen), [1, 1]);
    assert!((30.0..30.1).contains(&seen[1].0), "{seen:?}");
}

#[tokio::test]
async fn what_is_too_old_is_not_sent_without_a_store_either() {
    let lane = Lane::new(1, 100, Duration::ZERO);
    let batch = Batch {
        bytes: vec![1; 10].into(),
        records: 5,
    };
    lane.push(vec![batch]);
    std::thread::sleep(Duration::from_micros(1));
    assert_eq!(lane.take(), None);
    let stats = lane.stats();
    assert_eq!((stats.dropped_items, stats.dropped_records), (1, 5));
}

#[tokio::test(start_paused = true)]
async fn refused_and_rejected_records_are_counted_and_not_sent_again() {
    let bench = Bench::new(&[
        Answer::Now(Outcome::Refused {
            reason: "HTTP status 400".to_owned(),
        }),
        Answer::Now(Outcome::Delivered {
            rejected: 2,
            message: "too old".to_owned(),
        }),
    ]);
    bench.push(1..=2);
    let (seen, stats, _) = bench.drain(DRAIN).await;
    assert_eq!(names(&seen), [1, 2]);
    assert_eq!(
        stats,
        SignalStats {
            attempts: 2,
            failures: 1,
            delivered_records: 3,
            rejected_records: 2,
            refused_records: 5,
            ..SignalStats::default()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_and_drops_the_oldest() {
    let mut script = vec![away(); 3];
    script.push(ok());
    let bench = Bench::new(&script);
    bench.push(1..=1);
    bench.run_for(1).await;
    bench.push(2..=15);
    let full = bench.lane.stats();
    assert_eq!((full.queue_items, full.queue_bytes), (10, 100));
    assert_eq!((full.dropped_items, full.dropped_records), (5, 25));
    bench.run_for(60).await;
    let (seen, stats, _) = bench.drain(DRAIN).await;
    let delivered = &names(&seen)[seen.len() - 10..];
    assert_eq!(delivered, (6..=15).collect::<Vec<u8>>());
    assert_eq!(stats.delivered_records, 50);
}

#[tokio::test(start_paused = true)]
async fn a_drain_tries_once_more_and_gives_up() {
    let bench = Bench::new(&[away()]);
    bench.push(1..=2);
    bench.run_for(20).await;
    let before = bench.lane.stats().attempts;
    let (_, stats, took) = bench.drain(DRAIN).await;
    assert_eq!(stats.attempts, before + 1);
    assert_eq!((stats.queue_items, stats.queue_bytes), (2, 20));
    assert!(took < Duration::from_millis(10), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_drain_has_an_end_where_the_collector_is_silent() {
    let bench = Bench::new(&[ok(), Answer::Never]);
    bench.push(1..=3);
    let (seen, stats, took) = bench.drain(DRAIN).await;
    assert_eq!(names(&seen), [1, 2]);
    assert_eq!((stats.delivered_records, stats.queue_items), (5, 2));
    assert!(
        (DRAIN..DRAIN + Duration::from_millis(10)).contains(&took),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_keeps_to_the_delay_that_was_asked_for() {
    for (delay, tries, left) in [(3, 2, 0), (30, 1, 1)] {
        let bench = Bench::new(&[asked(delay), ok()]);
        bench.push(1..=1);
        bench.run_for(1).await;
        let (seen, stats, took) = bench.drain(DRAIN).await;
        assert_eq!((seen.len(), stats.queue_items), (tries, left), "{delay}");
        assert!(took <= DRAIN, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_its_last_owner() {
    let bench = Bench::new(&[Answer::Never]);
    bench.push(1..=1);
    bench.run_for(1).await;
    drop(bench.stop);
    tokio::time::timeout(Duration::from_secs(1), bench.task)
        .await
        .unwrap()
        .unwrap();
}
