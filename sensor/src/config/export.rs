//! Where to export to: flags, variables and file put in order.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::check::Compression;
use super::endpoint::{self, Address};
use super::environment::Environment;
use super::item::{Choice, shown};
use super::problem::Problem;
use super::{Config, Origin};

pub(crate) use super::endpoint::{check as check_endpoint, host as agent_host, port as agent_port};

/// The flags that say where to export to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportFlags {
    /// `--agent-host`, checked, an IPv6 address in brackets.
    pub agent_host: Option<String>,
    /// `--agent-port`, above 0.
    pub agent_port: Option<u16>,
    /// `--protocol`.
    pub protocol: Option<Protocol>,
    /// `--tls`.
    pub tls: bool,
}

/// What the exporter needs to know, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpSettings {
    /// Base URL of all signals; `None` where only one signal has an address,
    /// and then the other is not exported. With HTTP, `/v1/metrics` or
    /// `/v1/logs` goes behind it.
    pub endpoint: Option<String>,
    /// URL of metrics alone, used as it is.
    pub metrics_endpoint: Option<String>,
    /// URL of logs alone, used as it is.
    pub logs_endpoint: Option<String>,
    /// How messages are carried.
    pub protocol: Protocol,
    /// Compress messages.
    pub gzip: bool,
    /// Time one request may take.
    pub timeout: Duration,
    /// Sent with each request.
    pub headers: Headers,
    /// PEM file of the authorities to trust.
    pub ca: Option<PathBuf>,
    /// PEM file of the client's certificate.
    pub certificate: Option<PathBuf>,
    /// PEM file of the client's key.
    pub key: Option<PathBuf>,
    /// Where values come from, by dotted key; what is not here is a default.
    pub origins: BTreeMap<&'static str, Origin>,
}

/// How OTLP messages are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// OTLP/gRPC.
    #[default]
    Grpc,
    /// OTLP/HTTP with binary protobuf.
    HttpProtobuf,
}

impl Protocol {
    /// The registered port of the protocol.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Grpc => 4317,
            Self::HttpProtobuf => 4318,
        }
    }
}

impl Choice for Protocol {
    const NAMES: &'static [(&'static str, Self)] =
        &[("grpc", Self::Grpc), ("http/protobuf", Self::HttpProtobuf)];
}

/// Request headers, by lower-case name. Their values are secrets as a rule,
/// so `Debug` shows the names only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Headers(pub BTreeMap<String, String>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Puts flags, variables and file in order; `None` where nothing says where
/// to export to. `OTEL_EXPORTER_OTLP_*` goes before the variables of the
/// Python framework.
///
/// # Errors
/// Every bad value, named by its flag or variable.
pub fn export_settings(
    flags: &ExportFlags,
    environment: &Environment<'_>,
    config: &Config,
) -> Result<Option<OtlpSettings>, Vec<Problem>> {
    let mut sources = Sources {
        environment,
        problems: Vec::new(),
        origins: BTreeMap::new(),
    };
    let settings = sources.settings(flags, config);
    if sources.problems.is_empty() {
        Ok(settings.map(|settings| OtlpSettings {
            origins: sources.origins,
            ..settings
        }))
    } else {
        Err(sources.problems)
    }
}

struct Sources<'a> {
    environment: &'a Environment<'a>,
    problems: Vec<Problem>,
    origins: BTreeMap<&'static str, Origin>,
}

impl Sources<'_> {
    fn settings(&mut self, flags: &ExportFlags, config: &Config) -> Option<OtlpSettings> {
        let file = &config.otlp;
        let variable = self.variable("OTEL_EXPORTER_OTLP_PROTOCOL", protocol_of_variable);
        let protocol = self.pick(
            "export.otlp.protocol",
            flags.protocol,
            variable,
            file.protocol,
        );
        let protocol = protocol.unwrap_or_default();

        let variable = self.variable("OTEL_EXPORTER_OTLP_COMPRESSION", |text| {
            Compression::from_name(text).map(|Compression(gzip)| gzip)
        });
        let gzip = self.pick("export.otlp.compression", None, variable, file.gzip);
        let variable = self.variable("OTEL_EXPORTER_OTLP_TIMEOUT", milliseconds);
        let timeout = self.pick("export.otlp.timeout", None, variable, file.timeout);
        let variable = self.variable("OTEL_EXPORTER_OTLP_HEADERS", headers);
        let headers = self.pick("export.otlp.headers", None, variable, file.headers.clone());

        let mut path = |key, names: [&'static str; 2], file: &Option<PathBuf>| {
            let found = names.map(|name| self.variable(name, |text| Ok(PathBuf::from(text))));
            let variable = found.into_iter().flatten().next();
            self.pick(key, None, variable, file.clone())
        };
        let ca = path(
            "export.otlp.tls.ca",
            ["OTEL_EXPORTER_OTLP_CERTIFICATE", "CA_CERT_PATH"],
            &file.ca,
        );
        let certificate = path(
            "export.otlp.tls.certificate",
            ["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "CLIENT_CERT_PATH"],
            &file.certificate,
        );
        let key = path(
            "export.otlp.tls.key",
            ["OTEL_EXPORTER_OTLP_CLIENT_KEY", "CLIENT_KEY_PATH"],
            &file.key,
        );
        if certificate.is_some() != key.is_some() {
            let message = "a client's certificate and its key are of use together only; set both";
            self.problems
                .push(Problem::setting("export.otlp.tls", message));
        }

        let [endpoint, metrics_endpoint, logs_endpoint] = self.endpoints(flags, protocol, config);
        if endpoint.is_none() && metrics_endpoint.is_none() && logs_endpoint.is_none() {
            return None;
        }
        Some(OtlpSettings {
            endpoint,
            metrics_endpoint,
            logs_endpoint,
            protocol,
            gzip: gzip.unwrap_or(true),
            timeout: timeout.unwrap_or(Duration::from_secs(10)),
            headers: headers.unwrap_or_default(),
            ca,
            certificate,
            key,
            origins: BTreeMap::new(),
        })
    }

    /// The addresses of all signals, of metrics and of logs.
    fn endpoints(
        &mut self,
        flags: &ExportFlags,
        protocol: Protocol,
        config: &Config,
    ) -> [Option<String>; 3] {
        let host = self.variable("INSTANA_AGENT_HOST", endpoint::host);
        let port = self.variable("INSTANA_AGENT_PORT", endpoint::port);
        let use_tls = self.variable("USE_TLS", truth);
        let url = |text: &str| endpoint::check(text).map(|()| text.to_owned());
        let base = self.variable("OTEL_EXPORTER_OTLP_ENDPOINT", url);
        let metrics = self.variable("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", url);
        let logs = self.variable("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", url);

        let by_flag = flags.agent_host.is_some() || flags.agent_port.is_some();
        let agent = |host: Option<String>, port: Option<u16>| {
            let host = host.unwrap_or_else(|| "localhost".to_owned());
            format!("{host}:{}", port.unwrap_or(protocol.default_port()))
        };
        let of_flags = by_flag.then(|| {
            agent(
                flags.agent_host.clone().or(host.clone()),
                flags.agent_port.or(port),
            )
        });
        let of_environment =
            base.or_else(|| (host.is_some() || port.is_some()).then(|| agent(host, port)));
        let key = "export.otlp.endpoint";
        let endpoint = self.pick(key, of_flags, of_environment, config.otlp.endpoint.clone());
        let origin = self.origins.get(key).copied().unwrap_or_default();

        // TLS as said by something stronger than the address decides over
        // its scheme; as said by the same, only where it has none.
        let (said, tls) = match (flags.tls, use_tls) {
            (true, _) => (Origin::Flag, true),
            (false, Some(tls)) => (Origin::Environment, tls),
            (false, None) => (Origin::Default, false),
        };
        let complete = |text: String, origin: Origin| {
            let address = Address {
                tls,
                decides: said > origin,
                protocol,
            };
            address.complete(&text)
        };
        // A flag names one address for all signals.
        let single = |text: Option<String>| {
            text.filter(|_| !by_flag)
                .map(|text| complete(text, Origin::Environment))
        };
        [
            endpoint.map(|text| complete(text, origin)),
            single(metrics),
            single(logs),
        ]
    }

    /// The strongest of the values, with a note where it came from.
    fn pick<T>(
        &mut self,
        key: &'static str,
        flag: Option<T>,
        variable: Option<T>,
        file: Option<T>,
    ) -> Option<T> {
        let ranked = [
            (flag, Origin::Flag),
            (variable, Origin::Environment),
            (file, Origin::File),
        ];
        let (value, origin) = ranked
            .into_iter()
            .find_map(|(value, origin)| Some((value?, origin)))?;
        self.origins.insert(key, origin);
        Some(value)
    }

    fn variable<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match self.environment.get(name) {
            Ok(text) => self.checked(name, text.as_deref().map(read)),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    fn checked<T>(&mut self, name: &str, value: Option<Result<T, String>>) -> Option<T> {
        value?
            .map_err(|message| self.problems.push(Problem::setting(name, message)))
            .ok()
    }
}

/// The protocol of `--protocol`.
pub(crate) fn protocol_of_flag(text: &str) -> Result<Protocol, String> {
    match text {
        "http" => Ok(Protocol::HttpProtobuf),
        _ => Protocol::from_name(text)
            .map_err(|_| format!("`{}` is not a protocol; write grpc or http", shown(text))),
    }
}

fn protocol_of_variable(text: &str) -> Result<Protocol, String> {
    match text {
        "http/json" => Err("http/json is not supported; write http/protobuf or grpc".to_owned()),
        _ => Protocol::from_name(text),
    }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        _ => Err(format!(
            "`{}` is not a number of milliseconds above 0, such as 10000",
            shown(text)
        )),
    }
}

fn truth(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("`{}` is neither true nor false", shown(text))),
    }
}

/// `name=value,name2=value2`, values percent-encoded (OpenTelemetry protocol
/// exporter specification, "Specifying headers via environment variables").
fn headers(text: &str) -> Result<Headers, String> {
    let pairs = text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair
            .split_once('=')
            .ok_or("a header without `=`; write name=value,name2=value2")?;
        let value = percent_encoding::percent_decode_str(value.trim())
            .decode_utf8()
            .map_err(|_| "a header's value is not UTF-8 once decoded")?;
        check_header(name.trim(), value.trim())
    });
    pairs.collect::<Result<_, String>>().map(Headers)
}

/// A header that both HTTP and gRPC can carry. A value is never repeated in
/// the message: it may be a secret.
pub(crate) fn check_header(name: &str, value: &str) -> Result<(String, String), String> {
    // RFC 9110, 5.6.2: what a token is made of.
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("`{}` is not the name of a header", shown(name)));
    }
    if !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Err(format!(
            "the value of the header {} has characters other than printable ASCII",
            shown(name)
        ));
    }
    Ok((name.to_ascii_lowercase(), value.to_owned()))
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
