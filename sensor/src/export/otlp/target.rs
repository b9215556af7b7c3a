//! The checked configuration.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use ::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use rustls::ClientConfig;

use super::{Compression, ConfigError, OtlpConfig, Protocol, Signal, tls};

/// Headers that the protocol itself sets.
const OWN_HEADERS: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
    "user-agent",
];

/// Where and how to export, checked: made by [`OtlpConfig::check`].
#[derive(Debug, Clone)]
pub struct Otlp {
    metrics: Option<Target>,
    logs: Option<Target>,
    pub(super) protocol: Protocol,
    pub(super) compression: Compression,
    pub(super) timeout: Duration,
    pub(super) headers: HeaderMap,
    /// There where a target needs it.
    pub(super) tls: Option<Arc<ClientConfig>>,
}

impl Otlp {
    pub(super) fn new(config: &OtlpConfig) -> Result<Self, Vec<ConfigError>> {
        let mut problems = Vec::new();
        let mut keep = |problem| problems.push(problem);

        let metrics = signal_target(config, Signal::Metrics);
        let logs = signal_target(config, Signal::Logs);
        let (metrics, logs) = match (metrics, logs) {
            (Ok(None), Ok(None)) => {
                keep(ConfigError::NoEndpoint);
                (None, None)
            }
            (Ok(metrics), Ok(logs)) => (metrics, logs),
            (metrics, logs) => {
                // One bad endpoint for both is one problem.
                let shared = config.metrics_endpoint.is_none() && config.logs_endpoint.is_none();
                metrics.err().map(&mut keep);
                logs.err().filter(|_| !shared).map(&mut keep);
                (None, None)
            }
        };
        if config.timeout.is_zero() {
            keep(ConfigError::Timeout);
        }
        let headers = headers(&config.headers.0, &mut keep);
        let secure = [&metrics, &logs]
            .into_iter()
            .flatten()
            .any(|target| target.secure);
        let tls = tls::client_config(
            &config.tls,
            &tls::COLLECTOR,
            vec![alpn(config.protocol)],
            secure,
            &mut keep,
        );

        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            metrics,
            logs,
            protocol: config.protocol,
            compression: config.compression,
            timeout: config.timeout,
            headers,
            tls,
        })
    }

    /// Where a signal goes; `None` where it is not exported.
    #[must_use]
    pub fn target(&self, signal: Signal) -> Option<&Target> {
        match signal {
            Signal::Metrics => self.metrics.as_ref(),
            Signal::Logs => self.logs.as_ref(),
        }
    }

    /// Longest time for one request.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The same with a timeout of at most `limit`.
    #[must_use]
    pub fn with_timeout_limit(mut self, limit: Duration) -> Self {
        self.timeout = self.timeout.min(limit);
        self
    }
}

/// The address of one signal's requests; displayed as `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name or address, an IPv6 address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) secure: bool,
    /// Complete, with the signal's path where the protocol is HTTP.
    pub(super) uri: Uri,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What TLS calls the protocol below OTLP (RFC 7301).
fn alpn(protocol: Protocol) -> Vec<u8> {
    match protocol {
        Protocol::Grpc => b"h2".to_vec(),
        Protocol::HttpProtobuf => b"http/1.1".to_vec(),
    }
}

fn signal_target(config: &OtlpConfig, signal: Signal) -> Result<Option<Target>, ConfigError> {
    if let Some(url) = config.override_of(signal) {
        return target(url, None).map(Some);
    }
    let appended = (config.protocol == Protocol::HttpProtobuf).then_some(signal);
    let url = config.endpoint.as_deref();
    url.map(|url| target(url, appended)).transpose()
}

pub(super) fn target(url: &str, appended: Option<Signal>) -> Result<Target, ConfigError> {
    let bad = |problem| ConfigError::Endpoint {
        url: without_password(url),
        problem,
    };
    let url = url.trim();
    let uri: Uri = url.parse().map_err(|_| bad("is not a URL"))?;
    let secure = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        // `localhost:4317` too is read as a scheme, or as an authority alone.
        _ => return Err(bad("does not begin with http:// or https://")),
    };
    let authority = uri.authority().ok_or_else(|| bad("has no host"))?;
    if authority.as_str().contains('@') {
        return Err(bad(
            "has a user or password in it, which belongs in a header",
        ));
    }
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    if host.is_empty() {
        return Err(bad("has no host"));
    }
    let port = match authority.port() {
        Some(port) => port.as_u16(),
        None if authority.as_str().len() > authority.host().len() => {
            return Err(bad("has a port that is not one of 1 to 65535"));
        }
        None if secure => 443,
        None => 80,
    };
    if port == 0 {
        return Err(bad("has a port that is not one of 1 to 65535"));
    }
    let uri = match appended {
        Some(signal) => append(&uri, signal).ok_or_else(|| bad("is not a URL"))?,
        None => uri,
    };
    Ok(Target {
        host,
        port,
        secure,
        uri,
    })
}

/// `{endpoint}/v1/{signal}`, with or without a slash at the end of the
/// endpoint; a query stays behind the path.
fn append(uri: &Uri, signal: Signal) -> Option<Uri> {
    let path = uri.path().trim_end_matches('/');
    let query = uri
        .query()
        .map_or(String::new(), |query| format!("?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{path}/v1/{signal}{query}").parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// A URL fit for a message: everything between scheme and `@` is left out.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}://…{}", &url[..scheme], &url[at..])
        }
        _ => url.to_owned(),
    }
}

fn headers(list: &BTreeMap<String, String>, keep: &mut impl FnMut(ConfigError)) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        let mut bad = |problem| {
            keep(ConfigError::Header {
                name: name.clone(),
                problem,
            });
        };
        let Ok(key) = HeaderName::from_bytes(name.trim().as_bytes()) else {
            bad("a name that HTTP does not allow; use letters, digits and `-`");
            continue;
        };
        if OWN_HEADERS.contains(&key.as_str()) || key.as_str().starts_with("grpc-") {
            bad("a meaning of its own in the protocol; remove it");
            continue;
        }
        match HeaderValue::from_str(value.trim()) {
            Ok(mut value) => {
                value.set_sensitive(true);
                headers.append(key, value);
            }
            Err(_) => bad("a value with control characters; remove them"),
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(endpoint: &str, protocol: Protocol) -> OtlpConfig {
        OtlpConfig {
            endpoint: Some(endpoint.to_owned()),
            protocol,
            ..OtlpConfig::default()
        }
    }

    #[test]
    fn paths_follow_the_specification() {
        for (endpoint, address, metrics, logs) in [
            ("http://c:4318", "c:4318", "/v1/metrics", "/v1/logs"),
            ("http://c:4318/", "c:4318", "/v1/metrics", "/v1/logs"),
            (
                "http://c/otlp/",
                "c:80",
                "/otlp/v1/metrics",
                "/otlp/v1/logs",
            ),
            (
                "http://[::1]:4318?k=v",
                "[::1]:4318",
                "/v1/metrics?k=v",
                "/v1/logs?k=v",
            ),
        ] {
            let otlp = config(endpoint, Protocol::HttpProtobuf).check().unwrap();
            for (signal, path) in [(Signal::Metrics, metrics), (Signal::Logs, logs)] {
                let target = otlp.target(signal).unwrap();
                assert_eq!(target.to_string(), address);
                assert_eq!(target.uri.path_and_query().unwrap().as_str(), path);
            }
        }
    }

    #[test]
    fn an_endpoint_of_one_signal_is_used_as_it_is() {
        let otlp = OtlpConfig {
            metrics_endpoint: Some("http://m:1234/custom".to_owned()),
            ..config("http://c:4318", Protocol::HttpProtobuf)
        }
        .check()
        .unwrap();
        let uri = |signal| otlp.target(signal).unwrap().uri.to_string();
        assert_eq!(uri(Signal::Metrics), "http://m:1234/custom");
        assert_eq!(uri(Signal::Logs), "http://c:4318/v1/logs");
    }

    #[test]
    fn a_signal_without_an_address_is_not_exported() {
        let mut config = OtlpConfig {
            endpoint: None,
            logs_endpoint: Some("http://l:4317".to_owned()),
            ..OtlpConfig::default()
        };
        let otlp = config.check().unwrap();
        assert!(otlp.target(Signal::Metrics).is_none());
        assert!(otlp.target(Signal::Logs).is_some());
        config.logs_endpoint = None;
        let problems = config.check().unwrap_err();
        assert!(matches!(problems[..], [ConfigError::NoEndpoint]));
    }

    #[test]
    fn a_bad_endpoint_is_one_problem_with_a_remedy() {
        for (endpoint, problem) in [
            ("localhost:4317", "does not begin with http://"),
            ("localhost", "does not begin with http://"),
            ("ftp://c", "does not begin with http://"),
            ("", "is not a URL"),
            ("http://", "is not a URL"),
            ("http:// c", "is not a URL"),
            ("http://c:99999", "port"),
            ("http://c:0", "port"),
            ("http://u:secret@c:4317", "user or password"),
        ] {
            let problems = config(endpoint, Protocol::Grpc).check().unwrap_err();
            assert_eq!(problems.len(), 1, "{endpoint}");
            let text = problems[0].to_string();
            assert!(text.contains(problem), "{endpoint}: {text}");
            assert!(text.contains("write http://HOST:PORT"), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn all_problems_come_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let empty = directory.path().join("empty.pem");
        std::fs::write(&empty, "no certificate").unwrap();
        let problems = OtlpConfig {
            endpoint: Some("c:4317".to_owned()),
            logs_endpoint: Some("nonsense".to_owned()),
            timeout: Duration::ZERO,
            headers: super::super::Headers(
                [("a b", "v"), ("x-key", "sec\nret"), ("Content-Type", "v")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into(),
            ),
            tls: super::super::TlsConfig {
                ca: Some(empty),
                certificate: None,
                key: Some(directory.path().join("absent.key")),
            },
            ..OtlpConfig::default()
        }
        .check()
        .unwrap_err();
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        for part in [
            "`c:4317`",
            "`nonsense`",
            "timeout is 0",
            "`a b` has a name",
            "`x-key` has a value",
            "`Content-Type` has a meaning",
            "empty.pem` holds no certificate",
            "export.otlp.tls.key is set without export.otlp.tls.certificate",
        ] {
            assert!(
                texts.iter().any(|text| text.contains(part)),
                "{part} in {texts:#?}"
            );
        }
        assert_eq!(texts.len(), 8, "{texts:#?}");
        assert!(!texts.concat().contains("sec\nret"));
    }
}
