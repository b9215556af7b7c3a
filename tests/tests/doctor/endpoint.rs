//! Collectors that are away, silent, or something else.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Instant,
};

use sensor_tests::{
    collector::{Collector, Ports},
    faults::Faulty,
    sensor::LIMIT,
    tls::{Authority, Terminator},
};

use super::*;

impl Desk {
    fn endpoint(&self, more: &str) -> Answer {
        self.configure(&format!("[export.otlp]\n{more}\n"));
        self.ask(&[], as_it_is)
    }

    /// The same of a collector that is there: on a machine under load it may
    /// not answer in time, and is asked again.
    fn answered(&self, more: &str) -> Answer {
        let deadline = Instant::now() + LIMIT;
        loop {
            let answer = self.endpoint(more);
            let late = ["timed out", "no answer"];
            if !late.iter().any(|text| answer.text.contains(text)) || Instant::now() > deadline {
                return answer;
            }
        }
    }
}

#[test]
fn a_collector_that_takes_otlp_is_in_order() {
    let collector = Collector::start();
    let desk = Desk::new();
    let Ports { grpc, http } = collector.ports();
    let accepts = "accepts connections and OTLP";
    let answer = desk.answered(&format!("endpoint = 'http://127.0.0.1:{grpc}'"));
    answer.says("endpoint", "ok", &[&format!("127.0.0.1:{grpc} {accepts}")]);
    let answer = desk.answered(&format!(
        "endpoint = 'http://127.0.0.1:{http}'\nprotocol = 'http/protobuf'"
    ));
    answer.says("endpoint", "ok", &[&format!("127.0.0.1:{http} {accepts}")]);
    // By a flag, too; it wins.
    let port = grpc.to_string();
    desk.configure("[export.otlp]\nendpoint = 'http://127.0.0.1:1'\n");
    let answer = desk.ask(
        &["--agent-host", "127.0.0.1", "--agent-port", &port],
        as_it_is,
    );
    answer.says("endpoint", "ok", &[&port]);
}

#[test]
fn a_port_that_refuses_is_named() {
    let port = Ports::free().grpc;
    let answer = Desk::new().endpoint(&format!("endpoint = 'http://127.0.0.1:{port}'"));
    let shown = format!("127.0.0.1:{port}: connection refused");
    answer.says("endpoint", "failed", &[&shown, "start the collector"]);
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    let answer = Desk::new().endpoint("endpoint = 'http://no-such-host.invalid:4317'");
    answer.says(
        "endpoint",
        "failed",
        &["no-such-host.invalid:4317: ", "name"],
    );
}

/// A port whose packets are lost: nobody takes connections, and no more may
/// wait.
struct BlackHole {
    address: SocketAddr,
    _held: (TcpListener, Vec<OwnedFd>),
}

impl BlackHole {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        // SAFETY: no memory is involved.
        let done = unsafe { libc::listen(listener.as_raw_fd(), 0) };
        assert_eq!(done, 0, "{}", io::Error::last_os_error());
        let fill = |_| {
            // SAFETY: no memory is involved; the descriptor is new.
            let socket = unsafe {
                let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
                OwnedFd::from_raw_fd(libc::socket(libc::AF_INET, kind, 0))
            };
            // SAFETY: all zero is a valid address.
            let mut to: libc::sockaddr_in = unsafe { std::mem::zeroed() };
            to.sin_family = libc::sa_family_t::try_from(libc::AF_INET).unwrap();
            to.sin_port = address.port().to_be();
            to.sin_addr.s_addr = u32::from(Ipv4Addr::LOCALHOST).to_be();
            let length = libc::socklen_t::try_from(size_of_val(&to)).unwrap();
            // Those that find no room are tried again by the kernel, in vain.
            // SAFETY: the address lives, and is as long as it says.
            unsafe { libc::connect(socket.as_raw_fd(), (&raw const to).cast(), length) };
            socket
        };
        let held = (0..4).map(fill).collect();
        Self {
            address,
            _held: (listener, held),
        }
    }
}

#[test]
fn a_port_that_swallows_everything_is_named() {
    let hole = BlackHole::new();
    let answer = Desk::new().endpoint(&format!("endpoint = 'http://{}'", hole.address));
    let shown = format!("{}: no answer to the connection attempt", hole.address);
    answer.says("endpoint", "failed", &[&shown, "firewall"]);
}

#[test]
fn a_collector_that_does_not_answer_is_named() {
    let silent = Faulty::silent();
    let desk = Desk::new();
    let answer = desk.endpoint(&format!("endpoint = 'http://{}'", silent.address()));
    let words = [
        "accepts connections, but does not take metrics",
        "timed out",
    ];
    answer.says("endpoint", "degraded", &words);
    let answer = desk.endpoint(&format!("endpoint = 'https://{}'", silent.address()));
    answer.says("endpoint", "failed", &["timed out", "TLS"]);
}

#[test]
fn a_collector_of_another_protocol_is_named() {
    let collector = Collector::start();
    let http = collector.ports().http;
    let answer = Desk::new().answered(&format!("endpoint = 'http://127.0.0.1:{http}'"));
    let words = ["refuses metrics", "is it a port for gRPC?", "protocol"];
    answer.says("endpoint", "failed", &words);
}

#[test]
fn tls_that_fails_is_named() {
    let collector = Collector::start();
    let grpc = collector.ports().grpc;
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = Terminator::start(&authority, "localhost", None, grpc);
    let desk = Desk::new();
    let good = server.endpoint("localhost");
    let with = |endpoint: &str, authority: &Authority| {
        let ca = authority.ca();
        let ca = ca.display();
        desk.answered(&format!(
            "endpoint = '{endpoint}'\n[export.otlp.tls]\nca = '{ca}'"
        ))
    };
    with(&good, &authority).says("endpoint", "ok", &["OTLP"]);
    with(&good, &stranger).says("endpoint", "failed", &["not signed by a trusted CA"]);
    let other = server.endpoint("127.0.0.1");
    with(&other, &authority).says("endpoint", "failed", &["another host name"]);
    let plain = format!("https://localhost:{grpc}");
    with(&plain, &authority).says("endpoint", "failed", &["the answer is not TLS"]);
}

#[test]
fn each_signal_is_asked_where_it_goes() {
    let collector = Collector::start();
    let grpc = collector.ports().grpc;
    let port = Ports::free().grpc;
    let desk = Desk::new();
    desk.configure(&format!(
        "[export.otlp]\nendpoint = 'http://127.0.0.1:{grpc}'\n"
    ));
    let logs = format!("http://127.0.0.1:{port}");
    let answer = desk.ask(&[], |command| {
        command.env("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", &logs);
    });
    answer.says(
        "endpoint",
        "failed",
        &[&format!("127.0.0.1:{port}: connection refused")],
    );
}
