//! `type = "http"`: a POST to a webhook.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;

use super::{
    BuildError, Kind, Parcel, Sending, Settings, Surroundings, Transport, delivered, retry,
    shown_tls, template::Template, tls,
};
use crate::{
    config::{
        Headers, check_endpoint, check_header, format_duration,
        item::{Item, shown},
        reader::Table,
        set,
    },
    export::otlp::{
        Outcome, TlsConfig,
        post::{Poster, retry_after},
    },
};

/// The type `http`.
pub static KIND: Kind = Kind {
    name: "http",
    number: 32,
    read,
};

#[derive(Debug, Clone)]
struct Webhook {
    url: String,
    headers: Headers,
    /// `None`: the whole incident as JSON.
    template: Option<Template>,
    timeout: Duration,
    tls: Option<TlsConfig>,
}

fn read(table: &mut Table<'_>) -> Arc<dyn Settings> {
    let url = table.require("url").and_then(|item| url(&item));
    let mut hook = Webhook {
        url: url.unwrap_or_default(),
        headers: Headers::default(),
        template: None,
        timeout: Duration::from_secs(10),
        tls: None,
    };
    if let Some(headers) = table.take("headers").and_then(|item| item.string_map()) {
        let checked = headers.into_iter().filter_map(|(item, name, value)| {
            let checked = check_header(&name, &value);
            checked.map_err(|message| item.fault(message)).ok()
        });
        hook.headers = Headers(checked.collect());
    }
    if let Some(item) = table.take("template") {
        let text = item.name();
        hook.template = text.and_then(|text| {
            let template = Template::parse(&text);
            template.map_err(|message| item.fault(message)).ok()
        });
    }
    set(&mut hook.timeout, table.take("timeout"), |item| {
        item.duration(Duration::from_millis(1)..=Duration::from_secs(600))
    });
    hook.tls = tls(table);
    Arc::new(hook)
}

fn url(item: &Item<'_>) -> Option<String> {
    let url = item.name()?;
    let checked = match url.contains("://") {
        true => check_endpoint(&url),
        false => Err(format!(
            "`{}` has no scheme; write it as https://host/path",
            shown(&url)
        )),
    };
    checked.map_err(|message| item.fault(message)).ok()?;
    Some(url)
}

impl Settings for Webhook {
    fn shown(&self) -> Vec<(&'static str, toml::Value)> {
        let names = self.headers.0.keys();
        let hidden = names.map(|name| (name.clone(), toml::Value::from("(hidden)")));
        let mut all = vec![
            ("url", without_path(&self.url).into()),
            ("headers", toml::Value::Table(hidden.collect())),
            ("timeout", format_duration(self.timeout).into()),
        ];
        if let Some(template) = &self.template {
            all.push(("template", template.text().into()));
        }
        if self.tls.is_some() {
            all.push(("tls", shown_tls(self.tls.as_ref())));
        }
        all
    }
    fn build(&self, _: &Surroundings) -> Result<Box<dyn Transport>, BuildError> {
        let is_json = self.template.as_ref().is_none_or(Template::is_json);
        let content = match is_json {
            true => "application/json",
            false => "text/plain; charset=utf-8",
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
        let mut faults = Vec::new();
        for (name, value) in &self.headers.0 {
            let parsed = (name.parse::<HeaderName>(), value.parse::<HeaderValue>());
            match parsed {
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(name, value);
                }
                _ => faults.push(format!("incident.transport.headers: {name} cannot be sent")),
            }
        }
        if !faults.is_empty() {
            return Err(BuildError::Faulty(faults));
        }
        let (poster, target) = Poster::to(&self.url, headers, self.tls.as_ref())?;
        Ok(Box::new(Posting {
            poster,
            target: format!("http {target}"),
            template: self.template.clone(),
            timeout: self.timeout,
        }))
    }
}

struct Posting {
    poster: Poster,
    target: String,
    template: Option<Template>,
    timeout: Duration,
}

impl Transport for Posting {
    fn target(&self) -> String {
        self.target.clone()
    }

    fn send<'a>(&'a mut self, parcel: &'a Parcel) -> Sending<'a> {
        let body: Bytes = match &self.template {
            Some(template) => template.fill(&parcel.object()).into(),
            None => parcel.json().clone(),
        };
        Box::pin(async move {
            match self.poster.post(body).await {
                Ok((head, _)) => judged(head.status, &head.headers),
                Err(reason) => retry(reason),
            }
        })
    }

    fn limit(&self) -> Duration {
        self.timeout
    }

    fn reset(&mut self) {
        self.poster.disconnect();
    }
}

/// What a status says (RFC 9110, section 15): what is wrong with the server
/// may be right later, what is wrong with the request will not.
fn judged(status: StatusCode, headers: &HeaderMap) -> Outcome {
    let reason = format!("HTTP status {}", status.as_u16());
    let later = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    match status.is_success() {
        true => delivered(),
        false if later => Outcome::Retry {
            after: retry_after(headers, SystemTime::now()),
            reason,
        },
        false => Outcome::Refused { reason },
    }
}

/// A webhook's path and query are its password as a rule.
fn without_path(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = url.split_at(start);
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    match rest.len() > host.len() + 1 {
        true => format!("{scheme}{host}/(hidden)"),
        false => url.to_owned(),
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
