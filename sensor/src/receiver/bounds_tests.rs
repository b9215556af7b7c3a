//! What comes over a socket, as clients send it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc::{self, channel},
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use tokio::runtime;
use tonic::{Code, codec::CompressionEncoding, transport::Endpoint};

use super::{Config, Listeners, Receiver, ask, decode::MAX_BODY, find::Rules};
use crate::{
    config,
    incident::{
        context::Gatherer,
        log::LogOptions,
        record::Incident,
        stage::{self, Stage},
    },
};

/// For what is to happen.
const LIMIT: Duration = Duration::from_secs(30);

/// A receiver that nobody tells about processes.
struct Running {
    receiver: Receiver,
    stage: Stage,
    told: mpsc::Receiver<Vec<Incident>>,
    http: SocketAddr,
    grpc: SocketAddr,
}

fn start() -> Running {
    start_with_questions().0
}

/// The same; nobody answers as long as the questions are kept.
fn start_with_questions() -> (Running, ask::Questions) {
    let local = "127.0.0.1:0".parse().ok();
    let (listeners, problems) = Listeners::bind(&config::Receiver {
        http: local,
        grpc: local,
        socket: None,
        ..config::Receiver::default()
    });
    assert_eq!(problems, [""; 0]);
    let http = listeners.http.as_ref().unwrap().local_addr().unwrap();
    let grpc = listeners.grpc.as_ref().unwrap().local_addr().unwrap();
    let (tell, told) = channel();
    let stage = Stage::start(stage::Config {
        window: None,
        context: Gatherer::new(&[""; 0]),
        logs: LogOptions::default(),
        positions: Vec::new(),
        sink: Box::new(move |incidents| drop(tell.send(incidents))),
    });
    let stage = stage.unwrap();
    let (asker, questions) = ask::channel().unwrap();
    let receiver = Receiver::start(Config {
        listeners,
        rules: Rules::default(),
        asker,
        reporter: stage.reporter(),
    });
    let running = Running {
        receiver: receiver.unwrap(),
        stage,
        told,
        http,
        grpc,
    };
    (running, questions)
}

impl Running {
    /// Waits for one incident; how it is called.
    fn name(&self) -> String {
        let [name] = &self.names(1)[..] else {
            panic!("there are more");
        };
        name.clone()
    }

    /// Waits for so many incidents; how they are called, in order.
    fn names(&self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        while names.len() < count {
            let told = self.told.recv_timeout(LIMIT).unwrap();
            let name = |one: &Incident| one.exception.as_ref().unwrap().name.clone();
            names.extend(told.iter().map(name));
        }
        names.sort();
        names
    }

    fn finish(self) -> Vec<(&'static str, u64)> {
        let refused = self.receiver.finish().refused;
        let _ = self.stage.finish();
        refused
    }
}

/// The head of a request; `encoding` may be gzip.
fn head(kind: &str, encoding: &str, length: usize) -> String {
    format!(
        "POST /v1/traces HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \
         application/{kind}\r\nContent-Encoding: {encoding}\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// Posts a body; the status of the answer and what it says.
fn post(to: SocketAddr, kind: &str, encoding: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let head = head(kind, encoding, body.len());
    stream.write_all(head.as_bytes()).unwrap();
    // Who is refused early is not read to the end.
    let _ = stream.write_all(body);
    answer(stream)
}

fn answer(mut stream: TcpStream) -> (u16, String) {
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|it| it.parse().ok());
    (status.unwrap_or_else(|| panic!("{ended:?} {text}")), text)
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(body).unwrap();
    packed.finish().unwrap()
}

/// So many spans that say nothing: two bytes each.
fn empty_spans(count: usize) -> ExportTraceServiceRequest {
    let scope = ScopeSpans {
        spans: vec![Span::default(); count],
        ..ScopeSpans::default()
    };
    let resource = ResourceSpans {
        scope_spans: vec![scope],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![resource],
    }
}

/// The same in JSON.
fn empty_spans_in_json(count: usize) -> String {
    let spans = vec!["{}"; count].join(",");
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#)
}

/// One exception of this type.
fn raised(name: &str) -> String {
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"name":"x","events":[
        {{"name":"exception","attributes":[{{"key":"exception.type",
        "value":{{"stringValue":"{name}"}}}}]}}]}}]}}]}}]}}"#
    )
}

fn on_a_runtime(what: impl Future<Output = ()>) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(what);
}

#[test]
fn over_http_neither_spans_nor_bytes_expand() {
    let running = start();
    let few = empty_spans(10_000).encode_to_vec();
    let many = empty_spans(200_000).encode_to_vec();
    assert!(many.len() < MAX_BODY);
    let few_in_json = empty_spans_in_json(10_000);
    let many_in_json = empty_spans_in_json(1_000_000);
    assert!(many_in_json.len() < MAX_BODY);
    let zeros = vec![0; MAX_BODY + 1];
    for (kind, body, status) in [
        ("x-protobuf", &few[..], 200),
        ("x-protobuf", &many, 413),
        ("x-protobuf", &zeros, 413),
        ("json", few_in_json.as_bytes(), 200),
        ("json", many_in_json.as_bytes(), 413),
        ("json", &zeros, 413),
    ] {
        let plain = post(running.http, kind, "identity", body);
        assert_eq!(plain.0, status, "{kind}: {plain:?}");
        let packed = gzip(body);
        assert!(packed.len() < 64 << 10, "{}", packed.len());
        let packed = post(running.http, kind, "gzip", &packed);
        assert_eq!(packed.0, status, "{kind}, gzip: {packed:?}");
    }
    assert_eq!(running.finish(), [("size", 8)]);
}

#[test]
fn over_grpc_neither_spans_nor_bytes_expand() {
    let running = start();
    on_a_runtime(async {
        let endpoint = Endpoint::from_shared(format!("http://{}", running.grpc)).unwrap();
        let plain = TraceServiceClient::new(endpoint.connect().await.unwrap());
        let packed = plain.clone().send_compressed(CompressionEncoding::Gzip);
        for mut client in [plain, packed] {
            client.export(empty_spans(10_000)).await.unwrap();
            let mut long = empty_spans(1);
            long.resource_spans[0].schema_url = "0".repeat(MAX_BODY);
            for request in [empty_spans(200_000), long] {
                let refused = client.export(request).await.unwrap_err();
                assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
            }
        }
    });
    assert_eq!(running.finish(), [("size", 4)]);
}

#[test]
fn who_sends_slowly_holds_up_nobody_and_is_cut_off() {
    let running = start();
    // More than requests at once, and than connections before.
    let slow: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = TcpStream::connect(running.http).unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            stream
                .write_all(head("json", "identity", 2).as_bytes())
                .unwrap();
            stream.write_all(b"{").unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    let (status, text) = post(running.http, "json", "identity", raised("E").as_bytes());
    assert_eq!(status, 200, "{text}");
    assert!(began.elapsed() < Duration::from_secs(4));
    assert_eq!(running.name(), "E");
    for stream in slow {
        assert_eq!(answer(stream).0, 503);
    }
    assert_eq!(running.finish(), [("late", 100)]);
}

#[test]
fn bodies_on_their_way_have_a_bound_and_whoever_is_above_may_try_again() {
    let running = start();
    let large = vec![b' '; MAX_BODY - 1];
    // All but the last byte each: four of them fill it, nearly.
    let send = || {
        let mut stream = TcpStream::connect(running.http).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let head = head("json", "identity", MAX_BODY);
        stream.write_all(head.as_bytes()).unwrap();
        // Who is refused is not read to the end.
        let _ = stream.write_all(&large);
        stream
    };
    // Who asks may take the room that one of the four needs.
    let deadline = Instant::now() + LIMIT;
    let mut slow = loop {
        let slow: [_; 4] = std::array::from_fn(|_| send());
        let began = Instant::now();
        let mut is_full = false;
        while !is_full && began.elapsed() < Duration::from_secs(1) {
            is_full = post(running.http, "json", "identity", b"    {}").0 == 503;
        }
        if is_full {
            break slow;
        }
        assert!(Instant::now() < deadline, "they all find room");
    };
    for stream in &mut slow {
        stream.write_all(b" ").unwrap();
    }
    for stream in slow {
        // It is late where this test was.
        assert!([400, 503].contains(&answer(stream).0));
    }
    let (status, text) = post(running.http, "json", "identity", raised("E").as_bytes());
    assert_eq!(status, 200, "{text}");
    assert_eq!(running.name(), "E");
}

#[test]
fn who_begins_a_call_and_says_no_more_is_cut_off() {
    let running = start();
    let mut silent = TcpStream::connect(running.grpc).unwrap();
    silent.set_read_timeout(Some(LIMIT)).unwrap();
    silent.write_all(b"P").unwrap();
    // Another one is answered meanwhile.
    on_a_runtime(async {
        let endpoint = Endpoint::from_shared(format!("http://{}", running.grpc)).unwrap();
        let mut client = TraceServiceClient::new(endpoint.connect().await.unwrap());
        client.export(empty_spans(1)).await.unwrap();
    });
    let mut left = Vec::new();
    assert_eq!(silent.read_to_end(&mut left).unwrap(), 0);
}

#[test]
fn an_encoding_that_is_not_known_is_refused_as_such() {
    let running = start();
    on_a_runtime(async {
        let endpoint = Endpoint::from_shared(format!("http://{}", running.grpc)).unwrap();
        let plain = TraceServiceClient::new(endpoint.connect().await.unwrap());
        let mut client = TraceServiceClient::with_interceptor(
            endpoint.connect().await.unwrap(),
            |mut request: tonic::Request<()>| {
                let zstd = "zstd".parse().unwrap();
                request.metadata_mut().insert("grpc-encoding", zstd);
                Ok(request)
            },
        );
        let refused = client.export(empty_spans(1)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{refused:?}");
        plain.clone().export(empty_spans(1)).await.unwrap();
    });
    assert_eq!(running.finish(), [("encoding", 1)]);
}

#[test]
fn where_the_engine_does_not_answer_nothing_is_lost() {
    let (running, _questions) = start_with_questions();
    let resource = |pid: u32| {
        let one = raised(&format!("E{pid}"));
        let pid = format!(r#"{{"key":"process.pid","value":{{"intValue":"{pid}"}}}}"#);
        let resource = format!(r#"{{"resource":{{"attributes":[{pid}]}},"scopeSpans""#);
        let one = one.replace(r#"{"scopeSpans""#, &resource);
        let inner = one.strip_prefix(r#"{"resourceSpans":["#);
        inner.unwrap().strip_suffix("]}").unwrap().to_owned()
    };
    let resources: Vec<_> = (1..=20).map(resource).collect();
    let body = format!(r#"{{"resourceSpans":[{}]}}"#, resources.join(","));
    let (status, text) = post(running.http, "json", "identity", body.as_bytes());
    assert_eq!(status, 200, "{text}");
    let mut wanted: Vec<_> = (1..=20).map(|pid| format!("E{pid}")).collect();
    wanted.sort();
    assert_eq!(running.names(20), wanted);
    assert_eq!(running.stage.dropped(), 0);
}

#[test]
fn what_a_request_that_is_cut_off_had_is_counted() {
    let (running, _questions) = start_with_questions();
    let mut stream = TcpStream::connect(running.http).unwrap();
    let body = raised("E");
    let head = head("json", "identity", body.len());
    stream.write_all((head + &body).as_bytes()).unwrap();
    let deadline = Instant::now() + LIMIT;
    while running.receiver.received().accepted.is_empty() {
        assert!(Instant::now() < deadline, "it is not received");
        std::thread::yield_now();
    }
    // It waits for the engine, and the sensor ends.
    let _ = running.receiver.finish();
    assert_eq!(running.stage.dropped(), 1);
}
