//! A resolver that hangs.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use sensor_tests::isolated;

use super::*;

const NAME: &str = "collector.test";
/// Types of a question (RFC 1035, 3.2.2).
const A: [u8; 2] = [0, 1];

/// The only name server of the network that this test has for itself.
struct Resolver {
    asked: Arc<AtomicUsize>,
    answers: Arc<AtomicBool>,
}

impl Resolver {
    /// It hears every question and says nothing.
    fn silent() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let answers = Arc::new(AtomicBool::new(false));
        let (counter, speaks) = (Arc::clone(&asked), Arc::clone(&answers));
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                counter.fetch_add(1, Ordering::SeqCst);
                if speaks.load(Ordering::SeqCst) {
                    let _ = socket.send_to(&answer(&question[..length]), from);
                }
            }
        });
        Self { asked, answers }
    }

    /// From now on every name is 127.0.0.1.
    fn speak(&self) {
        self.answers.store(true, Ordering::SeqCst);
    }
}

/// What RFC 1035, 4.1 calls a response.
fn answer(query: &[u8]) -> Vec<u8> {
    let name = query[12..].iter().position(|&byte| byte == 0).unwrap();
    let question = &query[12..12 + name + 5];
    let wants_address = question[name + 1..][..2] == A;
    let mut answer = query[..2].to_vec();
    let answers = u8::from(wants_address);
    answer.extend([0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0]);
    answer.extend(question);
    if wants_address {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    answer
}

#[test]
fn a_resolver_that_hangs_holds_nothing_up() {
    if !isolated::namespaces("a_resolver_that_hangs_holds_nothing_up", libc::CLONE_NEWNET) {
        return;
    }
    let resolver = Resolver::silent();
    let host = Host::new();
    let configuration = host.plugins.root().join("resolv.conf");
    // libc gives up after 150 s: whoever waited for that would miss each
    // deadline of this test.
    let slow = "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n";
    fs::write(&configuration, slow).unwrap();
    isolated::bind(&configuration, Path::new("/etc/resolv.conf")).unwrap();
    let collector = Collector::start();
    let watched = host.plugins.watch(true);
    let start = || {
        let mut command = sensor(["run", "--output", "json", "--metadata-db-path"]);
        command.arg(&host.store);
        command.args(["--plugins", &host.plugins.flag(), "--interval", "200ms"]);
        command.args(["--agent-host", NAME, "--agent-port"]);
        command.arg(collector.ports().grpc.to_string());
        let lines = Lines::start(&mut command);
        wait_reports(&lines, 1);
        lines
    };
    let lines = start();
    short(&watched, "unresolved");
    let reason = "the name was not resolved within 4 s";
    lines.wait(reason, |said| said.errors.contains(reason).then_some(()));
    assert!(resolver.asked.load(Ordering::SeqCst) > 0, "nobody asked");
    // Nobody waits for the resolver, which has not answered yet: not reports,
    // and not the end. If each waited for the 4 s, these would come too late.
    wait_reports(&lines, 15);
    let errors = terminate(lines);
    assert_eq!(times(&errors, "wait in the store"), 1, "{errors}");
    assert_eq!(times(&errors, reason), 2, "once a signal: {errors}");

    let lines = start();
    short(&watched, "resolved");
    resolver.speak();
    for mark in ["unresolved", "resolved"] {
        wait_exit(&collector, mark);
    }
    terminate(lines);
}
