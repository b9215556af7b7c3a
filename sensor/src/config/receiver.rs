//! `[receiver]`: where applications may send their own spans and logs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::check::{optional_path, set, texts};
use super::item::{Item, shown};
use super::reader::Table;

/// `[receiver]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Whether it listens at all.
    pub enabled: bool,
    /// Address for OTLP over HTTP; `None`: not that way.
    pub http: Option<SocketAddr>,
    /// Address for OTLP over gRPC; `None`: not that way.
    pub grpc: Option<SocketAddr>,
    /// Unix socket for OTLP over HTTP; `None`: not that way.
    pub socket: Option<PathBuf>,
    /// A request answered with 404 is an incident.
    pub capture_404: bool,
    /// The body of a request belongs to its incident.
    pub capture_request_body: bool,
    /// Exception types that are no incidents; the last component is enough.
    pub ignore_exceptions: Vec<String>,
    /// Prefixes of `url.path` whose requests are no incidents.
    pub ignore_paths: Vec<String>,
    /// A request that takes longer is an incident; zero: none is.
    pub slow_request_threshold: Duration,
}

impl Default for Receiver {
    fn default() -> Self {
        let local = |port| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        Self {
            enabled: false,
            http: local(4328),
            grpc: local(4327),
            socket: Some(PathBuf::from("/run/sensor/otlp.sock")),
            capture_404: false,
            capture_request_body: false,
            ignore_exceptions: Vec::new(),
            ignore_paths: Vec::new(),
            slow_request_threshold: Duration::ZERO,
        }
    }
}

pub(super) fn read(receiver: &mut Receiver, mut table: Table<'_>) {
    set(&mut receiver.enabled, table.take("enabled"), Item::boolean);
    set(&mut receiver.http, table.take("http"), address);
    set(&mut receiver.grpc, table.take("grpc"), address);
    let socket = table.take("socket");
    set(&mut receiver.socket, socket.clone(), optional_path);
    if let (Some(item), Some(path)) = (&socket, &receiver.socket)
        && !path.is_absolute()
    {
        item.fault("must be an absolute path, such as /run/sensor/otlp.sock".to_owned());
    }
    let item = table.take("capture_404");
    set(&mut receiver.capture_404, item, Item::boolean);
    let item = table.take("capture_request_body");
    set(&mut receiver.capture_request_body, item, Item::boolean);
    let names = texts(table.take("ignore_exceptions"));
    receiver.ignore_exceptions = names.into_iter().map(|(_, name)| name).collect();
    for (item, path) in texts(table.take("ignore_paths")) {
        if !path.starts_with('/') {
            item.fault(format!(
                "`{}` is not the beginning of a path; it must begin with /",
                shown(&path)
            ));
        }
        receiver.ignore_paths.push(path);
    }
    let item = table.take("slow_request_threshold");
    set(&mut receiver.slow_request_threshold, item, |item| {
        item.duration(Duration::ZERO..=Duration::from_secs(24 * 3_600))
    });
    table.finish();
}

/// An address on loopback; an empty one is none. What comes from elsewhere
/// could not be joined with a process of this host.
#[expect(
    clippy::option_option,
    reason = "outer: of the right type; inner: not empty"
)]
fn address(item: &Item<'_>) -> Option<Option<SocketAddr>> {
    let text = item.string()?;
    if text.is_empty() {
        return Some(None);
    }
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.clone(),
    };
    match numeric.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Some(Some(address)),
        Ok(_) => {
            item.fault(format!(
                "{} is not on this host alone; write 127.0.0.1 or [::1]",
                shown(&text)
            ));
            None
        }
        Err(_) => {
            item.fault(format!(
                "`{}` is not an address with a port; write it as 127.0.0.1:4328",
                shown(&text)
            ));
            None
        }
    }
}
