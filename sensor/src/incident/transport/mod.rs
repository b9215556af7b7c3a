//! Where incidents go: one type of transport a file behind one trait.
//!
//! A transport carries one incident at a time. Waiting, trying again and the
//! fallback are done for it by the [`Outlet`]. docs/EXTENDING.md says how to
//! add one.

pub mod file;
pub mod http;
pub mod kafka;
pub mod otlp;
mod outlet;
mod parcel;
mod route;
pub mod store;
mod template;

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::{
    config::{item::Item, reader::Table},
    export::{
        HostResource, Shelf,
        otlp::{ConfigError, Otlp, Outcome, TlsConfig},
    },
};

pub use outlet::{Outlet, OutletConfig, OutletError, PATIENCE, TransportStats};
pub use parcel::Parcel;

/// A type of transport: what `[[incident.transport]] type` may say.
#[derive(Debug)]
pub struct Kind {
    /// The type.
    pub name: &'static str,
    /// The first of eight numbers of its queues in the store, from 16 on: one
    /// for each transport of the type. Never to be changed, nor given to
    /// another.
    pub number: u8,
    /// Reads the keys of its own; faults are recorded with their lines.
    pub read: fn(&mut Table<'_>) -> Arc<dyn Settings>,
}

/// Every type, in the order of the reference.
pub static KINDS: &[&Kind] = &[
    &otlp::KIND,
    &file::KIND,
    &http::KIND,
    &kafka::KIND,
    &store::KIND,
];

/// What the file says about one transport.
pub trait Settings: fmt::Debug + Send + Sync {
    /// Keys and values as `config show` has them; what is secret is hidden.
    fn shown(&self) -> Vec<(&'static str, toml::Value)>;

    /// Makes the transport, without connecting.
    ///
    /// # Errors
    /// Where files that it needs are wrong, or it cannot work here.
    fn build(&self, surroundings: &Surroundings) -> Result<Box<dyn Transport>, BuildError>;

    /// Whether what waits for it survives in the store.
    fn is_durable(&self) -> bool {
        true
    }
}

/// What transports find in the sensor.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The collector, where there is one.
    pub otlp: Option<Otlp>,
    /// This host.
    pub host: HostResource,
    /// The store, where there is one.
    pub shelf: Option<Arc<Shelf>>,
}

/// Why there is no transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildError {
    /// It has nowhere to go; its fallback takes its place.
    Unavailable(String),
    /// The configuration is wrong: one line for each problem.
    Faulty(Vec<String>),
}

impl From<Vec<ConfigError>> for BuildError {
    fn from(errors: Vec<ConfigError>) -> Self {
        Self::Faulty(errors.iter().map(ToString::to_string).collect())
    }
}

/// Carries incidents to one target, one at a time.
pub trait Transport: Send {
    /// Where to, for people: no secrets.
    fn target(&self) -> String;

    /// Carries one incident; dropped after [`limit`](Self::limit). Must not
    /// block: a target that hangs would hold up the others.
    fn send<'a>(&'a mut self, parcel: &'a Parcel) -> Sending<'a>;

    /// How long that may take.
    fn limit(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// After a try took too long: drops a connection that cannot be trusted.
    fn reset(&mut self) {}
}

/// A try under way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Queues of incidents have these numbers in the store.
fn is_queue(number: u8) -> bool {
    number >= 16
}

/// It is there.
fn delivered() -> Outcome {
    Outcome::Delivered {
        rejected: 0,
        message: String::new(),
    }
}

/// It is to be tried again, after the usual time.
fn retry(reason: impl Into<String>) -> Outcome {
    Outcome::Retry {
        after: None,
        reason: reason.into(),
    }
}

/// Reads `tls = { ca, certificate, key }`; `None` where there is no such key.
/// `tls = true` trusts the authorities of the host.
fn tls(table: &mut Table<'_>) -> Option<TlsConfig> {
    let item = table.take("tls")?;
    if !item.is_table() {
        return match item.boolean()? {
            true => Some(TlsConfig::default()),
            false => None,
        };
    }
    let mut files = table.table("tls");
    let mut path = |key| files.take(key).as_ref().and_then(Item::name);
    let [ca, certificate, key] = ["ca", "certificate", "key"].map(&mut path);
    if certificate.is_some() != key.is_some() {
        files.fault(
            "a client's certificate and its key are of use together only; set both".to_owned(),
        );
    }
    files.finish();
    Some(TlsConfig {
        ca: ca.map(Into::into),
        certificate: certificate.map(Into::into),
        key: key.map(Into::into),
    })
}

fn shown_tls(tls: Option<&TlsConfig>) -> toml::Value {
    let Some(tls) = tls else { return false.into() };
    let files = [
        ("ca", &tls.ca),
        ("certificate", &tls.certificate),
        ("key", &tls.key),
    ];
    let set: toml::Table = files
        .into_iter()
        .filter_map(|(key, path)| {
            let path = path.as_ref()?.display().to_string();
            Some((key.to_owned(), path.into()))
        })
        .collect();
    match set.is_empty() {
        true => true.into(),
        false => toml::Value::Table(set),
    }
}
