//! `[export.otlp]` as it is written, and what can be wrong with it.

use std::{io, path::PathBuf, time::Duration};

use super::{Signal, target::Otlp};
use crate::config::{Headers, OtlpSettings, Protocol};

/// Where and how to export; [`OtlpConfig::check`] makes it usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpConfig {
    /// Base URL of the collector, `http://` or `https://`. Over HTTP
    /// `/v1/metrics` and `/v1/logs` are appended to its path; gRPC has no use
    /// for a path. `None`: only the signals with a URL of their own are
    /// exported.
    pub endpoint: Option<String>,
    /// URL for metrics alone, its path used as it is
    /// (`OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`).
    pub metrics_endpoint: Option<String>,
    /// URL for logs alone, its path used as it is
    /// (`OTEL_EXPORTER_OTLP_LOGS_ENDPOINT`).
    pub logs_endpoint: Option<String>,
    /// gRPC over HTTP/2, or POST over HTTP/1.1.
    pub protocol: Protocol,
    /// Compression of requests.
    pub compression: Compression,
    /// Longest time for one request, from connecting to the end of the answer.
    pub timeout: Duration,
    /// Names and values sent with every request.
    pub headers: Headers,
    /// Files for `https://` endpoints.
    pub tls: TlsConfig,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self {
            endpoint: Some("http://localhost:4317".to_owned()),
            metrics_endpoint: None,
            logs_endpoint: None,
            protocol: Protocol::Grpc,
            compression: Compression::Gzip,
            timeout: Duration::from_secs(10),
            headers: Headers::default(),
            tls: TlsConfig::default(),
        }
    }
}

impl OtlpConfig {
    /// Reads the files and checks everything, without connecting.
    ///
    /// # Errors
    ///
    /// Every problem that there is, not just the first.
    pub fn check(&self) -> Result<Otlp, Vec<ConfigError>> {
        Otlp::new(self)
    }

    pub(super) fn override_of(&self, signal: Signal) -> Option<&str> {
        match signal {
            Signal::Metrics => self.metrics_endpoint.as_deref(),
            Signal::Logs => self.logs_endpoint.as_deref(),
        }
    }
}

/// Files for TLS, all PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsConfig {
    /// The only certificate authorities to trust; `None`: those of the host.
    pub ca: Option<PathBuf>,
    /// The sensor's own certificate chain.
    pub certificate: Option<PathBuf>,
    /// The private key of `certificate`.
    pub key: Option<PathBuf>,
}

/// How requests are made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
}

impl From<OtlpSettings> for OtlpConfig {
    fn from(settings: OtlpSettings) -> Self {
        // Destructured, so that a new setting cannot be forgotten here.
        let OtlpSettings {
            endpoint,
            metrics_endpoint,
            logs_endpoint,
            protocol,
            gzip,
            timeout,
            headers,
            ca,
            certificate,
            key,
            origins: _,
        } = settings;
        Self {
            endpoint,
            metrics_endpoint,
            logs_endpoint,
            protocol,
            compression: if gzip {
                Compression::Gzip
            } else {
                Compression::None
            },
            timeout,
            headers,
            tls: TlsConfig {
                ca,
                certificate,
                key,
            },
        }
    }
}

/// A setting that cannot work, with its remedy.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nowhere to export to.
    #[error("no endpoint is set; set export.otlp.endpoint to http://HOST:PORT")]
    NoEndpoint,
    /// Not a URL that a collector can have.
    #[error("the endpoint `{url}` {problem}; write http://HOST:PORT, or https://HOST:PORT for TLS")]
    Endpoint {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A timeout in which nothing can happen.
    #[error("the export timeout is 0; set one such as \"10s\"")]
    Timeout,
    /// A header that HTTP cannot carry. The value may be a secret and is not
    /// shown.
    #[error("the header `{name}` has {problem}")]
    Header {
        /// Its name as given.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A file that cannot be read.
    #[error("cannot read `{}`; set {setting} to a readable PEM file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The setting that names it.
        setting: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A file without the part that it should have.
    #[error("`{}` holds no {wanted} in PEM form; set {setting} to a file that does", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// The setting that names it.
        setting: &'static str,
        /// What was looked for.
        wanted: &'static str,
    },
    /// Half of a client identity.
    #[error("{given} is set without {missing}; set both for a client certificate, or neither")]
    HalfIdentity {
        /// The setting that is there.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// A certificate and a key that rustls does not take together.
    #[error(
        "the certificate `{}` and the key `{}` cannot be used; give a chain and its own key",
        certificate.display(),
        key.display()
    )]
    Identity {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// Nothing to verify a server with.
    #[error(
        "this host has no CA certificates to verify an https:// endpoint with; \
         install the package ca-certificates or set export.otlp.tls.ca"
    )]
    NoRoots,
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}
