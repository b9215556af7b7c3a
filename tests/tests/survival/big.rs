//! A queue that is much larger than memory should be.

use std::{
    env, fs,
    io::{BufReader, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use sensor::{
    export::{otlp::Signal, wire::log_batches},
    store::{Changes, Opened, Request, Store, StoreConfig},
};
use sensor_tests::{
    faults::{Faulty, read_request},
    samples,
};

use super::*;

/// How many MiB wait.
const MIB: &str = "SENSOR_QUEUE_MIB";
/// What the daemon may use on top of what it uses anyway, kB.
const MORE_KB: u64 = 32 << 10;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\
    content-length: 0\r\n\r\n";

/// Puts events into a store that nobody owns: the real requests, each about
/// 1 MiB; how many they are.
fn fill(path: &Path, mib: u64) -> u64 {
    let Opened { store, .. } = Store::open(&StoreConfig {
        path: path.to_owned(),
        strict: true,
    })
    .unwrap();
    let events: Vec<_> = (0..1_800).flat_map(samples::events).collect();
    let batches = log_batches(&events, &samples::host(), 16 << 20);
    let (mut size, mut number) = (0, 0);
    while size < mib << 20 {
        let accepted = batches.iter().map(|batch| {
            number += 1;
            size += batch.bytes.len() as u64;
            Request {
                place: (Signal::Logs.number(), number),
                records: batch.records,
                since: sensor::clock::wall(),
                bytes: batch.bytes.clone(),
            }
        });
        let changes = Changes {
            accepted: accepted.collect(),
            ..Changes::default()
        };
        store.commit(&changes).unwrap();
    }
    number
}

/// `VmHWM` or `VmRSS` of a process, kB.
fn memory(pid: u32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_big_queue_drains_in_bounded_memory_and_its_space_is_used_again() {
    let mib = env::var(MIB).map_or(100, |text| text.parse().unwrap());
    // Compression is not what is tried here.
    let config = format!(
        "[queue]\nmax_bytes = {}\n[export.otlp]\ncompression = 'none'\n",
        (4 * mib) << 20
    );
    let mut host = Host::with_config(&config);
    host.more
        .extend(["--protocol".to_owned(), "http/protobuf".to_owned()]);
    let small = host.start();
    let usual = memory(small.pid(), "VmHWM:");
    terminate(small);
    let requests = fill(&host.store, mib);
    let whole = fs::metadata(&host.store).unwrap().len();

    // It is killed with all of that in its store.
    let start = Instant::now();
    kill(host.start());
    let first = start.elapsed();
    let start = Instant::now();
    let lines = host.start();
    let opened = start.elapsed();
    println!("{requests} requests, {whole} bytes: ready after {first:?}, after kill -9 {opened:?}");

    let received = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&received);
    let sink = Faulty::serving(move |mut stream, _| {
        let counted = Arc::clone(&counted);
        thread::spawn(move || {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while let Ok(Some(_)) = read_request(&mut reader) {
                counted.fetch_add(1, Ordering::Relaxed);
                if stream.write_all(OK).is_err() {
                    return;
                }
            }
        });
    });
    let start = Instant::now();
    host.gate.open(sink.address().port());
    wait_store(&host.store, "an empty queue", |shown| {
        shown["queue"]["items"].as_u64() <= Some(2)
    });
    println!("drained after {:?}", start.elapsed());
    assert!(received.load(Ordering::Relaxed) >= requests);
    let most = memory(lines.pid(), "VmHWM:");
    println!("{usual} kB without a queue, {most} kB with it");
    assert!(
        most < usual + MORE_KB,
        "{most} kB, without a queue {usual} kB"
    );
    terminate(lines);
    fill(&host.store, mib / 2);
    let again = fs::metadata(&host.store).unwrap().len();
    assert!(again <= whole, "{again} bytes after {whole}");
}
