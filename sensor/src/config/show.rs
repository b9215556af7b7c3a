//! The configuration as it is in force, and where each value comes from.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::Value;

use super::export::Headers;
use super::incident::signal_name;
use super::item::Choice;
use super::{Config, Incidents, Origin, OtlpSettings, Receiver, TransportConfig, format_duration};

/// One value in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The dotted key.
    pub key: &'static str,
    /// The value as the file would have it.
    pub value: Value,
    /// Who set it.
    pub origin: Origin,
}

impl Origin {
    /// One word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        }
    }
}

/// Every key of the configuration file, in its order. `export` is what file
/// and environment say together, where they name an endpoint. The values of
/// request headers are left out: they are secrets as a rule.
#[must_use]
pub fn settings(config: &Config, export: Option<&OtlpSettings>) -> Vec<Setting> {
    let Config {
        plugins,
        interval,
        host,
        kernel,
        limits,
        args,
        store,
        queue,
        otlp: _,
        scrub,
        incident,
        receiver,
        log_formats,
        telemetry,
        origins: _,
    } = config;
    let mut all = vec![
        ("plugins", texts(plugins.iter().map(|dir| dir.display()))),
        ("interval", time(*interval)),
        ("host.enabled", name(*host)),
        ("kernel.ebpf", name(kernel.ebpf)),
        ("kernel.ring_bytes", number(kernel.ring_bytes)),
        ("kernel.max_latency", time(kernel.max_latency)),
        ("kernel.pin", kernel.pin.into()),
        ("limits.processes", number(limits.processes)),
        ("limits.groups", number(limits.groups)),
        ("args.capture", args.capture.into()),
        ("args.max_bytes", number(args.max_bytes)),
        ("store.path", path(store.path.as_ref())),
        ("store.strict", store.strict.into()),
        ("queue.max_bytes", number(queue.max_bytes)),
        ("queue.max_age", time(queue.max_age)),
    ];
    all.extend(otlp(config, export));
    all.extend([
        ("scrub.words", texts(&scrub.words)),
        ("scrub.patterns", texts(&scrub.patterns)),
        ("scrub.keep", texts(&scrub.keep)),
        ("logs.format", super::logs::show(log_formats)),
    ]);
    all.extend(incidents(incident));
    all.extend(receiving(receiver));
    all.push(("telemetry.enabled", Value::from(*telemetry)));
    let origin = |key| {
        let by_export = export.and_then(|export| export.origins.get(key).copied());
        by_export.unwrap_or_else(|| config.origin(key))
    };
    let settings = all.into_iter().map(|(key, value)| Setting {
        key,
        value,
        origin: origin(key),
    });
    settings.collect()
}

fn otlp(config: &Config, export: Option<&OtlpSettings>) -> Vec<(&'static str, Value)> {
    let file = &config.otlp;
    // Without an endpoint nothing else is in force; the file is shown then.
    let endpoint = export.and_then(|export| export.endpoint.clone());
    let protocol = export.map(|export| export.protocol).or(file.protocol);
    let gzip = export.map(|export| export.gzip).or(file.gzip);
    let timeout = export.map(|export| export.timeout).or(file.timeout);
    let headers = export.map(|export| &export.headers);
    let paths = match export {
        Some(export) => [&export.ca, &export.certificate, &export.key],
        None => [&file.ca, &file.certificate, &file.key],
    };
    let [ca, certificate, key] = paths.map(|one| path(one.as_ref()));
    let compression = if gzip.unwrap_or(true) { "gzip" } else { "none" };
    vec![
        ("export.otlp.endpoint", endpoint.unwrap_or_default().into()),
        ("export.otlp.protocol", name(protocol.unwrap_or_default())),
        ("export.otlp.compression", compression.into()),
        (
            "export.otlp.timeout",
            time(timeout.unwrap_or(Duration::from_secs(10))),
        ),
        (
            "export.otlp.headers",
            hidden(headers.or(file.headers.as_ref())),
        ),
        ("export.otlp.tls.ca", ca),
        ("export.otlp.tls.certificate", certificate),
        ("export.otlp.tls.key", key),
    ]
}

fn incidents(incident: &Incidents) -> Vec<(&'static str, Value)> {
    let exits = incident.ignore_exits.iter();
    let transports = incident.transports.iter();
    vec![
        ("incident.enabled", incident.enabled.into()),
        ("incident.window", time(incident.window)),
        ("incident.context", texts(&incident.context)),
        (
            "incident.ignore_exits",
            texts(exits.map(|&signal| signal_name(signal))),
        ),
        (
            "incident.transport",
            Value::Array(transports.map(TransportConfig::shown).collect()),
        ),
    ]
}

fn receiving(receiver: &Receiver) -> Vec<(&'static str, Value)> {
    let address = |address: Option<SocketAddr>| {
        Value::from(address.map_or_else(String::new, |address| address.to_string()))
    };
    vec![
        ("receiver.enabled", receiver.enabled.into()),
        ("receiver.http", address(receiver.http)),
        ("receiver.grpc", address(receiver.grpc)),
        ("receiver.socket", path(receiver.socket.as_ref())),
        ("receiver.capture_404", receiver.capture_404.into()),
        (
            "receiver.capture_request_body",
            receiver.capture_request_body.into(),
        ),
        (
            "receiver.ignore_exceptions",
            texts(&receiver.ignore_exceptions),
        ),
        ("receiver.ignore_paths", texts(&receiver.ignore_paths)),
        (
            "receiver.slow_request_threshold",
            time(receiver.slow_request_threshold),
        ),
    ]
}

/// The settings as a configuration file, each with a comment that says who
/// set it.
#[must_use]
pub fn text(settings: &[Setting]) -> String {
    let mut text = String::new();
    let mut table = "";
    for setting in settings {
        let (own, key) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        if own != table {
            let _ = write!(text, "\n[{own}]\n");
            table = own;
        }
        let line = format!("{key} = {}", setting.value);
        let _ = writeln!(text, "{line:<39} # {}", setting.origin.name());
    }
    text
}

fn texts<T: ToString>(texts: impl IntoIterator<Item = T>) -> Value {
    let texts = texts.into_iter().map(|text| Value::from(text.to_string()));
    Value::Array(texts.collect())
}

fn time(duration: Duration) -> Value {
    format_duration(duration).into()
}

fn name(choice: impl Choice + PartialEq) -> Value {
    choice.name().into()
}

/// The largest number that the file takes is far below 2^63.
fn number(number: impl TryInto<i64>) -> Value {
    number.try_into().unwrap_or(i64::MAX).into()
}

fn path(path: Option<&PathBuf>) -> Value {
    path.map_or_else(String::new, |path| path.display().to_string())
        .into()
}

fn hidden(headers: Option<&Headers>) -> Value {
    let names = headers.into_iter().flat_map(|headers| headers.0.keys());
    let hidden = names.map(|name| (name.clone(), Value::from("(hidden)")));
    Value::Table(hidden.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use crate::config::reader::Document;
    use crate::config::{Environment, ExportFlags, check, export_settings};

    fn shown(file: &str, variables: &[(&str, &str)]) -> Vec<Setting> {
        let config = Config::parse(Path::new("s.toml"), file).unwrap();
        let lookup = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).into())
        };
        let environment = Environment::new(&lookup);
        let export = export_settings(&ExportFlags::default(), &environment, &config).unwrap();
        settings(&config, export.as_ref())
    }

    #[test]
    fn every_key_that_is_read_is_shown() {
        let document = Document::parse(Path::new("s.toml"), "");
        let _ = check::read(&document);
        let asked = document.into_notes().asked;
        let shown = shown("", &[]);
        // Tables are no values.
        let is_table = |key: &String| {
            let prefix = format!("{key}.");
            asked.iter().any(|other| other.starts_with(&prefix))
        };
        let mut wanted: Vec<&String> = asked.iter().filter(|key| !is_table(key)).collect();
        let mut keys: Vec<&str> = shown.iter().map(|setting| setting.key).collect();
        wanted.sort();
        keys.sort_unstable();
        assert_eq!(keys, wanted);
    }

    #[test]
    fn what_is_shown_reads_as_the_same_configuration() {
        let empty = text(&shown("", &[]));
        let again = Config::parse(Path::new("s.toml"), &empty).unwrap();
        let (mut again, mut default) = (again, Config::default());
        again.origins.clear();
        // What the file leaves open, the exporter's defaults fill.
        (again.otlp, default.otlp) = Default::default();
        assert_eq!(again, default, "{empty}");
        assert!(
            empty
                .lines()
                .all(|line| !line.contains('#') || line.ends_with("# default"))
        );
    }

    #[test]
    fn each_value_has_its_origin() {
        let file = "interval = 5\n[export.otlp]\nendpoint = 'http://a:1'\ntimeout = '3s'\n\
                    [export.otlp.headers]\nAuthorization = 'Bearer secret'\n";
        let shown = shown(file, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://b:2")]);
        let of = |key: &str| {
            let found = shown.iter().find(|setting| setting.key == key).unwrap();
            (found.value.to_string(), found.origin)
        };
        assert_eq!(of("interval"), ("\"5s\"".to_owned(), Origin::File));
        let endpoint = ("\"http://b:2\"".to_owned(), Origin::Environment);
        assert_eq!(of("export.otlp.endpoint"), endpoint);
        assert_eq!(of("export.otlp.timeout").1, Origin::File);
        assert_eq!(of("kernel.pin"), ("false".to_owned(), Origin::Default));
        let text = text(&shown);
        assert!(!text.contains("secret"), "{text}");
        assert!(text.contains("authorization"), "{text}");
    }
}
