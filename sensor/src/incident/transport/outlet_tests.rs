use std::{collections::VecDeque, path::Path, sync::mpsc, time::Instant as StdInstant};

use serde_json::json;

use super::*;
use crate::{
    config::{incident::transports, reader::Document},
    export::{HostResource, Keeper, Shelf, otlp::Outcome},
    incident::transport::{Sending, Settings, Transport, delivered, retry},
    store::{Reader, Store, StoreConfig},
};

/// Answers from a list, the last one for ever, and says what came.
#[derive(Debug)]
struct Scripted {
    name: &'static str,
    script: Mutex<VecDeque<Outcome>>,
    seen: mpsc::Sender<(&'static str, u64)>,
    durable: bool,
}

impl Settings for Scripted {
    fn shown(&self) -> Vec<(&'static str, toml::Value)> {
        Vec::new()
    }

    fn build(&self, _: &Surroundings) -> Result<Box<dyn Transport>, BuildError> {
        Ok(Box::new(Running {
            name: self.name,
            script: self.script.lock().unwrap().clone(),
            seen: self.seen.clone(),
        }))
    }

    fn is_durable(&self) -> bool {
        self.durable
    }
}

struct Running {
    name: &'static str,
    script: VecDeque<Outcome>,
    seen: mpsc::Sender<(&'static str, u64)>,
}

impl Transport for Running {
    fn target(&self) -> String {
        self.name.to_owned()
    }

    fn send<'a>(&'a mut self, parcel: &'a Parcel) -> Sending<'a> {
        let number = parcel.object()["n"].as_u64().unwrap();
        let _ = self.seen.send((self.name, number));
        let answer = match self.script.len() {
            1 => self.script[0].clone(),
            _ => self.script.pop_front().unwrap(),
        };
        Box::pin(async { answer })
    }
}

static FIRST: Kind = Kind {
    name: "first",
    number: 200,
    read: |_| unreachable!(),
};
static SECOND: Kind = Kind {
    name: "second",
    number: 208,
    read: |_| unreachable!(),
};

struct Bench {
    outlet: Outlet,
    seen: mpsc::Receiver<(&'static str, u64)>,
}

fn config(
    first: &[Outcome],
    shelf: Option<Arc<Shelf>>,
) -> (OutletConfig, mpsc::Receiver<(&'static str, u64)>) {
    let (say, seen) = mpsc::channel();
    let one = |kind: &'static Kind, script: &[Outcome], fallback| TransportConfig {
        kind,
        settings: Arc::new(Scripted {
            name: kind.name,
            script: Mutex::new(script.iter().cloned().collect()),
            seen: say.clone(),
            durable: shelf.is_some(),
        }),
        fallback,
    };
    let config = OutletConfig {
        transports: vec![
            one(&FIRST, first, Some(&SECOND)),
            one(&SECOND, &[delivered()], None),
        ],
        surroundings: Surroundings {
            otlp: None,
            host: HostResource::detect(),
            shelf,
        },
        waiting: Vec::new(),
        queue_max_bytes: 10_000,
        queue_max_age: Duration::from_secs(3_600),
        patience: Duration::ZERO,
    };
    (config, seen)
}

impl Bench {
    fn new(first: &[Outcome]) -> Self {
        let (config, seen) = config(first, None);
        Self {
            outlet: Outlet::start(config).unwrap(),
            seen,
        }
    }

    fn offer(&self, number: u64) {
        self.outlet.offer(&Parcel::of_json(&json!({"n": number})));
    }

    #[track_caller]
    fn next(&self) -> (&'static str, u64) {
        self.seen.recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

#[test]
fn what_is_delivered_goes_nowhere_else() {
    let bench = Bench::new(&[delivered()]);
    for number in 1..=3 {
        bench.offer(number);
        assert_eq!(bench.next(), ("first", number));
    }
    bench.outlet.shutdown(Duration::from_secs(10));
    assert!(bench.seen.try_recv().is_err());
    let stats = bench.outlet.stats();
    assert_eq!(
        (stats[0].sent.delivered_records, stats[0].fallen_back),
        (3, 0)
    );
    assert_eq!(stats[1].sent.attempts, 0);
}

#[test]
fn what_waits_too_long_goes_to_the_fallback_and_is_tried_on() {
    let bench = Bench::new(&[retry("away"), retry("away"), delivered()]);
    bench.offer(1);
    assert_eq!(bench.next(), ("first", 1));
    assert_eq!(bench.next(), ("second", 1));
    // The fallback gets it once; the target gets it when it is back.
    assert_eq!(bench.next(), ("first", 1));
    assert_eq!(bench.next(), ("first", 1));
    bench.outlet.shutdown(Duration::from_secs(10));
    assert!(bench.seen.try_recv().is_err());
    let stats = bench.outlet.stats();
    assert_eq!(
        (stats[0].sent.failures, stats[0].sent.delivered_records),
        (2, 1)
    );
    assert_eq!(
        (stats[0].fallen_back, stats[1].sent.delivered_records),
        (1, 1)
    );
}

#[test]
fn what_is_refused_goes_to_the_fallback_and_holds_up_nobody() {
    let refused = Outcome::Refused {
        reason: "HTTP status 400".to_owned(),
    };
    let bench = Bench::new(&[refused, delivered()]);
    bench.offer(1);
    bench.offer(2);
    let mut seen = [bench.next(), bench.next(), bench.next()];
    seen.sort_unstable();
    assert_eq!(seen, [("first", 1), ("first", 2), ("second", 1)]);
    bench.outlet.shutdown(Duration::from_secs(10));
    assert_eq!(bench.outlet.stats()[0].sent.refused_records, 1);
}

#[test]
fn at_the_end_the_fallback_gets_what_would_be_lost() {
    let away = Outcome::Retry {
        after: Some(Duration::from_secs(600)),
        reason: "busy".to_owned(),
    };
    let (mut config, seen) = config(&[away], None);
    config.patience = Duration::from_secs(3_600);
    let bench = Bench {
        outlet: Outlet::start(config).unwrap(),
        seen,
    };
    bench.offer(1);
    bench.offer(2);
    assert_eq!(bench.next(), ("first", 1));
    bench.outlet.shutdown(Duration::from_secs(40));
    let mut rest: Vec<_> = bench
        .seen
        .try_iter()
        .filter(|one| one.0 == "second")
        .collect();
    rest.sort_unstable();
    assert_eq!(rest, [("second", 1), ("second", 2)]);
}

#[test]
fn a_full_queue_drops_the_oldest_and_counts_it() {
    let (mut config, seen) = config(&[retry("away")], None);
    config.patience = Duration::from_secs(3_600);
    config.queue_max_bytes = 100;
    let bench = Bench {
        outlet: Outlet::start(config).unwrap(),
        seen,
    };
    for number in 1_000..2_000 {
        bench.offer(number);
    }
    let sent = bench.outlet.stats()[0].sent;
    assert_eq!(sent.dropped_records + sent.queue_items as u64, 1_000);
    assert!(sent.queue_bytes <= 100);
}

fn open(path: &Path) -> Store {
    let wish = StoreConfig {
        path: path.to_owned(),
        strict: true,
    };
    Store::open(&wish).unwrap().store
}

#[track_caller]
fn wait_until(what: impl Fn() -> bool) {
    let deadline = StdInstant::now() + Duration::from_secs(20);
    while !what() {
        assert!(StdInstant::now() < deadline);
        thread::sleep(Duration::from_millis(5));
    }
}

/// What was accepted while the target was away is delivered by the next
/// sensor, though this one ends without a word.
#[test]
fn what_waits_survives_in_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata.redb");
    let copy = directory.path().join("copy.redb");
    {
        let shelf = Arc::new(Shelf::new(open(&path)));
        let (mut config, _seen) = config(&[retry("away")], Some(Arc::clone(&shelf)));
        config.patience = Duration::from_secs(3_600);
        let outlet = Outlet::start(config).unwrap();
        let keeper = Keeper::start(shelf, outlet.lanes()).unwrap();
        outlet.write_with(keeper.pen());
        outlet.offer(&Parcel::of_json(&json!({"n": 1})));
        outlet.offer(&Parcel::of_json(&json!({"n": 2})));
        let reader = || Reader::open(&path).unwrap().waiting().unwrap().items;
        wait_until(|| reader() == 2);
        // As it lies on the disk now, kill -9 would leave it.
        std::fs::copy(&path, &copy).unwrap();
        outlet.shutdown(Duration::ZERO);
    }
    let store = open(&copy);
    let mut waiting = store.index().unwrap();
    // One of a transport that is not configured any more.
    let mut orphan = waiting[0];
    orphan.place = (216, 1);
    waiting.push(orphan);
    let shelf = Arc::new(Shelf::new(store));
    let (mut config, seen) = config(&[delivered()], Some(Arc::clone(&shelf)));
    config.waiting = waiting;
    let outlet = Outlet::start(config).unwrap();
    let keeper = Keeper::start(shelf, outlet.lanes()).unwrap();
    outlet.write_with(keeper.pen());
    let next = || seen.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!([next(), next()], [("first", 1), ("first", 2)]);
    outlet.shutdown(Duration::from_secs(10));
    keeper.end();
    assert_eq!(Reader::open(&copy).unwrap().waiting().unwrap().items, 0);
}

/// The default: no collector, so the store has them.
#[test]
fn without_a_collector_the_store_gets_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata.redb");
    let shelf = Arc::new(Shelf::new(open(&path)));
    let (mut config, _seen) = config(&[delivered()], Some(shelf));
    config.transports = crate::config::Incidents::default().transports;
    let outlet = Outlet::start(config).unwrap();
    outlet.offer(&Parcel::of_json(&json!({"n": 7})));
    let kept = || Reader::open(&path).unwrap().incidents(9).unwrap();
    wait_until(|| kept() == [b"{\"n\":7}"]);
    outlet.shutdown(Duration::from_secs(10));
    assert_eq!(outlet.homeless(), 0);
    let stats = outlet.stats();
    assert_eq!(stats.len(), 1, "{stats:?}");
    assert_eq!(
        (stats[0].kind, stats[0].sent.delivered_records),
        ("store", 1)
    );
}

#[test]
fn with_nowhere_to_go_they_are_counted() {
    let (mut config, _seen) = config(&[delivered()], None);
    config.transports = crate::config::Incidents::default().transports;
    let outlet = Outlet::start(config).unwrap();
    outlet.offer(&Parcel::of_json(&json!({"n": 7})));
    assert_eq!(outlet.homeless(), 1);
    outlet.shutdown(Duration::from_secs(1));
}

#[test]
fn files_that_are_wrong_are_told_all_at_once() {
    let text = "[[incident.transport]]\ntype = 'http'\nurl = 'https://a'\ntls = {ca = '/none/a'}\n\
                [[incident.transport]]\ntype = 'kafka'\nbrokers = ['a']\ntls = {ca = '/none/b'}\n";
    let document = Document::parse(Path::new("f"), text);
    let tables = document.root().table("incident").tables("transport");
    let (mut config, _seen) = config(&[delivered()], None);
    config.transports = transports(tables, super::super::KINDS);
    let Err(error) = Outlet::start(config) else {
        panic!("started");
    };
    let text = error.to_string();
    assert!(
        text.contains("/none/a") && text.contains("/none/b"),
        "{text}"
    );
    assert!(text.contains("incident.transport.tls.ca"), "{text}");
}
