//! Where incidents go: one type of transport a file behind one trait.
//!
//! A transport carries one incident at a time. Waiting, trying again and the
//! fallback are done for it.

pub mod file;
pub mod http;
pub mod kafka;
pub mod otlp;
pub mod store;
mod template;

use std::{fmt, sync::Arc};

use crate::{
    config::{item::Item, reader::Table},
    export::otlp::TlsConfig,
};

/// A type of transport: what `[[incident.transport]] type` may say.
#[derive(Debug)]
pub struct Kind {
    /// The type.
    pub name: &'static str,
    /// The first number of its queues in the store; see [`queue_number`].
    /// Never to be changed, nor given to another.
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
