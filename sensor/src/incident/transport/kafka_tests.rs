use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use serde_json::json;

use super::*;
use crate::config::reader::Document;

/// A broker, and a consumer of the topic, from librdkafka.
struct Broker {
    child: Child,
    address: String,
    log: JoinHandle<()>,
}

impl Broker {
    /// Ends when it has printed `count` records as `format` says.
    fn start(topic: &str, count: usize, format: &str) -> Option<Self> {
        let count = count.to_string();
        let child = Command::new("kcat")
            .args(["-C", "-b", "localhost:1", "-X", "test.mock.num.brokers=1"])
            .args(["-t", topic, "-o", "beginning", "-d", "mock", "-u"])
            .args(["-c", &count, "-f", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: kcat is not installed (package kcat)");
            return None;
        };
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.by_ref().find_map(|line| {
            let line = line.unwrap();
            let (_, address) = line.split_once("bootstrap.servers=")?;
            Some(address.trim().to_owned())
        });
        // Who does not read would stop the broker.
        let log = std::thread::spawn(move || lines.for_each(drop));
        Some(Self {
            child,
            address: address.unwrap(),
            log,
        })
    }

    fn consumed(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = self.child.stdout.take().unwrap();
        out.read_to_end(&mut bytes).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.log.join().unwrap();
        bytes
    }
}

fn producer(text: &str) -> Box<dyn Transport> {
    let document = Document::parse(Path::new("f"), text);
    let settings = read(&mut document.root());
    let notes = document.into_notes();
    assert!(notes.problems.is_empty(), "{:?}", notes.problems);
    let surroundings = Surroundings {
        otlp: None,
        host: HostResource::detect(),
        shelf: None,
    };
    settings
        .build(&surroundings)
        .unwrap_or_else(|error| panic!("{error:?}"))
}

async fn sent(producer: &mut Box<dyn Transport>, parcel: &Parcel) {
    // A topic that is made when it is first asked for takes a moment.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let outcome = producer.send(parcel).await;
        if outcome == delivered() {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{outcome:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn records_are_json_with_the_fingerprint_as_key() {
    let Some(broker) = Broker::start("homeostasis-errors", 2, "%k %s\n") else {
        return;
    };
    let mut producer = producer(&format!("brokers = ['{}']", broker.address));
    let incident = json!({"exception.type": "E", "sensor.incident.fingerprint": "00ff"});
    for _ in 0..2 {
        sent(&mut producer, &Parcel::of_json(&incident)).await;
    }
    let text = String::from_utf8(broker.consumed()).unwrap();
    assert_eq!(text, format!("00ff {incident}\n").repeat(2));
}

#[tokio::test]
async fn records_may_be_messages_of_otlp() {
    let Some(broker) = Broker::start("otlp_logs", 1, "%s") else {
        return;
    };
    let mut producer = producer(&format!(
        "brokers = ['{}']\ntopic = 'otlp_logs'\nencoding = 'otlp_proto'",
        broker.address
    ));
    let incident = json!({
        "time_unix_nano": 5, "observed_time_unix_nano": 6, "severity_number": 17,
        "severity_text": "ERROR", "body": "it failed", "exception.type": "E",
        "process.pid": 7, "service.name": ["a"], "frames": [{"function": "f"}],
    });
    sent(&mut producer, &Parcel::of_json(&incident)).await;
    let request = ExportLogsServiceRequest::decode(broker.consumed().as_slice()).unwrap();
    let record = &request.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!(
        (record.time_unix_nano, record.observed_time_unix_nano),
        (5, 6)
    );
    assert_eq!(
        (record.severity_number, record.severity_text.as_str()),
        (17, "ERROR")
    );
    assert!(format!("{:?}", record.body).contains("it failed"));
    let keys: Vec<&str> = record
        .attributes
        .iter()
        .map(|one| one.key.as_str())
        .collect();
    assert_eq!(keys, ["exception.type", "process.pid", "service.name"]);
}

#[tokio::test]
async fn without_a_broker_it_is_to_be_tried_again() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut producer = producer(&format!("brokers = ['{address}']"));
    let parcel = Parcel::of_json(&json!({}));
    let limit = producer.limit();
    let outcome = tokio::time::timeout(limit, producer.send(&parcel)).await;
    assert!(matches!(outcome, Ok(Outcome::Retry { .. })), "{outcome:?}");
}
